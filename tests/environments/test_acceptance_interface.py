"""Acceptance of the interface: sizes of all maps, legal actions, edges of every terrain, reward."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from suite.environments import ActionError, describe, make
from suite.environments.skirmish import fields as f
from suite.environments.skirmish.scenario import load_scenario, load_terrains, scenario_names

# agents, enemies, step limit, actions, observation, state, sum of rewards before scaling
SIZES = {
    "3m": (3, 3, 60, 9, 30, 48, 365),
    "8m": (8, 8, 120, 14, 80, 168, 640),
    "25m": (25, 25, 150, 31, 250, 950, 1575),
    "5m_vs_6m": (5, 6, 70, 12, 55, 98, 530),
    "8m_vs_9m": (8, 9, 120, 15, 85, 179, 695),
    "10m_vs_11m": (10, 11, 150, 17, 105, 243, 805),
    "27m_vs_30m": (27, 30, 180, 36, 285, 1170, 1850),
    "MMM": (10, 10, 150, 16, 160, 290, 1015),
    "MMM2": (10, 12, 180, 18, 176, 322, 1205),
    "2s3z": (5, 5, 120, 11, 80, 120, 1020),
    "3s5z": (8, 8, 150, 14, 128, 216, 1510),
    "3s5z_vs_3s6z": (8, 9, 170, 15, 136, 230, 1670),
    "3s_vs_3z": (3, 3, 150, 9, 36, 54, 680),
    "3s_vs_4z": (3, 4, 200, 10, 42, 61, 840),
    "3s_vs_5z": (3, 5, 250, 11, 48, 68, 1000),
    "1c3s5z": (9, 9, 180, 15, 162, 270, 1870),
    "2m_vs_1z": (2, 1, 150, 7, 16, 26, 360),
    "corridor": (6, 24, 400, 30, 156, 282, 1280),
    "6h_vs_8z": (6, 8, 150, 14, 78, 140, 1480),
    "2s_vs_1sc": (2, 1, 300, 7, 17, 27, 510),
    "so_many_baneling": (7, 32, 100, 38, 202, 397, 1480),
    "bane_vs_bane": (24, 24, 200, 30, 336, 984, 1260),
    "2c_vs_64zg": (2, 64, 400, 70, 332, 342, 3080),
}
TERRAINS = {"corridor": 396, "redstone_octagon": 200, "open32": 784, "so_many": 372,
            "pentagon": 220, "octagon": 424, "strip": 504, "ravine": 406}  # fmt: skip


def test_all_maps_are_there() -> None:
    assert sorted(scenario_names()) == sorted(SIZES)


@pytest.mark.parametrize("name", SIZES)
def test_sizes(name: str) -> None:
    info, scenario = describe(f"skirmish/{name}"), load_scenario(name)
    assert (
        info.n_agents,
        len(scenario.enemies),
        info.episode_limit,
        info.n_actions,
        info.observation_size,
        info.state_size,
        scenario.max_reward,
    ) == SIZES[name]
    assert len(scenario.allies) == info.n_agents


@pytest.mark.parametrize("terrain", TERRAINS)
def test_moves_are_available_where_the_cell_ahead_is_free(terrain: str, arena: Any) -> None:
    cells = np.argwhere(load_terrains()[terrain].rule)
    assert len(cells) == TERRAINS[terrain]
    inner = 1.0 - 1.0 / 4096
    places = np.concatenate(
        [cells + corner for corner in itertools.product((0.0, 0.5, inner), repeat=2)]
    )
    environment = arena.battle(
        [("Marine", 16, 16)], [("Medivac", 3, 3)], terrain=terrain, n_environments=len(places)
    )
    arena.make_passive(environment, 1)
    environment.units[:, 0, [f.X, f.Y]] = places
    environment.step(np.full((len(places), 1), f.STOP))
    np.testing.assert_array_equal(environment.units[:, 0, [f.X, f.Y]], places)
    grid = {(int(x), int(y)) for x, y in cells}
    for action, dx, dy in ((f.NORTH, 0, 1), (f.SOUTH, 0, -1), (f.EAST, 1, 0), (f.WEST, -1, 0)):
        ahead = [(int(x + dx), int(y + dy)) for x, y in places]  # towards zero, as SMAC does
        is_open = [cell in grid for cell in ahead]
        np.testing.assert_array_equal(environment.available_actions[:, 0, action], is_open)


@pytest.mark.parametrize("name", SIZES)
def test_the_playable_area_is_28_by_28(name: str) -> None:
    # measured on 3m: east of x = 29 is blocked, and the state is (x - 16) / 28, (y - 16) / 28
    environment: Any = make(f"skirmish/{name}", 1, 0)
    inside = np.zeros((32, 32), np.bool_)
    inside[2:30, 2:30] = True
    assert not (environment._tables.is_free & ~inside).any()
    width = environment.info.ally_state_size
    places = environment.state[0, : width * environment.info.n_agents].reshape(-1, width)[:, 2:4]
    agents = environment.units[0, : environment.info.n_agents, [f.X, f.Y]].T
    np.testing.assert_allclose(places, (agents - 16.0) / 28.0, atol=1e-7)


def test_cells_of_the_strip(arena: Any) -> None:
    # measured on 3m: 382,248 masks of moves agree with these cells, row y = 7 among the free ones
    environment = arena.battle([("Marine", 16, 16)], [("Marine", 24, 16)], terrain="strip")
    free = np.zeros((32, 32), np.bool_)
    free[2:30, 7:25] = True
    np.testing.assert_array_equal(environment._tables.is_free[f.GROUND], free)


def test_flying_units_stay_in_the_playable_area(arena: Any) -> None:
    environment = arena.battle([("Medivac", 29.5, 29.5), ("Medivac", 2.5, 2.5)], [("Zealot", 9, 9)])
    for action in (f.EAST, f.NORTH):
        for _ in range(3):
            environment.available_actions[0, :, [f.EAST, f.NORTH, f.WEST, f.SOUTH]] = True
            environment.step(np.array([[action, f.WEST if action == f.EAST else f.SOUTH]]))
    np.testing.assert_allclose(environment.units[0, 0, [f.X, f.Y]], 30.0, atol=1 / 4096)
    np.testing.assert_array_equal(environment.units[0, 1, [f.X, f.Y]], 2.0)


@pytest.mark.parametrize("name", SIZES)
def test_what_is_legal_at_the_start(name: str) -> None:
    environment: Any = make(f"skirmish/{name}", 4, 0)
    available = environment.available_actions
    assert not available[:, :, f.NO_OP].any()
    assert available[:, :, f.STOP].all()
    n = environment.info.n_agents
    stats = environment._tables.stats
    delta = environment.units[:, :n, None, :2] - environment.units[:, None, :, :2]
    is_near = np.hypot(delta[..., 0], delta[..., 1]) <= f.SHOOT_RANGE
    for a in range(n):
        aims = available[:, a, f.FIRST_TARGET :]
        if stats[a, f.IS_HEALER]:
            patients = is_near[:, a, :n] & (stats[:n, f.IS_HEALER] == 0.0)
            np.testing.assert_array_equal(aims[:, :n], patients)
            assert not aims[:, n:].any()
        else:
            of_enemies = np.take_along_axis(is_near[:, a], environment.enemies, 1)
            np.testing.assert_array_equal(aims, of_enemies)


@pytest.mark.parametrize("name", ["3m", "MMM", "2c_vs_64zg"])
def test_illegal_actions_raise_and_the_dead_do_nothing(name: str, players: Any) -> None:
    environment: Any = make(f"skirmish/{name}", 2, 0)
    n = environment.info.n_agents
    environment.units[1, 0, f.HEALTH] = 0.0
    environment.step(players.stop_all(environment))
    assert environment.available_actions[1, 0].tolist() == [True] + [False] * (
        environment.info.n_actions - 1
    )
    assert not environment.observations[1, 0].any()
    stop = players.stop_all(environment)
    for slot, agent in ((0, n - 1), (1, 0)):
        for action in np.flatnonzero(~environment.available_actions[slot, agent]):
            actions = stop.copy()
            actions[slot, agent] = action
            with pytest.raises(ActionError, match=f"slot {slot}, agent {agent}: action {action}"):
                environment.step(actions)
    environment.step(stop)
    last_actions = environment.state[:, -n * environment.info.n_actions :].reshape(2, n, -1)
    np.testing.assert_array_equal(last_actions.argmax(-1), stop)
    assert (last_actions.sum(-1) == 1.0).all()
    environment.reset(np.array([1]))
    assert not environment.state[1, -n * environment.info.n_actions :].any()


def test_points_that_come_back_pay_too(arena: Any) -> None:
    # |damage|: in a step that only regenerates the enemy's shield each point pays as if dealt
    environment = arena.battle([("Marine", 4, 16)], [("Zealot", 28, 16), ("Zealot", 28, 20)])
    divisor = (2 * 160 + 200) / 20
    environment.units[0, 1, f.SHIELD] = 20.0
    assert arena.act(environment, f.STOP) == pytest.approx(29.0 / divisor)  # as if 29 were dealt
    assert arena.act(environment, f.STOP) == pytest.approx(1.0 / divisor)  # 8 loops of 0.125
    environment.units[0, 2, f.SHIELD] = 20.0
    arena.act(environment, f.STOP)
    assert arena.act(environment, f.STOP) == pytest.approx(2.0 / divisor)


def test_both_sides_dead_is_neither_won_nor_lost(arena: Any) -> None:
    environment = arena.battle([("Baneling", 16, 16)], [("Zergling", 17, 16)])
    arena.make_passive(environment, 1)
    environment.units[0, 1, f.HEALTH] = 35.0
    reward = arena.act(environment, f.FIRST_TARGET)
    step = environment._step
    assert (step.terminated[0], step.won[0], step.truncated[0]) == (True, False, False)
    assert reward == pytest.approx((35 + 10) / ((35 + 10 + 200) / 20))
