"""What a learner learns from."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class EpisodeBatch:
    """P members × B whole episodes of at most T transitions, padded at the end.

    observations: (P, B, T+1, N, O) float32. state: (P, B, T+1, S) float32.
    available_actions: (P, B, T+1, N, A) bool. actions: (P, B, T, N) int64, 0 where padded.
    reward: (P, B, T) float32. terminated: (P, B, T) bool, ended by the rules of the task (an
    episode cut by the step limit is not terminated). filled: (P, B, T) bool, the transition is
    real; the observation after the last real transition is real too.
    """

    observations: Tensor
    state: Tensor
    available_actions: Tensor
    actions: Tensor
    reward: Tensor
    terminated: Tensor
    filled: Tensor
