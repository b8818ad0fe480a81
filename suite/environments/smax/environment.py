"""A batch of SMAX battles behind numpy arrays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suite.environments.arrays import ArrayBatch
from suite.environments.interface import EnvironmentInfo, Step
from suite.environments.registry import short_name
from suite.environments.smax.simulator import WIDTH, View, simulator


class SmaxEnvironment(ArrayBatch):
    """Independent battles of one map; see `interface.BatchedEnvironment`.

    A battle is `terminated` when a side is dead, both included, and `truncated` if both live at the
    limit. It is won if an ally lives and no enemy does.

    Slots are played WIDTH at a time; the last ones have idle battles beside them.
    """

    def __init__(self, info: EnvironmentInfo, n_environments: int, seed: int) -> None:
        super().__init__(info, n_environments, seed)
        self._simulator = simulator(short_name(info.name))
        self._battles: list[Any] = [None] * -(-n_environments // WIDTH)
        self.reset()

    def reset(
        self,
        slots: NDArray[np.integer] | None = None,
        episode_seeds: NDArray[np.integer] | None = None,
    ) -> None:
        """Start a battle in `slots` (all when None); all 63 bits of a seed count."""
        chosen, seeds = self._checked_reset(slots, episode_seeds)
        words = np.zeros((self.n_environments, 2), np.uint32)
        words[chosen] = np.stack([seeds >> 32, seeds & 0xFFFFFFFF], -1)
        starting = np.zeros(self.n_environments, np.bool_)
        starting[chosen] = True
        for part, rows in self._parts(starting):
            self._battles[part], view = self._simulator.reset(
                self._battles[part], _filled(words[rows]), _filled(starting[rows])
            )
            self._show(rows, starting[rows], view)
        self._is_over[chosen] = False

    def step(self, actions: NDArray[np.integer], active: NDArray[np.bool_] | None = None) -> Step:
        """Play one joint action in every active slot; see `interface.BatchedEnvironment`."""
        joint, moving = self._checked_step(actions, active)
        given = np.where(moving[:, None], joint, 0).astype(np.int32)
        reward = np.zeros(self.n_environments)
        terminated, truncated, won = flags = np.zeros((3, self.n_environments), np.bool_)
        for part, rows in self._parts(moving):
            moves = moving[rows]
            self._battles[part], view, outcome = self._simulator.step(
                self._battles[part], _filled(given[rows]), _filled(moves)
            )
            self._show(rows, moves, view)
            for array, new in zip((reward, *flags), outcome, strict=True):
                np.copyto(array[rows], np.asarray(new)[: len(moves)], where=moves)
        self._is_over |= terminated | truncated
        return Step(reward, terminated, truncated, won)

    def close(self) -> None:
        """Nothing is held open."""

    def _parts(self, chosen: NDArray[np.bool_]) -> Iterator[tuple[int, slice]]:
        """Number and slots of every group of WIDTH battles of which one is chosen."""
        for part in range(len(self._battles)):
            rows = slice(part * WIDTH, (part + 1) * WIDTH)
            if chosen[rows].any():
                yield part, rows

    def _show(self, rows: slice, chosen: NDArray[np.bool_], view: View) -> None:
        """Write what is seen in the chosen ones of some slots."""
        n, ours = len(chosen), (self.observations, self.state, self.available_actions)
        for array, new in zip(ours, view, strict=True):
            where = chosen.reshape(n, *[1] * (array.ndim - 1))
            np.copyto(array[rows], np.asarray(new)[:n], where=where)


def _filled(rows: NDArray[Any]) -> NDArray[Any]:
    """WIDTH rows, the missing ones zeros."""
    if len(rows) == WIDTH:
        return rows
    return np.concatenate([rows, np.zeros((WIDTH - len(rows), *rows.shape[1:]), rows.dtype)])
