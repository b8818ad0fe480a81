"""Scripted players and small battles for the environment tests."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from suite.environments import BatchedEnvironment, backend_of, is_scenario
from suite.environments.skirmish.environment import SkirmishEnvironment
from suite.environments.skirmish.fields import (
    CALM,
    EAST,
    FIRST_TARGET,
    HEALTH,
    HEALTH_REGENERATION,
    IDLE,
    IS_SCANNING,
    NORTH,
    ORDER,
    SOUTH,
    STOP,
    WEST,
    X,
    Y,
)
from suite.environments.skirmish.rules import Rules
from suite.environments.skirmish.scenario import (
    EnemyOrder,
    Placement,
    load_scenario,
    load_terrains,
)
from suite.records.provenance import package_version

# So that scenarios of the backend `pettingzoo` can name what lies there.
sys.path.insert(0, str(Path(__file__).parent / "examples"))

Actions = NDArray[np.int64]
Place = tuple[str, float, float]
# Maps that stand for the others of SMAX, of which each is compiled anew: same and other numbers on
# both sides, of one type and of two, drawn places and types.
SMAX_MAPS = ("smax/3m", "smax/3s5z_vs_3s6z", "smax/smacv2_5_units")
EXACT = Rules(period_jitter_loops=(0.0, 0.0), march_loops=0, draws_enemy_ids=False)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Scenarios whose backend is not installed are skipped; of SMAX's some stand for all."""
    others = [item for item in items if is_another_map(scenario_of(item))]
    items[:] = [item for item in items if not is_another_map(scenario_of(item))]
    config.hook.pytest_deselected(items=others)
    for item in items:
        if (scenario := scenario_of(item)) is not None:
            missing = [need for need in backend_of(scenario).needs if package_version(need) is None]
            if missing:
                item.add_marker(pytest.mark.skip(reason=f"{', '.join(missing)} is not installed"))


def scenario_of(item: pytest.Item) -> str | None:
    """The scenario for which a test is called."""
    name = item.callspec.params.get("name") if hasattr(item, "callspec") else None
    return name if is_scenario(name) else None


def is_another_map(scenario: str | None) -> bool:
    return scenario is not None and scenario.startswith("smax/") and scenario not in SMAX_MAPS


def random_actions(environment: BatchedEnvironment, rng: np.random.Generator) -> Actions:
    """Uniform available actions, (slots, agents)."""
    chance = rng.random(environment.available_actions.shape)
    return np.asarray((chance * environment.available_actions).argmax(-1), np.int64)


def stop_all(environment: SkirmishEnvironment) -> Actions:
    """Stop for the living, no-op for the dead."""
    return np.where(environment.available_actions[:, :, STOP], STOP, 0)


def attack_on(environment: SkirmishEnvironment, target: Actions) -> Actions:
    """Attack the target-th enemy of the scenario, (slots, agents), by its id of this episode."""
    ids = np.argsort(environment.enemies, axis=1)
    return np.asarray(FIRST_TARGET + np.take_along_axis(ids, target, 1))


def aim(environment: SkirmishEnvironment, target: Actions, otherwise: Actions) -> Actions:
    """Attack target (slots, agents) where available, else `otherwise`."""
    attack = attack_on(environment, target)
    can = np.take_along_axis(environment.available_actions, attack[..., None], -1)[..., 0]
    return np.where(can, attack, otherwise)


def distances(environment: SkirmishEnvironment) -> NDArray[np.float64]:
    """(slots, agents, enemies) centre distances, infinite for the dead."""
    n = environment.info.n_agents
    units = environment.units
    delta = units[:, :n, None, [X, Y]] - units[:, None, n:, [X, Y]]
    distance = np.hypot(delta[..., 0], delta[..., 1])
    is_alive = (units[:, :n, None, HEALTH] > 0) & (units[:, None, n:, HEALTH] > 0)
    return np.where(is_alive, distance, np.inf)


def hunt(environment: SkirmishEnvironment) -> Actions:
    """Aim at the nearest enemy, else walk to it, along the axis on which it is farther."""
    n = environment.info.n_agents
    nearest = distances(environment).argmin(-1)
    units = environment.units
    dx = np.take_along_axis(units[:, n:, X], nearest, 1) - units[:, :n, X]
    dy = np.take_along_axis(units[:, n:, Y], nearest, 1) - units[:, :n, Y]
    along_y = np.where(dy > 0, NORTH, SOUTH)
    walk = np.where(np.abs(dx) >= np.abs(dy), np.where(dx > 0, EAST, WEST), along_y)
    can = np.take_along_axis(environment.available_actions, walk[..., None], -1)[..., 0]
    return aim(environment, nearest, np.where(can, walk, stop_all(environment)))


def join(environment: SkirmishEnvironment) -> Actions:
    """Once an enemy is within anyone's reach, hunt, else stop."""
    has_met = distances(environment).min((1, 2)) <= 6.0
    return np.where(has_met[:, None], hunt(environment), stop_all(environment))


