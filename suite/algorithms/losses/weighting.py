"""Weights of Weighted QMIX (arXiv 2006.10800; wqmix, `learners/max_q_learner.py`).

A monotonic Q_tot cannot fit every joint value; a weight α < 1 on the others makes it fit those of
the best joint actions. Weights carry no gradient.
"""

from __future__ import annotations

import torch
from torch import Tensor

from suite.algorithms.losses.td import masked_mean


def optimistic_weights(q_tot: Tensor, target: Tensor, alpha: Tensor) -> Tensor:
    """OW-QMIX: 1 where Q_tot(s, u) < y, else α.

    q_tot, target (P, M, 1), alpha (P,) -> (P, M, 1).
    """
    return _one_or_alpha(q_tot < target, alpha)


def central_weights(
    actions: Tensor, greedy: Tensor, target: Tensor, q_central_greedy: Tensor, alpha: Tensor
) -> Tensor:
    """CW-QMIX: 1 where u = û or y > Q̂*(s, û), else α.

    û are the best available actions of the online local utilities. actions, greedy (P, M, N)
    int64; target and q_central_greedy (P, M, 1), the latter Q̂* of the target networks at û;
    alpha (P,) -> (P, M, 1).
    """
    is_greedy = (actions == greedy).all(dim=2, keepdim=True)
    return _one_or_alpha(is_greedy | (target > q_central_greedy), alpha)


def weighted_td_loss(q_t: Tensor, target: Tensor, weights: Tensor, mask: Tensor) -> Tensor:
    """Σ m w (q - y)² / Σ m per member: (P, M, K), thrice, and mask (P, M) float -> (P,).

    The denominator counts transitions, not their weights; neither y nor w gets a gradient.
    """
    errors = weights.detach() * (q_t - target.detach()).square()
    return masked_mean(errors.mean(dim=2), mask)


def _one_or_alpha(is_one: Tensor, alpha: Tensor) -> Tensor:
    return torch.where(is_one, 1.0, alpha.view(-1, 1, 1))
