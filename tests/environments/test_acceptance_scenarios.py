"""Acceptance of whole battles: starts, marches, routes, scripted players, returns.

Seeds are fixed; where chance decides, the interval is of the binomial.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from suite.environments.skirmish import fields as f
from suite.environments.skirmish.environment import SkirmishEnvironment
from suite.environments.skirmish.rules import DEFAULT_RULES, Rules
from suite.environments.skirmish.scenario import load_scenario, scenario_names

Actions = NDArray[np.int64]
MARINE_MAPS = [
    "3m", "8m", "25m", "5m_vs_6m", "8m_vs_9m", "10m_vs_11m", "27m_vs_30m", "MMM", "MMM2",
]  # fmt: skip


def make(name: str, n_environments: int, seed: int = 0, **options: Any) -> SkirmishEnvironment:
    """A batch of the scenario."""
    return SkirmishEnvironment(load_scenario(name), n_environments, seed, **options)


def make_immortal(environment: SkirmishEnvironment) -> None:
    """Let agents survive everything."""
    environment.units[:, : environment.info.n_agents, f.HEALTH] = 1e6


# the start


# offsets from the spawn point, measured to 1/4096 of a cell: 32 battles each (3m: 1,953 of 2,000)
MARINES = [(0, 0), (0, -0.6885), (0.6885, 0), (0, 0.6885), (-0.6885, 0), (0.75, -0.75),
           (0.75, 0.75), (-0.75, 0.75)]  # fmt: skip
ZEALOTS = [(0, 0), (0, -0.9385), (0.9385, 0), (0, 0.9385), (-0.9385, 0), (1, -1)]
MEASURED_AGENTS = {
    "3m": MARINES[:3],
    "8m": MARINES,
    "2s3z": [(0, 0), (0, -1.1885), (0.9414, -0.4946), (0.7517, 0.7517), (-0.752, 0.7517)],
    "MMM2": [*MARINES[:7], (-0.8311, 0.9661), (-1.125, -1.125), (0, 0)],
    "corridor": ZEALOTS,
    "2c_vs_64zg": [(0, 0), (0, -1.9385)],
}


@pytest.mark.parametrize("name", MEASURED_AGENTS)
def test_agents_start_where_they_were_measured(name: str) -> None:
    environment, scenario = make(name, 1), load_scenario(name)
    offsets = environment._tables.start[: len(scenario.allies), [f.X, f.Y]] - scenario.ally_point
    expected = np.array(sorted(MEASURED_AGENTS[name]))
    np.testing.assert_allclose(offsets[np.lexsort(offsets.T[::-1])], expected, atol=5e-4)


@pytest.mark.parametrize("name", scenario_names())
def test_agents_are_numbered_by_type_and_place(name: str) -> None:
    units = [(unit.type_name, unit.x, unit.y) for unit in load_scenario(name).allies]
    assert units == sorted(units)  # as SMAC sorts them


@pytest.mark.parametrize("name", scenario_names())
def test_units_start_as_near_as_their_radii_allow(name: str) -> None:
    # measured: never nearer than the sum of radii - 1/16; next to each other 0.001 more
    scenario = load_scenario(name)
    units = [(unit, scenario.types[unit.type_name]) for unit in scenario.allies]
    gaps = [
        np.hypot(a.x - b.x, a.y - b.y) - kind.radius - other.radius + 1 / 16
        for (a, kind), (b, other) in itertools.combinations(units, 2)
        if kind.layer == other.layer
    ]
    assert min(gaps) > 0.0
    if name not in ("2m_vs_1z", "2s_vs_1sc"):  # their agents start apart
        assert min(gaps) == pytest.approx(0.001, abs=5e-4)


# cells of the zerglings 9 to 23 after creation, from (16, 9) and (27.91, 28.24): all 64 battles
LATER_ZERGLINGS = {
    "2c_vs_64zg": [(16, 7), (17, 9), (16, 10), (14, 9), (16, 7), (17, 9), (15, 10), (14, 8),
                   (17, 8), (16, 10), (14, 9), (15, 7), (17, 7), (17, 10), (14, 10)],
    "corridor": [(27, 26), (29, 28), (27, 29), (26, 28), (28, 26), (29, 28), (27, 29), (26, 27),
                 (29, 27), (28, 29), (26, 28), (27, 26), (29, 26), (29, 29), (26, 29)],
}  # fmt: skip


@pytest.mark.parametrize("name", LATER_ZERGLINGS)
def test_enemies_are_created_ring_by_ring(name: str) -> None:
    cells = [(int(unit.x), int(unit.y)) for unit in load_scenario(name).enemies[9:24]]
    assert cells == LATER_ZERGLINGS[name]


@pytest.mark.parametrize("name", scenario_names())
def test_enemies_have_marched_one_loop_at_the_first_observation(name: str) -> None:
    # measured: 1,999 of 2,000 battles of 3m, and all of 2s3z and 2c_vs_64zg
    environment = make(name, 20)
    scenario = load_scenario(name)
    table = np.array([(unit.x, unit.y) for unit in (*scenario.allies, *scenario.enemies)])
    moved = np.hypot(*np.moveaxis(environment.units[:, :, [f.X, f.Y]] - table, -1, 0))
    n = len(scenario.allies)
    assert not moved[:, :n].any()
    stats = environment._tables.stats[n:]
    is_instant = stats[:, f.ACCELERATION] == 0.0
    assert is_instant.any()
    speed = stats[is_instant, f.SPEED] * (scenario.enemy_order.kind != "none")
    walked = moved[:, n:][:, is_instant]
    # on 6h_vs_8z some see an agent from the start and turn to it, into a friend
    is_marching = (environment.orders[:, n:, f.TARGET] < 0)[:, is_instant]
    assert is_marching.all() or name in ("6h_vs_8z", "2c_vs_64zg")
    # round corners, and where some are faster than others, somebody may be in the way
    if name in ("corridor", "2c_vs_64zg") or len(set(speed)) > 1:
        assert (walked <= speed + 1e-9).all()
        np.testing.assert_allclose((walked / speed).max(1), 1.0, atol=1e-9)
    else:
        expected = np.broadcast_to(speed, walked.shape)
        np.testing.assert_allclose(walked[is_marching], expected[is_marching], atol=1e-9)


@pytest.mark.parametrize("name", MARINE_MAPS)
def test_formations_hold_while_marching(name: str, players: Any) -> None:
    environment = make(name, 20)
    n = environment.info.n_agents
    stats = environment._tables.stats[n:]
    walkers = n + np.flatnonzero(stats[:, f.SPEED] == stats[0, f.SPEED])
    start = environment._tables.start
    march = (9.0, 16.0) - start[n:, [f.X, f.Y]].mean(0)
    for _ in range(2):
        environment.step(players.stop_all(environment))
        moved = environment.units[:, walkers][:, :, [f.X, f.Y]] - start[walkers][:, [f.X, f.Y]]
        assert (environment.orders[:, walkers, f.TARGET] < 0).all()
        np.testing.assert_allclose(moved, np.broadcast_to(moved[:, :1], moved.shape), atol=1e-9)
        assert (moved[:, :, 0] < -1.0).all()
        np.testing.assert_allclose(moved[:, :, 1], moved[:, :, 0] * march[1] / march[0], atol=1e-9)


def test_the_march_leads_from_the_centroid_of_the_group_to_the_point_of_the_order(
    players: Any,
) -> None:
    # measured on 3m: (-1.125, +0.0176) a step, positions rounded to 1/4096 in every loop
    environment = make("3m", 1)
    before = environment.units[0, 3:, [f.X, f.Y]].copy()
    environment.step(players.stop_all(environment))
    moved = environment.units[0, 3:, [f.X, f.Y]] - before
    np.testing.assert_allclose(moved.T, [[-1.125, 0.0176]] * 3, atol=8 * 0.5 / 4096)


def test_the_zealot_of_2m_vs_1z_is_sent_somewhere_between_the_marines() -> None:
    environment = make("2m_vs_1z", 2000)
    x, y = environment.units[:, 2, f.GOAL_X], environment.units[:, 2, f.GOAL_Y]
    assert (y == 12.0).all()
    shares = np.histogram(x, 6, (13.0, 19.0))[0] / len(x)
    np.testing.assert_allclose(shares, 1 / 6, atol=4 * np.sqrt(5 / 36 / len(x)))


def test_the_orders_of_three_enemies_are_four_equally_often() -> None:
    # measured on 3m: orders 123, 132, 231, 321, a quarter each
    enemies = make("3m", 8000).enemies - 3
    orders, counts = np.unique(enemies + 1, axis=0, return_counts=True)
    assert orders.tolist() == [[1, 2, 3], [1, 3, 2], [2, 3, 1], [3, 2, 1]]
    np.testing.assert_allclose(counts / 8000, 0.25, atol=4 * np.sqrt(3 / 16 / 8000))


@pytest.mark.parametrize("name", scenario_names())
def test_enemy_ids_rise_and_then_fall_in_order_of_creation(name: str) -> None:
    # measured: 95 of 95 orders are unimodal, with half of each type in the front part
    environment = make(name, 2000)
    scenario = load_scenario(name)
    n = len(scenario.enemies)
    enemies = environment.enemies - len(scenario.allies)
    np.testing.assert_array_equal(np.sort(enemies, 1), np.tile(np.arange(n), (2000, 1)))
    rises = np.diff(enemies, axis=1) > 0
    assert (rises[:, 1:] <= rises[:, :-1]).all()
    last = enemies.argmax(1)  # it ends the front part
    place = np.argsort(enemies, 1)
    is_in_front = (place <= last[:, None])[:, :-1]  # the last created is in either part
    np.testing.assert_allclose(is_in_front.mean(0), 0.5, atol=4 * np.sqrt(0.25 / 2000))


@pytest.mark.parametrize("name", ["MMM2", "3s5z_vs_3s6z", "1c3s5z", "bane_vs_bane"])
def test_types_and_life_follow_the_unit_and_not_the_id(name: str, players: Any) -> None:
    environment, scenario = make(name, 50), load_scenario(name)
    n, rng = len(scenario.allies), np.random.default_rng(0)
    for _ in range(12):
        environment.step(players.random_actions(environment, rng))
    width = 3 + scenario.enemies_have_shield + scenario.type_bits
    first = n * scenario.ally_state_size
    rows = environment.state[:, first : first + width * len(scenario.enemies)]
    rows = rows.reshape(50, -1, width)
    for slot, enemies in enumerate(environment.enemies):
        for row, u in zip(rows[slot], enemies, strict=True):
            kind = scenario.enemies[u - n].type_name
            unit, health = environment.units[slot, u], scenario.types[kind].health
            expected = [unit[f.HEALTH] / health, *(unit[[f.X, f.Y]] - 16.0) / 28.0]
            if scenario.enemies_have_shield:
                expected.append(unit[f.SHIELD] / scenario.types[kind].smac_shield_scale)
            expected += [float(kind == other) for other in scenario.enemy_type_order]
            alive = float(unit[f.HEALTH] > 0.0)
            np.testing.assert_allclose(row, alive * np.array(expected), atol=1e-6)


def test_an_attack_is_on_the_unit_that_the_id_names(players: Any) -> None:
    environment = make("MMM", 40)
    marine = 2
    environment.units[:, marine, [f.X, f.Y]] = environment.units[:, 10:, [f.X, f.Y]].mean(1)
    for j in range(10):
        make_immortal(environment)
        environment.step(players.stop_all(environment))
        actions = players.stop_all(environment)
        actions[:, marine] = f.FIRST_TARGET + j
        assert environment.available_actions[:, marine, f.FIRST_TARGET + j].all()
        environment.step(actions)
        np.testing.assert_array_equal(
            environment.orders[:, marine, f.TARGET], environment.enemies[:, j]
        )


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
    for _ in range(8):  # it dies in the tenth
        environment.step(players.stop_all(environment))
    assert (environment.orders[:, 6:, f.TARGET] == 0).any(1).all()
    assert (environment.units[:, 0, f.TAKEN] > 0.0).all()


def test_zerglings_go_round_the_ends_of_the_wall(players: Any) -> None:
    environment = make("2c_vs_64zg", 4, records_loops=True)
    environment.units[:, :2, [f.X, f.Y]] = ((15.0, 15.0), (17.0, 15.0))
    make_immortal(environment)
    environment._tables.stats[:2, f.FIRES_FREELY] = 0.0
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


def enemies_by_id(environment: SkirmishEnvironment) -> NDArray[np.float64]:
    """(slots, enemies, N_UNIT_FIELDS) in the order of the attack actions."""
    return np.take_along_axis(environment.units, environment.enemies[..., None], 1)


def kite(environment: SkirmishEnvironment) -> Actions:
    """Stalkers shoot when they can and nobody is near; else they go where enemies are fewest.

    The place three steps ahead with the least sum of 1 / distance, walls counting a little.
    """
    n, units = environment.info.n_agents, environment.units
    enemies = enemies_by_id(environment)
    is_alive = enemies[:, :, f.HEALTH] > 0.0
    ahead = 3 * 1.47655 * np.array([[0, 1], [0, -1], [1, 0], [-1, 0]])
    places = units[:, :n, None, [f.X, f.Y]] + ahead  # slots, agents, directions, 2
    delta = places[:, :, :, None] - enemies[:, None, None, :, [f.X, f.Y]]
    distance = np.maximum(np.hypot(delta[..., 0], delta[..., 1]), 0.3)
    to_edge = np.maximum(np.minimum(places - 2.0, 30.0 - places).min(-1), 0.2)
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
    enemies = enemies_by_id(environment)
    delta = units[:, :n, None, [f.X, f.Y]] - enemies[:, None, :, [f.X, f.Y]]
    distance = np.hypot(delta[..., 0], delta[..., 1])
    distance[np.broadcast_to(enemies[:, None, :, f.HEALTH] <= 0.0, distance.shape)] = np.inf
    attack = f.FIRST_TARGET + distance.argmin(-1)
    can = np.take_along_axis(available, attack[..., None], -1)[..., 0]
    return np.where(can & (distance.min(-1) <= 1.2), attack, action)


def test_zealots_last_longer_in_the_choke_of_corridor_than_in_the_open() -> None:
    half_dead, n = {}, 200
    for name, places in (("open", None), ("choke", CHOKE)):
        environment = make("corridor", n)
        active = np.ones(n, np.bool_)
        first_hit, lasted = np.full(n, 999), np.full(n, 999)
        step = 0
        while active.any():
            result = environment.step(hold(environment, places), active)
            active &= ~(result.terminated | result.truncated)
            step += 1
            agents = environment.units[:, :6]
            first_hit[agents[:, :, f.TAKEN].any(1) & (first_hit == 999)] = step
            lasted[((agents[:, :, f.HEALTH] > 0.0).sum(1) <= 3) & (lasted == 999)] = step
        half_dead[name] = lasted - first_hit
    # in the others they win before three are dead
    shares = [(steps < 60).mean() for steps in half_dead.values()]
    assert shares == pytest.approx([1.0, 0.99], abs=0.03)
    assert np.median(half_dead["open"]) == pytest.approx(22.0, abs=2.0)
    assert np.median(half_dead["choke"]) == pytest.approx(43.0, abs=4.0)


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
    environment.units[:, -1, [f.X, f.Y]] = (29.0, 8.0)

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


def test_a_lattice_is_another_layout_of_mixed_sides_that_nobody_measured() -> None:
    for name in scenario_names():
        scenario = load_scenario(name)
        touching = make(name, 1).units[0, :, [f.X, f.Y]]
        lattice = make(name, 1, rules=Rules(mixed_layouts="lattice", march_loops=0))
        n_kinds = len({unit.type_name for unit in scenario.allies})
        is_open = n_kinds > 1 and name not in MEASURED_AGENTS
        assert (scenario.lattice is not None) == is_open
        if scenario.lattice is not None:
            assert (scenario.lattice == lattice.units[0, :, [f.X, f.Y]].T).all()
            assert (scenario.lattice != touching.T).any()
