"""Play the commands of battles out of replays of StarCraft II on skirmish.

FILE is JSON (or .json.gz) of sets of battles: units, deaths and commands, as
benchmarks/starcraft_battles.py says. A replay tells where an agent is when it moves and where an
enemy is when it is attacked; how much life anybody has it never tells.

All commands of a battle are given step by step. Wherever a command tells a place, the difference
from the unit's place here is an error, by step and unit type; then an agent (with --take-over all
also an enemy, with nobody none) is put where it really was. Errors of enemies thus add up from the
start, those of agents from their command before, and at step 0 they are those of the start layout.
Deaths are counted by loop, real against simulated; their gap is the mean difference of the curves
in % of the side, until half of the real battles are over.

The first steps say how units march and find their places. Later ones say less and less: the
commands were given to another battle, an agent that should be dead here walks on, and one that died
too early leaves its enemies to the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from starcraft_battles import (
    ATTACK,
    HEAL,
    KEEP,
    MOVE,
    WAYS,
    Battles,
    Floats,
    compare_deaths,
    read_battles,
    record_deaths,
)
from starcraft_data import (
    Json,
    RuleChanges,
    Seed,
    file_argument,
    make_app,
    number,
    rules_from,
    run_script,
    show_table,
)

from suite.environments.skirmish import SKIRMISH_VERSION
from suite.environments.skirmish import fields as f
from suite.environments.skirmish.environment import SkirmishEnvironment
from suite.environments.skirmish.rules import Rules
from suite.errors import InputError
from suite.options import number_from
from suite.printing import print_json

MOST_ROWS = 16  # of a table of deaths


class TakeOver(StrEnum):
    """Whose places are taken over from the commands that tell them."""

    AGENTS = "agents"
    ALL = "all"
    NOBODY = "nobody"


@dataclass(frozen=True)
class Played:
    """error (B, T, units): cells from where a unit really was, nan where that is not told.
    deaths (B, units): loops, infinite for who lives."""

    error: Floats
    deaths: Floats


def play(battles: Battles, rules: Rules, seed: int, take_over: TakeOver) -> Played:
    """Give the commands of the battles, side by side."""
    n, n_steps, n_agents = battles.told.shape
    environment = SkirmishEnvironment(battles.scenario, n, seed, rules, records_loops=True)
    units = environment.units
    error = np.full((n, n_steps, units.shape[1]), np.nan)
    deaths, active = np.full(units.shape[:2], np.inf), np.ones(n, bool)
    id_of = np.argsort(environment.enemies, axis=1)  # of unit n_agents + column
    actions = np.zeros((n, n_agents), np.int64)
    for t in range(n_steps):
        told, target = battles.told[:, t], battles.target[:, t]
        point = battles.point[:, t]
        lives = (units[:, :, f.HEALTH] > 0) & active[:, None]
        actions[:] = np.where(told == KEEP, f.NO_OP, f.STOP)

        places = point[:, :, None] - WAYS  # where a mover was, by the way it went
        distance = np.linalg.norm(places - units[:, :n_agents, None, :2], axis=3)
        way = distance.argmin(axis=2)
        b, a = np.nonzero((told == MOVE) & lives[:, :n_agents])
        error[b, t, a] = distance[b, a, way[b, a]]
        actions[b, a] = f.NORTH + way[b, a]
        if take_over is not TakeOver.NOBODY:
            units[b, a, :2] = places[b, a, way[b, a]]

        aims = np.take_along_axis(lives, target, axis=1) & lives[:, :n_agents]
        b, a = np.nonzero((told == ATTACK) & aims)
        u = target[b, a]
        error[b, t, u] = np.linalg.norm(point[b, a] - units[b, u, :2], axis=1)
        actions[b, a] = f.FIRST_TARGET + id_of[b, u - n_agents]
        if take_over is TakeOver.ALL:
            units[b, u, :2] = point[b, a]
        b, a = np.nonzero((told == HEAL) & aims)
        actions[b, a] = f.FIRST_TARGET + target[b, a]

        actions[~lives[:, :n_agents]] = f.NO_OP
        environment.available_actions[:] = True
        step = environment.step(actions, active.copy())
        record_deaths(deaths, environment.loop_units, t)
        active &= ~(step.terminated | step.truncated)
        if not active.any():
            break
    return Played(error, deaths)


def errors_by_type(battles: Battles, error: Floats, n_steps: int) -> list[dict[str, Any]]:
    """Per step and unit type: mean error in cells, and of how many places."""
    scenario = battles.scenario
    sides = (("agent", scenario.allies), ("enemy", scenario.enemies))
    names = np.array([f"{side} {unit.type_name}" for side, units in sides for unit in units])
    found = []
    for t in range(min(n_steps, error.shape[1])):
        for name in dict.fromkeys(names.tolist()):
            told = error[:, t, names == name]
            told = told[np.isfinite(told)]
            mean = float(told.mean()) if len(told) else None
            found.append({"step": t, "unit": name, "n": len(told), "mean_error_cells": mean})
    return found


app = make_app()


@app.command(help=__doc__)
def main(
    file: Annotated[Path, file_argument("FILE", "Battles out of replays (.json or .json.gz).")],
    name: Annotated[
        list[str], typer.Option(metavar="NAME", help="Only this set. May be repeated.")
    ] = (),  # type: ignore[assignment]
    steps: Annotated[
        int,
        typer.Option(parser=number_from(1, 10_000), metavar="N", help="Steps of the places."),
    ] = 24,
    take_over: Annotated[
        TakeOver, typer.Option(help="Whose places are taken over from the commands.")
    ] = TakeOver.AGENTS,
    rule: RuleChanges = (),  # type: ignore[assignment]
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    rules, sets = rules_from(rule), read_battles(file)
    for asked in name:
        if asked not in sets:
            cure = f"choose from {', '.join(sets)}"
            raise InputError("no such set of battles", where="--name", value=asked, cure=cure)
    answer: dict[str, Any] = {
        "skirmish_version": SKIRMISH_VERSION,
        "rules": list(rule),
        "seed": seed,
        "take_over": take_over.value,
        "sets": {},
    }
    for key in name or sets:
        battles = sets[key]
        played = play(battles, rules, seed, take_over)
        one = {
            "map": battles.scenario.name,
            "battles": len(battles.told),
            "places": errors_by_type(battles, played.error, steps),
            "deaths": compare_deaths(battles, played.deaths),
        }
        answer["sets"][key] = one
        if not as_json:
            _show(key, one)
    if as_json:
        print_json(answer)


def _show(name: str, one: dict[str, Any]) -> None:
    print(f"{name}: {one['battles']} battles of {one['map']}\n")
    print("cells from where units really were, before each step")
    kinds = list(dict.fromkeys(row["unit"] for row in one["places"]))
    cells = [number(row["mean_error_cells"], 2) for row in one["places"]]
    steps = [cells[k : k + len(kinds)] for k in range(0, len(cells), len(kinds))]
    show_table(["step", *kinds], [[str(t), *row] for t, row in enumerate(steps)], n_words=0)
    print()
    show_deaths(one["deaths"])


def show_deaths(deaths: dict[str, Any]) -> None:
    """Print curves of `compare_deaths`, thinned out."""
    print("dead units by loop, StarCraft II | skirmish, means over battles")
    n = len(deaths["loops"])
    stride = -(-n // MOST_ROWS)
    rows: list[Sequence[str]] = []
    for k in range(stride - 1, n, stride):
        pairs = [
            (deaths[f"{w}_starcraft"][k], deaths[f"{w}_skirmish"][k]) for w in ("agents", "enemies")
        ]
        rows.append(
            [str(deaths["loops"][k]), *(f"{real:.1f} | {here:.1f}" for real, here in pairs)]
        )
    gaps = [f"{deaths[f'{who}_gap_percent']:.1f} %" for who in ("agents", "enemies")]
    show_table(["loop", "agents", "enemies"], [*rows, ["gap", *gaps]], n_words=0)
    print()


if __name__ == "__main__":
    run_script(__file__)
