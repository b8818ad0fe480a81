"""Extra observations against a slow version that knows the scenario's data only."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from suite.environments.skirmish import fields as f
from suite.environments.skirmish.environment import SkirmishEnvironment
from suite.environments.skirmish.extras import EXTRA_OBSERVATIONS, extra_observation_size
from suite.environments.skirmish.scenario import Scenario, load_scenario
from suite.errors import InputError

EXTRA = "unlimited_sight"


def kind(scenario: Scenario, name: str, order: tuple[str, ...]) -> list[float]:
    """One-hot of a unit's type."""
    return [float(name == other) for other in order] if scenario.type_bits else []


def observe(
    scenario: Scenario,
    units: NDArray[np.float64],
    enemies: NDArray[np.int64],
    can: NDArray[np.bool_],
    agent: int,
    sight: float,
) -> list[float]:
    """What one agent sees of one battle as far as `sight`; can (actions,) it may do."""
    n = len(scenario.allies)
    width_enemy = 5 + scenario.enemies_have_shield + scenario.type_bits
    width_ally = 5 + scenario.allies_have_shield + scenario.type_bits
    me = units[agent]
    if me[f.HEALTH] <= 0:
        return [0.0] * scenario.observation_size
    row = [float(can[action]) for action in (f.NORTH, f.SOUTH, f.EAST, f.WEST)]
    for j in [*enemies, *(ally for ally in range(n) if ally != agent)]:
        it = units[j]
        is_ally = j < n
        name = (scenario.allies[j] if is_ally else scenario.enemies[j - n]).type_name
        unit = scenario.types[name]
        distance = math.dist((me[f.X], me[f.Y]), (it[f.X], it[f.Y]))
        if it[f.HEALTH] <= 0 or distance >= sight:
            row += [0.0] * (width_ally if is_ally else width_enemy)
            continue
        row.append(1.0 if is_ally else float(can[f.FIRST_TARGET + list(enemies).index(j)]))
        row += [distance / 9, (it[f.X] - me[f.X]) / 9, (it[f.Y] - me[f.Y]) / 9]
        row.append(it[f.HEALTH] / unit.health)
        if scenario.allies_have_shield if is_ally else scenario.enemies_have_shield:
            row.append(it[f.SHIELD] / unit.smac_shield_scale)
        order = scenario.ally_type_order if is_ally else scenario.enemy_type_order
        row += kind(scenario, name, order)
    own = scenario.allies[agent].type_name
    row.append(me[f.HEALTH] / scenario.types[own].health)
    if scenario.allies_have_shield:
        row.append(me[f.SHIELD] / scenario.types[own].smac_shield_scale)
    return row + kind(scenario, own, scenario.ally_type_order)


def observe_all(
    scenario: Scenario, environment: SkirmishEnvironment, sight: float
) -> NDArray[np.float64]:
    """(slots, agents, observation_size)."""
    return np.array(
        [
            [observe(scenario, units, enemies, can[a], a, sight) for a in range(len(can))]
            for units, enemies, can in zip(
                environment.units, environment.enemies, environment.available_actions, strict=True
            )
        ]
    )


@pytest.mark.parametrize(
    "name", ["3m", "2s3z", "3s5z_vs_3s6z", "MMM2", "bane_vs_bane", "corridor", "2c_vs_64zg"]
)
def test_unlimited_sight_sees_every_living_unit(name: str, players: Any) -> None:
    scenario = load_scenario(name)
    environment = SkirmishEnvironment(scenario, 2, 0, extra=[EXTRA])
    rng = np.random.default_rng(3)
    is_over = np.zeros(2, np.bool_)
    n_dead = n_far = 0
    while not is_over.all():
        ordinary = observe_all(scenario, environment, 9.0)
        unlimited = observe_all(scenario, environment, math.inf)
        near = {"rtol": 0, "atol": 1e-6}
        np.testing.assert_allclose(environment.observations, ordinary, **near)
        np.testing.assert_allclose(environment.extra_observations[EXTRA], unlimited, **near)
        n_dead += int((~unlimited.any(-1)).sum())
        n_far += int((unlimited != ordinary).any(-1).sum())
        # mostly aiming, so that somebody dies
        chance = rng.random(environment.available_actions.shape)
        chance[..., f.FIRST_TARGET :] += 1.0
        actions = (chance * environment.available_actions).argmax(-1)
        step = environment.step(actions, ~is_over)
        is_over |= step.terminated | step.truncated
    assert n_dead > 0
    assert n_far > 0


