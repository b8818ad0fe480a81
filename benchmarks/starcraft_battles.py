"""Battles out of replays: a JSON file of units, deaths and commands, and these as arrays.

    {"NAME": {"map": "3m", "battles": [
        {"units": [[id, type, player, x, y], …], "deaths": [[loop, id, x, y, killer], …],
         "commands": [[loop, id, "move" | "attack" | "stop" | "heal", target id, x, y], …]}]}}

Loops count from the first command. Units are listed in order of creation, player 1 the agents, with
the cells they were created in. A death without a killer is none: SMAC's end of a battle. The point
of a move is 2 cells from where the agent is, that of an attack where its target is.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from starcraft_data import read_file

from suite.environments.skirmish import fields as f
from suite.environments.skirmish.scenario import Scenario, load_scenario, scenario_names
from suite.errors import InputError

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# What an agent is told in a step. KEEP: nothing, or what the game refuses: it goes on.
KEEP, STOP, MOVE, ATTACK, HEAL = range(5)
_KINDS = {"stop": STOP, "move": MOVE, "attack": ATTACK, "heal": HEAL}
# From an agent to the point of its move, in the order of SMAC's actions.
WAYS = f.MOVE_DISTANCE * np.array([(0.0, 1.0), (0.0, -1.0), (1.0, 0.0), (-1.0, 0.0)])

_AGENTS, _ENEMIES = 1, 2  # players
_AGENT_TYPE_END = "_RL"  # SMAC's names of the agents' types
_OTHER_TYPE = 1e6  # cells, between units of different types
_TIE = 0.1  # share of a difference that only decides between equals


@dataclass(frozen=True)
class Battles:
    """B battles of T steps; units as the scenario numbers them.

    told (B, T, agents): what each agent is told; target (B, T, agents): the unit it is told to
    attack or heal, or -1; point (B, T, agents, 2): of a move or attack. deaths (B, units): the
    loop, infinite for who lives. length (B,): steps.
    """

    name: str
    scenario: Scenario
    told: Integers
    target: Integers
    point: Floats
    deaths: Floats
    length: Integers


def read_battles(path: Path) -> dict[str, Battles]:
    """The battles of a file, by name. Raises InputError."""
    where, cure = str(path), "see benchmarks/starcraft_battles.py for the format"
    data = read_file(path, "a .json or .json.gz file of battles out of replays")
    try:
        content = json.loads(gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data)
    except (ValueError, OSError, EOFError, zlib.error, RecursionError) as error:
        what = f"not JSON, nor packed JSON ({type(error).__name__})"
        raise InputError(what, where=where, cure=cure) from None
    if not isinstance(content, dict) or not content:
        raise InputError("has no battles by name", where=where, cure=cure)
    found = {}
    for name, one in content.items():
        map_name = one.get("map") if isinstance(one, dict) else None
        if map_name not in scenario_names():
            cure = f"choose from {', '.join(scenario_names())}"
            raise InputError("no such map", where=f"{where}: {name}", value=map_name, cure=cure)
        try:
            found[name] = _arrays(name, load_scenario(map_name), one["battles"])
        except (KeyError, TypeError, ValueError, IndexError) as error:
            what = f"its battles do not fit {map_name} or the format ({error!r:.80})"
            raise InputError(what, where=f"{where}: {name}", cure=cure) from None
    return found


def _arrays(name: str, scenario: Scenario, battles: Sequence[Mapping[str, Any]]) -> Battles:
    """Whatever is wrong is one of the errors that `read_battles` expects."""
    units = battles[0]["units"]
    if any([u[:3] for u in one["units"]] != [u[:3] for u in units] for one in battles):
        raise ValueError("the units differ between battles")
    enemies = _enemies(scenario, units)
    agents = _agents(scenario, battles)
    n_agents, n_units = len(scenario.allies), len(scenario.allies) + len(scenario.enemies)
    length = np.array([1 + one["commands"][-1][0] // f.LOOPS_PER_STEP for one in battles])
    shape = (len(battles), int(length.max()), n_agents)
    told, target = np.full(shape, KEEP), np.full(shape, -1)
    point, deaths = np.full((*shape, 2), np.nan), np.full((len(battles), n_units), np.inf)
    for b, one in enumerate(battles):
        of_id = agents[b] | enemies
        for loop, unit, kind, *rest in one["commands"]:
            row = (b, loop // f.LOOPS_PER_STEP, of_id[unit])
            told[row] = _KINDS[kind]
            if rest:
                target[row] = -1 if rest[0] is None else of_id[rest[0]]
                point[row] = rest[1:]
        for loop, unit, _, _, killer in one["deaths"]:
            if killer is not None:
                deaths[b, of_id[unit]] = loop
    return Battles(name, scenario, told, target, point, deaths, length)


def _enemies(scenario: Scenario, units: Sequence[Sequence[Any]]) -> dict[int, int]:
    """Id → the scenario's unit: those of a type in order of creation."""
    left = list(enumerate(scenario.enemies, len(scenario.allies)))
    found: dict[int, int] = {}
    for unit, type_name, player, *_ in units:
        if player == _ENEMIES:
            fits = (k for k, (_, e) in enumerate(left) if e.type_name.lower() == type_name.lower())
            place = next(fits, None)
            if place is None:
                raise ValueError("other enemies")
            found[unit] = left.pop(place)[0]
    if left:
        raise ValueError("other enemies")
    return found


