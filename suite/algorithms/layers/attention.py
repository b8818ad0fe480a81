"""Attention among the agents of one row: scaled dot products, softmax over all, self included.

Vaswani et al. 2017, equation 1, per head; the release's `modules/layers/self_atten.py` divides
queries and keys by e^(1/4) each, which is the same scaling by √e. The release lets all agents hear
all, the dead included; that some are not heard is ours.

Shapes: x (P, R·N, D); weight (P, 3·E, D), projections to keys, queries, values one after another,
E = heads × head size, heads one after another within each; hears (P, R, N, N) bool, whether agent n
hears agent j (itself always), or None where all hear all.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from suite.algorithms.layers import attention_numba
from suite.algorithms.layers.dense import linear

# Projections of so many values (1.5 MB) are attended to while they are still in cache.
_CHUNK_VALUES = 3 * 2**17


def who_hears_whom(living: Tensor) -> Tensor:
    """The living hear each other, everybody hears itself: living (…, N) bool -> (…, N, N)."""
    itself = torch.eye(living.shape[-1], dtype=torch.bool, device=living.device)
    return (living.unsqueeze(-1) & living.unsqueeze(-2)) | itself


def own_values(x: Tensor, weight: Tensor) -> Tensor:
    """v (P, R·N, E): the advice of an agent that hears itself alone; no query, no key."""
    return linear(x, weight[:, weight.shape[1] // 3 * 2 :])


def advise(
    x: Tensor, weight: Tensor, n_agents: int, n_heads: int, hears: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Advice z (P, R·N, E), z_n = Σ_j C_nj v_j with heads side by side, and C_nn (P, R, heads, N).

    C is the softmax over those whom an agent hears, 0 for the others.
    """
    advice, self_attention, _ = advise_with_values(x, weight, n_agents, n_heads, hears)
    return advice, self_attention


def advise_with_values(
    x: Tensor, weight: Tensor, n_agents: int, n_heads: int, hears: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor | None]:
    """`advise` and, where gradients are on, `own_values` without theirs: they are there anyway."""
    is_trained = torch.is_grad_enabled()
    if x.device.type == "cpu" and x.dtype == torch.float32:
        advice, self_attention, packed = _Advice.apply(
            x, weight, n_agents, n_heads, is_trained, hears
        )
        return advice, self_attention, packed[..., advice.shape[2] * 2 :] if is_trained else None
    advice, self_attention = advise_in_torch(x, weight, n_agents, n_heads, hears)
    with torch.no_grad():
        return advice, self_attention, own_values(x, weight) if is_trained else None


