"""Layer normalisation (Ba et al. 2016) of a population, after a bias and a ReLU if asked.

    y = ReLU(x + b) or x;  x̂ = (y - mean y) / √(var y + ε);  out = gain ∘ x̂ + shift

Forward reads x and writes the result, backward reads x and the gradient and writes one: ReLU, bias,
gain and shift and their gradients ride along in the same pass. Between the two passes only x and
two numbers a row are kept.

Backward, with d = gain ∘ ∂out: ∂y = (d - mean d - x̂ mean(d ∘ x̂)) / √(var y + ε).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from suite.algorithms.layers import norm_numba

# nn.LayerNorm's default.
EPSILON = 1e-5


def normalise(x: Tensor) -> Tensor:
    """x̂ of x (…, H): mean 0 and variance 1, neither gain nor shift."""
    return F.layer_norm(x, x.shape[-1:], eps=EPSILON)


def layer_norm(x: Tensor, gain: Tensor, shift: Tensor) -> Tensor:
    """nn.LayerNorm per member: x (P, R, H), gain and shift (P, H) -> (P, R, H)."""
    return _norm(x, None, gain, shift)


def relu_norm(x: Tensor, bias: Tensor, gain: Tensor, shift: Tensor) -> Tensor:
    """nn.LayerNorm of ReLU(x + bias): x (P, R, H), the others (P, H) -> (P, R, H)."""
    return _norm(x, bias, gain, shift)


def norm_in_torch(x: Tensor, bias: Tensor | None, gain: Tensor, shift: Tensor) -> Tensor:
    """The same in torch operations: any device; the reference for the compiled loops."""
    y = x if bias is None else (x + bias.unsqueeze(1)).relu()
    return torch.addcmul(shift.unsqueeze(1), normalise(y), gain.unsqueeze(1))


def _norm(x: Tensor, bias: Tensor | None, gain: Tensor, shift: Tensor) -> Tensor:
    if x.device.type == "cpu" and x.dtype == torch.float32:
        out: Tensor = _Norm.apply(x, bias, gain, shift)
        return out
    return norm_in_torch(x, bias, gain, shift)


class _Norm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, bias: Tensor | None, gain: Tensor, shift: Tensor) -> Tensor:
        ctx.is_rectified = bias is not None
        x = x.contiguous()
        bias, gain, shift = ((gain if t is None else t).contiguous() for t in (bias, gain, shift))
        out, scale = torch.empty_like(x), x.new_empty(*x.shape[:2], 2)
        arrays = [t.detach().numpy() for t in (x, bias, gain, shift, out, scale)]
        norm_numba.forward(*arrays, ctx.is_rectified, EPSILON)
        ctx.save_for_backward(x, bias, gain, scale)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, bias, gain, scale = ctx.saved_tensors
        grad_x = torch.empty_like(x)
        sums = x.new_empty(3, *gain.shape)  # gradients of bias, gain, shift
        tensors = (grad.contiguous(), x, bias, gain, scale, grad_x, sums)
        norm_numba.backward(*[t.detach().numpy() for t in tensors], ctx.is_rectified)
        return grad_x, sums[0] if ctx.is_rectified else None, sums[1], sums[2]
