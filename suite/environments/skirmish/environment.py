"""The batched environment of skirmish: checks, buffers, one compiled call per step."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from suite.environments.interface import ActionError, Step
from suite.environments.skirmish import fields as f
from suite.environments.skirmish.battle import advance_batch, begin_episodes
from suite.environments.skirmish.commands import ALL_LEGAL
from suite.environments.skirmish.contacts import padded
from suite.environments.skirmish.rules import DEFAULT_RULES, Rules
from suite.environments.skirmish.scenario import Scenario
from suite.environments.skirmish.streams import derive_episode_seeds
from suite.environments.skirmish.tables import build_tables
from suite.environments.skirmish.walking import N_PLAN
from suite.environments.skirmish.weapons import N_STRIKES_PER_UNIT
from suite.environments.validation import (
    check_actions,
    check_active,
    check_episode_seeds,
    check_slots,
)


class SkirmishEnvironment:
    """A batch of battles of one scenario; see `interface.BatchedEnvironment`.

    Besides the contract's arrays: units (slots, units, N_UNIT_FIELDS) float64 and orders (slots,
    units, N_ORDER_FIELDS) int64 are the battles themselves, columns in `fields`, allies first.
    With `records_loops`, loop_units (slots, 8, units, N_UNIT_FIELDS) are the units after each game
    loop of the last step, and loop_shots (slots, 8, units) int64 whom each unit shot at or healed
    in it, -1 for nobody.
    """

    def __init__(
        self,
        scenario: Scenario,
        n_environments: int,
        seed: int,
        rules: Rules = DEFAULT_RULES,
        *,
        records_loops: bool = False,
    ) -> None:
        self.info = scenario.info()
        self.n_environments = n_environments
        self.extra_observations: Mapping[str, NDArray[np.float32]] = {}
        self._seed = seed
        self._tables = tables = build_tables(scenario, rules)
        slots, agents = n_environments, self.info.n_agents
        n_units = len(tables.stats)
        n_layers = int(tables.stats[:, f.LAYER].max()) + 1
        self.observations = np.zeros((slots, agents, self.info.observation_size), np.float32)
        self.state = np.zeros((slots, self.info.state_size), np.float32)
        self.available_actions = np.zeros((slots, agents, self.info.n_actions), np.bool_)
        self.units = np.zeros((slots, n_units, f.N_UNIT_FIELDS))
        self.orders = np.zeros((slots, n_units, f.N_ORDER_FIELDS), np.int64)
        n_recorded = slots if records_loops else 0
        self.loop_units = np.zeros((n_recorded, f.LOOPS_PER_STEP, n_units, f.N_UNIT_FIELDS))
        self.loop_shots = np.zeros((n_recorded, f.LOOPS_PER_STEP, n_units), np.int64)
        self._streams = np.zeros(slots, np.uint64)
        self._n_steps = np.zeros(slots, np.int64)
        self._n_episodes = np.zeros(slots, np.int64)
        self._is_over = np.ones(slots, np.bool_)
        self._last_actions = np.full((slots, agents), -1, np.int64)
        self._start_loops = np.zeros(slots, np.int64)
        self._step_loops = np.full(slots, f.LOOPS_PER_STEP)
        self._everyone = np.ones(slots, np.bool_)
        self._step = Step(
            reward=np.zeros(slots),
            terminated=np.zeros(slots, np.bool_),
            truncated=np.zeros(slots, np.bool_),
            won=np.zeros(slots, np.bool_),
        )
        self._arrays = (
            self.units,
            self.orders,
            self._streams,
            self._n_steps,
            self._is_over,
            np.zeros((slots, len(scenario.enemies))),
            self._last_actions,
            tables.stats,
            tables.damage,
            tables.sizes,
            tables.rules,
            tables.is_free,
            tables.routes.cell,
            tables.routes.is_clear,
            tables.routes.corners,
            tables.routes.onward,
            self.observations,
            self.state,
            self.available_actions,
            self._step.reward,
            self._step.terminated,
            self._step.truncated,
            self._step.won,
            np.zeros((N_PLAN, padded(n_units))),
            np.full((n_layers, padded(n_units)), np.nan),
            np.zeros(n_units, np.int64),
            np.zeros(n_units, np.int64),
            np.zeros(n_units, np.int64),
            np.zeros(n_units, np.int64),
            np.zeros((N_STRIKES_PER_UNIT * n_units, 2), np.int64),
            np.zeros(n_units, np.int64),
            np.zeros(n_units, np.int64),
            np.full(n_units, -1, np.int64),
            np.zeros(n_units, np.int64),
            self.loop_units,
            self.loop_shots,
        )
        self.reset()

    def reset(
        self,
        slots: NDArray[np.integer] | None = None,
        episode_seeds: NDArray[np.integer] | None = None,
    ) -> None:
        """Start new battles; see `interface.BatchedEnvironment`.

        Without `episode_seeds` they follow from make's seed, the slot and the number of episodes
        the slot has begun. Raises InputError for bad slots or seeds; the batch is then unchanged.
        """
        chosen = check_slots(slots, self.n_environments)
        seeds = check_episode_seeds(episode_seeds, len(chosen))
        if seeds is None:
            seeds = np.empty(len(chosen), np.int64)
            derive_episode_seeds(self._seed, chosen, self._n_episodes, seeds)
        self._n_episodes[chosen] += 1
        tables = self._tables
        begin_episodes(
            chosen,
            seeds,
            tables.start,
            tables.start_orders,
            tables.stats,
            tables.sizes,
            tables.rules,
            self.units,
            self.orders,
            self._streams,
            self._n_steps,
            self._is_over,
            self._last_actions,
            self._start_loops,
        )
        starting = np.zeros(self.n_environments, np.bool_)
        starting[chosen] = True
        advance_batch(self._last_actions, starting, self._start_loops, False, *self._arrays)

    def step(self, actions: NDArray[np.integer], active: NDArray[np.bool_] | None = None) -> Step:
        """Advance the battles by 8 game loops; see `interface.BatchedEnvironment`.

        The arrays of the returned Step are overwritten by the next call.
        """
        chosen = check_actions(actions, self._last_actions.shape)
        moving = self._everyone if active is None else check_active(active, self.n_environments)
        fault = advance_batch(chosen, moving, self._step_loops, True, *self._arrays)
        if fault != ALL_LEGAL:
            self._raise_fault(fault, chosen)
        return self._step

    def _raise_fault(self, fault: int, actions: NDArray[np.int64]) -> None:
        """Raise the ActionError for a fault code of `commands.find_illegal`."""
        slot, agent = divmod(fault, self.info.n_agents + 1)
        if agent == self.info.n_agents:
            raise ActionError(f"slot {slot}: its episode is over; reset the slot first")
        available = np.flatnonzero(self.available_actions[slot, agent]).tolist()
        raise ActionError(
            f"slot {slot}, agent {agent}: action {actions[slot, agent]} is not available; "
            f"available: {available}"
        )

    def close(self) -> None:
        """Nothing is held open."""