def _agents(scenario: Scenario, battles: Sequence[Mapping[str, Any]]) -> Sequence[dict[int, int]]:
    """Per battle, id → the scenario's unit of the type that starts nearest, over all agents.

    Where a battle does not tell a start better than by its cell, the other battles help.
    """
    listed = [[unit for unit in one["units"] if unit[2] == _AGENTS] for one in battles]
    types = [unit[1].removesuffix(_AGENT_TYPE_END).lower() for unit in listed[0]]
    if sorted(types) != sorted(ally.type_name.lower() for ally in scenario.allies):
        raise ValueError("other agents")
    is_other = np.array([[a.type_name.lower() != name for a in scenario.allies] for name in types])
    starts = np.array([(ally.x, ally.y) for ally in scenario.allies])
    cells = np.array([[unit[3:5] for unit in agents] for agents in listed], float)
    exact = np.array([_exact_starts(*pair) for pair in zip(battles, listed, strict=True)])
    usual = np.median(np.where(np.isnan(exact), cells + 0.5, exact), axis=0)
    found = []
    for cell, place in zip(cells, exact, strict=True):
        nearest = np.clip(starts, cell[:, None], cell[:, None] + 1)  # of the cell
        place = np.where(np.isnan(place)[:, None], nearest, place[:, None])
        cost = np.linalg.norm(place - starts, axis=2)
        cost += _TIE * np.linalg.norm(usual[:, None] - starts, axis=2) + _OTHER_TYPE * is_other
        rows, columns = linear_sum_assignment(cost)
        ids = (listed[0][row][0] for row in rows)
        found.append(dict(zip(ids, columns.tolist(), strict=True)))
    return found


def _exact_starts(battle: Mapping[str, Any], agents: Sequence[Sequence[Any]]) -> Floats:
    """Where agents start, (agents, 2), as far as a move in the first loop tells; else nan."""
    first = {c[1]: c[4:6] for c in battle["commands"] if c[0] == 0 and c[2] == "move"}
    found = np.full((len(agents), 2), np.nan)
    for row, unit in zip(found, agents, strict=True):
        if unit[0] in first:
            places = np.array(first[unit[0]]) - WAYS
            away = np.linalg.norm(places - np.array(unit[3:5]) - 0.5, axis=1)
            row[:] = places[away.argmin()]
    return found


def death_curves(deaths: Floats, n_agents: int, n_steps: int) -> dict[str, Floats]:
    """Mean number of dead agents and enemies at the end of each of n_steps steps.

    deaths: (battles, units) loops, infinite for who lives.
    """
    loops = f.LOOPS_PER_STEP * (1 + np.arange(n_steps))
    is_dead = deaths[:, :, None] <= loops
    return {
        "agents": is_dead[:, :n_agents].sum(axis=1).mean(axis=0),
        "enemies": is_dead[:, n_agents:].sum(axis=1).mean(axis=0),
    }


def typical_length(battles: Battles) -> int:
    """Steps after which half of the battles are over."""
    return int(np.median(battles.length))


def curve_gap(real: Floats, played: Floats, n_units: int) -> float:
    """Mean difference between two curves of deaths, in % of the side."""
    return float(100 * np.abs(real - played).mean() / n_units)


def compare_deaths(battles: Battles, played: Floats) -> dict[str, Any]:
    """Curves of deaths, real and `played` (episodes, units), and their gaps; for JSON."""
    n_agents, n_steps = len(battles.scenario.allies), typical_length(battles)
    real = death_curves(battles.deaths, n_agents, n_steps)
    here = death_curves(played, n_agents, n_steps)
    sizes = {"agents": n_agents, "enemies": played.shape[1] - n_agents}
    answer: dict[str, Any] = {"loops": [f.LOOPS_PER_STEP * (1 + t) for t in range(n_steps)]}
    for who, size in sizes.items():
        answer[f"{who}_starcraft"] = real[who].tolist()
        answer[f"{who}_skirmish"] = here[who].tolist()
        answer[f"{who}_gap_percent"] = curve_gap(real[who], here[who], size)
    return answer


def record_deaths(deaths: Floats, loop_units: Floats, t: int) -> None:
    """Enter who has died in step t into deaths (battles, units); loop_units of the environment."""
    is_dead = loop_units[:, :, :, f.HEALTH] <= 0
    first = f.LOOPS_PER_STEP * t + 1 + is_dead.argmax(axis=1)
    np.minimum(deaths, np.where(is_dead.any(axis=1), first, np.inf), out=deaths)