def test_in_sight_it_is_the_ordinary_observation_and_out_of_sight_it_is_not(arena: Any) -> None:
    scenario = load_scenario("3m")
    places = [unit.x for unit in scenario.allies + scenario.enemies]
    assert max(places) - min(places) > 9.0
    environment = SkirmishEnvironment(scenario, 1, 0, arena.exact, extra=[EXTRA])
    unlimited = environment.extra_observations[EXTRA]
    assert not np.array_equal(unlimited, environment.observations)
    environment.units[0, :, f.X] = 13.0 + np.arange(6)
    environment.units[0, :, f.Y] = 16.0
    environment.step(arena.choose(environment, [f.STOP] * 3))
    assert np.ptp(environment.units[0, :, f.X]) < 9.0
    np.testing.assert_array_equal(unlimited, environment.observations)


def test_a_far_enemy_by_hand(arena: Any) -> None:
    environment = SkirmishEnvironment(load_scenario("2m_vs_1z"), 1, 0, arena.exact, extra=[EXTRA])
    environment.units[0, :, f.X] = (2.0, 2.0, 29.0)
    environment.units[0, :, f.Y] = (10.0, 14.0, 10.0)
    environment.units[0, 2, f.HEALTH] = 50.0  # of 100
    environment.orders[0, 2, f.ORDER] = f.IDLE
    environment._tables.stats[2, [f.IS_SCANNING, f.SHIELD_MAX]] = 0.0
    environment.units[0, 2, f.SHIELD] = 0.0
    environment.step(np.full((1, 2), f.STOP))
    seen = environment.extra_observations[EXTRA][0, 0]
    np.testing.assert_allclose(seen[4:10], (0.0, 3.0, 3.0, 0.0, 0.5, 0.0), atol=1e-6)
    assert not environment.observations[0, 0, 4:10].any()


def test_it_follows_reset_and_step_slot_by_slot(players: Any) -> None:
    scenario = load_scenario("2s3z")
    environment = SkirmishEnvironment(scenario, 3, 0, extra=[EXTRA])
    array = environment.extra_observations[EXTRA]
    assert array.dtype == np.float32
    assert array.shape == (3, 5, extra_observation_size(scenario, EXTRA))
    rng = np.random.default_rng(0)
    for active in ([True, False, True], [False, True, True]):
        array[:] = np.nan
        environment.step(players.random_actions(environment, rng), np.array(active))
        np.testing.assert_array_equal(np.isfinite(array).all((1, 2)), active)
    array[:] = np.nan
    environment.reset(np.array([1]), np.array([5]))
    np.testing.assert_array_equal(np.isfinite(array).all((1, 2)), [False, True, False])
    environment.reset()
    np.testing.assert_allclose(array, observe_all(scenario, environment, math.inf), atol=1e-6)
    assert environment.extra_observations[EXTRA] is array


def test_only_those_who_ask_get_it() -> None:
    environment = SkirmishEnvironment(load_scenario("3m"), 1, 0)
    assert environment.extra_observations == {}
    environment.close()


def test_unknown_names_are_refused() -> None:
    scenario = load_scenario("3m")
    message = r"unknown extra observation \(got 'sight'\); use one of unlimited_sight"
    with pytest.raises(InputError, match=message):
        SkirmishEnvironment(scenario, 1, 0, extra=[EXTRA, "sight"])
    with pytest.raises(InputError, match=message):
        extra_observation_size(scenario, "sight")
    assert [extra_observation_size(scenario, name) for name in EXTRA_OBSERVATIONS] == [30]
