"""The batched environment of skirmish: checks, buffers, one compiled call per step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from suite.environments.interface import ActionError, EnvironmentInfo, Step
from suite.environments.skirmish import fields as f
from suite.environments.skirmish.battle import advance_batch, begin_episodes
from suite.environments.skirmish.bundles import Battles, Outputs, Scratch
from suite.environments.skirmish.commands import ALL_LEGAL
from suite.environments.skirmish.compilation import bind
from suite.environments.skirmish.contacts import n_words, new_rows
from suite.environments.skirmish.encoding import encode_unlimited_sight
from suite.environments.skirmish.extras import check_extra, extra_observation_size
from suite.environments.skirmish.plans import N_PLAN, N_SETS
from suite.environments.skirmish.rules import DEFAULT_RULES, Rules
from suite.environments.skirmish.scenario import Scenario
from suite.environments.skirmish.streams import derive_episode_seeds
from suite.environments.skirmish.tables import Tables, build_tables
from suite.environments.skirmish.weapons import N_BEAMS, N_STRIKES_PER_UNIT
from suite.environments.validation import (
    check_actions,
    check_active,
    check_episode_seeds,
    check_slots,
)
from suite.errors import InputError

_EXTRA_ENCODERS = {"unlimited_sight": encode_unlimited_sight}


class SkirmishEnvironment:
    """A batch of battles of one scenario; see `interface.BatchedEnvironment`.

    `suite.environments.make` builds one from a scenario's name.

    Besides the contract's arrays: units (slots, units, N_UNIT_FIELDS) float64 and orders (slots,
    units, N_ORDER_FIELDS) int64 are the battles themselves, columns in `fields`, allies first,
    enemies as the scenario lists them. enemies (slots, enemies) int64 is the unit that each enemy
    id names in the episode: the one of row j in observations and state, of attack j.
    With `records_loops`, loop_units (slots, 8, units, N_UNIT_FIELDS) are the units after each game
    loop of the last step, and loop_shots (slots, 8, units) int64 whom each unit shot at or healed
    in it, -1 for nobody. extra_observations: name -> (slots, agents, width) float32, those named
    in `extra`, one of `extras.EXTRA_OBSERVATIONS` each (InputError for others); brought up to date
    as `observations` are.
    """

    extra_observations: Mapping[str, NDArray[np.float32]]

    def __init__(
        self,
        scenario: Scenario,
        n_environments: int,
        seed: int,
        rules: Rules = DEFAULT_RULES,
        *,
        records_loops: bool = False,
        extra: Sequence[str] = (),
    ) -> None:
        if not isinstance(scenario, Scenario):
            raise InputError(
                "not a Scenario",
                where="SkirmishEnvironment: scenario",
                value=scenario,
                cure='call suite.environments.make("skirmish/3m", n_environments, seed)',
            )
        check_extra(extra)
        self.info = scenario.info()
        self.n_environments = n_environments
        self._seed = seed
        self._tables = build_tables(scenario, rules)
        self._battles = _new_battles(n_environments, self._tables)
        self._outputs = _new_outputs(n_environments, self._tables, self.info, records_loops)
        self._scratch = _new_scratch(self._tables)
        self.units = self._battles.units
        self.orders = self._battles.orders
        self.enemies = self._battles.enemies
        self.observations = self._outputs.observations
        self.state = self._outputs.state
        self.available_actions = self._outputs.available_actions
        self.loop_units = self._outputs.loop_units
        self.loop_shots = self._outputs.loop_shots
        self._step = Step(
            reward=self._outputs.reward,
            terminated=self._outputs.terminated,
            truncated=self._outputs.truncated,
            won=self._outputs.won,
        )
        self._n_episodes = np.zeros(n_environments, np.int64)
        self._start_loops = np.zeros(n_environments, np.int64)
        self._step_loops = np.full(n_environments, f.LOOPS_PER_STEP)
        self._everyone = np.ones(n_environments, np.bool_)
        beginning = (self._start_loops, self._tables, self._battles)
        self._begin = bind(begin_episodes, self._start_loops, self._start_loops, *beginning)
        self._bundles = (self._tables, self._battles, self._scratch, self._outputs)
        example = (self._battles.last_actions, self._everyone, self._step_loops, True)
        self._advance = bind(advance_batch, *example, *self._bundles)
        shape = self.observations.shape[:2]
        self.extra_observations: Mapping[str, NDArray[np.float32]] = {
            name: np.zeros((*shape, extra_observation_size(scenario, name)), np.float32)
            for name in extra
        }
        shown = (self._everyone, self._tables, self._battles, self._outputs)
        self._extras = [
            (bind(_EXTRA_ENCODERS[name], *shown, array), array)
            for name, array in self.extra_observations.items()
        ]
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
        self._begin(chosen, seeds, self._start_loops, self._tables, self._battles)
        starting = np.zeros(self.n_environments, np.bool_)
        starting[chosen] = True
        self._advance(
            self._battles.last_actions, starting, self._start_loops, False, *self._bundles
        )
        self._encode_extras(starting)

    def step(self, actions: NDArray[np.integer], active: NDArray[np.bool_] | None = None) -> Step:
        """Advance the battles by 8 game loops; see `interface.BatchedEnvironment`.

        The arrays of the returned Step are overwritten by the next call.
        """
        chosen = check_actions(actions, self._battles.last_actions.shape)
        moving = self._everyone if active is None else check_active(active, self.n_environments)
        fault = self._advance(chosen, moving, self._step_loops, True, *self._bundles)
        if fault != ALL_LEGAL:
            self._raise_fault(fault, chosen)
        if self._extras:
            self._encode_extras(moving)
        return self._step

    def _encode_extras(self, active: NDArray[np.bool_]) -> None:
        for encode, array in self._extras:
            encode(active, self._tables, self._battles, self._outputs, array)

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


def _new_battles(slots: int, tables: Tables) -> Battles:
    n_units, n_agents = len(tables.stats), int(tables.sizes[f.N_ALLIES])
    return Battles(
        units=np.zeros((slots, n_units, f.N_UNIT_FIELDS)),
        orders=np.zeros((slots, n_units, f.N_ORDER_FIELDS), np.int64),
        streams=np.zeros((slots, 1), np.uint64),
        n_steps=np.zeros(slots, np.int64),
        is_over=np.ones(slots, np.bool_),
        previous=np.zeros((slots, n_units - n_agents)),
        last_actions=np.full((slots, n_agents), -1, np.int64),
        enemies=np.zeros((slots, n_units - n_agents), np.int64),
        touched=np.zeros((slots, tables.sizes[f.N_BEAM_UNITS], N_BEAMS, n_units), np.int64),
    )


def _new_scratch(tables: Tables) -> Scratch:
    n_units = len(tables.stats)
    n_layers = int(tables.stats[:, f.LAYER].max()) + 1
    return Scratch(
        plan=new_rows(N_PLAN, n_units, 0.0),
        rooms=new_rows(n_layers, n_units, np.nan),
        strikes=np.zeros((N_STRIKES_PER_UNIT * n_units, 2), np.int64),
        posture=np.zeros(n_units, np.int64),
        movers=np.zeros(n_units, np.int64),
        stayers=np.zeros(n_units, np.int64),
        near=np.zeros(n_units, np.int64),
        sets=np.zeros((N_SETS, n_words(n_units)), np.uint64),
        attacker=np.full(n_units, -1, np.int64),
        shots=np.zeros(n_units, np.int64),
    )


def _new_outputs(slots: int, tables: Tables, info: EnvironmentInfo, records_loops: bool) -> Outputs:
    n_units = len(tables.stats)
    recorded = (slots if records_loops else 0, f.LOOPS_PER_STEP, n_units)
    return Outputs(
        observations=np.zeros((slots, info.n_agents, info.observation_size), np.float32),
        state=np.zeros((slots, info.state_size), np.float32),
        available_actions=np.zeros((slots, info.n_agents, info.n_actions), np.bool_),
        reward=np.zeros(slots),
        terminated=np.zeros(slots, np.bool_),
        truncated=np.zeros(slots, np.bool_),
        won=np.zeros(slots, np.bool_),
        loop_units=np.zeros((*recorded, f.N_UNIT_FIELDS)),
        loop_shots=np.zeros(recorded, np.int64),
    )