def focus_fire(environment: SkirmishEnvironment) -> Actions:
    """All aim at the weakest enemy anyone reaches, else they join."""
    n = environment.info.n_agents
    distance = distances(environment)
    health = environment.units[:, n:, HEALTH]
    rank = np.where((distance.min(1) <= 6.0) & (health > 0), health, np.inf)
    rank += 1e-3 * np.where(np.isfinite(distance), distance, 0).sum(1)
    weakest = np.repeat(rank.argmin(-1)[:, None], n, 1)
    return aim(environment, weakest, join(environment))


def spread_fire(environment: SkirmishEnvironment) -> Actions:
    """Agent i aims at enemy i or the next living one after it, else they join."""
    n = environment.info.n_agents
    is_alive = environment.units[:, None, n:, HEALTH] > 0
    n_enemies = is_alive.shape[-1]
    order = (np.arange(n_enemies) - np.arange(n)[:, None]) % n_enemies
    return aim(environment, np.where(is_alive, order, n_enemies).argmin(-1), join(environment))


def play(
    environment: SkirmishEnvironment, choose: Callable[[SkirmishEnvironment], Actions]
) -> dict[str, NDArray[np.float64]]:
    """One episode per slot: won, lost (enemies left, allies dead), total (return), length."""
    slots = environment.n_environments
    active = np.ones(slots, np.bool_)
    result = {key: np.zeros(slots) for key in ("won", "lost", "total", "length")}
    while active.any():
        step = environment.step(choose(environment), active)
        result["total"] += step.reward
        result["length"] += active
        result["won"] += step.won
        enemies = environment.units[:, environment.info.n_agents :, HEALTH].sum(1)
        result["lost"] += active & step.terminated & ~step.won & (enemies > 0)
        active &= ~(step.terminated | step.truncated)
    return result


class Players:
    """The functions above, for tests that get them as a fixture."""

    random_actions = staticmethod(random_actions)
    stop_all = staticmethod(stop_all)
    attack_on = staticmethod(attack_on)
    hunt = staticmethod(hunt)
    join = staticmethod(join)
    focus_fire = staticmethod(focus_fire)
    spread_fire = staticmethod(spread_fire)
    play = staticmethod(play)


@pytest.fixture(scope="session")
def players() -> type[Players]:
    """Scripted players."""
    return Players


def battle(
    allies: Sequence[Place],
    enemies: Sequence[Place],
    rules: Rules = EXACT,
    *,
    terrain: str = "open32",
    goal: tuple[float, float] | None = None,
    n_environments: int = 1,
) -> SkirmishEnvironment:
    """Units (type, x, y) on a terrain; enemies act by themselves but stay unless `goal`."""
    point = (enemies[0][1], enemies[0][2])
    scenario = replace(
        load_scenario("3m"),
        episode_limit=10_000,
        terrain=load_terrains()[terrain],
        allies=tuple(Placement(*unit) for unit in allies),
        enemies=tuple(Placement(*unit) for unit in enemies),
        enemy_point=point,
        enemy_order=EnemyOrder("attack_move" if goal else "none", (goal or point,) * 2),
    )
    return SkirmishEnvironment(scenario, n_environments, 0, rules, records_loops=True)


def make_passive(environment: SkirmishEnvironment, *units: int) -> None:
    """Let these units do nothing but be hit."""
    environment._tables.stats[list(units), IS_SCANNING] = 0.0
    environment.orders[:, list(units), ORDER] = IDLE


def stop_regeneration(environment: SkirmishEnvironment) -> None:
    """Let nobody's life come back, nor any shield before 160 loops have passed."""
    environment._tables.stats[:, HEALTH_REGENERATION] = 0.0
    environment.units[:, :, CALM] = 0.0


def act(environment: SkirmishEnvironment, *actions: int) -> float:
    """One step in which agents do this, or stop if they cannot; reward of slot 0."""
    environment.step(choose(environment, actions))
    return float(environment._step.reward[0])


def choose(environment: SkirmishEnvironment, actions: Sequence[int]) -> Actions:
    """(slots, agents) these actions where available, else stop, or no-op for the dead."""
    wanted = np.tile(np.array(actions), (environment.n_environments, 1))
    can = np.take_along_axis(environment.available_actions, wanted[..., None], -1)[..., 0]
    return np.where(can, wanted, stop_all(environment))


def film(
    environment: SkirmishEnvironment, n_steps: int, *actions: int
) -> tuple[NDArray[np.float64], Actions]:
    """Steps of `act`, until the battle is decided.

    Slot 0 before and after every loop (loops + 1, units, fields), and whom its units shot at in
    each loop (loops, units).
    """
    units, shots = [environment.units[:1].copy()], []
    for _ in range(n_steps):
        act(environment, *actions)
        units.append(environment.loop_units[0].copy())
        shots.append(environment.loop_shots[0].copy())
        if environment._battles.is_over[0]:
            break
    return np.concatenate(units), np.concatenate(shots)


class Arena:
    """The functions above, for tests that get them as a fixture."""

    exact = EXACT
    battle = staticmethod(battle)
    make_passive = staticmethod(make_passive)
    stop_regeneration = staticmethod(stop_regeneration)
    act = staticmethod(act)
    choose = staticmethod(choose)
    film = staticmethod(film)


@pytest.fixture(scope="session")
def arena() -> type[Arena]:
    """Small battles whose outcome is worked out by hand."""
    return Arena
