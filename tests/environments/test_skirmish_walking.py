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
        ("2c_vs_64zg", [f.STOP, f.EAST, f.EAST] * 2, 7.97),
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
