"""Who plays a recorded episode: chance, SMAC's heuristic, or the networks of a finished run."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from suite.algorithms.registry import method_of, settings_of
from suite.environments.skirmish import SKIRMISH_VERSION
from suite.environments.skirmish import fields as f
from suite.environments.skirmish.environment import SkirmishEnvironment
from suite.environments.skirmish.scenario import Scenario
from suite.errors import InputError, StoredDataError
from suite.records import RecordStore, RunRecord
from suite.runs.directory import RunsDirectory
from suite.runs.modes import DECENTRALISED
from suite.training.weights import TRAIN_AGAIN, read_weights

RANDOM, NEAREST = "random", "nearest"
_RUN_ID = re.compile("[0-9a-f]{16}")  # RunSpec.run_id; other names are no part of a path

# Called with the time step and the slots still playing; returns actions (slots, agents).
ChooseActions = Callable[[int, NDArray[np.int64]], NDArray[np.int64]]


@dataclass(frozen=True)
class Policy:
    """name: as on the command line. description: for people. choose: the actions of a step."""

    name: str
    description: str
    choose: ChooseActions


def make_policy(
    name: str, environment: SkirmishEnvironment, scenario: Scenario, seed: int, runs_dir: Path
) -> Policy:
    """The policy called `name` for an environment of one slot.

    name: "random", "nearest", or the id of a finished run in `runs_dir`.
    Raises InputError if there is no such policy or run, or the run cannot play this scenario.
    """
    if name == RANDOM:
        choose = RandomActions(environment, np.random.default_rng(seed))
        return Policy(name, "any available action", choose)
    if name == NEAREST:
        return Policy(name, "SMAC's heuristic AI", NearestTarget(environment, scenario))
    record = _finished_run(name, environment.info.name, runs_dir)
    description = f"{record.arm} trained with seed {record.spec.seed}, greedy, {DECENTRALISED.name}"
    return Policy(name, description, _trained(record, environment, runs_dir))


class RandomActions:
    """Each agent takes one of its available actions, all equally likely."""

    def __init__(self, environment: SkirmishEnvironment, random: np.random.Generator) -> None:
        self._environment, self._random = environment, random

    def __call__(self, t: int, slots: NDArray[np.int64]) -> NDArray[np.int64]:
        """Actions (slots, agents) for what the environment shows now."""
        available = self._environment.available_actions
        return (self._random.random(available.shape) * available).argmax(axis=-1)


class NearestTarget:
    """SMAC's heuristic AI in the form that uses available actions only (`heuristic_rest`).

    Every agent keeps a target until it is dead: the nearest living enemy; a Marauder, whose weapon
    does not reach up, passes over Medivacs. A Medivac keeps the nearest damaged agent that is no
    Medivac until it is healed or dead. Who cannot aim at its target yet walks towards it along the
    longer axis; who has no target, or may not walk there, stops. It sees the whole map.
    Source: oxwhirl/smac, `StarCraft2Env.get_agent_action_heuristic`.
    """

    def __init__(self, environment: SkirmishEnvironment, scenario: Scenario) -> None:
        self._environment = environment
        self._names = np.array([unit.type_name for unit in (*scenario.allies, *scenario.enemies)])
        self._health_max = np.array([scenario.types[name].health for name in self._names])
        self._targets = np.full(len(scenario.allies), -1)

    def __call__(self, t: int, slots: NDArray[np.int64]) -> NDArray[np.int64]:
        """Actions (1, agents) for what the environment shows now."""
        units, available = self._environment.units[0], self._environment.available_actions[0]
        if t == 0:
            self._targets[:] = -1
        return np.array([[self._action(a, units, row) for a, row in enumerate(available)]])

    def _action(self, a: int, units: NDArray[np.float64], available: NDArray[np.bool_]) -> int:
        if available[f.NO_OP]:
            return f.NO_OP
        n_agents, is_medic = len(self._targets), self._names == "Medivac"
        wanted = units[:, f.HEALTH] > 0
        if is_medic[a]:
            wanted &= (units[:, f.HEALTH] < self._health_max) & ~is_medic
            wanted[n_agents:] = False
        else:
            wanted[:n_agents] = False
            if self._names[a] == "Marauder":
                wanted &= ~is_medic
        if not wanted.any():
            return f.STOP
        gaps = units[:, [f.X, f.Y]] - units[a, [f.X, f.Y]]
        target = self._targets[a]
        if target < 0 or not wanted[target]:
            target = np.where(wanted, np.hypot(*gaps.T), np.inf).argmin()
            self._targets[a] = target
        aim = f.FIRST_TARGET + target - (0 if is_medic[a] else n_agents)
        dx, dy = gaps[target]
        along_x = f.EAST if dx > 0 else f.WEST
        along_y = f.NORTH if dy > 0 else f.SOUTH
        walk = along_x if abs(dx) > abs(dy) else along_y
        return int(next(action for action in (aim, walk, f.STOP) if available[action]))


def _finished_run(run_id: str, scenario: str, runs_dir: Path) -> RunRecord:
    """The record of a finished run on `scenario` under the present rules."""
    found = []
    if _RUN_ID.fullmatch(run_id) and RunsDirectory(runs_dir).records_path.is_file():
        found = RecordStore.open(runs_dir).load({run_id}, with_histories=False)
    if not found:
        cure = f"use {RANDOM}, {NEAREST} or the id of a finished run in {runs_dir}"
        raise InputError("no such policy or run", where="--policy", value=run_id, cure=cure)
    record = found[0]
    where = f"--policy {run_id}"
    if record.status != "finished":
        cure = "finish its study first, or watch another run"
        raise InputError("the run is not finished", where=where, value=record.status, cure=cure)
    if record.scenario != scenario:
        cure = f"give {record.scenario} as the scenario, or another run"
        raise InputError(
            f"the run was not trained on {scenario}", where=where, value=record.scenario, cure=cure
        )
    version = record.spec.environment_version
    if version != SKIRMISH_VERSION:
        raise InputError(
            f"the run was trained under other rules than version {SKIRMISH_VERSION} of skirmish",
            where=where,
            value=version,
            cure="train it again with this version",
        )
    return record


def _trained(record: RunRecord, environment: SkirmishEnvironment, runs_dir: Path) -> ChooseActions:
    """Greedy actions of a run's final networks, each agent alone."""
    from suite.algorithms.declaration import Members

    run = record.spec
    method, settings = method_of(run.algorithm), settings_of(run.algorithm)
    members = Members([run.seed])
    algorithm = method.build(settings, environment.info.sizes, run.training, members)
    path = RunsDirectory(runs_dir).stored_weights_path(record.run_id)
    weights = read_weights(path, record.run_id, record.weights_sha256 or None)
    try:
        algorithm.load_member_weights(0, weights)
    except InputError as error:
        what = f"not the weights of this run's network: {error.what}"
        raise StoredDataError(what, where=str(path), cure=TRAIN_AGAIN) from None
    networks = algorithm.actor(environment, DECENTRALISED.name)

    def choose(t: int, slots: NDArray[np.int64]) -> NDArray[np.int64]:
        actions = networks(t, slots)
        if not np.take_along_axis(environment.available_actions, actions[..., None], axis=2).all():
            what = "the values that the networks give to actions overflow"
            raise StoredDataError(what, where=str(path), cure=TRAIN_AGAIN)
        return actions

    return choose
