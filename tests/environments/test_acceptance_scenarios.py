"""Acceptance of whole battles: starts, marches, routes, scripted players, returns.

Seeds are fixed; where chance decides, the interval is of the binomial.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from suite.environments.skirmish import fields as f
from suite.environments.skirmish.environment import SkirmishEnvironment
from suite.environments.skirmish.rules import DEFAULT_RULES
from suite.environments.skirmish.scenario import load_scenario, scenario_names

Actions = NDArray[np.int64]
STRIP_MAPS = [
    "3m", "8m", "25m", "5m_vs_6m", "8m_vs_9m", "10m_vs_11m", "27m_vs_30m", "MMM", "MMM2", "2s3z",
    "3s5z", "3s5z_vs_3s6z", "1c3s5z",
]  # fmt: skip


def make(name: str, n_environments: int, seed: int = 0, **options: Any) -> SkirmishEnvironment:
    """A batch of the scenario."""
    return SkirmishEnvironment(load_scenario(name), n_environments, seed, **options)


def make_immortal(environment: SkirmishEnvironment) -> None:
    """Let agents survive everything."""
    environment.units[:, : environment.info.n_agents, f.HEALTH] = 1e6


# the start


@pytest.mark.parametrize("name", scenario_names())
def test_enemies_start_near_their_places(name: str) -> None:
    environment = make(name, 200)
    scenario = load_scenario(name)
    table = np.array([(unit.x, unit.y) for unit in (*scenario.allies, *scenario.enemies)])
    moved = np.hypot(*np.moveaxis(environment.units[:, :, [f.X, f.Y]] - table, -1, 0))
    n = len(scenario.allies)
    assert not moved[:, :n].any()
    # two loops of each one's speed (0.28 cells for most, 0.37 for the fastest) and a little pushing
    speed = environment._tables.stats[n:, f.SPEED]
    assert (moved[:, n:] <= 2 * speed + 0.01).all()
    assert (moved[:, n:][:, speed <= 2.25 / 16] <= 0.3).all()
    is_marching = scenario.enemy_order.kind != "none"
    assert (moved[:, n:].mean() > 0.0) == is_marching


@pytest.mark.parametrize("name", STRIP_MAPS)
def test_formations_hold_while_marching(name: str, players: Any) -> None:
    environment = make(name, 20)
    n = environment.info.n_agents
    stats = environment._tables.stats[n:]
    walkers = n + np.flatnonzero(stats[:, f.SPEED] == stats[0, f.SPEED])
    start = environment._tables.start
    for _ in range(2):
        environment.step(players.stop_all(environment))
        moved = environment.units[:, walkers][:, :, [f.X, f.Y]] - start[walkers][:, [f.X, f.Y]]
        assert (environment.orders[:, walkers, f.TARGET] < 0).all()
        np.testing.assert_allclose(moved, np.broadcast_to(moved[:, :1], moved.shape), atol=1e-9)
        assert (moved[:, :, 0] < -1.0).all()
        np.testing.assert_allclose(moved[:, :, 1], 0.0, atol=1e-9)


def test_the_zealot_of_2m_vs_1z_is_sent_somewhere_between_the_marines() -> None:
    environment = make("2m_vs_1z", 2000)
    x, y = environment.units[:, 2, f.GOAL_X], environment.units[:, 2, f.GOAL_Y]
    assert (y == 12.0).all()
    shares = np.histogram(x, 6, (13.0, 19.0))[0] / len(x)
    np.testing.assert_allclose(shares, 1 / 6, atol=4 * np.sqrt(5 / 36 / len(x)))


# routes


def test_enemies_of_corridor_that_meet_nobody_walk_through_and_idle(players: Any) -> None:
    environment = make("corridor", 8, records_loops=True)
    agents = np.arange(6)
    environment.units[:, agents, f.X] = 27.5 + 0.8 * (agents % 3)  # far off the way
    environment.units[:, agents, f.Y] = 15.5 + 0.8 * (agents // 3)
    for _ in range(36):
        environment.step(players.stop_all(environment))
        assert (environment.orders[:, 6:, f.TARGET] < 0).all()
    enemies = environment.units[:, 6:, [f.X, f.Y]]
    # those whose place is taken stay beside it
    np.testing.assert_allclose(enemies.mean(1), [[4.47, 4.33]] * 8, atol=0.5)
    assert np.hypot(*np.moveaxis(enemies - (4.47, 4.33), -1, 0)).max() < 3.0
    before = environment.loop_units[:, 0, 6:, [f.X, f.Y]].copy()
    for _ in range(5):
        environment.step(players.stop_all(environment))
    np.testing.assert_array_equal(environment.loop_units[:, -1, 6:, [f.X, f.Y]], before)
    # they wait and fight whoever comes into their scan range
    environment.units[:, 0, [f.X, f.Y]] = (9.0, 4.33)
    for _ in range(10):
        environment.step(players.stop_all(environment))
    assert (environment.orders[:, 6:, f.TARGET] == 0).any(1).all()
    assert (environment.units[:, 0, f.TAKEN] > 0.0).all()


def test_zerglings_go_round_the_ends_of_the_wall(players: Any) -> None:
    environment = make("2c_vs_64zg", 4, records_loops=True)
    environment.units[:, :2, [f.X, f.Y]] = ((15.0, 15.0), (17.0, 15.0))
    make_immortal(environment)
    is_free = load_scenario("2c_vs_64zg").terrain.ground(DEFAULT_RULES)
    seen = np.zeros(32, np.bool_)
    for _ in range(45):  # 32 to a side, one after the other
        environment.step(players.stop_all(environment))
        x, y = environment.loop_units[:, :, 2:, f.X], environment.loop_units[:, :, 2:, f.Y]
        assert is_free[x.astype(int), y.astype(int)].all()
        seen[x[(y >= 12.0) & (y < 13.0)].astype(int)] = True
    assert not seen[4:28].any()  # the wall
    assert seen[:4].any()
    assert seen[28:].any()  # both ends
    assert (environment.units[:, 2:, f.Y] >= 13.0).all()
    assert environment.units[:, :2, f.TAKEN].any(1).all()


def test_colossi_cross_the_wall_where_the_ground_ahead_is_free() -> None:
    environment = make("2c_vs_64zg", 1)
    make_immortal(environment)
    # availability reads the ground's grid: a colossus whose next cell is the wall may not go on
    for y, is_open in ((13.9, False), (14.05, True), (13.0, False), (12.95, True)):
        environment.units[0, :2, [f.X, f.Y]] = np.array([[12.0, 20.0], [y, 16.0]])
        environment.step(np.array([[f.STOP, f.STOP]]))
        assert environment.available_actions[0, 0, f.SOUTH] == is_open
    environment.units[0, :2, [f.X, f.Y]] = np.array([[12.0, 20.0], [14.05, 16.0]])
    environment.step(np.array([[f.STOP, f.STOP]]))
    for y in (14.05 - 1.125, 14.05 - 2.25):
        environment.step(np.array([[f.SOUTH, f.STOP]]))
        assert environment.units[0, 0, [f.X, f.Y]].tolist() == pytest.approx([12.0, y])


@pytest.mark.parametrize("y", [12.02, 12.5, 12.98])
@pytest.mark.parametrize("is_north", [True, False])
def test_zerglings_beside_a_colossus_on_the_wall_attack_it_there(
    y: float, is_north: bool, players: Any
) -> None:
    environment = make("2c_vs_64zg", 1)
    make_immortal(environment)
    environment.units[0, :2, [f.X, f.Y]] = np.array([[16.0, 13.5], [y, y]])
    environment.units[0, 10:, f.HEALTH] = 0.0
    environment.units[0, 2:10, f.X] = 13.0 + np.arange(8)
    environment.units[0, 2:10, f.Y] = 15.0 if is_north else 10.0
    for _ in range(5):
        environment.step(players.stop_all(environment))
    assert ((environment.units[0, 2:10, f.Y] > 12.5) == is_north).all()
    assert environment.units[0, :2, f.TAKEN].sum() > 0.0


def test_zerglings_surround_zealots_that_stand(players: Any) -> None:
    environment = make("corridor", 8)
    make_immortal(environment)
    for _ in range(32):
        environment.step(players.stop_all(environment))
    delta = environment.units[:, 6:, None, :2] - environment.units[:, None, :6, :2]
    in_reach = np.hypot(delta[..., 0], delta[..., 1]) <= 0.1 + 0.375 + 0.5 + 1e-9
    assert (in_reach.any(2).sum(1) >= 9).all()  # zerglings
    assert (in_reach.any(1).sum(1) >= 5).all()  # zealots; one of the six may be inside


# scripted players


def kite(environment: SkirmishEnvironment) -> Actions:
    """Stalkers shoot when they can and nobody is near; else they go where enemies are fewest.

    The place three steps ahead with the least sum of 1 / distance, walls counting a little.
    """
    n, units = environment.info.n_agents, environment.units
    enemies = units[:, n:]
    is_alive = enemies[:, :, f.HEALTH] > 0.0
    ahead = 3 * 1.47655 * np.array([[0, 1], [0, -1], [1, 0], [-1, 0]])
    places = units[:, :n, None, [f.X, f.Y]] + ahead  # slots, agents, directions, 2
    delta = places[:, :, :, None] - enemies[:, None, None, :, [f.X, f.Y]]
    distance = np.maximum(np.hypot(delta[..., 0], delta[..., 1]), 0.3)
    to_edge = np.maximum(np.minimum(places, 32.0 - places).min(-1), 0.2)
    danger = (is_alive[:, None, None] / distance).sum(-1) + 0.07 / to_edge
    moves = environment.available_actions[:, :, f.NORTH : f.WEST + 1]
    away = f.NORTH + np.where(moves, danger, np.inf).argmin(-1)

    stop = np.where(environment.available_actions[:, :, f.STOP], f.STOP, f.NO_OP)
    delta = units[:, :n, None, [f.X, f.Y]] - enemies[:, None, :, [f.X, f.Y]]
    distance = np.where(is_alive[:, None], np.hypot(delta[..., 0], delta[..., 1]), np.inf)
    life = (enemies[:, :, f.HEALTH] + enemies[:, :, f.SHIELD])[:, None] / 150.0
    target = np.where(distance <= 6.0, life + distance / 6.0, 1e6 + distance).argmin(-1)
    attack = f.FIRST_TARGET + target
    can = np.take_along_axis(environment.available_actions, attack[..., None], -1)[..., 0]
    nearest = distance.min(-1)
    is_ready = units[:, :n, f.COOLDOWN] <= 8.0 - 2.672  # the shot falls within the step
    flees = nearest < 5.0
    shoots = can & (is_ready | ~flees) & (nearest > 1.5)
    return np.where(stop == f.NO_OP, stop, np.where(shoots, attack, np.where(flees, away, stop)))


@pytest.mark.parametrize(
    ("name", "share"), [("3s_vs_3z", 0.9), ("3s_vs_4z", 0.9), ("3s_vs_5z", 0.5)]
)
def test_stalkers_win_by_shooting_and_retreating(name: str, share: float, players: Any) -> None:
    kited = players.play(make(name, 100), kite)
    stood = players.play(make(name, 100), players.join)
    assert kited["won"].mean() > share
    assert stood["won"].mean() < 0.1


@pytest.mark.parametrize(("kind", "gained"), [("Stalker", 0.35155), ("Hydralisk", 0.0)])
def test_who_outruns_a_zealot(kind: str, gained: float, arena: Any) -> None:
    environment = arena.battle([(kind, 12, 16)], [("Zealot", 9, 16)])
    environment.step(np.array([[f.EAST]]))
    gaps = []
    for _ in range(7):
        environment.step(np.array([[f.EAST]]))
        gaps.append(environment.units[0, 0, f.X] - environment.units[0, 1, f.X])
    np.testing.assert_allclose(np.diff(gaps), gained, atol=1e-9)


CHOKE = np.array(
    [[11.5, 12.6], [12.6, 12.6], [13.7, 12.6], [14.5, 12.6], [12.2, 11.6], [13.4, 11.6]]
)


def hold(environment: SkirmishEnvironment, places: NDArray[np.float64] | None) -> Actions:
    """Zealots walk to their places, if given, and hit who comes within their reach."""
    n, units = environment.info.n_agents, environment.units
    available = environment.available_actions
    action = np.where(available[:, :, f.STOP], f.STOP, f.NO_OP)
    if places is not None:
        dx, dy = places[:, 0] - units[:, :n, f.X], places[:, 1] - units[:, :n, f.Y]
        along_x = np.where(dx > 0, f.EAST, f.WEST)
        along_y = np.where(dy > 0, f.NORTH, f.SOUTH)
        is_wide = np.abs(dx) >= np.abs(dy)
        is_away = np.maximum(np.abs(dx), np.abs(dy)) > 0.6
        for walk in (np.where(is_wide, along_y, along_x), np.where(is_wide, along_x, along_y)):
            can = np.take_along_axis(available, walk[..., None], -1)[..., 0]
            action = np.where(is_away & can, walk, action)
    delta = units[:, :n, None, [f.X, f.Y]] - units[:, None, n:, [f.X, f.Y]]
    distance = np.hypot(delta[..., 0], delta[..., 1])
    distance[np.broadcast_to(units[:, None, n:, f.HEALTH] <= 0.0, distance.shape)] = np.inf
    attack = f.FIRST_TARGET + distance.argmin(-1)
    can = np.take_along_axis(available, attack[..., None], -1)[..., 0]
    return np.where(can & (distance.min(-1) <= 1.2), attack, action)


def test_zealots_last_longer_in_the_choke_of_corridor_than_in_the_open() -> None:
    half_dead = {}
    for name, places in (("open", None), ("choke", CHOKE)):
        environment = make("corridor", 60)
        active = np.ones(60, np.bool_)
        first_hit, lasted = np.full(60, 999), np.full(60, 999)
        step = 0
        while active.any():
            result = environment.step(hold(environment, places), active)
            active &= ~(result.terminated | result.truncated)
            step += 1
            agents = environment.units[:, :6]
            first_hit[agents[:, :, f.TAKEN].any(1) & (first_hit == 999)] = step
            lasted[((agents[:, :, f.HEALTH] > 0.0).sum(1) <= 3) & (lasted == 999)] = step
        half_dead[name] = lasted - first_hit
    assert (half_dead["open"] < 60).mean() > 0.8  # in the others they win
    assert np.median(half_dead["choke"]) > 1.3 * np.median(half_dead["open"])


@pytest.mark.parametrize(
    "name",
    ["5m_vs_6m", "8m_vs_9m", "10m_vs_11m", "27m_vs_30m", "MMM2", "3s5z_vs_3s6z", "3s_vs_5z",
     "corridor", "6h_vs_8z"],
)  # fmt: skip
def test_random_players_do_not_win_hard_maps(name: str, players: Any) -> None:
    rng = np.random.default_rng(0)
    result = players.play(make(name, 60), lambda e: players.random_actions(e, rng))
    assert not result["won"].any()
    assert result["total"].mean() > 0.2


# returns


@pytest.mark.parametrize(
    "name", ["3m", "8m", "25m", "5m_vs_6m", "8m_vs_9m", "10m_vs_11m", "27m_vs_30m"]
)
def test_a_win_returns_20_where_no_enemy_recovers(name: str, players: Any) -> None:
    environment = make(name, 6)

    def choose(environment: SkirmishEnvironment) -> Actions:
        make_immortal(environment)
        return players.hunt(environment)

    result = players.play(environment, choose)
    assert result["won"].all()
    np.testing.assert_allclose(result["total"], 20.0, rtol=1e-12)


def test_a_win_returns_more_where_shields_come_back(players: Any) -> None:
    environment = make("2m_vs_1z", 20)
    total, gained = np.zeros(20), np.zeros(20)
    active, n_steps = np.ones(20, np.bool_), 0
    while active.any():
        make_immortal(environment)
        rests = 20 <= n_steps < 50  # the zealot, half shot, gets its shield back
        actions = players.stop_all(environment) if rests else players.join(environment)
        life = environment.units[:, 2, [f.HEALTH, f.SHIELD]].sum(1)
        step = environment.step(actions, active)
        gain = environment.units[:, 2, [f.HEALTH, f.SHIELD]].sum(1) - life
        gained += np.where(active, np.maximum(gain, 0.0), 0.0)
        total += step.reward
        active &= ~step.terminated
        n_steps += 1
    # points that come back in steps without damage are paid then, and when shot away again
    assert (gained > 1.0).all()
    np.testing.assert_allclose(total, 20.0 + 2.0 * gained / (360 / 20), rtol=1e-12)


@pytest.mark.parametrize(("name", "sum_of_rewards"), [("MMM", 1015), ("MMM2", 1205)])
def test_a_win_with_the_enemies_medivac_alive_lacks_its_points(
    name: str, sum_of_rewards: float, players: Any
) -> None:
    environment = make(name, 6)
    n = environment.info.n_agents
    environment._tables.stats[-1, f.SPEED] = 0.0  # the medivac stays out of everyone's way
    environment.units[:, -1, [f.X, f.Y]] = (31.0, 8.0)

    def choose(environment: SkirmishEnvironment) -> Actions:
        make_immortal(environment)
        environment.units[:, -1, f.ENERGY] = 0.0  # it heals nobody
        return players.hunt(environment)

    result = players.play(environment, choose)
    assert result["won"].all()
    assert (environment.units[:, -1, f.HEALTH] == 150.0).all()
    assert not environment.units[:, n:, f.HEALED].any()
    expected = 20.0 * (sum_of_rewards - 160) / sum_of_rewards
    np.testing.assert_allclose(result["total"], expected, rtol=1e-12)
