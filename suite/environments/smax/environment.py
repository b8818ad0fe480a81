"""A batch of SMAX battles behind numpy arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suite.environments.interface import ActionError, EnvironmentInfo, Step
from suite.environments.registry import short_name
from suite.environments.smax.simulator import WIDTH, View, simulator
from suite.environments.validation import (
    SEED_LIMIT,
    check_actions,
    check_active,
    check_episode_seeds,
    check_slots,
)


class SmaxEnvironment:
    """Independent battles of one map; see `interface.BatchedEnvironment`.

    A battle is `terminated` when a side is dead, both included, and `truncated` if both live at the
    limit. It is won if an ally lives and no enemy does.

    Slots are played WIDTH at a time; the last ones have idle battles beside them.
    """

    def __init__(self, info: EnvironmentInfo, n_environments: int, seed: int) -> None:
        self.info = info
        self.n_environments = n_environments
        self._simulator = simulator(short_name(info.name))
        self._random = np.random.default_rng(seed)
        shape = (n_environments, info.n_agents)
        self.observations = np.zeros((*shape, info.observation_size), np.float32)
        self.state = np.zeros((n_environments, info.state_size), np.float32)
        self.available_actions = np.zeros((*shape, info.n_actions), np.bool_)
        self.extra_observations: Mapping[str, NDArray[np.float32]] = {}
        self._is_over = np.ones(n_environments, np.bool_)
        self._battles: list[Any] = [None] * -(-n_environments // WIDTH)
        self.reset()

    def reset(
        self,
        slots: NDArray[np.integer] | None = None,
        episode_seeds: NDArray[np.integer] | None = None,
    ) -> None:
        """Start a battle in `slots` (all when None); all 63 bits of a seed count."""
        chosen = check_slots(slots, self.n_environments)
        seeds = check_episode_seeds(episode_seeds, len(chosen))
        if seeds is None:
            seeds = self._random.integers(SEED_LIMIT, size=len(chosen))
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
        joint = check_actions(actions, (self.n_environments, self.info.n_agents))
        moving = check_active(active, self.n_environments)
        self._check_legal(joint, moving)
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

    def _check_legal(self, actions: NDArray[np.int64], active: NDArray[np.bool_]) -> None:
        over = np.flatnonzero(active & self._is_over)
        if len(over):
            raise ActionError(f"slot {over[0]}: its episode is over; reset the slot first")
        given = np.clip(actions, 0, self.info.n_actions - 1)
        can = np.take_along_axis(self.available_actions, given[..., None], -1)[..., 0]
        illegal = np.argwhere(~(can & (given == actions)) & active[:, None])
        if len(illegal):
            slot, agent = illegal[0]
            choices = np.flatnonzero(self.available_actions[slot, agent]).tolist()
            raise ActionError(
                f"slot {slot}, agent {agent}: action {actions[slot, agent]} is not available; "
                f"available: {choices}"
            )


def _filled(rows: NDArray[Any]) -> NDArray[Any]:
    """WIDTH rows, the missing ones zeros."""
    if len(rows) == WIDTH:
        return rows
    return np.concatenate([rows, np.zeros((WIDTH - len(rows), *rows.shape[1:]), rows.dtype)])
