"""What a learner is told about its task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Sizes:
    """Sizes of a scenario, as its environment backend describes it.

    ally_state_size: width of one agent's block at the start of the state (the release's
    `unit_dim`); 0 where the state has no such blocks. episode_limit: most steps of an episode.
    extra_observations: name → width per agent of the further observations that can be asked for.
    observation_names: other names under which methods may ask for the ordinary observation.
    """

    n_agents: int
    n_actions: int
    observation_size: int
    state_size: int
    ally_state_size: int
    episode_limit: int = 1
    extra_observations: Mapping[str, int] = field(default_factory=dict)
    observation_names: tuple[str, ...] = ()

    @property
    def input_size(self) -> int:
        """Width of an agent's input: observation, one-hot last action, one-hot agent number."""
        return self.input_size_with(self.observation_size)

    def input_size_with(self, observation_size: int) -> int:
        """The same for another observation."""
        return observation_size + self.n_actions + self.n_agents
