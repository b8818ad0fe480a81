"""Losses of QTRAN-base (arXiv 1905.05408; PyMARL, `learners/qtran_learner.py`).

A joint network learns Q_jt by TD; the utilities Q_n and a state value V are then made to agree with
it: Σ_n Q_n + V equals Q_jt at the greedy joint action ū and is not below it elsewhere.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from suite.algorithms.losses.td import td_loss


class QtranLoss(NamedTuple):
    """Per member, each (P,): the sum that is descended, and its unweighted parts."""

    total: Tensor
    td: Tensor
    optimal: Tensor
    non_optimal: Tensor


def optimal_loss(q_sum_greedy: Tensor, q_joint_greedy: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    """L_opt = mean m (Σ_n Q_n(ū_n) - sg[Q_jt(s, ū)] + V)².

    q_sum_greedy, q_joint_greedy, v (P, M, 1), mask (P, M) float -> (P,). The joint network gets no
    gradient; the utilities and V do.
    """
    return td_loss(q_sum_greedy + v, q_joint_greedy.detach(), mask)


def non_optimal_loss(q_sum_taken: Tensor, q_joint_taken: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    """L_nopt = mean m min(0, Σ_n Q_n(u_n) - sg[Q_jt(s, u)] + V)².

    Shapes and gradients as in `optimal_loss`: only what lies below the joint value is lifted.
    """
    below = (q_sum_taken - q_joint_taken.detach() + v).clamp_max(0)
    return td_loss(below, below.new_zeros(()), mask)


def qtran_loss(
    *,
    q_joint_taken: Tensor,
    q_joint_greedy: Tensor,
    v: Tensor,
    q_sum_taken: Tensor,
    q_sum_greedy: Tensor,
    target: Tensor,
    mask: Tensor,
    optimal_weight: float,
    non_optimal_weight: float,
) -> QtranLoss:
    """L_td + optimal_weight · L_opt + non_optimal_weight · L_nopt.

    q_joint_…: the joint network on the actions taken, u, and on the online utilities' best
    available actions, ū. q_sum_…: sums of the online utilities of the same actions. v: V(s).
    target: `td_target` of the target joint network at (s', ū'). All (P, M, 1); mask (P, M) float.
    Only L_td trains the joint network, and through its inputs the agents' hidden states.
    """
    td = td_loss(q_joint_taken, target, mask)
    optimal = optimal_loss(q_sum_greedy, q_joint_greedy, v, mask)
    non_optimal = non_optimal_loss(q_sum_taken, q_joint_taken, v, mask)
    total = td + optimal_weight * optimal + non_optimal_weight * non_optimal
    return QtranLoss(total, td, optimal, non_optimal)
