"""Replay of whole episodes, one ring buffer per member (PyMARL, components/episode_buffer.py)."""

from __future__ import annotations

import math
import mmap
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from suite.algorithms.batch import EpisodeBatch
from suite.algorithms.interface import PlayAgain
from suite.runs.sizes import Sizes

REBUILD_SLOTS = 64  # episodes played again side by side when a replay is rebuilt
_PER_EPISODE = ("episode_seed", "length", "actions", "reward")
# <bits/mman-map-flags-generic.h>: pages that are never used need not fit into memory.
_NO_RESERVE = 0x4000 if sys.platform == "linux" else 0


class Replay:
    """The last `capacity` episodes of each member.

    Arrays are (members, capacity, time, ...), in memory of their own from the operating system,
    which gives pages, zeroed, only as episodes arrive, and takes them back with the replay. The
    seed and actions of every episode are kept beside its data: they are all that a checkpoint of a
    deterministic environment needs. extra: names of further observations to store.
    """

    def __init__(
        self, sizes: Sizes, n_members: int, capacity: int, extra: Sequence[str] = ()
    ) -> None:
        limit, agents = sizes.episode_limit, sizes.n_agents
        lead = (n_members, capacity)
        self.capacity = capacity
        self.observations = _zeros((*lead, limit + 1, agents, sizes.observation_size), np.float32)
        self.state = _zeros((*lead, limit + 1, sizes.state_size), np.float32)
        self.available_actions = _zeros((*lead, limit + 1, agents, sizes.n_actions), np.bool_)
        self.extra = {
            name: _zeros((*lead, limit + 1, agents, sizes.extra_observations[name]), np.float32)
            for name in extra
        }
        self.actions = _zeros((*lead, limit, agents), np.int64)
        self.reward = _zeros((*lead, limit), np.float32)
        self.terminated = _zeros((*lead, limit), np.bool_)
        self.length = np.zeros(lead, np.int64)
        self.episode_seed = np.zeros(lead, np.int64)
        self.n_added = np.zeros(n_members, np.int64)

    @property
    def seen(self) -> dict[str, NDArray[Any]]:
        """The arrays of what was seen, by name."""
        names = ("observations", "state", "available_actions")
        return {name: getattr(self, name) for name in names} | self.extra

    def n_stored(self, member: int) -> int:
        """Episodes a member can sample from."""
        return int(min(self.n_added[member], self.capacity))

    def writer(
        self, member_of_slot: NDArray[np.int64], slots: NDArray[np.int64], seeds: NDArray[np.int64]
    ) -> EpisodeWriter:
        """Claim the next place of a ring for the episode of each of `slots`, with its seed.

        member_of_slot: (all slots of the environment,). A member may own several slots: their
        episodes take consecutive places in order.
        """
        places = np.zeros(len(member_of_slot), np.int64)
        for slot, seed in zip(slots.tolist(), seeds.tolist(), strict=True):
            member = int(member_of_slot[slot])
            place = int(self.n_added[member] % self.capacity)
            self._clear(member, place)
            self.episode_seed[member, place] = seed
            self.n_added[member] += 1
            places[slot] = place
        return EpisodeWriter(self, member_of_slot, places)

    def _clear(self, member: int, place: int) -> None:
        """Zero what a former episode left, so that padding never depends on history."""
        n = self.length[member, place]
        for steps in (self.actions, self.reward, self.terminated):
            steps[member, place, :n] = 0
        for rows in self.seen.values():
            rows[member, place, : n + 1] = 0
        self.length[member, place] = 0

    def sample(
        self,
        batch_size: int,
        random: Sequence[np.random.Generator],
        active: NDArray[np.bool_],
        device: str,
    ) -> EpisodeBatch:
        """Uniform batch of episodes without replacement per active member, cut to the longest.

        Inactive members get their first episodes as filler; they are not trained.
        """
        n_members = len(self.n_added)
        chosen = np.tile(np.arange(batch_size, dtype=np.int64), (n_members, 1))
        chosen %= self.capacity
        for member in np.flatnonzero(active).tolist():
            chosen[member] = random[member].choice(self.n_stored(member), batch_size, replace=False)
        rows = np.arange(n_members)[:, None]
        length = np.where(active[:, None], self.length[rows, chosen], 0)
        longest = int(length.max())
        index = (torch.from_numpy(rows), torch.from_numpy(chosen))

        def gather(array: NDArray[np.generic], n_steps: int) -> torch.Tensor:
            # Indexing copies into memory that torch aligned: results do not hang on addresses.
            return torch.from_numpy(array)[:, :, :n_steps][index].to(device)

        return EpisodeBatch(
            observations=gather(self.observations, longest + 1),
            state=gather(self.state, longest + 1),
            available_actions=gather(self.available_actions, longest + 1),
            actions=gather(self.actions, longest),
            reward=gather(self.reward, longest),
            terminated=gather(self.terminated, longest),
            filled=torch.from_numpy(np.arange(longest) < length[..., None]).to(device),
            extra={name: gather(array, longest + 1) for name, array in self.extra.items()},
        )

    def state_dict(self, *, replays_exactly: bool) -> dict[str, Any]:
        """Seeds and actions of the stored episodes, lengths and rewards to check them by."""
        if not replays_exactly:
            raise NotImplementedError("arrays are not stored yet")
        n = int(min(self.n_added.max(initial=0), self.capacity))
        return {
            "n_added": torch.from_numpy(self.n_added.copy()),
            "episode_seed": torch.from_numpy(self.episode_seed[:, :n].copy()),
            "length": torch.from_numpy(self.length[:, :n].copy()),
            "actions": torch.from_numpy(self.actions[:, :n].astype(np.int16)),
            "reward": torch.from_numpy(self.reward[:, :n].sum(axis=2)),
        }

    def load_state_dict(self, state: dict[str, Any], play_again: PlayAgain) -> None:
        """Play the stored episodes again from their seeds and actions: the same data, exactly."""
        n_members = len(self.n_added)
        self.n_added[:] = 0
        totals = state["reward"].numpy()
        n_stored = min(int(state["n_added"].max()), self.capacity)
        if any(state[key].shape[:2] != (n_members, n_stored) for key in _PER_EPISODE):
            raise ValueError("another number of episodes in the replay than were played")
        for m in range(n_members):
            n = min(int(state["n_added"][m]), self.capacity)
            seeds = state["episode_seed"][m, :n].numpy()
            actions = state["actions"][m, :n].numpy().astype(np.int64)
            for first in range(0, n, REBUILD_SLOTS):
                chunk = slice(first, min(n, first + REBUILD_SLOTS))
                slots = np.arange(chunk.stop - chunk.start)
                writer = self.writer(np.full(len(slots), m), slots, seeds[chunk])
                play_again(seeds[chunk], actions[chunk], writer)
        same_length = np.array_equal(self.length[:, : totals.shape[1]], state["length"])
        same_reward = np.array_equal(self.reward[:, : totals.shape[1]].sum(axis=2), totals)
        if not (same_length and same_reward):
            raise ReplayMismatchError("stored episodes do not play out as they did")
        self.n_added[:] = state["n_added"].numpy()


