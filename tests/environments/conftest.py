"""Scripted players for the environment tests."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from suite.environments import BatchedEnvironment
from suite.environments.skirmish.environment import SkirmishEnvironment
from suite.environments.skirmish.fields import (
    EAST,
    FIRST_TARGET,
    HEALTH,
    NORTH,
    SOUTH,
    STOP,
    WEST,
    X,
    Y,
)

Actions = NDArray[np.int64]


def random_actions(environment: BatchedEnvironment, rng: np.random.Generator) -> Actions:
    """Uniform available actions, (slots, agents)."""
    chance = rng.random(environment.available_actions.shape)
    return np.asarray((chance * environment.available_actions).argmax(-1), np.int64)


def stop_all(environment: SkirmishEnvironment) -> Actions:
    """Stop for the living, no-op for the dead."""
    return np.where(environment.available_actions[:, :, STOP], STOP, 0)


def aim(environment: SkirmishEnvironment, target: Actions, otherwise: Actions) -> Actions:
    """Attack target (slots, agents) where available, else `otherwise`."""
    attack = FIRST_TARGET + target
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


def join(environment: SkirmishEnvironment) -> Actions:
    """Aim at the nearest enemy; once an enemy is within anyone's reach, walk to it, else stop."""
    n = environment.info.n_agents
    distance = distances(environment)
    nearest = distance.argmin(-1)
    units = environment.units
    dx = np.take_along_axis(units[:, n:, X], nearest, 1) - units[:, :n, X]
    dy = np.take_along_axis(units[:, n:, Y], nearest, 1) - units[:, :n, Y]
    along_y = np.where(dy > 0, NORTH, SOUTH)
    walk = np.where(np.abs(dx) >= np.abs(dy), np.where(dx > 0, EAST, WEST), along_y)
    stop = stop_all(environment)
    has_met = (distance.min((1, 2)) <= 6.0)[:, None]
    return aim(environment, nearest, np.where(has_met & (stop == STOP), walk, stop))


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
    join = staticmethod(join)
    focus_fire = staticmethod(focus_fire)
    spread_fire = staticmethod(spread_fire)
    play = staticmethod(play)


@pytest.fixture(scope="session")
def players() -> type[Players]:
    """Scripted players."""
    return Players
