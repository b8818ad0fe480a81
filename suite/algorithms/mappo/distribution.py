"""The policy's distribution over actions: categorical, unavailable actions left out."""

from __future__ import annotations

import torch
from torch import Tensor

# on-policy, onpolicy/algorithms/utils/distributions.py: logit of an unavailable action.
UNAVAILABLE = -1e10


def log_probabilities(logits: Tensor, is_unavailable: Tensor) -> Tensor:
    """log π (…, A) from logits (…, A); is_unavailable (…, A) bool."""
    return torch.log_softmax(logits.masked_fill(is_unavailable, UNAVAILABLE), dim=-1)


def entropy(log_p: Tensor) -> Tensor:
    """-Σ_a π log π: log π (…, A) -> (…). Actions of probability 0 add 0."""
    return -(log_p.exp() * log_p).sum(dim=-1)


def of_actions(log_p: Tensor, actions: Tensor) -> Tensor:
    """log π of the actions taken: (…, A), actions (…) int64 -> (…)."""
    return log_p.gather(-1, actions.unsqueeze(-1)).squeeze(-1)


def sample(log_p: Tensor, uniform: Tensor) -> Tensor:
    """Actions drawn from π: log π (…, A) and independent draws from [0, 1) of that shape -> (…).

    The largest of log π + Gumbel noise is distributed as π (Gumbel 1954), so each member can
    bring draws from a generator of its own.
    """
    smallest = torch.finfo(uniform.dtype).tiny
    noise = -(-uniform.clamp_min(smallest).log()).log()
    return (log_p + noise).argmax(dim=-1)