class ReplayMismatchError(ValueError):
    """Episodes played again from their seeds and actions were other ones: another environment."""


def _zeros(shape: tuple[int, ...], dtype: type[np.generic]) -> NDArray[Any]:
    """As `np.zeros`, but never from memory that was used before.

    A worker keeps what it frees (`suite.algorithms.allocator`): `np.zeros` of the next run would
    take that, and write zeros over gigabytes that no episode will ever use.
    """
    n_values = math.prod(shape)
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _NO_RESERVE
    memory = mmap.mmap(-1, max(1, n_values * np.dtype(dtype).itemsize), flags=flags)
    return np.frombuffer(memory, dtype, n_values).reshape(shape)


class EpisodeWriter:
    """Writes the episodes of a batch of slots into the replay as they are played."""

    def __init__(
        self, replay: Replay, members: NDArray[np.int64], places: NDArray[np.int64]
    ) -> None:
        self._replay, self._members, self._places = replay, members, places

    def observe(self, t: int, slots: NDArray[np.int64], seen: Mapping[str, NDArray[Any]]) -> None:
        """Store what `slots` see before their step t (or after their last)."""
        replay, m, p = self._replay, self._members[slots], self._places[slots]
        for name, array in replay.seen.items():
            array[m, p, t] = seen[name][slots]

    def act(
        self,
        t: int,
        slots: NDArray[np.int64],
        actions: NDArray[np.int64],
        reward: NDArray[np.float64],
        terminated: NDArray[np.bool_],
    ) -> None:
        """Store what `slots` did at step t and what came of it."""
        replay, m, p = self._replay, self._members[slots], self._places[slots]
        replay.actions[m, p, t] = actions[slots]
        replay.reward[m, p, t] = reward[slots]
        replay.terminated[m, p, t] = terminated[slots]
        replay.length[m, p] = t + 1
