"""What every environment must offer: a batch of independent copies, arrays in and arrays out.

The trainers know environments through this file only. A *slot* is one of the copies in the batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from suite.errors import InputError
from suite.runs.sizes import Sizes


@dataclass(frozen=True)
class EnvironmentInfo:
    """Sizes and origin of a scenario.

    Attributes
    ----------
    name: full scenario name, `backend/scenario`.
    backend: which program produces the transitions (`suite.environments.backend`).
    backend_version: version of that program's rules; a change of it changes results.
    n_agents, n_actions, observation_size, state_size: sizes per environment.
    episode_limit: steps after which an unfinished episode is cut (`truncated`).
    ally_state_size: width of one agent's block at the start of the state (QPLEX's `unit_dim`);
        0 where the state has no per-agent blocks.
    extra_observations: name → width per agent of further observations that can be asked for.
    observation_names: what `observations` are besides, of the names that methods ask for.
    """

    name: str
    backend: str
    backend_version: str
    n_agents: int
    n_actions: int
    observation_size: int
    state_size: int
    episode_limit: int
    ally_state_size: int
    extra_observations: Mapping[str, int] = field(default_factory=dict)
    observation_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raise InputError for texts that are none: recorded runs have them."""
        for name in ("name", "backend", "backend_version"):
            if not isinstance(value := getattr(self, name), str):
                where, cure = f"EnvironmentInfo of {self.name}: {name}", 'give a text, such as "1"'
                raise InputError("not a text", where=where, value=value, cure=cure)

    @property
    def sizes(self) -> Sizes:
        """What a learner is told."""
        return Sizes(
            n_agents=self.n_agents,
            n_actions=self.n_actions,
            observation_size=self.observation_size,
            state_size=self.state_size,
            ally_state_size=self.ally_state_size,
            episode_limit=self.episode_limit,
            extra_observations=self.extra_observations,
            observation_names=self.observation_names,
        )


@dataclass(frozen=True)
class Step:
    """What one step of the whole batch returned.

    The arrays are owned by the environment and may be overwritten by its next step.

    reward: (slots,) float64. terminated: (slots,) bool, ended by the rules of the task.
    truncated: (slots,) bool, cut by the step limit alone. won: (slots,) bool, the task's own
    success flag (battle won; optimum reached in a matrix game), meaningful where the episode ended.
    lost: (slots,) bool, the game broke down and the episode with it: it has to be played anew, and
    the slot's other entries mean nothing; None where that cannot be.
    """

    reward: NDArray[np.float64]
    terminated: NDArray[np.bool_]
    truncated: NDArray[np.bool_]
    won: NDArray[np.bool_]
    lost: NDArray[np.bool_] | None = None


class BatchedEnvironment(Protocol):
    """A batch of independent copies of one scenario.

    A new batch stands at the start of its first episodes. After `reset` and `step` the arrays
    below describe the current time step. They are buffers of the environment, overwritten by the
    next call: copy what must last.
    """

    info: EnvironmentInfo
    n_environments: int
    observations: NDArray[np.float32]  # (slots, agents, observation_size)
    state: NDArray[np.float32]  # (slots, state_size)
    available_actions: NDArray[np.bool_]  # (slots, agents, n_actions)
    # Name → (slots, agents, width), those that were asked for.
    extra_observations: Mapping[str, NDArray[np.float32]]

    def reset(
        self,
        slots: NDArray[np.integer] | None = None,
        episode_seeds: NDArray[np.integer] | None = None,
    ) -> None:
        """Start a new episode in `slots` (all when None).

        `episode_seeds` (one per slot) fixes everything random in those episodes: the same episode
        seed and actions give the same trajectory in any slot of any batch. Without it they are
        drawn from the seed given to `make`.
        """

    def step(self, actions: NDArray[np.integer], active: NDArray[np.bool_] | None = None) -> Step:
        """Advance every slot (only those where `active`, when given) by one time step.

        actions: (slots, agents) integers. Slots left out are untouched; their entries in the
        result are 0 / False. Raises `suite.environments.interface.ActionError` for an unavailable
        action or a slot whose episode is over, naming slot, agent and action, before any slot
        moves.
        """

    def close(self) -> None:
        """Give back what is held; the batch is not used any more."""


class ActionError(ValueError):
    """An illegal call of `step`; the batch is unchanged."""
