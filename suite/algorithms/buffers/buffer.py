"""What a learner remembers: whole episodes, one ring per member.

After PyMARL's components/episode_buffer.py; batches are the same, memory is not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from suite.algorithms.batch import EpisodeBatch
from suite.algorithms.buffers import state
from suite.algorithms.buffers.fields import (
    AVAILABLE_ACTIONS,
    OBSERVATIONS,
    STATE,
    STEPS,
    Field,
    check_fields,
    step_dtype,
)
from suite.algorithms.buffers.store import EpisodeStore
from suite.algorithms.buffers.writer import EpisodeWriter, Stage

# (member, seeds (E,), actions (E, episode_limit, N), writer of slots 0 to E - 1)
PlayAgain = Callable[[int, NDArray[np.int64], NDArray[np.int64], EpisodeWriter], None]


class EpisodeBuffer:
    """The last `capacity` episodes of each member.

    They are kept packed (`fields`), so that memory follows the steps taken and what changes in
    them, and are handed out exactly as they were. `bytes_per_episode` estimates it; besides, an
    episode takes some 300 bytes of administration, those being played are not packed yet, and
    `EpisodeMemory` says what remains of those overwritten.

    Episodes being played become part of the buffer when it is next asked for anything; by then
    all of them must be whole (ValueError).
    """

    def __init__(
        self, fields: Mapping[str, Field], n_members: int, capacity: int, episode_limit: int
    ) -> None:
        """fields: `observations` (N, O), `state` (S,) and `available_actions` (N, A), and any
        others, which batches hold as `extra`.

        Raises ValueError without those three.
        """
        check_fields(fields)
        self.fields, self.episode_limit = dict(fields), episode_limit
        self._store = EpisodeStore(self.fields, n_members, capacity)
        self._stage: Stage | None = None
        self._playing: _Playing | None = None

    @property
    def n_members(self) -> int:
        return self._store.n_members

    @property
    def capacity(self) -> int:
        return self._store.capacity

    @property
    def n_added(self) -> NDArray[np.int64]:
        """(members,) episodes since the beginning or `clear`."""
        return self._whole().n_added.copy()

    def n_stored(self, member: int) -> int:
        """Episodes a member can sample from."""
        return self._whole().n_stored(member)

    def n_bytes(self) -> int:
        """Memory of all packed episodes, and of those that were last played."""
        return self._whole().n_bytes + (self._stage.n_bytes if self._stage else 0)

    def clear(self) -> None:
        """Forget all episodes, those being played too."""
        self._playing = None
        self._store.clear()

    def writer(
        self, member_of_slot: NDArray[np.int64], slots: NDArray[np.int64], seeds: NDArray[np.int64]
    ) -> EpisodeWriter:
        """Takes one episode of each of `slots`, with its seed.

        member_of_slot: (all slots of the environment,). A member may own several slots: their
        episodes are stored in the order of `slots`.
        """
        self._whole()
        if self._stage is None or self._stage.n_slots != len(member_of_slot):
            self._stage = Stage(self.fields, len(member_of_slot), self.episode_limit)
        writer = EpisodeWriter(self._stage)
        self._playing = _Playing(writer, member_of_slot[slots], slots, seeds)
        return writer

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
        store, places = self._whole(), self._filler(batch_size)
        for member in np.flatnonzero(active).tolist():
            n_stored = store.n_stored(member)
            places[member] = random[member].choice(n_stored, batch_size, replace=False)
        return self._batch(places, active, device)

    def newest(self, n: int, active: NDArray[np.bool_], device: str) -> EpisodeBatch:
        """The last n episodes of each active member, in the order in which they came.

        Inactive members get filler, as from `sample`. Raises ValueError if an active one has fewer.
        """
        store, places = self._whole(), self._filler(n)
        for member in np.flatnonzero(active).tolist():
            if store.n_stored(member) < n:
                raise ValueError(f"member {member} has {store.n_stored(member)} episodes, not {n}")
            places[member] = store.newest(member, n)
        return self._batch(places, active, device)

    def state_dict(self, *, replays_exactly: bool) -> dict[str, Any]:
        """The episodes as plain containers and tensors.

        replays_exactly: the environment does, so that seeds and actions are enough; otherwise
        all that is stored.
        """
        return (state.by_seeds if replays_exactly else state.by_blocks)(self._whole())

    def load_state_dict(self, stored: Mapping[str, Any], play_again: PlayAgain) -> None:
        """Take the episodes of a `state_dict` in place of those that are here.

        play_again: plays E episodes of a member again, side by side in slots 0 to E - 1, into a
        writer; called as (member, seeds (E,), actions (E, episode_limit, N), writer), actions
        zero behind an episode's end, for a state that holds seeds and actions only.
        Raises ValueError for a state that does not fit, or whose episodes play out in another way.
        """

        def play(member: int, seeds: NDArray[np.int64], actions: NDArray[np.int64]) -> None:
            writer = self.writer(np.full(len(seeds), member), np.arange(len(seeds)), seeds)
            play_again(member, seeds, actions, writer)
            self._whole()

        self.clear()
        state.load(stored, self._store, self.episode_limit, play)
        self._stage = None  # of another number of slots than training has

    def _whole(self) -> EpisodeStore:
        """The store, with the episodes that were played since it was last asked for."""
        playing, self._playing = self._playing, None
        if playing is not None and self._stage is not None:
            for slot, member, seed in playing:
                length = playing.writer.length(slot)
                rows = {name: words[slot] for name, words in self._stage.words.items()}
                self._store.add(member, seed, length, rows)
        return self._store

    def _filler(self, n: int) -> NDArray[np.int64]:
        """(members, n) places of everybody's first episodes."""
        return np.tile(np.arange(n, dtype=np.int64) % self.capacity, (self.n_members, 1))

    def _batch(
        self, places: NDArray[np.int64], active: NDArray[np.bool_], device: str
    ) -> EpisodeBatch:
        """The episodes at places (members, batch)."""
        store, lead = self._store, places.shape
        length = np.take_along_axis(store.length, places, axis=1) * active[:, None]
        longest = int(length.max(initial=0))
        steps = np.empty((*lead, longest, store.row_words[STEPS]), np.uint32)
        # In memory that torch aligned: results do not hang on addresses.
        rows = {
            name: torch.empty((*lead, longest + 1, field.n_words), dtype=torch.int32)
            for name, field in self.fields.items()
        }
        into = {STEPS: steps} | {name: row.numpy().view(np.uint32) for name, row in rows.items()}
        for member, chosen in enumerate(places):
            store.unpack(member, chosen, {name: array[member] for name, array in into.items()})
        record = steps.view(step_dtype(self.fields))[..., 0]
        seen = {name: _values(rows[name], f).to(device) for name, f in self.fields.items()}
        return EpisodeBatch(
            observations=seen.pop(OBSERVATIONS),
            state=seen.pop(STATE),
            available_actions=seen.pop(AVAILABLE_ACTIONS),
            actions=torch.tensor(record["actions"], dtype=torch.int64, device=device),
            reward=torch.tensor(record["reward"], device=device),
            terminated=torch.tensor(record["terminated"], device=device),
            filled=torch.from_numpy(np.arange(longest) < length[..., None]).to(device),
            extra=seen,
        )


@dataclass(frozen=True)
class _Playing:
    """The episodes that a writer takes, in the order in which they are stored."""

    writer: EpisodeWriter
    members: NDArray[np.int64]
    slots: NDArray[np.int64]
    seeds: NDArray[np.int64]

    def __iter__(self) -> Iterator[tuple[int, int, int]]:
        """Slot, member and seed of each."""
        yield from zip(self.slots.tolist(), self.members.tolist(), self.seeds.tolist(), strict=True)


def _values(rows: Tensor, field: Field) -> Tensor:
    """The values in rows of words: (..., words) int32 -> (..., *field.shape), contiguous."""
    values = rows.view(getattr(torch, field.dtype))[..., : field.n_values]
    return values.contiguous().view(*rows.shape[:-1], *field.shape)
