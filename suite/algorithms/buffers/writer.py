"""Episodes being played: kept as they come, row by row, until they are whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suite.algorithms.buffers.fields import STEPS, Field, row_words, step_dtype
from suite.algorithms.buffers.memory import zeros_from_system


class Stage:
    """Rows of the episodes that a batch of slots plays side by side.

    words: name → (slots, episode_limit + 1, words of a row) uint32. values: the same memory as
    the arrays that the rows hold, (slots, episode_limit + 1, ...); actions, reward and terminated
    likewise.
    """

    def __init__(self, fields: Mapping[str, Field], n_slots: int, episode_limit: int) -> None:
        self.n_slots = n_slots
        self.words = {
            name: zeros_from_system((n_slots, episode_limit + 1, n_words), np.uint32)
            for name, n_words in row_words(fields).items()
        }
        self.values = {name: values_of(self.words[name], field) for name, field in fields.items()}
        steps = self.words[STEPS].view(step_dtype(fields))[..., 0]
        self.actions, self.reward = steps["actions"], steps["reward"]
        self.terminated = steps["terminated"]
        self.most_rows = 0  # of any episode so far: memory behind them has never been used

    @property
    def n_bytes(self) -> int:
        return self.most_rows * sum(rows[:, 0].nbytes for rows in self.words.values())


def values_of(words: NDArray[np.uint32], field: Field) -> NDArray[Any]:
    """The arrays in rows of words, as a view: (..., words) -> (..., *field.shape)."""
    values = words.view(field.dtype)[..., : field.n_values]
    return values.reshape(*words.shape[:-1], *field.shape)


class EpisodeWriter:
    """Takes one episode of each of some slots as it is played."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._length = np.zeros(stage.n_slots, np.int64)
        self._n_seen = np.zeros(stage.n_slots, np.int64)

    def observe(self, t: int, slots: NDArray[np.int64], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Keep what `slots` see before their step t (or after their last).

        arrays: by name, (all slots, ...); those that the buffer has no field for are left. Raises
        ValueError, at t = 0, for arrays that do not fit their fields.
        """
        if t == 0:
            self._check(arrays)
        which = self._which(slots)
        for name, values in self._stage.values.items():
            values[which, t] = arrays[name][which]
        self._n_seen[which] = t + 1

    def act(
        self,
        t: int,
        slots: NDArray[np.int64],
        actions: NDArray[np.int64],
        reward: NDArray[np.floating],
        terminated: NDArray[np.bool_],
    ) -> None:
        """Keep what `slots` did at step t and what came of it; arrays (all slots, ...)."""
        which, stage = self._which(slots), self._stage
        stage.actions[which, t] = actions[which]
        stage.reward[which, t] = reward[which]
        stage.terminated[which, t] = terminated[which]
        self._length[which] = t + 1

    def _check(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        for name, values in self._stage.values.items():
            array, shape = arrays[name], (self._stage.n_slots, *values.shape[2:])
            if array.shape != shape or not np.can_cast(array.dtype, values.dtype, "same_kind"):
                found = f"{array.shape} {array.dtype}"
                raise ValueError(f"{name} is {found}, not {shape} {values.dtype}")

    def _which(self, slots: NDArray[np.int64]) -> NDArray[np.int64] | slice:
        """All slots are taken in one piece, which is several times faster."""
        return slice(None) if len(slots) == self._stage.n_slots else slots

    def length(self, slot: int) -> int:
        """Steps of the episode of a slot; ValueError unless the last was followed by a look."""
        length = int(self._length[slot])
        if length == 0 or self._n_seen[slot] != length + 1:
            raise ValueError(f"the episode of slot {slot} was left unfinished")
        self._stage.most_rows = max(self._stage.most_rows, length + 1)
        return length
