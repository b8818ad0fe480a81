"""A GRU over packed episodes of a population: nn.GRUCell's equations, gates r, z, n.

    r = σ(i_r + W_hr h + b_hr)    z = σ(i_z + W_hz h + b_hz)
    n = tanh(i_n + r ∘ (W_hn h + b_hn))    h' = (1 - z) ∘ n + z ∘ h

Only `W_h h` depends on time order. Input gates i = W_i x + b_i are one product over all rows
before the loop, and the gradients of all weights are one product each after the loop back.

Backward: with D the gradient of a state h' (from its row and from later rows), the gradients
before activation are products of D with factors known at the forward step:
    n: D (1-z)(1-n²)    W_hn h + b_hn: that × r    r: that × (W_hn h + b_hn) r(1-r)
    z: D (h-n) z(1-z)   and h receives D z + (gradients of the hidden gates) W_h.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from suite.algorithms.layers import gru_numba, gru_torch
from suite.algorithms.layers.dense import linear
from suite.algorithms.layers.products import add_product, product
from suite.algorithms.rows import Rows


def gru_step(input_gates: Tensor, hidden_gates: Tensor, hidden: Tensor) -> Tensor:
    """One step: gates (…, 3H) of input and hidden state, hidden (…, H) -> next hidden (…, H)."""
    size = hidden.shape[-1]
    rz = torch.sigmoid(input_gates[..., : 2 * size] + hidden_gates[..., : 2 * size])
    n = torch.addcmul(
        input_gates[..., 2 * size :], rz[..., :size], hidden_gates[..., 2 * size :]
    ).tanh_()
    return torch.lerp(n, hidden, rz[..., size:])


def gru_sequence(
    x: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias_ih: Tensor,
    bias_hh: Tensor,
    rows: Rows,
    n_agents: int,
    initial: Tensor | None = None,
) -> Tensor:
    """Hidden states h (P, R·N, H) after each row, from x (P, R·N, I).

    initial: h before time 0 (P, n_at[0]·N, H), which gets no gradient; None stands for 0.
    """
    gates = linear(x, weight_ih)
    keeps_factors = torch.is_grad_enabled()
    hidden: Tensor = _Recurrence.apply(
        gates, weight_hh, bias_ih, bias_hh, rows, n_agents, keeps_factors, initial
    )
    return hidden


def gru_next(
    x: Tensor,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias_ih: Tensor,
    bias_hh: Tensor,
    hidden: Tensor,
) -> Tensor:
    """One step of `gru_sequence`, no gradient: x (P, R, I), hidden (P, R, H) -> (P, R, H)."""
    gates, (n_members, n, size) = linear(x, weight_ih), hidden.shape
    states = gates.new_empty(n_members, 2 * n, size)
    states[:, :n] = hidden
    hidden_gates = gates.new_empty(n_members, n, 3 * size)
    product(hidden, weight_hh.transpose(1, 2), hidden_gates)
    no_factors = gates.new_empty(n_members, 0, 5 * size)
    cell = _forward_cell((gates, hidden_gates, bias_ih, bias_hh, states), no_factors, False)
    cell(0, 0, n)
    return states[:, n:]


class _Recurrence(torch.autograd.Function):
    """gates W_i x (P, R·N, 3H), weight (P, 3H, H), biases (P, 3H) -> hidden (P, R·N, H)."""

    @staticmethod
    def forward(
        ctx: Any,
        gates: Tensor,
        weight: Tensor,
        bias_ih: Tensor,
        bias_hh: Tensor,
        rows: Rows,
        n_agents: int,
        keeps_factors: bool,
        initial: Tensor | None,
    ) -> Tensor:
        n_members, n_rows, size = gates.shape[0], gates.shape[1], weight.shape[2]
        n_first = rows.n_at[0] * n_agents
        states = gates.new_empty(n_members, n_first + n_rows, size)
        states[:, :n_first] = 0 if initial is None else initial
        factors = gates.new_empty(n_members, n_rows if keeps_factors else 0, 5 * size)
        hidden_gates = gates.new_empty(n_members, n_first, 3 * size)
        cell = _forward_cell(
            (gates, hidden_gates, bias_ih, bias_hh, states), factors, keeps_factors
        )
        weight_t = weight.transpose(1, 2)
        previous = 0
        for start, n_episodes in zip(rows.starts, rows.n_at, strict=True):
            n = n_episodes * n_agents
            product(states[:, previous : previous + n], weight_t, hidden_gates[:, :n])
            cell(start * n_agents, previous, n)
            previous = n_first + start * n_agents
        if keeps_factors:
            ctx.save_for_backward(weight, factors, states)
            ctx.rows, ctx.n_agents, ctx.starts_at_zero = rows, n_agents, initial is None
        return states[:, n_first:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_hidden: Tensor) -> tuple[Tensor | None, ...]:
        weight, factors, states = ctx.saved_tensors
        rows, n_agents = ctx.rows, ctx.n_agents
        size = weight.shape[2]
        total = grad_hidden.clone(memory_format=torch.contiguous_format)
        # Columns [W_hn h + b_hn | r | z | n]: hidden gates are the first three blocks (n, r, z),
        # input gates the last three (r, z, n).
        grads = total.new_empty(*total.shape[:2], 4 * size)
        sums = total.new_zeros(total.shape[0], 4 * size)
        cell = _backward_cell(total, factors, grads, sums)
        weight_nrz = weight.roll(size, dims=1)
        for t in range(len(rows.n_at) - 1, -1, -1):
            start, n = rows.starts[t] * n_agents, rows.n_at[t] * n_agents
            earlier = rows.starts[t - 1] * n_agents if t > 0 else -1
            cell(start, earlier, n)
            if t > 0:
                add_product(
                    total[:, earlier : earlier + n],
                    grads[:, start : start + n, : 3 * size],
                    weight_nrz,
                )
        n_first = rows.n_at[0] * n_agents
        grouped = states[:, n_first:].unflatten(1, (rows.n_rows, n_agents))
        before = rows.one_earlier(grouped).flatten(1, 2)
        of_hidden = grads[..., : 3 * size]
        grad_weight = weight.new_empty(weight.shape)
        product(of_hidden[:, n_first:].transpose(1, 2), before, grad_weight)
        if not ctx.starts_at_zero:
            first = of_hidden[:, :n_first].transpose(1, 2)
            add_product(grad_weight, first, states[:, :n_first])
        return (
            grads[..., size:],
            grad_weight.roll(-size, dims=1),
            sums[:, size:],
            sums[:, : 3 * size].roll(-size, dims=1),
            None,
            None,
            None,
            None,
        )


def _forward_cell(
    tensors: tuple[Tensor, Tensor, Tensor, Tensor, Tensor], factors: Tensor, keeps_factors: bool
) -> Callable[[int, int, int], None]:
    """The cell's step (start, previous, n_rows) on tensors as `gru_torch.forward_step` has them.

    Compiled loops on a CPU, torch elsewhere.
    """
    if factors.device.type != "cpu" or factors.dtype != torch.float32:
        return partial(gru_torch.forward_step, *tensors, factors if keeps_factors else None)
    arrays = [tensor.detach().contiguous().numpy() for tensor in (*tensors, factors)]

    def step(start: int, previous: int, n_rows: int) -> None:
        gru_numba.forward_step(*arrays, start, previous, n_rows, keeps_factors)

    return step


def _backward_cell(
    total: Tensor, factors: Tensor, grads: Tensor, sums: Tensor
) -> Callable[[int, int, int], None]:
    """The cell's step back on these tensors (start, previous, n_rows)."""
    if total.device.type != "cpu" or total.dtype != torch.float32:
        return partial(gru_torch.backward_step, total, factors, grads, sums)
    arrays = [tensor.numpy() for tensor in (total, factors, grads, sums)]
    return partial(gru_numba.backward_step, *arrays)
