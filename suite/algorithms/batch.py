"""What a learner is told about its task, and what it learns from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor


@dataclass(frozen=True)
class Sizes:
    """Sizes of a scenario, as `EnvironmentInfo` names them.

    ally_state_size: width of one agent's block at the start of the state (the release's
    `unit_dim`); 0 where the state has no such blocks.
    """

    n_agents: int
    n_actions: int
    observation_size: int
    state_size: int
    ally_state_size: int

    @property
    def input_size(self) -> int:
        """Width of an agent's input: observation, one-hot last action, one-hot agent number."""
        return self.observation_size + self.n_actions + self.n_agents


@dataclass(frozen=True)
class EpisodeBatch:
    """P members × B whole episodes of at most T transitions, padded at the end.

    observations: (P, B, T+1, N, O) float32. state: (P, B, T+1, S) float32.
    available_actions: (P, B, T+1, N, A) bool. actions: (P, B, T, N) int64, 0 where padded.
    reward: (P, B, T) float32. terminated: (P, B, T) bool, ended by the rules of the task (an
    episode cut by the step limit is not terminated). filled: (P, B, T) bool, the transition is
    real; the observation after the last real transition is real too. extra: what an algorithm asked
    for besides, by name: (P, B, T+1, ...).
    """

    observations: Tensor
    state: Tensor
    available_actions: Tensor
    actions: Tensor
    reward: Tensor
    terminated: Tensor
    filled: Tensor
    extra: Mapping[str, Tensor] = field(default_factory=dict)
