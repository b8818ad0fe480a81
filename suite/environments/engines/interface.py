"""What one copy of a game must offer, and what its batch must know to start it elsewhere.

A module that makes engines is imported by their process alone: it should import little, because
every process holds what it imports.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from suite.environments.interface import EnvironmentInfo


@dataclass(frozen=True)
class Outcome:
    """What a step came to; the flags are those of `suite.environments.interface.Step`."""

    reward: float
    terminated: bool = False
    truncated: bool = False
    won: bool = False


class Engine(Protocol):
    """One copy of a game. Whatever it raises counts as a breakdown of its process."""

    def reset(self, seed: int) -> None:
        """Start an episode; the seed, from 0 to 2**63 - 1, fixes it where seeds do."""

    def step(self, actions: Sequence[int]) -> Outcome:
        """Play one step of the running episode; actions: one per agent, all available."""

    def show(
        self,
        observations: NDArray[np.float32],
        state: NDArray[np.float32],
        available_actions: NDArray[np.bool_],
    ) -> None:
        """Write what is seen now, all of it.

        Shapes: (agents, observation_size), (state_size,), (agents, n_actions).
        """

    def close(self) -> None:
        """End the game."""


@dataclass(frozen=True)
class Blueprint:
    """How an engine is made: `module:function`, called with `arguments` (which can be pickled)."""

    maker: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Patience:
    """Seconds that a process may take before it counts as hung.

    start: until its engines are made; reset and step: per engine.
    """

    start: float = 120.0
    reset: float = 60.0
    step: float = 60.0


def shown_dtype(info: EnvironmentInfo) -> np.dtype[np.void]:
    """What a process tells of one engine after a command, as one record."""
    agents = info.n_agents
    return np.dtype(
        [
            ("reward", np.float64),
            ("observations", np.float32, (agents, info.observation_size)),
            ("state", np.float32, (info.state_size,)),
            ("available_actions", np.bool_, (agents, info.n_actions)),
            ("terminated", np.bool_),
            ("truncated", np.bool_),
            ("won", np.bool_),
        ]
    )
