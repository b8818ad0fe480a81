"""What a learner learns from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor


@dataclass(frozen=True)
class EpisodeBatch:
    """P members × B whole episodes of at most T transitions, padded at the end.

    observations: (P, B, T+1, N, O) float32. state: (P, B, T+1, S) float32.
    available_actions: (P, B, T+1, N, A) bool. actions: (P, B, T, N) int64, 0 where padded.
    reward: (P, B, T) float32. terminated: (P, B, T) bool, ended by the rules of the task, or by
    the step limit where the training protocol takes that for an end. filled: (P, B, T) bool, the
    transition is real; the observation after the last real transition is real too.
    extra: name → (P, B, T+1, N, X) float32, extra observations that were asked for.
    """

    observations: Tensor
    state: Tensor
    available_actions: Tensor
    actions: Tensor
    reward: Tensor
    terminated: Tensor
    filled: Tensor
    extra: Mapping[str, Tensor] = field(default_factory=dict)

    def array(self, name: str) -> Tensor:
        """What is remembered of every observation row under a name; see `Inputs`."""
        own = {
            "observations": self.observations,
            "state": self.state,
            "available_actions": self.available_actions,
        }
        return own[name] if name in own else self.extra[name]
