"""Compare recorded battles of StarCraft II with skirmish, step by step.

FILE is an .npz with the arrays obs, state, actions, avail_actions, terminated and filled of whole
episodes as PyMARL records them, axes (battles, steps, agents, …), on any map that skirmish has.
Where units are, and how much life they have, is read from the states.

Without --open-loop: first, whether available actions and observations encoded from the recorded
states are those recorded. Then every recorded step is played alone: the units are put where they
were, the recorded actions are given, and after the step the places are compared. What states do
not show is assumed: enemies look for a target at once, agents that repeat an attack have that order
already, nobody is in the middle of going round somebody. What that costs shows a recording of
skirmish itself, which should be without error: next to nothing for agents that move, much for
enemies, who often aim at somebody else.

With --open-loop STEP: the units are put in place once, at this step (before the sides meet: whom
enemies aim at is not known), then the recorded actions are played on. Compared is the life (health
and shields) of each side, whole and of its weakest unit, as long as half of the battles last. An
agent that should be dead stops, and so does one whose target is.

Small errors show that a rule is right for the situations that the battles had; they say nothing
about others, and a battle adds up errors: see starcraft_transfer.py for what comes of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
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
from starcraft_recording import (
    CHUNK,
    N_SEEN,
    Booleans,
    Floats,
    Integers,
    Recording,
    chunks,
    compare_encoding,
    read_recording,
)

from suite.environments.skirmish import SKIRMISH_VERSION
from suite.environments.skirmish import fields as f
from suite.environments.skirmish.environment import SkirmishEnvironment
from suite.environments.skirmish.rules import Rules
from suite.environments.skirmish.scenario import Scenario
from suite.errors import InputError
from suite.options import number_from
from suite.printing import print_json

NEAR = 1.2  # cells to the next unit
FAR_OFF = 0.2  # cells of error


def put_in_place(
    environment: SkirmishEnvironment, recording: Recording, battles: Integers, steps: Integers
) -> None:
    """Let the first slots stand as recorded rows, in new battles."""
    slots, n_agents = np.arange(len(battles)), recording.n_agents
    environment.reset(slots, battles * recording.filled.shape[1] + steps)
    environment.enemies[slots] = recording.unit_of_id[battles]
    units, orders = environment.units[slots], environment.orders[slots]
    units[:, :, :N_SEEN] = recording.units(battles, steps)
    way = units[:, :, :2] - recording.units(battles, np.maximum(steps - 1, 0))[:, :, :2]
    length = np.linalg.norm(way, axis=2)
    units[:, :, f.PACE] = length / f.LOOPS_PER_STEP
    units[:, :, f.HEADING_X : f.HEADING_Y + 1] = way / np.maximum(length, 1e-9)[:, :, None]
    enemy_order = recording.scenario.enemy_order
    if enemy_order.kind == "attack_move":  # everyone keeps its place in the formation
        start = recording.units(battles, np.zeros_like(steps))[:, n_agents:, :2]
        way = np.mean(enemy_order.between, axis=0) - start.mean(axis=1)
        units[:, n_agents:, f.GOAL_X : f.GOAL_Y + 1] = start + way[:, None]
    given = np.where(steps[:, None] > 0, recording.actions[battles, np.maximum(steps - 1, 0)], 0)
    target = target_of(recording, battles, given)
    is_aiming = (target >= 0) & (np.take_along_axis(units[:, :, f.HEALTH], target, axis=1) > 0)
    is_aiming &= _can_aim(recording.scenario)[np.arange(n_agents), target]  # else it is refused
    orders[:, :n_agents, f.ORDER] = np.where(is_aiming, f.ATTACK, f.IDLE)
    orders[:, :n_agents, f.TARGET] = np.where(is_aiming, target, -1)
    orders[:, :, f.ORDER][units[:, :, f.HEALTH] <= 0] = f.SPENT
    environment.units[slots], environment.orders[slots] = units, orders


def _can_aim(scenario: Scenario) -> Booleans:
    """(agents, units): whether an agent may aim at a unit: not all weapons hit what flies."""
    agents = [scenario.types[unit.type_name] for unit in scenario.allies]
    enemies = [scenario.types[unit.type_name] for unit in scenario.enemies]
    hits_air = [any(weapon.targets_air for weapon in a.weapons.values()) for a in agents]
    heals = [agent.heal is not None for agent in agents]
    flies = np.array([unit.layer == "air" for unit in (*agents, *enemies)])
    return np.array(hits_air)[:, None] | np.array(heals)[:, None] | ~flies


def target_of(recording: Recording, battles: Integers, actions: Integers) -> Integers:
    """The units that actions (rows, agents) aim at, -1 for none."""
    types = recording.scenario.types
    is_healer = [types[unit.type_name].heal is not None for unit in recording.scenario.allies]
    number = np.maximum(actions - f.FIRST_TARGET, 0)
    enemy = np.take_along_axis(recording.unit_of_id[battles], number, axis=1)
    target = np.where(is_healer, number, enemy)
    return np.where(actions >= f.FIRST_TARGET, target, -1)


@dataclass(frozen=True)
class Steps:
    """Recorded steps played alone, S of them: all (S, units).

    error: cells between where a unit is after the step and where it was in the recording.
    is_compared: it lives before and after. is_near: somebody is within NEAR of it before.
    doing: an agent's action, -1 for enemies.
    """

    error: Floats
    is_compared: Booleans
    is_near: Booleans
    doing: Integers


def play_single_steps(recording: Recording, rules: Rules, seed: int) -> Steps:
    """Play every recorded step from the recorded places."""
    n_agents = recording.n_agents
    battles, steps = np.nonzero(recording.filled[:, :-1] & recording.filled[:, 1:])
    environment = SkirmishEnvironment(recording.scenario, CHUNK, seed, rules)
    found: list[tuple[Any, ...]] = []
    for rows in chunks(np.arange(len(battles))):
        b, t = battles[rows], steps[rows]
        put_in_place(environment, recording, b, t)
        n, actions = len(rows), np.zeros((CHUNK, n_agents), np.int64)
        environment.orders[:n, n_agents:, f.RESCAN] = 0
        actions[:n] = recording.actions[b, t]
        environment.available_actions[:n] = True
        environment.step(actions, np.arange(CHUNK) < n)
        before, after = recording.units(b, t), recording.units(b, t + 1)
        played = environment.units[:n]
        lives = (before[:, :, f.HEALTH] > 0) & (after[:, :, f.HEALTH] > 0)
        doing = np.full(lives.shape, -1)
        doing[:, :n_agents] = actions[:n]
        error = np.linalg.norm(played[:, :, :2] - after[:, :, :2], axis=2)
        found.append((error, lives & (played[:, :, f.HEALTH] > 0), stands_near(before), doing))
    return Steps(*(np.concatenate(parts) for parts in zip(*found, strict=True)))


def stands_near(units: Floats) -> Booleans:
    """(rows, units): whether another living unit is within NEAR."""
    place = np.where(units[:, :, f.HEALTH, None] > 0, units[:, :, :2], np.nan)
    distance = np.linalg.norm(place[:, :, None] - place[:, None], axis=3)
    numbers = np.arange(units.shape[1])
    distance[:, numbers, numbers] = np.nan
    return (distance < NEAR).any(axis=2)


def summarise(steps: Steps, n_agents: int) -> list[dict[str, Any]]:
    """Errors by who it is, whether somebody is near, and what it does."""
    is_agent = np.arange(steps.error.shape[1]) < n_agents
    is_moving = (steps.doing >= f.NORTH) & (steps.doing <= f.WEST)
    everything = np.ones_like(is_moving)
    groups = [
        ("agents", "all", is_agent & everything),
        ("agents", "moving", is_agent & is_moving),
        ("agents", "attacking", is_agent & (steps.doing >= f.FIRST_TARGET)),
        ("enemies", "all", ~is_agent & everything),
    ]
    found = []
    for who, doing, group in groups:
        for where, is_there in (("near others", steps.is_near), ("alone", ~steps.is_near)):
            errors = steps.error[group & is_there & steps.is_compared]
            row: dict[str, Any] = {"who": who, "where": where, "doing": doing, "n": len(errors)}
            row["mean_error_cells"] = float(errors.mean()) if len(errors) else None
            row["median_error_cells"] = float(np.median(errors)) if len(errors) else None
            row["share_far_off"] = float((errors > FAR_OFF).mean()) if len(errors) else None
            found.append(row)
    return found


def play_on(recording: Recording, first: int, rules: Rules, seed: int) -> list[dict[str, Any]]:
    """Play the recorded actions from step `first` on: life of the sides, after each step.

    Battles count as long as the recorded one lasts; one that is over earlier here stays as it is.
    """
    n_agents = recording.n_agents
    begun = np.flatnonzero(recording.filled[:, first + 1 : first + 2].any(axis=1))
    if not len(begun):
        raise InputError(
            "no battle lasts so long", where="--open-loop", value=first, cure="begin earlier"
        )
    environments = []
    for battles in chunks(begun):
        environment = SkirmishEnvironment(recording.scenario, len(battles), seed, rules)
        put_in_place(environment, recording, battles, np.full(len(battles), first))
        environments.append((battles, environment, np.ones(len(battles), bool)))
    rows: list[dict[str, Any]] = []
    for t in range(first, recording.filled.shape[1] - 1):
        real, played = [], []
        for battles, environment, active in environments:
            obey(environment, recording, battles, t, active)
            lasting = recording.filled[battles, t + 1]
            real.append(recording.units(battles[lasting], np.full(lasting.sum(), t + 1)))
            played.append(environment.units[lasting, :, :N_SEEN])
        life = [
            np.concatenate(units)[:, :, [f.HEALTH, f.SHIELD]].sum(axis=2)
            for units in (real, played)
        ]
        if 2 * len(life[0]) < len(begun):
            break
        row: dict[str, Any] = {"step": t + 1, "battles": len(life[0])}
        for who, side in (("agents", slice(0, n_agents)), ("enemies", slice(n_agents, None))):
            for source, values in zip(("starcraft", "skirmish"), life, strict=True):
                row[f"{who}_total_{source}"] = float(values[:, side].sum(axis=1).mean())
                row[f"{who}_least_{source}"] = float(values[:, side].min(axis=1).mean())
        rows.append(row)
    return rows


def obey(
    environment: SkirmishEnvironment,
    recording: Recording,
    battles: Integers,
    t: int,
    active: Booleans,
) -> None:
    """One step of the recorded actions, as far as they make sense here; updates active (slots,)."""
    actions = recording.actions[battles, t].copy()
    health = environment.units[:, :, f.HEALTH]
    actions[actions == f.NO_OP] = f.STOP
    actions[health[:, : recording.n_agents] <= 0] = f.NO_OP
    environment.available_actions[:] = True
    step = environment.step(actions, active.copy())
    active &= ~(step.terminated | step.truncated)


app = make_app()


@app.command(help=__doc__)
def main(
    file: Annotated[Path, file_argument("FILE", "Recorded battles (.npz).")],
    map_name: Annotated[
        str | None, typer.Option("--map", metavar="MAP", help="The map, where sizes do not tell.")
    ] = None,
    open_loop: Annotated[
        int | None,
        typer.Option(
            parser=number_from(0, 10_000), metavar="STEP", help="Play on from this step, see above."
        ),
    ] = None,
    rule: RuleChanges = (),  # type: ignore[assignment]
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    recording, rules = read_recording(file, map_name), rules_from(rule)
    answer: dict[str, Any] = {
        "map": recording.scenario.name,
        "skirmish_version": SKIRMISH_VERSION,
        "rules": list(rule),
        "seed": seed,
        "battles": len(recording.filled),
    }
    if open_loop is None:
        answer["encoding"] = compare_encoding(recording)
        steps = play_single_steps(recording, rules, seed)
        answer["single_steps"] = summarise(steps, recording.n_agents)
    else:
        answer["open_loop"] = play_on(recording, open_loop, rules, seed)
    if as_json:
        print_json(answer)
    else:
        _show(answer)


def _show(answer: dict[str, Any]) -> None:
    version = f"skirmish {answer['skirmish_version']}"
    print(f"{answer['battles']} battles of {answer['map']}, StarCraft II against {version}\n")
    if "open_loop" in answer:
        print("life of a side and of its weakest unit, StarCraft II | skirmish, means over battles")
        titles = ["step", "battles", "agents", "weakest", "enemies", "weakest enemy"]
        rows = []
        for row in answer["open_loop"]:
            pairs = [
                f"{row[f'{key}_starcraft']:.1f} | {row[f'{key}_skirmish']:.1f}"
                for key in ("agents_total", "agents_least", "enemies_total", "enemies_least")
            ]
            rows.append([str(row["step"]), str(row["battles"]), *pairs])
        show_table(titles, rows, n_words=0)
        return
    encoding = answer["encoding"]
    print(
        f"encoded from the states, {encoding['observations']} times: "
        f"available actions the same {encoding['same_available_actions']:.3%}, "
        f"observations {encoding['same_observations']:.3%} "
        f"(largest difference {encoding['largest_difference']:.1e})\n"
    )
    print(f"where units are after one step, cells from where they were; far off: over {FAR_OFF}")
    titles = ["who", f"(near: within {NEAR})", "doing", "n", "mean", "median", "far off, %"]
    rows = [
        [row["who"], row["where"], row["doing"], str(row["n"])]
        + [number(row[key], 4) for key in ("mean_error_cells", "median_error_cells")]
        + [number(row["share_far_off"] and 100 * row["share_far_off"], 2)]
        for row in answer["single_steps"]
    ]
    show_table(titles, rows, n_words=3)


if __name__ == "__main__":
    run_script(__file__)