def advise_in_torch(
    x: Tensor, weight: Tensor, n_agents: int, n_heads: int, hears: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """`advise` in torch operations: any device; the reference for the compiled loops."""
    scores, values = _scores_and_values(x, weight, n_agents, n_heads)
    shares = _shares(scores, hears)
    return _weighted(shares, values), shares.diagonal(dim1=-2, dim2=-1)


@torch.no_grad()
def advise_by_most_attended(
    x: Tensor,
    weight: Tensor,
    n_agents: int,
    n_heads: int,
    n_advisers: int,
    hears: Tensor | None = None,
) -> Tensor:
    """Advice (P, R·N, E) of each agent itself and the `n_advisers` others it attends to most.

    Attention to the rest is set to 0 and what is left scaled to sum 1 per head, which is the
    softmax over those who are left. Whom an agent attends to is judged over all heads together,
    among those whom it hears. No gradient.
    """
    if x.device.type == "cpu" and x.dtype == torch.float32:
        return _by_most_attended(x, weight, n_agents, n_heads, n_advisers, hears)
    return by_most_attended_in_torch(x, weight, n_agents, n_heads, n_advisers, hears)


def by_most_attended_in_torch(
    x: Tensor,
    weight: Tensor,
    n_agents: int,
    n_heads: int,
    n_advisers: int,
    hears: Tensor | None = None,
) -> Tensor:
    """`advise_by_most_attended` in torch operations."""
    scores, values = _scores_and_values(x, weight, n_agents, n_heads)
    totals = _shares(scores, hears).sum(dim=2)
    itself = torch.eye(n_agents, dtype=torch.bool, device=x.device)
    others = totals.masked_fill(itself, 0)
    # A stable sort, so that of equals the first is taken.
    order = others.argsort(dim=-1, descending=True, stable=True)[..., :n_advisers]
    is_chosen = torch.zeros_like(others, dtype=torch.bool).scatter_(-1, order, True)
    return _weighted(_shares(scores, (is_chosen & (others > 0)) | itself), values)


def _scores_and_values(
    x: Tensor, weight: Tensor, n_agents: int, n_heads: int
) -> tuple[Tensor, Tensor]:
    """(P, R, heads, N, N) before the softmax, and (P, R, heads, N, e)."""
    packed = linear(x, weight).unflatten(1, (-1, n_agents))
    split = packed.unflatten(3, (3, n_heads, -1))  # (P, R, N, 3, heads, e)
    keys, queries, values = split.permute(3, 0, 1, 4, 2, 5)
    return queries @ keys.transpose(-1, -2) * keys.shape[-1] ** -0.5, values


def _shares(scores: Tensor, hears: Tensor | None) -> Tensor:
    """C (P, R, heads, N, N)."""
    if hears is not None:
        scores = scores.masked_fill(~hears.unsqueeze(2), -torch.inf)
    return torch.softmax(scores, dim=-1)


def _weighted(shares: Tensor, values: Tensor) -> Tensor:
    """C v with heads side by side: (P, R·N, E)."""
    return (shares @ values).transpose(2, 3).flatten(3).flatten(1, 2)


def _by_most_attended(
    x: Tensor, weight: Tensor, n_agents: int, n_heads: int, n_advisers: int, hears: Tensor | None
) -> Tensor:
    """`advise_by_most_attended` in compiled loops."""
    packed = linear(x, weight)
    p, n_all, width = packed.shape
    advice = x.new_empty(p, n_all, width // 3)
    shares = x.new_empty(n_all // n_agents, n_heads, n_agents, n_agents).numpy()
    scale = np.float32((width // 3 // n_heads) ** -0.5)
    for member in range(p):
        heard = None if hears is None else hears[member].numpy()
        attention_numba.forward_of_most_attended(
            packed[member].numpy(), shares, advice[member].numpy(), scale, heard, n_advisers
        )
    return advice


class _Advice(torch.autograd.Function):
    """Projection and attention chunk by chunk, in compiled loops."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        n_agents: int,
        n_heads: int,
        is_trained: bool,
        hears: Tensor | None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        p, n_all, width = x.shape[0], x.shape[1], weight.shape[1]
        advice = x.new_empty(p, n_all, width // 3)
        shares = x.new_empty(p, n_all // n_agents, n_heads, n_agents, n_agents)
        packed = x.new_empty(p, n_all if is_trained else 0, width)
        scratch = x.new_empty(0 if is_trained else _chunk_size(width, n_agents), width)
        scale = np.float32((width // 3 // n_heads) ** -0.5)
        for member, chunk, groups in _chunks(x, width, n_agents):
            n_rows = chunk.stop - chunk.start
            out = packed[member, chunk] if is_trained else scratch[:n_rows]
            torch.mm(x[member, chunk], weight[member].t(), out=out)
            heard = None if hears is None else hears[member, groups].numpy()
            attention_numba.forward(
                out.numpy(),
                shares[member, groups].numpy(),
                advice[member, chunk].numpy(),
                scale,
                heard,
            )
        ctx.save_for_backward(x, weight, packed, shares)
        ctx.mark_non_differentiable(packed)
        ctx.scale = scale
        ctx.set_materialize_grads(False)
        return advice, shares.diagonal(dim1=-2, dim2=-1), packed

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, grad_advice: Tensor | None, grad_self: Tensor | None, _: None
    ) -> tuple[Tensor | None, ...]:
        x, weight, packed, shares = ctx.saved_tensors
        width, n_agents = weight.shape[1], shares.shape[3]
        if grad_advice is None:
            grad_advice = x.new_zeros(*x.shape[:2], width // 3)
        has_self = grad_self is not None
        # The kernel takes an array without rows for "no gradient".
        grad_self = x.new_empty(0, 0, 0) if grad_self is None else grad_self.contiguous()
        grad_advice = grad_advice.contiguous()
        grad_x = torch.empty_like(x) if ctx.needs_input_grad[0] else None
        grad_weight = torch.zeros_like(weight, memory_format=torch.contiguous_format)
        scratch = x.new_empty(_chunk_size(width, n_agents), width)
        for member, chunk, groups in _chunks(x, width, n_agents):
            grad_packed = scratch[: chunk.stop - chunk.start]
            attention_numba.backward(
                packed[member, chunk].numpy(),
                shares[member, groups].numpy(),
                grad_advice[member, chunk].numpy(),
                (grad_self[member, groups] if has_self else grad_self).numpy(),
                grad_packed.numpy(),
                ctx.scale,
            )
            grad_weight[member].addmm_(grad_packed.t(), x[member, chunk])
            if grad_x is not None:
                torch.mm(grad_packed, weight[member], out=grad_x[member, chunk])
        return grad_x, grad_weight, None, None, None, None


def _chunk_size(width: int, n_agents: int) -> int:
    """Rows of x in a chunk: whole teams."""
    return max(1, _CHUNK_VALUES // (width * n_agents)) * n_agents


def _chunks(x: Tensor, width: int, n_agents: int) -> Iterator[tuple[int, slice, slice]]:
    """Member, rows of x, and the teams they belong to."""
    size = _chunk_size(width, n_agents)
    for member in range(x.shape[0]):
        for start in range(0, x.shape[1], size):
            stop = min(start + size, x.shape[1])
            yield member, slice(start, stop), slice(start // n_agents, stop // n_agents)
