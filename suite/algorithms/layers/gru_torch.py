"""The GRU cell in torch operations: any device; the reference for `gru_numba`."""

from __future__ import annotations

import torch
from torch import Tensor


def forward_step(
    gates: Tensor,
    hidden_gates: Tensor,
    bias_ih: Tensor,
    bias_hh: Tensor,
    hidden: Tensor,
    factors: Tensor | None,
    start: int,
    previous: int,
    n_rows: int,
) -> None:
    """One time step: writes rows of `hidden`, and of `factors` unless that is None.

    gates (P, R, 3H): W_i x; hidden_gates (P, ≥ n_rows, 3H): W_h h of this step; both without their
    biases (P, 3H). hidden (P, n_rows of step 0 + R, H): a block of zeros, then the states.
    factors (P, R, 5H): what `backward_step` multiplies. start: first row of the step in `gates`;
    previous: first row of the step before in `hidden`.
    """
    size = hidden.shape[2]
    offset = hidden.shape[1] - gates.shape[1]
    before = hidden[:, previous : previous + n_rows]
    step_gates = gates[:, start : start + n_rows] + bias_ih.unsqueeze(1)
    from_hidden = hidden_gates[:, :n_rows] + bias_hh.unsqueeze(1)
    rz = torch.sigmoid(step_gates[..., : 2 * size] + from_hidden[..., : 2 * size])
    r, z = rz.split(size, dim=2)
    n = torch.addcmul(step_gates[..., 2 * size :], r, from_hidden[..., 2 * size :]).tanh_()
    torch.lerp(n, before, z, out=hidden[:, offset + start : offset + start + n_rows])
    if factors is not None:
        to_n = (1 - z) * (1 - n * n)
        parts = (
            to_n * r,
            to_n * from_hidden[..., 2 * size :] * r * (1 - r),
            (before - n) * z * (1 - z),
            to_n,
            z,
        )
        torch.cat(parts, dim=2, out=factors[:, start : start + n_rows])


def backward_step(
    total: Tensor,
    factors: Tensor,
    grads: Tensor,
    sums: Tensor,
    start: int,
    previous: int,
    n_rows: int,
) -> None:
    """One time step back: the gradients of the gates, and what the state hands straight on.

    total (P, R, H): gradient of each state, complete for this step. Writes rows of grads
    (P, R, 4H), the gradients of [W_hn h + b_hn | r | z | n] before activation, adds them
    up in sums (P, 4H), and adds to the rows of the step before in `total`; previous is its first
    row, -1 at time 0.
    """
    size = total.shape[2]
    d = total[:, start : start + n_rows]
    blocks = factors[:, start : start + n_rows].unflatten(2, (5, size))
    step_grads = (d.unsqueeze(2) * blocks[:, :, :4]).flatten(2)
    grads[:, start : start + n_rows] = step_grads
    sums += step_grads.sum(dim=1)
    if previous >= 0:
        total[:, previous : previous + n_rows].addcmul_(d, blocks[:, :, 4])
