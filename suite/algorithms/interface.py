"""What the training loop needs of an algorithm: remember, act, update, and state to continue from.

A population of P members is trained side by side, on the same scenario with the same settings; a
member's result does not depend on who shares its population.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from suite.algorithms.parameters import Weights
from suite.runs.modes import ExecutionMode


class Seen(Protocol):
    """A batch of environments, as far as it is seen: arrays that change with every step.

    observations: (slots, agents, observation_size) float32. state: (slots, state_size) float32.
    available_actions: (slots, agents, n_actions) bool. extra_observations: name → (slots, agents,
    width) float32, those that were asked for.
    """

    n_environments: int
    observations: NDArray[np.float32]
    state: NDArray[np.float32]
    available_actions: NDArray[np.bool_]

    @property
    def extra_observations(self) -> Mapping[str, NDArray[np.float32]]: ...


@dataclass(frozen=True)
class Counters:
    """How far each member is: (P,) int64, training environment steps and episodes so far."""

    env_steps: NDArray[np.int64]
    n_episodes: NDArray[np.int64]


class Actor(Protocol):
    """Chooses actions in one episode per slot; slots are laid out member by member."""

    def __call__(self, t: int, slots: NDArray[np.int64]) -> NDArray[np.int64]:
        """Actions (all slots, agents) for what the environments show at time step `t`.

        slots: those still playing; the actions of the others mean nothing.
        """


class EpisodeWriter(Protocol):
    """Takes episodes in as they are played, in one batch of slots."""

    def observe(self, t: int, slots: NDArray[np.int64], seen: Mapping[str, NDArray[Any]]) -> None:
        """What `slots` see before their step t, or after their last; arrays of all slots by name:
        `observations`, `state`, `available_actions` and the extra observations."""

    def act(
        self,
        t: int,
        slots: NDArray[np.int64],
        actions: NDArray[np.int64],
        reward: NDArray[np.float64],
        terminated: NDArray[np.bool_],
    ) -> None:
        """What `slots` did at step t and what came of it; all arrays are of all slots."""


# Plays episodes of a member again, side by side, one per slot of the writer: called as (member,
# seeds (episodes,), actions (episodes, episode_limit, agents), writer).
PlayAgain = Callable[[int, NDArray[np.int64], NDArray[np.int64], EpisodeWriter], None]


class Memory(Protocol):
    """What an algorithm remembers of the episodes that its members play.

    n_added: (P,) episodes that each member has played.
    """

    @property
    def n_added(self) -> NDArray[np.int64]: ...

    def writer(
        self, member_of_slot: NDArray[np.int64], slots: NDArray[np.int64], seeds: NDArray[np.int64]
    ) -> EpisodeWriter:
        """Have the next episode of each of `slots`, with its seed, remembered.

        member_of_slot: (all slots,). Episodes of a member are taken in the order of their slots.
        """

    def state_dict(self, *, replays_exactly: bool) -> dict[str, Any]:
        """Plain containers and tensors.

        replays_exactly: seeds and actions give the same episodes again, so that they suffice.
        """

    def load_state_dict(self, state: dict[str, Any], play_again: PlayAgain) -> None:
        """Continue from a state; `play_again` plays episodes of which it has seeds and actions.

        Raises ValueError if the state is of another memory or does not play out as it did.
        """


class Algorithm(Protocol):
    """P members in training.

    modes: the ways they act, the one in which they train first.
    """

    n_members: int
    modes: tuple[ExecutionMode, ...]

    @property
    def memory(self) -> Memory:
        """What it remembers of the episodes that its members play."""

    def actor(self, seen: Seen, mode: str, exploring: Counters | None = None) -> Actor:
        """Who plays one episode in each slot: greedily, or `exploring` as far as members are."""

    def update(
        self, counters: Counters, active: NDArray[np.bool_]
    ) -> tuple[NDArray[np.bool_], Mapping[str, Tensor]]:
        """One update of the `active` members (P,) from what they remember.

        Returns which were updated (P,), and metrics of the update by name, each (P,).
        """

    def facts(self, counters: Counters) -> Mapping[str, Sequence[float]]:
        """What is to be recorded at a test beside the means over updates: name → per member."""

    def is_finite(self) -> NDArray[np.bool_]:
        """(P,) whether all of a member's weights are finite."""

    def member_weights(self, member: int) -> dict[str, Tensor]:
        """Copies of one member's weights by name, no population axis (docs/weights.md)."""

    def load_member_weights(self, member: int, weights: Weights) -> None:
        """Set one member's weights; InputError if names or shapes do not fit."""

    def state_dict(self) -> dict[str, Any]:
        """All but the memory: plain containers and tensors."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a state; ValueError or InputError if it is of another algorithm."""
