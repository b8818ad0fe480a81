"""The policy's distribution over actions: categorical, unavailable actions left out."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from suite.algorithms.mappo import distribution_numba

# on-policy, onpolicy/algorithms/utils/distributions.py: logit of an unavailable action.
UNAVAILABLE = -1e10


def log_probabilities(logits: Tensor, is_unavailable: Tensor) -> Tensor:
    """log π (…, A) from logits (…, A), no gradient; is_unavailable (…, A) bool."""
    if logits.device.type == "cpu" and logits.dtype == torch.float32:
        log_p = torch.empty_like(logits, memory_format=torch.contiguous_format)
        distribution_numba.log_probabilities(*_flat(logits, is_unavailable, log_p))
        return log_p
    return log_probabilities_in_torch(logits, is_unavailable)


def log_probabilities_in_torch(logits: Tensor, is_unavailable: Tensor) -> Tensor:
    """The same in torch operations: any device, with a gradient; the reference for the loops."""
    return torch.log_softmax(logits.masked_fill(is_unavailable, UNAVAILABLE), dim=-1)


def judge(logits: Tensor, is_unavailable: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
    """log π of the actions taken, and the entropy -Σ_a π log π of each distribution.

    logits, is_unavailable (P, R, N, A), actions (P, R, N) int64 -> (P, R, N), (P, R, N).
    """
    if logits.device.type == "cpu" and logits.dtype == torch.float32:
        log_p, entropy = _Judgement.apply(logits, is_unavailable, actions)
        return log_p, entropy
    return judge_in_torch(logits, is_unavailable, actions)


def judge_in_torch(
    logits: Tensor, is_unavailable: Tensor, actions: Tensor
) -> tuple[Tensor, Tensor]:
    """`judge` in torch operations: any device; the reference for the compiled loops."""
    log_p = log_probabilities_in_torch(logits, is_unavailable)
    of_actions = log_p.gather(-1, actions.unsqueeze(-1)).squeeze(-1)
    return of_actions, -(log_p.exp() * log_p).sum(dim=-1)


def sample(log_p: Tensor, uniform: Tensor) -> Tensor:
    """Actions drawn from π: log π (…, A) and independent draws from [0, 1) of that shape -> (…).

    The largest of log π + Gumbel noise is distributed as π (Gumbel 1954), so each member can
    bring draws from a generator of its own.
    """
    smallest = torch.finfo(uniform.dtype).tiny
    noise = -(-uniform.clamp_min(smallest).log()).log()
    return (log_p + noise).argmax(dim=-1)


class _Judgement(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, logits: Tensor, is_unavailable: Tensor, actions: Tensor
    ) -> tuple[Tensor, Tensor]:
        log_p, entropy = logits.new_empty(actions.shape), logits.new_empty(actions.shape)
        p, surprise = torch.empty_like(logits), torch.empty_like(logits)
        distribution_numba.forward(
            *_flat(logits, is_unavailable, p, surprise), *_flat(actions, log_p, entropy, last=0)
        )
        ctx.save_for_backward(p, surprise, actions)
        return log_p, entropy

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_log_p: Tensor, grad_entropy: Tensor) -> tuple[Tensor | None, ...]:
        p, surprise, actions = ctx.saved_tensors
        grad = torch.empty_like(p)
        distribution_numba.backward(
            *_flat(p, surprise, grad), *_flat(actions, grad_log_p, grad_entropy, last=0)
        )
        return grad, None, None


def _flat(*tensors: Tensor, last: int = 1) -> list[Any]:
    """Arrays that share memory with contiguous tensors, all axes but the `last` ones in one."""
    shapes = [(-1, *t.shape[t.dim() - last :]) for t in tensors]
    pairs = zip(tensors, shapes, strict=True)
    return [tensor.detach().contiguous().view(shape).numpy() for tensor, shape in pairs]
