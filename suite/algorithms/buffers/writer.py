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
    the arrays that the rows hold, (slots, episode_limit + 1, ...).
    """

    def __init__(self, fields: Mapping[str, Field], n_slots: int, episode_limit: int) -> None:
        self.n_slots = n_slots
        self.words = {
            name: zeros_from_system((n_slots, episode_limit + 1, n_words), np.uint32)
            for name, n_words in row_words(fields).items()
        }
        self.values = {name: values_of(self.words[name], field) for name, field in fields.items()}
        self.steps = self.words[STEPS].view(step_dtype(fields))[..., 0]
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

        arrays: by name, (all slots, ...); those that the buffer has no field for are left.
        """
        for name, values in self._stage.values.items():
            values[slots, t] = arrays[name][slots]
        self._n_seen[slots] = t + 1

    def act(
        self,
        t: int,
        slots: NDArray[np.int64],
        actions: NDArray[np.int64],
        reward: NDArray[np.floating],
        terminated: NDArray[np.bool_],
    ) -> None:
        """Keep what `slots` did at step t and what came of it; arrays (all slots, ...)."""
        steps = self._stage.steps
        steps["actions"][slots, t] = actions[slots]
        steps["reward"][slots, t] = reward[slots]
        steps["terminated"][slots, t] = terminated[slots]
        self._length[slots] = t + 1

    def length(self, slot: int) -> int:
        """Steps of the episode of a slot; ValueError unless the last was followed by a look."""
        length = int(self._length[slot])
        if length == 0 or self._n_seen[slot] != length + 1:
            raise ValueError(f"the episode of slot {slot} was left unfinished")
        self._stage.most_rows = max(self._stage.most_rows, length + 1)
        return length
