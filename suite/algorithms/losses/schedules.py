"""How strongly CADP prunes, and when: the weight of the pruning loss over training.

The release adds α L_p from T on, at full weight. The ramps and the controller are ours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from suite.algorithms.losses.td import available_only

Schedule = Literal["constant", "linear", "cosine"]


def share_of_alpha(
    schedule: Schedule, env_steps: Tensor, start_env_steps: Tensor, end_env_steps: Tensor
) -> Tensor:
    """The share of α in force, per member: int64 (P,), thrice -> (P,) float64 in [0, 1].

    All schedules give 0 up to and at the paper's T (`start_env_steps`). Strictly above it,
    "constant" gives 1 (release, learners/q_learner_teacher.py), "linear" and "cosine" rise to 1 at
    `end_env_steps`, for instance the end of training, and stay there: x and (1 - cos πx)/2 of the
    way x. An end at or before T leaves no way: 1.
    """
    way = (end_env_steps - start_env_steps).clamp_min(1).double()
    x = ((env_steps - start_env_steps) / way).clamp(0, 1)
    match schedule:
        case "constant":
            return (env_steps > start_env_steps).double()
        case "linear":
            return x
        case "cosine":
            return (1 - torch.cos(math.pi * x)) / 2


def greedy_disagreement(
    q_centralised: Tensor, q_decentralised: Tensor, available: Tensor, mask: Tensor
) -> Tensor:
    """Share of agent-steps at which CADP(C) and CADP(D) choose different actions, per member.

    q_… (P, M, N, A), available (P, M, N, A) bool, mask (P, M) float -> (P,), 0 where nothing
    counts. Only agents with a choice count: a dead one has a single action. Unlike a difference of
    Q-values it has no scale of rewards in it, and it is what makes CADP(D) play worse than CADP(C).
    """
    choices = [available_only(q, available).argmax(dim=3) for q in (q_centralised, q_decentralised)]
    counted = (available.sum(dim=3) > 1) * mask.unsqueeze(2)
    differ = (choices[0] != choices[1]) * counted
    return differ.sum(dim=(1, 2)) / counted.sum(dim=(1, 2)).clamp_min(1)


@dataclass(frozen=True)
class GapControl:
    """Holds the gap between CADP(C) and CADP(D) at a target: integral control of ln α.

    The gap is any measure of 0 or more that falls as α rises, such as `greedy_disagreement` on the
    sampled batch. The state is ln α, one float32 per member: (P,).

    target: the gap wanted, above 0. rate: the most that ln α moves in one update. lowest, highest:
    bounds of α, 0 < lowest <= highest; the state itself is bounded, so α leaves a bound as soon as
    the gap's error turns.

    Where networks follow α within τ updates, and near the target the gap falls as α^-s, the loop
    settles without overshoot as long as rate · s · τ is at most 1/4.
    """

    target: float
    rate: float
    lowest: float
    highest: float

    def initial(self, alpha: Tensor) -> Tensor:
        """The state that starts at α, or at the bound nearest to it: (P,) -> (P,)."""
        return alpha.clamp(self.lowest, self.highest).log()

    def update(self, log_alpha: Tensor, gap: Tensor, is_pruning: Tensor) -> Tensor:
        """ln α + rate · clip(gap/target - 1, ±1), within bounds: (P,), (P,), (P,) bool -> (P,).

        The error is relative and clipped: α rises as fast from any gap of twice the target or more
        as it falls at no gap at all. Members that do not prune keep their state.
        """
        error = (gap.detach() / self.target - 1).clamp(-1, 1)
        moved = log_alpha + self.rate * error
        bounded = moved.clamp(math.log(self.lowest), math.log(self.highest))
        return torch.where(is_pruning, bounded, log_alpha)
