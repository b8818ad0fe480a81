"""What the method of `toys` computes; imported when it is built."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from suite.algorithms.declaration import Members
from suite.algorithms.interface import Counters, PlayAgain, Seen
from suite.runs.modes import ExecutionMode
from suite.runs.seeding import Stream, generator
from suite.runs.sizes import Sizes


class Counting:
    """value: (P, N, A), running mean reward of every action of every agent."""

    def __init__(self, modes: tuple[ExecutionMode, ...], sizes: Sizes, members: Members) -> None:
        self.modes, self.n_members, self.sizes = modes, len(members), sizes
        self.value = torch.zeros(len(members), sizes.n_agents, sizes.n_actions)
        self.boldness = members.hyperparameters["boldness"]
        self.random = [generator(seed, Stream.EXPLORATION) for seed in members.seeds]
        self.memory = LastEpisode(len(members))

    def actor(
        self, seen: Seen, mode: str, exploring: Counters | None = None
    ) -> Callable[[int, NDArray[np.int64]], NDArray[np.int64]]:
        each = seen.n_environments // self.n_members

        def act(t: int, slots: NDArray[np.int64]) -> NDArray[np.int64]:
            best = self.value.numpy().argmax(axis=2).repeat(each, axis=0)
            for slot in slots if exploring is not None else ():
                random = self.random[slot // each]
                if random.random() < self.boldness[slot // each]:
                    best[slot] = random.integers(0, self.sizes.n_actions, self.sizes.n_agents)
            return best

        return act

    def update(
        self, counters: Counters, active: NDArray[np.bool_]
    ) -> tuple[NDArray[np.bool_], Mapping[str, torch.Tensor]]:
        for m in np.flatnonzero(active):
            for actions, reward in self.memory.played[m]:
                for n, a in enumerate(actions):
                    self.value[m, n, a] += 0.5 * (reward - self.value[m, n, a])
        return active, {"best": self.value.amax(dim=(1, 2))}

    def facts(self, counters: Counters) -> Mapping[str, Sequence[float]]:
        return {}

    def is_finite(self) -> NDArray[np.bool_]:
        return self.value.isfinite().flatten(1).all(dim=1).numpy()

    def member_weights(self, member: int) -> dict[str, torch.Tensor]:
        return {"value": self.value[member].clone()}

    def load_member_weights(self, member: int, weights: Mapping[str, torch.Tensor]) -> None:
        self.value[member] = weights["value"]

    def state_dict(self) -> dict[str, Any]:
        streams = [random.bit_generator.state for random in self.random]
        return {"value": self.value.clone(), "random": json.dumps(streams)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.value.copy_(state["value"])
        for random, stored in zip(self.random, json.loads(state["random"]), strict=True):
            random.bit_generator.state = stored


class LastEpisode:
    """played: per member, (actions, reward) of each step of the episodes it played last.

    Checkpoints are written after updates, so these are not part of the state.
    """

    def __init__(self, n_members: int) -> None:
        self.played: list[list[tuple[list[int], float]]] = [[] for _ in range(n_members)]
        self.n_added = np.zeros(n_members, np.int64)

    def writer(
        self, member_of_slot: NDArray[np.int64], slots: NDArray[np.int64], seeds: NDArray[np.int64]
    ) -> LastEpisode:
        self.members = member_of_slot
        for member in np.unique(member_of_slot[slots]):
            self.played[member] = []
        np.add.at(self.n_added, member_of_slot[slots], 1)
        return self

    def observe(self, t: int, slots: NDArray[np.int64], seen: Mapping[str, NDArray[Any]]) -> None:
        pass

    def act(
        self,
        t: int,
        slots: NDArray[np.int64],
        actions: NDArray[np.int64],
        reward: NDArray[np.float64],
        terminated: NDArray[np.bool_],
    ) -> None:
        for slot in slots:
            self.played[self.members[slot]].append((actions[slot].tolist(), float(reward[slot])))

    def state_dict(self, *, replays_exactly: bool) -> dict[str, Any]:
        return {"n_added": torch.from_numpy(self.n_added.copy())}

    def load_state_dict(self, state: dict[str, Any], play_again: PlayAgain) -> None:
        self.n_added[:] = state["n_added"].numpy()
