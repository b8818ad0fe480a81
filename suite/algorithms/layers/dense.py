"""Dense layers of a population: rows of member p meet only weights of member p."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from suite.algorithms.layers import dense_numba
from suite.algorithms.layers.products import add_product, product


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x (P, R, I), weight (P, O, I), bias (P, O) -> (P, R, O), `x @ weight.T + bias` per member."""
    out: Tensor = _Dense.apply(weight, bias, False, x)
    return out


def linear_relu(weight: Tensor, bias: Tensor, *inputs: Tensor) -> Tensor:
    """ReLU of a linear layer on the concatenation of `inputs`, which is never built.

    inputs (P, R, I1), (P, R, I2), …; weight (P, O, I1 + I2 + …), bias (P, O) -> (P, R, O).
    """
    out: Tensor = _Dense.apply(weight, bias, True, *inputs)
    return out


class _Dense(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, weight: Tensor, bias: Tensor | None, is_rectified: bool, *inputs: Tensor
    ) -> Tensor:
        out = weight.new_empty(inputs[0].shape[0], inputs[0].shape[1], weight.shape[1])
        product(inputs[0], _columns(weight, inputs, 0).transpose(1, 2), out)
        for k in range(1, len(inputs)):
            add_product(out, inputs[k], _columns(weight, inputs, k).transpose(1, 2))
        if bias is not None:
            _add_bias(out, bias, is_rectified)
        ctx.is_rectified, ctx.has_bias = is_rectified, bias is not None
        ctx.save_for_backward(weight, out if is_rectified else None, *inputs)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        weight, out, *inputs = ctx.saved_tensors
        grad_bias = None
        if ctx.is_rectified:
            grad, grad_bias = _through_relu(grad, out)
        elif ctx.has_bias:
            grad_bias = grad.sum(dim=1)
        grad_weight = torch.empty_like(weight)
        grad_inputs: list[Tensor | None] = []
        for k, x in enumerate(inputs):
            product(grad.transpose(1, 2), x, _columns(grad_weight, inputs, k))
            if ctx.needs_input_grad[3 + k]:
                out_k = x.new_empty(x.shape)
                grad_inputs.append(product(grad, _columns(weight, inputs, k), out_k))
            else:
                grad_inputs.append(None)
        return grad_weight, grad_bias, None, *grad_inputs


def _columns(weight: Tensor, inputs: Any, k: int) -> Tensor:
    """The columns of `weight` that meet the k-th input."""
    if len(inputs) == 1:
        return weight
    first = sum(x.shape[2] for x in inputs[:k])
    return weight[:, :, first : first + inputs[k].shape[2]]


def _is_compiled(tensor: Tensor) -> bool:
    return tensor.device.type == "cpu" and tensor.dtype == torch.float32


def _add_bias(out: Tensor, bias: Tensor, is_rectified: bool) -> None:
    """out (P, R, O) += bias (P, O), then ReLU if asked."""
    if _is_compiled(out):
        dense_numba.add_bias(out.numpy(), bias.detach().contiguous().numpy(), is_rectified)
        return
    out += bias.unsqueeze(1)
    if is_rectified:
        out.relu_()


def _through_relu(grad: Tensor, out: Tensor) -> tuple[Tensor, Tensor]:
    """Gradient before a ReLU with result `out` (P, R, O), and its sums over rows (P, O)."""
    if not _is_compiled(out):
        before = grad * (out > 0)
        return before, before.sum(dim=1)
    before, sums = torch.empty_like(out), out.new_empty(out.shape[0], out.shape[2])
    arrays = (grad.contiguous(), out.detach(), before, sums)
    dense_numba.through_relu(*[tensor.numpy() for tensor in arrays])
    return before, sums
