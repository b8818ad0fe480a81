"""Battles of skirmish, written down as recordings and replays of StarCraft II would be."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suite.environments.skirmish import fields as f
from suite.environments.skirmish.environment import SkirmishEnvironment
from suite.environments.skirmish.scenario import load_scenario

Arrays = dict[str, NDArray[Any]]
MOVES = {f.NORTH: (0.0, 2.0), f.SOUTH: (0.0, -2.0), f.EAST: (2.0, 0.0), f.WEST: (-2.0, 0.0)}


@dataclass
class Recorded:
    """arrays: as PyMARL records episodes. units (B, T + 1, units, …), orders (…): those of the
    environment. replays: a set of battles, as JSON. deaths (B, units): loops, infinite for who
    lives."""

    arrays: Arrays
    units: NDArray[np.float64]
    orders: NDArray[np.int64]
    deaths: NDArray[np.float64]
    replays: list[dict[str, Any]] = field(default_factory=list)


def record(name: str, n_battles: int, *, seed: int = 0) -> Recorded:
    """Battles of agents that advance at first, and then attack or wander by chance."""
    scenario = load_scenario(name)
    environment = SkirmishEnvironment(scenario, n_battles, seed, records_loops=True)
    info, units = environment.info, environment.units
    random = np.random.default_rng(seed)
    n_agents, n_rows = info.n_agents, info.episode_limit + 1
    of = (n_battles, n_rows)
    arrays: Arrays = {
        "obs": np.zeros((*of, n_agents, info.observation_size), np.float32),
        "state": np.zeros((*of, info.state_size), np.float32),
        "actions": np.zeros((*of, n_agents, 1), np.int64),
        "avail_actions": np.zeros((*of, n_agents, info.n_actions), np.int32),
        "reward": np.zeros((*of, 1), np.float32),
        "terminated": np.zeros((*of, 1), np.uint8),
        "filled": np.zeros((*of, 1), np.int64),
    }
    all_units = np.zeros((*of, *units.shape[1:]))
    all_orders = np.zeros((*of, *environment.orders.shape[1:]), np.int64)
    deaths = np.full(units.shape[:2], np.inf)
    kept = [_Replay(environment, slot) for slot in range(n_battles)]
    active = np.ones(n_battles, bool)
    was_active = active.copy()
    for t in range(n_rows):
        b = np.flatnonzero(was_active)
        arrays["obs"][b, t] = environment.observations[b]
        arrays["state"][b, t] = environment.state[b]
        arrays["avail_actions"][b, t] = environment.available_actions[b]
        arrays["filled"][b, t] = 1
        all_units[:, t], all_orders[:, t] = units, environment.orders
        if not active.any():
            break
        actions = _choose(environment.available_actions, t, random)
        b = np.flatnonzero(active)
        arrays["actions"][b, t, :, 0] = actions[b]
        for slot in b:
            kept[slot].note_commands(8 * t, actions[slot])
        step = environment.step(actions, active.copy())
        for slot in b:
            kept[slot].note_deaths(8 * t, deaths[slot])
        arrays["reward"][b, t, 0] = step.reward[b]
        arrays["terminated"][b, t, 0] = step.terminated[b]
        was_active = active.copy()
        active &= ~(step.terminated | step.truncated)
    return Recorded(arrays, all_units, all_orders, deaths, [one.battle for one in kept])


def _choose(available: NDArray[np.bool_], t: int, random: np.random.Generator) -> NDArray[np.int64]:
    """All move at first; later attacks are likelier than moves."""
    weight = random.random(available.shape)
    weight[:, :, f.FIRST_TARGET :] *= 1.5
    if t < 6:
        weight[:, :, f.EAST] += 1 + 9 * (t % 2)
        weight[:, :, f.STOP] = 0.01
    return np.where(available, weight, -1).argmax(axis=2)


class _Replay:
    """A battle of one slot, as its replay tells it; agents are created in another order."""

    def __init__(self, environment: SkirmishEnvironment, slot: int) -> None:
        self._environment, self._slot = environment, slot
        n_agents, n_units = environment.info.n_agents, environment.units.shape[1]
        scenario = load_scenario(environment.info.name.partition("/")[2])
        self._numbers = [*reversed(range(n_agents)), *range(n_agents, n_units)]  # unit of an id
        self._id_of = {unit: number for number, unit in enumerate(self._numbers)}
        placements = [*scenario.allies, *scenario.enemies]
        self.battle: dict[str, Any] = {"units": [], "deaths": [], "commands": []}
        for number, unit in enumerate(self._numbers):
            is_agent, place = unit < n_agents, placements[unit]
            kind = place.type_name + ("_RL" if is_agent else "")
            cell = [int(place.x), int(place.y)]
            self.battle["units"].append([number, kind, 1 if is_agent else 2, *cell])

    def note_commands(self, loop: int, actions: NDArray[np.int64]) -> None:
        units = self._environment.units[self._slot]
        scenario = load_scenario(self._environment.info.name.partition("/")[2])
        for agent, action in enumerate(actions.tolist()):
            command: list[Any] = [loop, self._id_of[agent]]
            if action == f.NO_OP:
                continue
            if action == f.STOP:
                command += ["stop"]
            elif action in MOVES:
                dx, dy = MOVES[action]
                command += ["move", None, units[agent, f.X] + dx, units[agent, f.Y] + dy]
            else:
                heals = scenario.types[scenario.allies[agent].type_name].heal is not None
                number = action - f.FIRST_TARGET
                enemies = self._environment.enemies[self._slot]
                target = number if heals else int(enemies[number])
                place = units[target, : f.Y + 1].tolist()
                command += ["heal" if heals else "attack", self._id_of[target], *place]
            self.battle["commands"].append(command)

    def note_deaths(self, loop: int, deaths: NDArray[np.float64]) -> None:
        health = self._environment.loop_units[self._slot, :, :, f.HEALTH]
        for unit in np.flatnonzero((health[-1] <= 0) & np.isinf(deaths)):
            deaths[unit] = loop + 1 + int((health[:, unit] <= 0).argmax())
            x, y = self._environment.units[self._slot, unit, : f.Y + 1].astype(int).tolist()
            self.battle["deaths"].append([int(deaths[unit]), self._id_of[int(unit)], x, y, 0])
