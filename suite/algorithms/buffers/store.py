"""The last whole episodes of every member, packed. Knows no torch."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from suite.algorithms.buffers import changes_numba as changes
from suite.algorithms.buffers.fields import Field, most_words, n_rows, row_words
from suite.algorithms.buffers.memory import EpisodeMemory

Words = NDArray[np.uint32]


class EpisodeStore:
    """A ring of `capacity` places per member.

    length, episode_seed: (members, capacity) int64. n_added: (members,) int64, episodes ever; the
    next goes to place n_added % capacity. An episode is one block of words: its rows by name, in
    the order of `row_words`.
    """

    def __init__(self, fields: Mapping[str, Field], n_members: int, capacity: int) -> None:
        self.fields, self.row_words = dict(fields), row_words(fields)
        self.n_members, self.capacity = n_members, capacity
        self.clear()

    def clear(self, n_added: NDArray[np.int64] | None = None) -> None:
        """As at the beginning, or as after so many episodes per member, none of which is left.

        Memory goes back to the system.
        """
        lead = (self.n_members, self.capacity)
        self.length = np.zeros(lead, np.int64)
        self.episode_seed = np.zeros(lead, np.int64)
        self.n_added = np.zeros(self.n_members, np.int64)
        if n_added is not None:
            self.n_added[:] = n_added
        self._memory = [EpisodeMemory() for _ in range(self.n_members)]

    @property
    def n_bytes(self) -> int:
        return sum(memory.n_bytes for memory in self._memory)

    def n_stored(self, member: int) -> int:
        return int(min(self.n_added[member], self.capacity))

    def newest(self, member: int, n: int) -> NDArray[np.int64]:
        """Places of a member's last n episodes, in the order in which they came."""
        return np.arange(self.n_added[member] - n, self.n_added[member]) % self.capacity

    def add(self, member: int, seed: int, length: int, rows: Mapping[str, Words]) -> None:
        """Pack an episode; rows: by name, (rows or more, words of a row)."""
        words = self._memory[member].room(most_words(self.row_words, length) + 1)
        end = 0
        for name in self.row_words:
            end = changes.pack(rows[name][: n_rows(name, length)], words, end)
        self._keep(member, seed, length, end)

    def add_packed(self, member: int, seed: int, length: int, block: Words) -> None:
        """An episode that is packed already."""
        self._memory[member].room(len(block))[: len(block)] = block
        self._keep(member, seed, length, len(block))

    def _keep(self, member: int, seed: int, length: int, n_words: int) -> None:
        place = int(self.n_added[member] % self.capacity)
        self._memory[member].keep(place, n_words)
        self.length[member, place] = length
        self.episode_seed[member, place] = seed
        self.n_added[member] += 1

    def blocks(self, member: int, places: NDArray[np.int64]) -> list[Words]:
        """The packed episodes of some places, not copied; an empty one where nothing is."""
        memory = self._memory[member]
        return [memory.block(place) for place in places.tolist()]

    def unpack(self, member: int, places: NDArray[np.int64], into: Mapping[str, Words]) -> None:
        """Fill the rows of E episodes, by name (E, R, words of a row), zeros behind their ends.

        Names are in the stored order; trailing ones may be left out.
        """
        length = self.length[member, places]
        most = most_words({name: self.row_words[name] for name in into}, length)
        wanted = zip(self.blocks(member, places), most.tolist(), strict=True)
        blocks = [block[:n_words] for block, n_words in wanted]
        sizes = np.array([len(block) for block in blocks])
        starts = np.cumsum(sizes) - sizes
        words = np.concatenate(blocks)
        for name, rows in into.items():
            n_stored = np.where(sizes > 0, n_rows(name, length), 0)
            changes.unpack(words, starts, n_stored, rows)
