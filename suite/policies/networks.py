"""What networks need to play: torch, and actions that they may take."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from suite.algorithms.interface import Actor
from suite.environments.interface import BatchedEnvironment
from suite.errors import StoredDataError


class Allowed:
    """Networks whose choice has to be available: where their values overflow it is not.

    where, cure: what the line says that a user then gets.
    """

    def __init__(
        self, networks: Actor, environment: BatchedEnvironment, *, where: str, cure: str
    ) -> None:
        self._networks, self._environment = networks, environment
        self._where, self._cure = where, cure

    def __call__(self, t: int, slots: NDArray[np.int64]) -> NDArray[np.int64]:
        """Actions (all slots, agents) for what the environment shows now."""
        actions = self._networks(t, slots)
        available = self._environment.available_actions[slots]
        if not np.take_along_axis(available, actions[slots, :, None], axis=2).all():
            what = "the values that the networks give to actions overflow"
            raise StoredDataError(what, where=self._where, cure=self._cure)
        return actions
