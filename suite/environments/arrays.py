"""What batches of plain arrays share: the arrays, and the checks of calls."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from suite.environments.interface import EnvironmentInfo
from suite.environments.validation import (
    SEED_LIMIT,
    check_actions,
    check_active,
    check_episode_seeds,
    check_legal,
    check_slots,
)


class ArrayBatch:
    """The attributes of `interface.BatchedEnvironment`, arrays all zeros.

    seed: fixes the episodes of resets that give no seeds. `_is_over`: (slots,) bool, which slots
    have no running episode; none has at first.
    """

    def __init__(self, info: EnvironmentInfo, n_environments: int, seed: int) -> None:
        self.info = info
        self.n_environments = n_environments
        shape = (n_environments, info.n_agents)
        self.observations = np.zeros((*shape, info.observation_size), np.float32)
        self.state = np.zeros((n_environments, info.state_size), np.float32)
        self.available_actions = np.zeros((*shape, info.n_actions), np.bool_)
        self.extra_observations: Mapping[str, NDArray[np.float32]] = {}
        self._random = np.random.default_rng(seed)
        self._is_over = np.ones(n_environments, np.bool_)

    def _checked_reset(
        self, slots: NDArray[np.integer] | None, episode_seeds: NDArray[np.integer] | None
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The slots of a reset and a seed for each, both (n,); InputError for others."""
        chosen = check_slots(slots, self.n_environments)
        seeds = check_episode_seeds(episode_seeds, len(chosen))
        if seeds is None:
            seeds = self._random.integers(SEED_LIMIT, size=len(chosen))
        return chosen, seeds

    def _checked_step(
        self, actions: NDArray[np.integer], active: NDArray[np.bool_] | None
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Actions (slots, agents) and which slots move (slots,); ActionError for others."""
        joint = check_actions(actions, (self.n_environments, self.info.n_agents))
        moving = check_active(active, self.n_environments)
        check_legal(joint, moving, self.available_actions, self._is_over)
        return joint, moving
