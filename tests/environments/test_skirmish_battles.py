"""Whole battles by scripted players; seeds are fixed, intervals are of the binomial."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from suite.environments.skirmish import fields as f
from suite.environments.skirmish.environment import SkirmishEnvironment
from suite.environments.skirmish.rules import Rules
from suite.environments.skirmish.scenario import Placement, Scenario, load_scenario

MIRROR = Rules(allies_use_enemy_ai=True)
N_EPISODES = 3000


def turned(units: tuple[Placement, ...]) -> tuple[Placement, ...]:
    """The layout turned by half a turn about the centre of the map."""
    return tuple(Placement(unit.type_name, 32.0 - unit.x, 32.0 - unit.y) for unit in units)


def decided(scenario: Scenario, players: Any) -> tuple[int, int]:
    """Battles won by allies and by enemies, both under the enemies' rules."""
    environment = SkirmishEnvironment(scenario, N_EPISODES, 1, MIRROR)
    result = players.play(environment, players.stop_all)
    return int(result["won"].sum()), int(result["lost"].sum())


@pytest.mark.parametrize("name", ["3m", "8m"])
def test_equal_sides_win_equally_often(name: str, players: Any) -> None:
    scenario = load_scenario(name)
    won, lost = decided(replace(scenario, enemies=turned(scenario.allies)), players)
    n = won + lost
    assert n > 0.9 * N_EPISODES
    assert abs(won - n / 2) < 2.58 * np.sqrt(n) / 2  # 99 %


@pytest.mark.parametrize("name", ["3m", "8m"])
def test_who_is_ally_does_not_matter(name: str, players: Any) -> None:
    scenario = load_scenario(name)
    won, lost = decided(scenario, players)
    swapped = replace(scenario, allies=turned(scenario.enemies), enemies=turned(scenario.allies))
    swapped_won, swapped_lost = decided(swapped, players)
    p, q = won / (won + lost), swapped_lost / (swapped_won + swapped_lost)
    spread = np.sqrt((p * (1 - p) + q * (1 - q) + 0.001) / N_EPISODES)
    assert abs(p - q) < 2.58 * spread


def test_3m_all_stop_is_a_massacre_in_time(players: Any) -> None:
    environment = SkirmishEnvironment(load_scenario("3m"), 200, 0)
    first_damage = np.zeros(200)

    def stop(environment: SkirmishEnvironment) -> Any:
        first_damage[environment.units[:, :3, f.HEALTH].sum(1) == 135] += 1
        return players.stop_all(environment)

    result = players.play(environment, stop)
    assert (first_damage == 7).all()  # unhurt before steps 1 to 7
    assert 20 <= result["length"].mean() <= 25
    assert result["lost"].all()
    assert not result["total"].any()


def test_3m_focus_fire_from_a_line_beats_spread_fire(players: Any) -> None:
    def from_a_line(fire: Any) -> Any:
        script = [[f.STOP, f.STOP, f.NORTH], [f.STOP, f.STOP, f.WEST]]  # the foremost falls in

        def choose(environment: SkirmishEnvironment) -> Any:
            if script:
                return np.tile(script.pop(0), (environment.n_environments, 1))
            return fire(environment)

        return choose

    scenario = load_scenario("3m")
    focus = players.play(SkirmishEnvironment(scenario, 300, 0), from_a_line(players.focus_fire))
    spread = players.play(SkirmishEnvironment(scenario, 300, 0), from_a_line(players.spread_fire))
    assert focus["won"].mean() > 0.9
    assert focus["won"].mean() > spread["won"].mean() + 0.3
    np.testing.assert_allclose(focus["total"][focus["won"] > 0], 20.0, atol=1e-9)


@pytest.mark.parametrize("name", ["3m", "5m_vs_6m"])
def test_random_players_hardly_win_but_earn_something(name: str, players: Any) -> None:
    environment = SkirmishEnvironment(load_scenario(name), 300, 0)
    rng = np.random.default_rng(0)
    result = players.play(environment, lambda e: players.random_actions(e, rng))
    assert result["won"].mean() < 0.05
    assert 0.5 < result["total"].mean() < 5.0


def test_episode_seeds_differ(players: Any) -> None:
    environment = SkirmishEnvironment(load_scenario("3m"), 64, 0)
    result = players.play(environment, players.focus_fire)
    assert len(np.unique(result["total"])) > 5
    environment.reset(episode_seeds=np.zeros(64, np.int64))
    result = players.play(environment, players.focus_fire)
    assert len(np.unique(result["total"])) == 1
