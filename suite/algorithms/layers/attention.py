"""Attention among the agents of one row: scaled dot products, softmax over all, self included.

Vaswani et al. 2017, equation 1, per head; the release's `modules/layers/self_atten.py` divides
queries and keys by e^(1/4) each, which is the same scaling by √e. Dead agents are not masked.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable

from suite.algorithms.layers import attention_numba


def attend(packed: Tensor, n_heads: int) -> tuple[Tensor, Tensor]:
    """Advice and self-attention.

    packed: (P, R, N, 3·E), projections to keys, queries, values side by side; E = heads × head
    size, heads side by side within each.
    Returns advice z (P, R, N, E), z_n = Σ_j C_nj v_j with heads side by side, and the diagonal of
    the attention matrices, C_nn (P, R, heads, N).
    """
    if packed.device.type == "cpu" and packed.dtype == torch.float32:
        advice, self_attention = _CompiledAttention.apply(packed, n_heads)
        return advice, self_attention
    return attend_in_torch(packed, n_heads)


def attend_in_torch(packed: Tensor, n_heads: int) -> tuple[Tensor, Tensor]:
    """`attend` in torch operations: any device; the reference for the compiled loops."""
    weights, values = attention_weights(packed, n_heads)
    advice = (weights @ values).transpose(2, 3).flatten(3)
    return advice, weights.diagonal(dim1=-2, dim2=-1)


def attention_weights(packed: Tensor, n_heads: int) -> tuple[Tensor, Tensor]:
    """C (P, R, heads, N, N), row n what agent n pays to each, and values (P, R, heads, N, e)."""
    split = packed.unflatten(3, (3, n_heads, -1))  # (P, R, N, 3, heads, e)
    keys, queries, values = split.permute(3, 0, 1, 4, 2, 5)
    scale = keys.shape[-1] ** -0.5
    return torch.softmax(queries @ keys.transpose(-1, -2) * scale, dim=-1), values


class _CompiledAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, packed: Tensor, n_heads: int) -> tuple[Tensor, Tensor]:
        packed = packed.contiguous()
        p, r, n, width = packed.shape
        weights = packed.new_empty(p, r, n_heads, n, n)
        advice = packed.new_empty(p, r, n, width // 3)
        scale = np.float32((width // 3 // n_heads) ** -0.5)
        attention_numba.forward(_flat(packed, 1), _flat(weights, 3), _flat(advice, 1), scale)
        ctx.save_for_backward(packed, weights)
        ctx.scale = scale
        ctx.set_materialize_grads(False)
        return advice, weights.diagonal(dim1=-2, dim2=-1)

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, grad_advice: Tensor | None, grad_self: Tensor | None
    ) -> tuple[Tensor | None, None]:
        packed, weights = ctx.saved_tensors
        if grad_advice is None:
            grad_advice = packed.new_zeros(*packed.shape[:3], packed.shape[3] // 3)
        if grad_self is None:
            grad_self = weights.new_empty(0, *weights.shape[2:4])
        grad_packed = torch.empty_like(packed)
        attention_numba.backward(
            _flat(packed, 1),
            _flat(weights, 3),
            _flat(grad_advice, 1),
            _flat(grad_self, 2),
            _flat(grad_packed, 1),
            ctx.scale,
        )
        return grad_packed, None


def _flat(tensor: Tensor, n_kept: int) -> NDArray[np.float32]:
    """The tensor as an array with all axes but the last `n_kept` merged into one."""
    kept = tensor.shape[tensor.ndim - n_kept :]
    n_rows = tensor.numel() // max(1, kept.numel())
    return tensor.detach().contiguous().view(n_rows, *kept).numpy()
