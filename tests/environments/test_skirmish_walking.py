"""How units walk among others, held against what was measured in StarCraft."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from suite.environments.skirmish import fields as f
from suite.environments.skirmish.environment import SkirmishEnvironment
from suite.environments.skirmish.scenario import load_scenario

FAR = ("Marine", 2.5, 2.5)  # somebody else, out of everyone's sight
PITCH = 0.6885  # cells between marines at the start of a battle
NEVER = 1000  # loops until the next scan


def moved(
    arena: Any, places: list[tuple[float, float]], actions: list[int], n_steps: int = 1
) -> NDArray[np.float64]:
    """(marines, 2) how far marines at these places get."""
    environment = arena.battle([("Marine", *place) for place in places], [FAR])
    units, _ = arena.film(environment, n_steps, *actions)
    return np.asarray(units[-1, :-1, :2] - places)


def test_the_first_shot_falls_one_loop_after_the_order(arena: Any) -> None:
    # measured: exactly 1.0 for marines (3,470 shots); damage points round up to whole loops
    for kind, damage_point in (("Marine", 1.0), ("Stalker", 3.0), ("Zealot", 0.0)):
        environment = arena.battle([(kind, 16, 16)], [("Marauder", 17.0, 16)])
        arena.make_passive(environment, 1)
        environment.units[0, 1, f.HEALTH] = 1e6
        units, shots = arena.film(environment, 1, f.FIRST_TARGET)
        loop = np.flatnonzero(shots[:, 0] >= 0)[0]
        period = environment._tables.stats[0, f.PERIOD]
        moment = loop + 1 - (period - units[loop + 1, 0, f.COOLDOWN])
        assert moment == pytest.approx(damage_point, abs=1e-12)


@pytest.mark.parametrize(("start", "waits"), [(5.9, 1), (5.6, 0)])
def test_who_walks_into_reach_shoots_a_loop_later_than_who_stands(
    start: float, waits: int, arena: Any
) -> None:
    environment = arena.battle([("Marine", 8, 16)], [("Marine", 8 + start, 16)])
    environment.orders[0, 1, [f.TARGET, f.RESCAN]] = (0, NEVER)
    units, shots = arena.film(environment, 1, f.STOP)
    gap = units[:, 1, f.X] - units[:, 0, f.X]
    arrived = np.flatnonzero(gap <= 5.75)[0]  # loops walked
    assert arrived == np.ceil((start - 5.75) / 0.140625 - 1e-9) * waits
    assert np.flatnonzero(shots[:, 1] >= 0)[0] == arrived + waits


def test_friends_who_meet_pass_each_other_within_a_step(arena: Any) -> None:
    # measured 1,953 times at (9, 16) and (9.69, 16): (+.34, -.45) or (+.49, -.29) and
    # (-.93, +.34); each gives way to its right. Here (+.93, -.22) and (-.93, +.22)
    east, west = moved(arena, [(9, 16), (9 + PITCH, 16)], [f.EAST, f.WEST])
    assert east == pytest.approx([0.93, -0.22], abs=0.02)
    assert west == pytest.approx([-0.93, 0.22], abs=0.02)


def test_who_is_held_up_is_forced_back_by_a_friend_who_comes_against_it(arena: Any) -> None:
    # measured 1,463 times, in the first step of 3m: the middle one, between the one beside it and
    # the one against it, gets (+.34, -.45), (+.48, -.29), (+.26, -.47) ..., the other (-.93, +.34)
    # or (-1.02, +.22)
    places = [(9, 16 - PITCH), (9, 16), (9 + PITCH, 16)]
    beside, east, west = moved(arena, places, [f.EAST, f.EAST, f.WEST])
    assert beside == pytest.approx([1.125, 0.0], abs=0.01)
    assert np.hypot(*(east - (0.36, -0.38))) < 0.2
    assert np.hypot(*(west - (-0.97, 0.28))) < 0.2


def test_who_crosses_the_way_is_not_walked_round(arena: Any) -> None:
    # measured in the first step of 16 battles of 3m: the middle one, told east with the one beside
    # it while the one ahead goes north, gets (+.99, -.02), the one ahead (+.12, +1.09)
    places = [(9, 16 - PITCH), (9, 16), (9 + PITCH, 16)]
    beside, middle, ahead = moved(arena, places, [f.EAST, f.EAST, f.NORTH])
    assert beside == pytest.approx([1.125, 0.0], abs=0.02)
    assert np.hypot(*(middle - (0.99, -0.02))) < 0.15
    assert np.hypot(*(ahead - (0.12, 1.09))) < 0.15


# 8m in the third step: three aim, the three behind them are told to go east (places by
# replays); where those are when told again and where two of them are a step later
FRONT = [(13.0635, 16.0), (13.125, 15.25), (13.125, 16.75)]
SECOND = [(12.375, 15.3115), (12.375, 16.0), (12.375, 16.6885)]


def test_a_second_row_walks_round_who_aims_on_the_free_side_at_once(arena: Any) -> None:
    # measured in 14 battles: the one on the right is at (12.78, 14.58) after a step and at
    # (13.13, 14.53) after two; the one on the left at (13.11, 17.45) after two; the middle one
    # follows the right one: (12.14, 15.08) to (12.49, 15.04) after one
    agents = [("Marine", *place) for place in FRONT + SECOND]
    environment = arena.battle(agents, [("Marine", 18.79, 15.98)])
    environment.units[0, 6, f.HEALTH] = 1e6
    environment._tables.stats[6, f.SPEED] = 0.0
    units, _ = arena.film(environment, 1, *[f.FIRST_TARGET] * 3, *[f.EAST] * 3)
    np.testing.assert_array_equal(units[-1, :3, :2], FRONT)
    right, middle, left = units[-1, 3:6, :2]
    assert np.hypot(*(right - (12.78, 14.58))) < 0.4
    assert np.hypot(*(middle - (12.35, 15.06))) < 0.2
    assert np.hypot(*(left - (13.11, 17.45))) < 0.1


def test_who_comes_behind_two_who_aim_goes_round_the_outer_one_alone(arena: Any) -> None:
    # measured on 3m in the same battles: enemies behind the upper one of two that aim, (-.31,
    # +.47), (-.22, +.33), (-.27, +.40), never round both
    places = [(14.98, 15.44), (14.98, 16.13), (15.67, 16.13)]
    enemies = [("Marine", *place) for place in places]
    environment = arena.battle([("Marine", 9.8, 15.2)], enemies)
    environment.units[0, 0, f.HEALTH] = 1e6
    environment.orders[0, 1:, f.RESCAN] = 1
    environment._tables.stats[1:3, f.SPEED] = 0.0
    environment._tables.stats[1:3, f.RANGE] += 1.0  # they are in reach
    units, _ = arena.film(environment, 1, f.STOP)
    assert units[-1, 3, f.Y] > 16.13 + 0.3
    assert units[-1, 3, f.X] < 15.67


def test_who_nearly_fits_goes_through(arena: Any) -> None:
    # between two that aim 1.36 cells from each other, where 1.375 are wanted
    agents = [("Marine", 13.0, 15.32), ("Marine", 13.0, 16.68), ("Marine", 12.0, 16.0)]
    environment = arena.battle(agents, [("Marine", 18.0, 16.0)])
    environment.units[0, 3, f.HEALTH] = 1e6
    environment._tables.stats[3, f.SPEED] = 0.0
    units, _ = arena.film(environment, 2, f.FIRST_TARGET, f.FIRST_TARGET, f.EAST)
    np.testing.assert_array_equal(units[-1, :2, :2], [(13.0, 15.32), (13.0, 16.68)])
    assert units[-1, 2, f.X] > 13.5


def test_an_idle_friend_is_pushed_ahead_of_a_walker(arena: Any) -> None:
    # measured in the first step of corridor: by .9 cells where the walker walks 1.0
    walker, friend = moved(arena, [(9, 16), (9.6875, 16)], [f.EAST, f.STOP], 3)
    assert walker == pytest.approx([0.9 * 3.375, 0.0], abs=0.02)
    assert 0.0 <= friend[0] - walker[0] < 0.02


def test_an_idle_friend_beside_the_way_is_pushed_aside(arena: Any) -> None:
    walker, friend = moved(arena, [(9, 16), (10, 16.2)], [f.EAST, f.STOP])
    assert walker == pytest.approx([1.08, -0.03], abs=0.02)  # of 1.125
    assert friend == pytest.approx([0.43, 0.37], abs=0.02)


def test_an_idle_enemy_is_not_pushed(arena: Any) -> None:
    # five in a line walk past it, some of them pushed its way by the others
    places = [("Marine", 9.0, 16.0 + PITCH * k) for k in range(-2, 3)]
    environment = arena.battle(places, [("Marine", 10, 16.2)])
    arena.make_passive(environment, 5)
    for _ in range(3):
        arena.film(environment, 1, *[f.EAST] * 5)
        assert environment.units[0, 5, [f.X, f.Y]].tolist() == [10.0, 16.2]
    assert (environment.units[0, :5, f.X] > 10.0).all()


def test_who_follows_slower_friends_goes_at_their_pace() -> None:
    # measured on 2s3z: the stalker at (9, 16) moves 1.13 cells in the first step, alone 1.48
    environment = SkirmishEnvironment(load_scenario("2s3z"), 1, 0)
    before = environment.units[0, :5, f.X].copy()
    environment.step(np.full((1, 5), f.EAST))
    walked = environment.units[0, :5, f.X] - before
    assert walked[1] == pytest.approx(1.11, abs=0.02)
    np.testing.assert_allclose(walked[2:], 1.125, atol=0.02)  # the zealots before it


@pytest.mark.parametrize(
    ("kind", "clearance"),
    # measured: clamped moves of 312 marines, 85 zerglings, 31 marauders, 45 stalkers, 78 colossi
    [("Marine", 0.3125), ("Zergling", 0.3125), ("Marauder", 0.3125), ("Stalker", 0.4375)],
)
def test_walkers_keep_their_inner_radius_less_a_sixteenth_from_blocked_cells(
    kind: str, clearance: float, arena: Any
) -> None:
    environment = arena.battle([(kind, 9, 24)], [FAR], terrain="strip")
    environment.available_actions[:] = True
    environment.step(np.array([[f.NORTH]]))
    assert environment.units[0, 0, f.Y] == 25 - clearance - 1 / 4096


def test_colossi_keep_half_a_cell_from_what_they_cannot_walk_on() -> None:
    environment = SkirmishEnvironment(load_scenario("2c_vs_64zg"), 1, 0)
    assert environment._tables.stats[0, f.CLEARANCE] == 0.5
    rng = np.random.default_rng(0)
    for _ in range(60):
        actions = rng.integers(f.NORTH, f.WEST + 1, (1, 2))
        environment.available_actions[:] = True
        environment.units[:, :2, f.HEALTH] = 1e6
        if environment.step(actions).truncated[0]:
            break
        x, y = environment.units[0, :2, f.X], environment.units[0, :2, f.Y]
        for dx, dy in ((-0.49, -0.49), (-0.49, 0.49), (0.49, -0.49), (0.49, 0.49)):
            i, j = np.floor(x + dx).astype(int), np.floor(y + dy).astype(int)
            assert environment._tables.is_free[f.CLIFF][i, j].all()


@pytest.mark.parametrize(
    ("name", "script", "real"),
    [
        ("2c_vs_64zg", [f.STOP, f.EAST, f.EAST], 4.11),
        ("corridor", [f.STOP] * 5, 7.11),
    ],
)
def test_zerglings_in_columns_go_as_far_as_in_starcraft(
    name: str, script: list[int], real: float
) -> None:
    # real: the mean way from the start after as many steps, of the same zerglings
    environment = SkirmishEnvironment(load_scenario(name), 4, 0)
    n = environment.info.n_agents
    before = environment.units[:, n:, :2].copy()
    for action in script:
        environment.step(np.full((4, n), action))
    is_alive = environment.units[:, n:, f.HEALTH] > 0.0
    ways = np.hypot(*np.moveaxis(environment.units[:, n:, :2] - before, -1, 0))
    assert ways[is_alive].mean() == pytest.approx(real, abs=0.3)


# measured: mean places of the zerglings that colossi were told to attack, (zergling in order of
# creation, x, y, times) at these loops of 32 battles; the colossi went east, east, stopped
SEEN = {
    24: [
        (2, 20.57, 10.58, 2), (3, 20.00, 11.11, 2), (10, 21.65, 10.13, 2), (11, 19.77, 11.33, 8),
        (13, 20.61, 8.94, 2), (14, 21.55, 10.72, 5), (17, 21.41, 9.31, 7), (18, 20.77, 11.15, 12),
        (21, 21.63, 9.12, 1), (22, 21.55, 11.14, 13), (27, 20.19, 11.69, 4), (42, 21.79, 11.69, 5),
    ],
    48: [
        (5, 24.59, 10.78, 2), (6, 24.44, 11.27, 1), (9, 23.51, 10.26, 3), (10, 25.27, 10.52, 1),
        (11, 23.46, 11.59, 5), (13, 24.55, 10.15, 5), (14, 25.29, 10.83, 6), (17, 24.92, 10.38, 5),
        (18, 23.30, 11.69, 1), (22, 25.22, 11.42, 2), (29, 24.48, 10.07, 1),
    ],
}  # fmt: skip


@pytest.mark.parametrize(("loop", "off"), [(24, 0.8), (48, 1.1)])
def test_zerglings_close_up_to_the_wall_on_their_way_to_its_end(loop: int, off: float) -> None:
    # when each kept its distance from the wall they were .95 and 1.56 off, farther from it
    environment = SkirmishEnvironment(load_scenario("2c_vs_64zg"), 4, 0)
    environment._tables.stats[:2, f.FIRES_FREELY] = 0.0
    for action in ([f.STOP, f.EAST, f.EAST] * 2)[: loop // f.LOOPS_PER_STEP]:
        environment.step(np.full((4, 2), action))
    gaps = []
    for k, x, y, times in SEEN[loop]:
        there = environment.units[:, 2 + k, [f.X, f.Y]].mean(0)
        gaps += [np.hypot(*(there - (x, y)))] * times
    assert np.mean(gaps) < off


def test_zerglings_set_out_for_the_end_of_the_wall() -> None:
    # measured: in the first loop they go (.1833, .0200), (.1809, .0354), (.1843, .0061) from there:
    # to a point .375, their inner radius, off the wall's edge
    environment = SkirmishEnvironment(load_scenario("2c_vs_64zg"), 1, 0)
    starts = environment._tables.start[2:, [f.X, f.Y]]
    ways = environment.units[0, 2:, [f.X, f.Y]].T - starts
    for start, way in {
        (16.75, 10.5): (0.1833, 0.0200),
        (14.5, 10.5): (-0.1831, 0.0215),
        (17.5, 9.75): (0.1809, 0.0354),
        (16.0, 11.25): (0.1843, 0.0061),
        (13.75, 11.25): (-0.1843, 0.0078),
    }.items():
        k = np.hypot(*(starts - start).T).argmin()
        assert starts[k] == pytest.approx(start)
        assert ways[k] == pytest.approx(way, abs=0.005)


@pytest.mark.parametrize(
    "start", [(25.0, 10.0), (26.0, 11.6), (22.0, 7.0), (27.9, 9.0), (29.5, 8.0)]
)
def test_who_is_alone_passes_the_corners_of_a_wall_at_full_pace(
    start: tuple[float, float], players: Any
) -> None:
    environment = SkirmishEnvironment(load_scenario("2c_vs_64zg"), 1, 0, records_loops=True)
    environment._tables.stats[:2, f.FIRES_FREELY] = 0.0
    environment.units[0, 3:, f.HEALTH] = 0.0
    environment.units[0, :3, [f.X, f.Y]] = np.array(
        [[22.0, 22.0, start[0]], [14.5, 17.0, start[1]]]
    )
    places = [environment.units[:1, 2, :2].copy()]
    for _ in range(6):
        environment.step(players.stop_all(environment))
        places.append(environment.loop_units[0, :, 2, :2].copy())
    ways = np.hypot(*np.diff(np.concatenate(places), axis=0).T)
    walks = ways[: np.flatnonzero(ways > 0.0)[-1]]
    assert walks[:-2].mean() == pytest.approx(environment._tables.stats[2, f.SPEED], rel=0.02)


def test_crowds_from_two_sides_of_a_gap_do_not_block_each_other_for_ever(players: Any) -> None:
    # two of a crowd who would overlap must not both wait
    environment = SkirmishEnvironment(load_scenario("2c_vs_64zg"), 4, 0)
    environment.units[:, :2, [f.X, f.Y]] = ((15.0, 15.0), (17.0, 15.0))
    environment._tables.stats[:2, f.FIRES_FREELY] = 0.0
    for _ in range(32):
        environment.units[:, :2, f.HEALTH] = 1e6
        environment.step(players.stop_all(environment))
    assert (environment.units[:, 2:, f.Y] >= 13.0).all()  # through both ends of the wall


@pytest.mark.parametrize("name", ["3m", "8m", "MMM", "3s5z", "corridor"])
def test_who_aims_is_never_moved(name: str, players: Any) -> None:
    # measured: 0 of 52,949
    environment = SkirmishEnvironment(load_scenario(name), 16, 0, records_loops=True)
    n, rng = environment.info.n_agents, np.random.default_rng(0)
    stats = environment._tables.stats
    n_looked_at = 0
    for _ in range(30):
        before = environment.units.copy()
        focus = players.focus_fire(environment)
        actions = players.random_actions(environment, rng)  # half of them run into the others
        half = rng.random(actions.shape) < 0.6
        actions = np.where(half & (focus >= f.FIRST_TARGET), focus, actions)
        result = environment.step(actions)
        units = np.concatenate([before[:, None], environment.loop_units], 1)
        stays = (np.diff(units[..., :2], axis=1) == 0.0).all(-1)
        assert stays[environment.loop_shots >= 0].all()
        slots, agents = np.nonzero((actions >= f.FIRST_TARGET) & (stats[:n, f.IS_HEALER] == 0.0))
        targets = environment.enemies[slots, actions[slots, agents] - f.FIRST_TARGET]
        can_hit = (stats[targets, f.LAYER] != f.AIR) | (stats[agents, f.HITS_AIR] > 0.0)
        slots, agents, targets = slots[can_hit], agents[can_hit], targets[can_hit]
        reach = stats[agents, f.RANGE] + stats[agents, f.RADIUS] + stats[targets, f.RADIUS]
        for loop in range(f.LOOPS_PER_STEP):
            now = units[slots, loop]
            delta = units[slots, loop, targets, :2] - units[slots, loop, agents, :2]
            aims = (np.hypot(*delta.T) <= reach) & (units[slots, loop, targets, f.HEALTH] > 0.0)
            aims &= now[np.arange(len(slots)), agents, f.HEALTH] > 0.0
            assert stays[slots, loop, agents][aims].all()
            n_looked_at += aims.sum()
        environment.reset(np.flatnonzero(result.terminated | result.truncated))
    assert n_looked_at > 1000


def test_who_is_in_another_s_place_to_be_has_a_place_itself(arena: Any) -> None:
    # a friend arrives in the walker's own place in this plan, and somebody else is in its way
    environment = arena.battle(
        [("Marine", 16, 16), ("Marine", 16.5, 15.7), ("Zergling", 16, 16.34)], [FAR]
    )
    environment._tables.stats[1, f.SPEED] = 0.0
    environment.orders[0, 2, f.ORDER] = f.MOVE
    environment.units[0, 2, [f.GOAL_X, f.GOAL_Y]] = (16, 16)
    environment.available_actions[:] = True
    environment.step(np.array([[f.EAST, f.STOP, f.NO_OP]]))
    assert np.isfinite(environment.units).all()


def test_a_pile_parts_no_faster_than_its_units_walk(arena: Any) -> None:
    rng = np.random.default_rng(0)
    places = 16.0 + 0.02 * rng.random((20, 2))
    environment = arena.battle(
        [("Marine", *place) for place in places], [("Marine", 16 + 5.8, 16.0)]
    )
    environment.units[0, :, f.HEALTH] = 1e6
    pace = environment._tables.stats[0, f.SPEED]
    units, _ = arena.film(environment, 3, *[f.FIRST_TARGET] * 20)
    ways = np.hypot(*np.moveaxis(np.diff(units[:, :20, :2], axis=0), -1, 0))
    assert ways.max() <= 2.0 * pace + 1e-9  # of the two loops of a plan
