"""Σ_n ReLU(read_n + table[u_n]): hidden states and actions of a team, encoded and summed."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from suite.algorithms.qtran import encoder_numba


def summed_codes(read: Tensor, table: Tensor, actions: Tensor) -> Tensor:
    """read (P, R, N, E), its first M rows; table (P, A, E); actions (P, M, N) int64 -> (P, M, E).

    Compiled loops on a CPU, torch elsewhere.
    """
    if read.device.type == "cpu" and read.dtype == torch.float32:
        out: Tensor = _SummedCodes.apply(read, table, actions)
        return out
    return summed_codes_in_torch(read, table, actions)


def summed_codes_in_torch(read: Tensor, table: Tensor, actions: Tensor) -> Tensor:
    """`summed_codes` in torch operations: any device; the reference for the compiled loops."""
    chosen = actions.flatten(1).unsqueeze(2).expand(-1, -1, table.shape[2])
    of_actions = table.gather(1, chosen).unflatten(1, actions.shape[1:])
    return (read[:, : actions.shape[1]] + of_actions).relu().sum(dim=2)


class _SummedCodes(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, read: Tensor, table: Tensor, actions: Tensor) -> Tensor:
        read, table, actions = read.contiguous(), table.contiguous(), actions.contiguous()
        out = read.new_empty(*actions.shape[:2], read.shape[3])
        encoder_numba.forward(*[tensor.numpy() for tensor in (read, table, actions, out)])
        ctx.save_for_backward(read, table, actions)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        read, table, actions = ctx.saved_tensors
        grad_read, grad_table = torch.empty_like(read), torch.zeros_like(table)
        grad_read[:, actions.shape[1] :] = 0
        tensors = (read, table, actions, grad.contiguous(), grad_read, grad_table)
        encoder_numba.backward(*[tensor.numpy() for tensor in tensors])
        return grad_read, grad_table, None
