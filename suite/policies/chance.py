"""Chance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from suite.environments.interface import BatchedEnvironment


class RandomActions:
    """Each agent takes one of its available actions, all equally likely."""

    def __init__(self, environment: BatchedEnvironment, random: np.random.Generator) -> None:
        self._environment, self._random = environment, random

    def __call__(self, t: int, slots: NDArray[np.int64]) -> NDArray[np.int64]:
        """Actions (all slots, agents) for what the environment shows now."""
        available = self._environment.available_actions
        return (self._random.random(available.shape) * available).argmax(axis=-1)
