"""Attention among the agents of one row: scaled dot products, softmax over all, self included.

Vaswani et al. 2017, equation 1, per head; the release's `modules/layers/self_atten.py` divides
queries and keys by e^(1/4) each, which is the same scaling by √e. Dead agents are not masked.
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


def advise(x: Tensor, weight: Tensor, n_agents: int, n_heads: int) -> tuple[Tensor, Tensor]:
    """Advice and self-attention.

    x (P, R·N, D); weight (P, 3·E, D), projections to keys, queries, values one after another;
    E = heads × head size, heads one after another within each.
    Returns advice z (P, R·N, E), z_n = Σ_j C_nj v_j with heads side by side, and the diagonal of
    the attention matrices, C_nn (P, R, heads, N).
    """
    if x.device.type == "cpu" and x.dtype == torch.float32:
        is_trained = torch.is_grad_enabled()
        advice, self_attention = _Advice.apply(x, weight, n_agents, n_heads, is_trained)
        return advice, self_attention
    return advise_in_torch(x, weight, n_agents, n_heads)


def advise_in_torch(
    x: Tensor, weight: Tensor, n_agents: int, n_heads: int
) -> tuple[Tensor, Tensor]:
    """`advise` in torch operations: any device; the reference for the compiled loops."""
    packed = linear(x, weight).unflatten(1, (-1, n_agents))
    split = packed.unflatten(3, (3, n_heads, -1))  # (P, R, N, 3, heads, e)
    keys, queries, values = split.permute(3, 0, 1, 4, 2, 5)
    scale = keys.shape[-1] ** -0.5
    weights = torch.softmax(queries @ keys.transpose(-1, -2) * scale, dim=-1)
    advice = (weights @ values).transpose(2, 3).flatten(3)
    return advice.flatten(1, 2), weights.diagonal(dim1=-2, dim2=-1)


class _Advice(torch.autograd.Function):
    """Projection and attention chunk by chunk, in compiled loops."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, n_agents: int, n_heads: int, is_trained: bool
    ) -> tuple[Tensor, Tensor]:
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
            attention_numba.forward(
                out.numpy(), shares[member, groups].numpy(), advice[member, chunk].numpy(), scale
            )
        ctx.save_for_backward(x, weight, packed, shares)
        ctx.scale = scale
        ctx.set_materialize_grads(False)
        return advice, shares.diagonal(dim1=-2, dim2=-1)

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, grad_advice: Tensor | None, grad_self: Tensor | None
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
        return grad_x, grad_weight, None, None, None


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
