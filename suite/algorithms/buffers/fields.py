"""What a buffer stores of every step, and how many bytes that takes. Imports no torch.

Whatever its type, an array of one step is a *row* of 32-bit words; an episode stores of each row
which words changed since the row before and their new values (`changes_numba`). That is lossless,
and more than half of a battle stands still or is out of sight. Nothing more is gained by storing
flags as bits: as bytes, they hardly ever change.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from suite.runs.sizes import Sizes

# Every buffer has these; all others are extra.
OBSERVATIONS, STATE, AVAILABLE_ACTIONS = "observations", "state", "available_actions"
STEPS = "steps"  # the row that holds reward, terminated and actions

WORD_BYTES = 4
WORD_BITS = 32

# Share of words that change from one step to the next. Measured in skirmish, all words of a row
# together: 0.40 in corridor played at random, 0.12 to 0.31 elsewhere.
USUALLY_CHANGING = 0.4


@dataclass(frozen=True)
class Field:
    """A named array that every step of an episode has.

    shape: without members, episodes and time, e.g. (agents, observation size).
    """

    shape: tuple[int, ...]
    dtype: Literal["float32", "bool"] = "float32"

    @property
    def n_values(self) -> int:
        return math.prod(self.shape)

    @property
    def n_words(self) -> int:
        """Words of a row; the last is filled up with zeros."""
        return -(-self.n_values * np.dtype(self.dtype).itemsize // WORD_BYTES)


def fields_of(sizes: Sizes, extra_observations: Sequence[str] = ()) -> dict[str, Field]:
    """What is remembered of a scenario, with the extra observations that an algorithm asked for."""
    n = sizes.n_agents
    return {
        OBSERVATIONS: Field((n, sizes.observation_size)),
        STATE: Field((sizes.state_size,)),
        AVAILABLE_ACTIONS: Field((n, sizes.n_actions), "bool"),
    } | {name: Field((n, sizes.extra_observations[name])) for name in extra_observations}


def check_fields(fields: Mapping[str, Field]) -> None:
    """Raise ValueError unless the fields of every buffer are there, in fitting shapes."""
    shapes = [fields[name].shape for name in (OBSERVATIONS, AVAILABLE_ACTIONS) if name in fields]
    if len(shapes) < 2 or STATE not in fields or STEPS in fields:
        raise ValueError(f"a buffer cannot have the fields {', '.join(fields)}")
    if any(len(shape) != 2 for shape in shapes) or shapes[0][0] != shapes[1][0]:
        raise ValueError(f"observations and available actions of shapes {shapes}")
    if fields[AVAILABLE_ACTIONS].dtype != "bool":
        raise ValueError("available actions that are no bools")


def action_dtype(n_actions: int) -> np.dtype[Any]:
    """The smallest integers that torch has too."""
    largest = n_actions - 1
    return np.dtype(next(t for t in (np.uint8, np.int16, np.int32) if largest <= np.iinfo(t).max))


def step_dtype(fields: Mapping[str, Field]) -> np.dtype[Any]:
    """A row of reward, terminated and actions: a record of whole words."""
    n_agents, n_actions = fields[AVAILABLE_ACTIONS].shape
    action = action_dtype(n_actions)
    end_of_actions = WORD_BYTES + n_agents * action.itemsize
    return np.dtype(
        {
            "names": ["reward", "actions", "terminated"],
            "formats": [np.float32, (action, (n_agents,)), np.bool_],
            "offsets": [0, WORD_BYTES, end_of_actions],
            "itemsize": (end_of_actions // WORD_BYTES + 1) * WORD_BYTES,
        }
    )


def row_words(fields: Mapping[str, Field]) -> dict[str, int]:
    """Words of a row, by name, in the order in which an episode stores them; STEPS come first."""
    return {STEPS: step_dtype(fields).itemsize // WORD_BYTES} | {
        name: field.n_words for name, field in fields.items()
    }


def mask_words(n_words: int) -> int:
    """Words that say, bit by bit, which of a row's words changed."""
    return -(-n_words // WORD_BITS)


Count = TypeVar("Count", int, NDArray[np.int64])


def n_rows(name: str, n_steps: Count) -> Count:
    """Rows of an episode: one per step, and what is seen after the last."""
    return n_steps if name == STEPS else n_steps + 1


def most_words(words_of_row: Mapping[str, int], n_steps: Count) -> Count:
    """Words that these rows of an episode take if everything changes all the time."""
    total = n_steps * 0
    for name, words in words_of_row.items():
        total = total + n_rows(name, n_steps) * (words + mask_words(words))
    return total


def bytes_per_episode(
    fields: Mapping[str, Field], mean_length: float, changing: float = USUALLY_CHANGING
) -> float:
    """Estimate of the bytes that an episode of `mean_length` steps takes in a buffer.

    changing: share of a row's words that change in a step; 1 gives the upper bound. What a buffer
    takes besides is small: see `EpisodeBuffer`.
    """
    return WORD_BYTES * sum(
        (mean_length + (name != STEPS)) * (words * changing + mask_words(words))
        for name, words in row_words(fields).items()
    )
