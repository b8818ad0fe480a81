"""Every random stream of a run, derived from its seed alone.

Streams are independent (numpy `SeedSequence` keys), so that drawing more from one, or sharing a
cohort with other runs, changes nothing in another.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray


class Stream(IntEnum):
    """What a random stream is for; the numbers are part of what makes results repeatable."""

    EXPLORATION = 1
    REPLAY_SAMPLING = 2
    TRAINING_EPISODES = 3
    TEST_EPISODES = 4
    TEACHER_WEIGHTS = 5
    MINIBATCHES = 20
    EVALUATION_EPISODES = 30  # of `cadp-suite evaluate`, with its own seed


def generator(seed: int, stream: Stream) -> np.random.Generator:
    """Generator of one stream of the run with this seed."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, stream])))


def episode_seeds(seed: int, stream: Stream, first: int, n_episodes: int) -> NDArray[np.int64]:
    """Seeds of the episodes of a stream from number `first` on: (n_episodes,), below 2⁶³."""
    return np.array(
        [
            np.random.SeedSequence([seed, stream, index]).generate_state(1, np.uint64)[0] >> 1
            for index in range(first, first + n_episodes)
        ],
        dtype=np.int64,
    )
