"""Acceptance of what hits, areas, shields, healing and regeneration do; no jitter."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from suite.environments.skirmish import fields as f
from suite.environments.skirmish.environment import SkirmishEnvironment
from suite.environments.skirmish.rules import Rules
from suite.environments.skirmish.scenario import load_scenario, load_unit_types

FAR = ("Marine", 1.5, 1.5)  # somebody else, out of everyone's sight
LIFE = [f.HEALTH, f.SHIELD]


def losses(units: NDArray[np.float64], u: int) -> NDArray[np.float64]:
    """What unit u lost at once, in order: health + shield of every loop against the one before."""
    lost = -np.diff(units[:, u, LIFE].sum(1))
    return np.asarray(lost[lost > 0.0])


def duel(arena: Any, attacker: str, target: str, **changes: float) -> Any:
    """An agent in reach of a passive enemy, whose stats are `changes`."""
    types = load_unit_types()
    weapon = next(iter(types[attacker].weapons.values()))
    length = weapon.range + types[attacker].radius + types[target].radius
    x = 16 + min(length, f.SHOOT_RANGE) - 1e-6
    environment = arena.battle([(attacker, 16, 16)], [(target, x, 16)])
    for name, value in changes.items():
        environment._tables.stats[1, getattr(f, name)] = value
    arena.make_passive(environment, 1)
    arena.stop_regeneration(environment)
    return environment


@pytest.mark.parametrize(
    ("attacker", "target", "on_shield", "on_life"),
    [
        ("Marine", "Zealot", 6, 5),
        ("Stalker", "Zealot", 13, 12),
        ("Stalker", "Stalker", 18, 17),
        ("Zealot", "Stalker", 8, 7),
        ("Hydralisk", "Zealot", 12, 11),
        ("Marauder", "Stalker", 20, 19),
        ("Marauder", "Zealot", 10, 9),
        ("Zergling", "Colossus", 5, 4),
        ("SpineCrawler", "Stalker", 30, 29),
        ("Marine", "Marauder", None, 5),
        ("Zergling", "SpineCrawler", None, 3),
        ("Zergling", "Marine", None, 5),
        ("Marauder", "Marine", None, 10),
    ],
)
def test_armor_counts_on_life_only(
    attacker: str, target: str, on_shield: float | None, on_life: float, arena: Any
) -> None:
    environment = duel(arena, attacker, target)
    if on_shield is not None:
        full = environment.units[0, 1, LIFE].tolist()
        units, _ = arena.film(environment, 2, f.FIRST_TARGET)
        assert losses(units, 1)[0] == on_shield
        n_hits = len(losses(units, 1))
        assert units[-1, 1, LIFE].tolist() == [full[0], full[1] - n_hits * on_shield]
    environment.units[0, 1, f.SHIELD] = 0.0
    units, _ = arena.film(environment, 6, f.FIRST_TARGET)
    assert losses(units, 1)[0] == on_life


@pytest.mark.parametrize(
    ("shield", "armor", "total"),
    [
        (2.0, 1.0, 2.0 + 3.0),  # what passes the shield meets the armor
        (5.8, 1.0, 5.8),  # the armor takes the rest; the hit has done enough
        (0.0, 10.0, 0.5),  # but half a point always
        (0.2, 10.0, 0.5),
        (6.0, 10.0, 6.0),
    ],
)
def test_a_hit_between_shield_and_life(
    shield: float, armor: float, total: float, arena: Any
) -> None:
    environment = duel(arena, "Marine", "Zealot", ARMOR=armor)
    environment.units[0, 1, f.SHIELD] = shield
    arena.act(environment, f.FIRST_TARGET)
    assert environment.units[0, 1, LIFE].sum() == pytest.approx(100.0 + shield - total, abs=1e-12)
    assert environment.units[0, 1, f.TAKEN] == pytest.approx(total, abs=1e-12)


def test_a_zealot_hits_twice(arena: Any) -> None:
    environment = duel(arena, "Zealot", "Zealot")
    units, shots = arena.film(environment, 24, f.FIRST_TARGET)
    hits = np.flatnonzero(np.diff(units[:, 1, LIFE].sum(1)))
    first, second = hits[0::2], hits[1::2]
    np.testing.assert_array_equal(first, np.flatnonzero(shots[:, 0] >= 0))
    # a hit falls within its loop
    np.testing.assert_allclose(first + 0.5, 19.2 * np.arange(len(first)), atol=0.5 + 1e-9)
    np.testing.assert_allclose(second + 0.5, 19.2 * np.arange(len(second)) + 4.48, atol=0.5 + 1e-9)
    # six hits on the shield; then 2 on the shield and 6 less armor; 7 each; what is left
    expected = [8.0] * 6 + [2.0 + 5.0] + [7.0] * 13 + [4.0]
    np.testing.assert_array_equal(losses(units, 1), expected)


@pytest.mark.parametrize("dead", [0, 1])
def test_the_second_hit_needs_attacker_and_target(dead: int, arena: Any) -> None:
    # the zealot hits at once; then it or its target dies by marines, before 4.48 loops are over
    environment = arena.battle(
        [("Zealot", 16, 16), ("Marine", 12, 16)], [("Zealot", 17, 16), ("Marine", 21, 16)]
    )
    arena.make_passive(environment, 2)
    arena.stop_regeneration(environment)
    environment.units[0, 2 * dead, LIFE] = (1.0, 8.0 * dead)
    environment.units[0, [1, 3], f.COOLDOWN] = 2.0
    arena.act(environment, f.FIRST_TARGET, f.FIRST_TARGET)
    assert environment.units[0, 2 * dead, f.HEALTH] == 0.0
    assert environment.units[0, 0, f.DEALT] == 8.0


def test_shields_come_back_after_160_loops(arena: Any) -> None:
    environment = duel(arena, "Marine", "Zealot")
    units, _ = arena.film(environment, 1, f.FIRST_TARGET)
    assert losses(units, 1).tolist() == [6.0]
    rest, _ = arena.film(environment, 28, f.STOP)
    units = np.concatenate([units, rest[1:]])
    hit = np.flatnonzero(units[:, 1, f.TAKEN])[0]
    shield = units[hit:, 1, f.SHIELD]
    assert (shield[:161] == 44.0).all()
    np.testing.assert_array_equal(shield[160:209:8], 44.0 + np.arange(7))
    np.testing.assert_array_equal(np.diff(shield[160:209]), 0.125)
    assert (shield[208:] == 50.0).all()
    assert (units[:, 1, f.HEALTH] == 100.0).all()
    assert units[-1, 1, f.REGENERATED] == 6.0


def test_every_hit_starts_the_wait_anew(arena: Any) -> None:
    environment = duel(arena, "Marine", "Zealot")
    arena.film(environment, 1, f.FIRST_TARGET)
    arena.film(environment, 18, f.STOP)  # 151 loops since the hit
    arena.film(environment, 1, f.FIRST_TARGET)
    units, _ = arena.film(environment, 21, f.STOP)
    assert (units[:154, 1, f.SHIELD] == 38.0).all()  # the hit was seven loops before
    assert units[154, 1, f.SHIELD] == 38.125


@pytest.mark.parametrize("kind", sorted(load_unit_types()))
def test_only_zerg_life_regenerates(kind: str, arena: Any) -> None:
    environment = arena.battle([FAR], [(kind, 16, 16)])
    environment.units[0, 1, f.HEALTH] = 20.0
    arena.film(environment, 10, f.STOP)
    is_zerg = load_unit_types()[kind].race == "zerg"
    gained = 10 * 0.1367 if is_zerg else 0.0
    assert environment.units[0, 1, f.HEALTH] - 20.0 == pytest.approx(gained, abs=1e-9)
    assert environment.units[0, 1, f.REGENERATED] == pytest.approx(gained, abs=1e-9)
    full = environment._tables.stats[1, f.HEALTH_MAX]
    environment.units[0, 1, f.HEALTH] = full - 0.01
    arena.act(environment, f.STOP)
    assert environment.units[0, 1, f.HEALTH] == pytest.approx(full if is_zerg else full - 0.01)
    assert environment.units[0, 1, f.HEALTH] <= full


def healing(arena: Any, patient: str = "Marauder", distance: float = 3.0) -> Any:
    """An agent's medivac and its patient, agents 1 and 0, far from anybody."""
    environment = arena.battle([(patient, 16 + distance, 16), ("Medivac", 16, 16)], [FAR])
    arena.make_passive(environment, 2)
    return environment


def test_a_medivac_heals_4_5_a_step(arena: Any) -> None:
    environment = healing(arena)
    environment.units[0, 0, f.HEALTH] = 20.0
    for step in range(1, 11):
        arena.act(environment, f.STOP, f.FIRST_TARGET)
        assert environment.units[0, 0, f.HEALTH] == pytest.approx(20.0 + 4.5 * step)
        assert environment.units[0, 1, f.ENERGY] == pytest.approx(50.0 - 1.20375 * step)
    assert environment.units[0, 0, f.HEALED] == pytest.approx(45.0)
    environment.units[0, 0, f.HEALTH] = 124.0
    energy = environment.units[0, 1, f.ENERGY]
    arena.act(environment, f.STOP, f.FIRST_TARGET)
    assert environment.units[0, 0, f.HEALTH] == 125.0  # one point: pays for no more
    assert environment.units[0, 1, f.ENERGY] == pytest.approx(energy - 0.33 + 0.28125)
    assert environment.orders[0, 1, f.ORDER] == f.IDLE


def test_energy_of_a_medivac_lasts_41_to_42_steps(arena: Any) -> None:
    environment = healing(arena)
    healed = []
    while environment.units[0, 1, f.ENERGY] > 0.3:
        environment.units[0, 0, f.HEALTH] = 20.0
        arena.act(environment, f.STOP, f.FIRST_TARGET)
        healed.append(environment.units[0, 0, f.HEALED])
    assert 41 <= len(healed) <= 42
    np.testing.assert_allclose(healed[:41], 4.5 * np.arange(1, 42))
    assert healed[-1] == pytest.approx(187.0, abs=2.0)
    for _ in range(10):  # from now on what comes back is spent at once
        environment.units[0, 0, f.HEALTH] = 20.0
        arena.act(environment, f.STOP, f.FIRST_TARGET)
    more = environment.units[0, 0, f.HEALED] - healed[-1]
    assert more == pytest.approx(10 * 0.28125 / 0.33, abs=1.0)
    assert 0.0 <= environment.units[0, 1, f.ENERGY] < 0.3


def test_energy_comes_back_up_to_its_maximum(arena: Any) -> None:
    environment = healing(arena)
    arena.act(environment, f.STOP, f.STOP)
    assert environment.units[0, 1, f.ENERGY] == pytest.approx(50.28125)
    environment.units[0, 1, f.ENERGY] = 199.9
    arena.act(environment, f.STOP, f.STOP)
    assert environment.units[0, 1, f.ENERGY] == 200.0


def test_a_medivac_heals_living_hurt_biological_units_on_the_ground(arena: Any) -> None:
    for patient, is_healed in (("Marine", True), ("Zealot", True), ("Stalker", False)):
        environment = healing(arena, patient)
        environment.units[0, 0, f.HEALTH] = 20.0
        arena.act(environment, f.STOP, f.FIRST_TARGET)
        assert (environment.units[0, 0, f.HEALED] > 0.0) == is_healed
    environment = healing(arena)  # unhurt: the order is refused and what it did goes on
    arena.act(environment, f.STOP, f.WEST)
    arena.act(environment, f.STOP, f.FIRST_TARGET)
    assert environment.orders[0, 1, f.ORDER] == f.MOVE
    assert environment.units[0, 1, f.X] < 16.0 - 0.5
    assert environment.units[0, 1, f.ENERGY] == pytest.approx(50.5625)


def test_a_medivac_comes_within_four_cells_to_heal(arena: Any) -> None:
    reach = 4 + 0.75 + 0.5625
    environment = healing(arena, distance=5.9)
    environment.units[0, 0, f.HEALTH] = 20.0
    units, shots = arena.film(environment, 3, f.STOP, f.FIRST_TARGET)
    gap = units[:, 0, f.X] - units[:, 1, f.X]
    heals = shots[:, 1] == 0
    assert not heals[0]
    assert heals[-1]
    np.testing.assert_array_equal(heals, gap[:-1] <= reach)


def test_an_enemy_medivac_heals_who_has_least_of_its_life_until_it_is_whole(arena: Any) -> None:
    environment = arena.battle(
        [FAR], [("Medivac", 16, 16), ("Marine", 18, 16), ("Marauder", 17, 17), ("Marine", 16, 29)]
    )
    arena.make_passive(environment, 2, 3, 4)
    # the marauder is nearer and lacks more points; the last one is too far away
    environment.units[0, 2:, f.HEALTH] = (36.0, 110.0, 1.0)
    arena.act(environment, f.STOP)
    assert environment.units[0, 2:, f.HEALED].tolist() == [4.5, 0.0, 0.0]
    environment.units[0, 3, f.HEALTH] = 1.0  # worse now, yet the marine is kept
    arena.act(environment, f.STOP)
    assert environment.units[0, 2:, f.HEALED].tolist() == [9.0, 0.0, 0.0]  # whole now
    arena.act(environment, f.STOP)
    assert environment.units[0, 2:, f.HEALED].tolist() == [9.0, 4.5, 0.0]


def test_of_equally_hurt_units_an_enemy_medivac_heals_the_nearest(arena: Any) -> None:
    environment = arena.battle(
        [FAR], [("Medivac", 16, 16), ("Marine", 19, 16), ("Marine", 14.5, 16), ("Marine", 16, 19)]
    )
    arena.make_passive(environment, 2, 3, 4)
    environment.units[0, 2:, f.HEALTH] = 30.0
    arena.act(environment, f.STOP)
    assert environment.units[0, 2:, f.HEALED].tolist() == [0.0, 4.5, 0.0]


@pytest.mark.parametrize(("energy", "healed"), [(4.7, 0.0), (5.0, 4.5)])
def test_an_enemy_medivac_needs_five_of_energy_to_begin(
    energy: float, healed: float, arena: Any
) -> None:
    environment = arena.battle([FAR], [("Medivac", 16, 16), ("Marine", 16, 17.5)])
    arena.make_passive(environment, 2)
    environment.units[0, 2, f.HEALTH] = 30.0
    environment.units[0, 1, f.ENERGY] = energy
    arena.act(environment, f.STOP)
    assert environment.units[0, 2, f.HEALED] == healed


def zerglings(across: bool, n: int = 9, turn: float = 0.0) -> list[tuple[str, float, float]]:
    """Zerglings 0.75 apart round a point 5.5 cells from (16, 16), in line or across."""
    offsets = 0.75 * (np.arange(n) - n // 2)
    along, aside = (np.zeros(n), offsets) if across else (offsets + 0.75 * (n // 2), np.zeros(n))
    cos, sin = np.cos(turn), np.sin(turn)
    x = 16 + (5.5 + along) * cos - aside * sin
    y = 16 + (5.5 + along) * sin + aside * cos
    return [("Zergling", *place) for place in zip(x.tolist(), y.tolist(), strict=True)]


@pytest.mark.parametrize("turn", [0.0, 0.4, 2.0])
@pytest.mark.parametrize(("to_edge", "n_hit"), [(True, 5), (False, 3)])
def test_beams_sweep_a_row_across_the_shot(
    to_edge: bool, n_hit: int, turn: float, arena: Any
) -> None:
    rules = replace(arena.exact, splash_to_edge=to_edge)
    places = zerglings(across=True, turn=turn)
    environment = arena.battle([("Colossus", 16, 16)], places, rules)
    arena.make_passive(environment, *range(1, 10))
    arena.film(environment, 2, f.FIRST_TARGET + 4)
    taken = environment.units[0, 1:, f.TAKEN]
    expected = np.zeros(9)
    expected[4 - n_hit // 2 : 5 + n_hit // 2] = 30.0  # 10 + 5 by each of two beams
    np.testing.assert_array_equal(taken, expected)
    assert environment.units[0, 0, f.DEALT] == 30.0 * n_hit
    units, shots = arena.film(environment, 3, f.FIRST_TARGET + 4)
    assert (shots[:, 0] >= 0).sum() == 1
    assert (units[-1, 1:, f.HEALTH] == 0.0).sum() == n_hit  # the second volley kills


def test_beams_hit_four_loops_after_they_touch(arena: Any) -> None:
    # shot in loop 2; eleven probes .3632 loops apart, two or three in each of the loops 3 to 6;
    # each beam begins at one end. Who stands at -1.5, -.75, 0, .75, 1.5 is first touched by probes
    # 1, 1, 4, 7, 10 of the one and 10, 7, 4, 1, 1 of the other
    environment = arena.battle([("Colossus", 16, 16)], zerglings(across=True, n=5))
    arena.make_passive(environment, *range(1, 6))
    units, shots = arena.film(environment, 2, f.FIRST_TARGET + 2)
    assert np.flatnonzero(shots[:, 0] >= 0).tolist() == [1]
    hits = [(np.flatnonzero(ways > 0.0) + 1).tolist() for ways in np.diff(units[:, 1:, f.TAKEN].T)]
    assert hits == [[7, 10], [7, 9], [8], [7, 9], [7, 10]]


def test_beams_sweep_where_the_target_was(arena: Any) -> None:
    # it runs on along the shot: the line stays. The second of the four loops' probes are the first
    # near enough; those .25 off the middle then reach .46 along the shot
    for pace, taken in ((0.45, 30.0), (0.48, 0.0)):
        environment = arena.battle(
            [("Colossus", 16, 16)], [("Zergling", 20, 16)], goal=(30.0, 16.0)
        )
        arena.make_passive(environment, 1)
        environment._tables.stats[1, f.SPEED] = pace
        environment.orders[0, 1, f.ORDER] = f.MOVE
        arena.film(environment, 2, f.FIRST_TARGET)
        assert environment.units[0, 1, f.TAKEN] == taken


# measured: whom two colossi kill that shoot at these zerglings (in order of creation) as soon as
# the battle begins, and in which loop; here one more and one less, one of them a loop later
VOLLEYS = [
    ((22, 22), {22: 8, 18: 9, 6: 9, 38: 10, 55: 10, 3: 10}),  # two battles
    ((23, 23), {23: 8, 15: 9, 7: 9, 43: 10, 56: 10}),
    ((18, 18), {18: 8, 11: 9, 3: 9, 22: 10, 42: 10}),
    ((11, 34), {11: 8}),
    ((15, 43), {23: 9, 15: 10}),
    ((14, 22), {6: 9, 38: 10, 22: 10}),
    ((23, 39), {39: 8, 15: 9, 56: 10}),
]


def test_the_first_volleys_kill_whom_they_killed_in_starcraft() -> None:
    rules = Rules(draws_enemy_ids=False)
    environment = SkirmishEnvironment(load_scenario("2c_vs_64zg"), 1, 0, rules, records_loops=True)
    n_same = n_real = n_here = 0
    for targets, real in VOLLEYS:
        environment.reset()
        here: dict[int, int] = {}
        for step in range(2):
            attacks = np.array([targets]) + f.FIRST_TARGET
            environment.step(attacks if step == 0 else np.array([[f.EAST, f.EAST]]))
            for loop in range(f.LOOPS_PER_STEP):
                for k in np.flatnonzero(environment.loop_units[0, loop, 2:, f.HEALTH] <= 0.0):
                    here.setdefault(int(k), step * f.LOOPS_PER_STEP + loop + 1)
        n_same += len(real.items() & here.items())
        n_real += len(real)
        n_here += len(here)
    assert (n_same, n_real, n_here) == (23, 25, 25)


def test_older_beams_kill_zerglings_at_once(arena: Any) -> None:
    rules = replace(arena.exact, weapon_profile="liberty_base")
    places = zerglings(across=True)
    environment = arena.battle([("Colossus", 16, 16)], places, rules)
    arena.make_passive(environment, *range(1, 10))
    arena.film(environment, 2, f.FIRST_TARGET + 4)
    assert (environment.units[0, 1:, f.HEALTH] == 0.0).sum() == 5


def test_beams_hit_one_of_a_file_along_the_shot(arena: Any) -> None:
    for turn in (0.0, 0.4):
        places = zerglings(across=False, n=4, turn=turn)
        environment = arena.battle([("Colossus", 16, 16)], places)
        arena.make_passive(environment, *range(1, 5))
        arena.film(environment, 2, f.FIRST_TARGET)
        assert environment.units[0, 1:, f.TAKEN].tolist() == [30.0, 0.0, 0.0, 0.0]
        # within half a cell of the line: probe 0.15 + radius 0.375
        for ahead, is_hit in ((0.52, True), (0.53, False)):
            environment = arena.battle([("Colossus", 16, 16)], places[:2])
            arena.make_passive(environment, 1, 2)
            environment.units[0, 2, [f.X, f.Y]] = environment.units[0, 1, [f.X, f.Y]]
            environment.units[0, 2, f.X] += ahead * np.cos(turn)
            environment.units[0, 2, f.Y] += ahead * np.sin(turn)
            environment._tables.stats[1:, f.SEPARATION] = 0.0
            arena.film(environment, 2, f.FIRST_TARGET)
            assert (environment.units[0, 2, f.TAKEN] > 0.0) == is_hit


def test_beams_spare_their_own_side_and_the_air(arena: Any) -> None:
    environment = arena.battle(
        [("Colossus", 16, 16), ("Zergling", 21.5, 15.2)],
        [("Zergling", 21.5, 16), ("Medivac", 21.5, 16.8), ("Colossus", 21.5, 18.6)],
    )
    arena.make_passive(environment, 2, 3, 4)
    arena.film(environment, 2, f.FIRST_TARGET, f.STOP)
    # a colossus within 1.25 + 0.15 + 1 of the target is hit too: 10 by each beam
    assert environment.units[0, :, f.TAKEN].tolist() == [0.0, 0.0, 30.0, 0.0, 0.0]
    environment.units[0, 4, f.Y] = 18.3
    environment.units[0, 2, f.HEALTH] = 35.0
    arena.film(environment, 3, f.FIRST_TARGET, f.STOP)
    assert environment.units[0, :, f.TAKEN].tolist() == [0.0, 0.0, 60.0, 0.0, 20.0]


def test_beams_of_a_dead_colossus_touch_nobody_more(arena: Any) -> None:
    # it dies in loop 4: two of the four loops' probes are left out, what they touched is hit
    environment = arena.battle([("Colossus", 16, 16)], zerglings(across=True, n=5))
    arena.make_passive(environment, *range(1, 6))
    environment._step_loops[:] = 4
    arena.act(environment, f.FIRST_TARGET + 2)
    environment.units[0, 0, f.HEALTH] = 0.0
    environment._step_loops[:] = f.LOOPS_PER_STEP
    environment._battles.is_over[0] = False
    arena.film(environment, 1, f.STOP)
    assert environment.units[0, 1:, f.TAKEN].tolist() == [15.0, 15.0, 30.0, 15.0, 15.0]


def crowd(n: int = 3) -> list[tuple[str, float, float]]:
    """Zerglings too far apart for beams to touch two of them."""
    return [("Zergling", 20.0, 16.0), ("Zergling", 16.0, 21.0), ("Zergling", 10.0, 16.0)][:n]


def shots_of(shots: Any) -> list[tuple[int, int]]:
    """(loop from 1, at whom) of unit 0's shots."""
    return [(int(loop) + 1, int(shots[loop, 0])) for loop in np.flatnonzero(shots[:, 0] >= 0)]


def test_a_colossus_that_stands_fires_by_itself(arena: Any) -> None:
    # data: its weapon fires without an attack order; measured: 85 volleys of stopped colossi
    environment = arena.battle([("Colossus", 16, 16)], crowd())
    arena.make_passive(environment, 1, 2, 3)
    environment.orders[0, 0, f.RESCAN] = 4  # it looks in the fourth loop, and prepares two
    _, shots = arena.film(environment, 4, f.STOP)
    assert shots_of(shots) == [(5, 1), (29, 1)]  # the nearest, kept


def test_units_with_other_weapons_wait_for_orders(arena: Any) -> None:
    for kind, rules in (
        ("Stalker", arena.exact),
        ("Marine", arena.exact),
        ("Colossus", replace(arena.exact, weapon_profile="liberty_base")),
    ):
        environment = arena.battle([(kind, 16, 16)], crowd(), rules)
        arena.make_passive(environment, 1, 2, 3)
        _, shots = arena.film(environment, 4, f.STOP)
        assert shots_of(shots) == []


def test_a_colossus_does_not_fire_while_it_walks(arena: Any) -> None:
    # measured: no volley in 420 steps walked to the full, but within two loops of standing
    environment = arena.battle([("Colossus", 10, 10)], [("Zergling", 15.0, 13.0)])
    arena.make_passive(environment, 1)
    environment.orders[0, 0, f.AIMED] = 1
    _, shots = arena.film(environment, 3, f.EAST)
    assert shots_of(shots) == []
    _, shots = arena.film(environment, 1, f.STOP)
    assert shots_of(shots) == [(2, 1)]  # measured: two loops after the order to stop


def test_a_colossus_that_is_held_up_fires(arena: Any) -> None:
    # measured: it does, where another one is in its way
    environment = arena.battle(
        [("Colossus", x, y) for x, y in ((12, 16), (13.94, 16), (13, 17.7), (13, 14.3))],
        [("Zergling", 17.0, 18.0)],
    )
    arena.make_passive(environment, 4)
    environment._tables.stats[1:4, f.SPEED] = 0.0
    environment._tables.stats[1:4, f.FIRES_FREELY] = 0.0
    environment.orders[0, 0, f.AIMED] = 4
    units, shots = arena.film(environment, 2, f.EAST, f.STOP, f.STOP, f.STOP)
    assert len(shots_of(shots)) == 1
    assert units[-1, 0, f.X] < 12.3


def test_a_shot_begun_is_not_lost_by_walking_on(arena: Any) -> None:
    # measured: eight volleys one or two loops after an order to move; the walk is not delayed
    environment = arena.battle([("Colossus", 12, 16)], [("Zergling", 17.0, 16.0)])
    arena.make_passive(environment, 1)
    environment.units[0, 0, f.COOLDOWN] = 8.5
    _, shots = arena.film(environment, 1, f.FIRST_TARGET)
    assert shots_of(shots) == []
    units, shots = arena.film(environment, 1, f.WEST)
    assert shots_of(shots) == [(1, 1)]
    assert units[-1, 0, f.X] == pytest.approx(12.0 - 1.125)


def test_a_colossus_keeps_whom_it_was_told_to_attack(arena: Any) -> None:
    # measured: of 80 volleys without an order, the one it had attacked living, 66 killed that one
    environment = arena.battle([("Colossus", 16, 16)], crowd())
    arena.make_passive(environment, 1, 2, 3)
    _, shots = arena.film(environment, 1, f.FIRST_TARGET + 2)
    assert shots_of(shots) == [(2, 3)]
    _, shots = arena.film(environment, 3, f.STOP)
    assert shots_of(shots) == [(18, 3)]


@pytest.mark.parametrize("is_dead", [True, False])
def test_a_colossus_goes_on_with_who_is_nearest_to_its_last_target(
    is_dead: bool, arena: Any
) -> None:
    # data (AcquirePrioritization ByDistanceFromTarget); measured, see the docs
    places = [("Zergling", 20.0, 16.0), ("Zergling", 16.0, 21.0), ("Zergling", 14.0, 21.5)]
    environment = arena.battle([("Colossus", 16, 16)], places)
    arena.make_passive(environment, 1, 2, 3)
    arena.act(environment, f.FIRST_TARGET + 2)
    if is_dead:
        environment.units[0, 3, f.HEALTH] = 0.0
    else:
        environment.units[0, 3, [f.X, f.Y]] = (11.0, 25.0)  # out of reach
    _, shots = arena.film(environment, 3, f.EAST)  # it chooses at once, though it walks
    assert shots_of(shots) == []
    assert environment.orders[0, 0, f.AIMED] == 2
    _, shots = arena.film(environment, 1, f.STOP)
    assert shots_of(shots) == [(2, 2)]


BLAST = 2.2  # cells from the baneling to whoever's edge
AROUND = [("Zergling", 2.57), ("Zergling", -2.58), ("Zealot", 2.69), ("Zealot", -2.71)]


@pytest.mark.parametrize("to_edge", [True, False])
def test_a_baneling_bursts_by_attacking(to_edge: bool, arena: Any) -> None:
    # target, then others near the rim: x to the east or west for the first, y for the zealots
    rules = replace(arena.exact, splash_to_edge=to_edge)
    rim = [1.0, 0.999] if to_edge else [0.0, 0.0]
    near, far = BLAST + rim[1] * 0.375 - 1e-6, BLAST + rim[0] * 0.375 + 1e-6
    zealot_near, zealot_far = BLAST + rim[1] * 0.5 - 1e-6, BLAST + rim[0] * 0.5 + 1e-6
    environment = arena.battle(
        [("Baneling", 16, 16), ("Baneling", 15.2, 16), ("Marine", 16, 17)],
        [
            ("Marauder", 16.9, 16),
            ("Zergling", 16 + near, 16),
            ("Zergling", 16 - far, 16),
            ("Zealot", 16, 16 + zealot_near),
            ("Zealot", 16, 16 - zealot_far),
            ("Medivac", 15, 15),
        ],
        rules,
    )
    arena.make_passive(environment, *range(3, 9))
    arena.act(environment, f.FIRST_TARGET, f.STOP, f.STOP)
    taken = environment.units[0, :, f.TAKEN].tolist()
    # itself its life; the marauder 20 less its armor, light ones 35; nobody of its own side
    assert taken == [30.0, 0.0, 0.0, 19.0, 35.0, 0.0, 35.0, 0.0, 0.0]
    assert environment.units[0, 0, f.HEALTH] == 0.0
    assert environment.units[0, 0, f.DEALT] == sum(taken)
    arena.film(environment, 4, f.NO_OP, f.STOP, f.STOP)
    assert environment.units[0, :, f.TAKEN].tolist() == taken  # once


def test_a_killed_baneling_bursts_too(arena: Any) -> None:
    environment = arena.battle(
        [("Marine", 16, 16), ("Marine", 16, 19), ("Marine", 11, 16), ("Zealot", 18.1, 16)],
        [("Baneling", 16, 16.9), ("Zergling", 16, 17.9), FAR],
    )
    arena.make_passive(environment, 4, 5, 6)
    arena.stop_regeneration(environment)
    environment.units[0, 4, f.HEALTH] = 6.0
    arena.act(environment, f.FIRST_TARGET, f.STOP, f.STOP, f.STOP)
    # the marine that shot it, another, none far away; the zealot's shield; not the zergling
    assert environment.units[0, :, f.TAKEN].tolist() == [35.0, 35.0, 0.0, 35.0, 6.0, 0.0, 0.0]
    assert environment.units[0, 3, LIFE].tolist() == [100.0, 15.0]
    assert environment.units[0, 4, f.DEALT] == 105.0


def test_a_burst_sets_off_the_next(arena: Any) -> None:
    # one baneling of each side by turns, 2.2 apart, weakened: one shot kills all and the marine
    allies = [("Marine", 8, 16), ("Baneling", 12, 16), ("Baneling", 16, 16), ("Marine", 19.9, 16)]
    enemies = [("Baneling", 10, 16), ("Baneling", 14, 16), ("Baneling", 18, 16), FAR]
    environment = arena.battle(allies, enemies)
    arena.make_passive(environment, *range(4, 8))
    arena.stop_regeneration(environment)
    environment.units[0, [1, 2, 4, 5, 6], f.HEALTH] = 5.0
    environment.units[0, 3, f.HEALTH] = 30.0
    units, _ = arena.film(environment, 1, f.FIRST_TARGET, f.STOP, f.STOP, f.STOP)
    hit = np.flatnonzero(units[:, 4, f.HEALTH] == 0.0)[0]
    assert units[hit, :, f.HEALTH].tolist() == [10.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 45.0]
    assert units[-1, :, f.DEALT].sum() == units[-1, :, f.TAKEN].sum() == 6 * 5 - 5 + 35 + 30


def test_bursts_of_one_loop_do_not_depend_on_the_order_of_units(arena: Any) -> None:
    places = [("Baneling", 16.0, 16.0), ("Baneling", 16.0, 17.0), ("Baneling", 16.6, 16.5)]
    ends = []
    for order in ([0, 1, 2], [2, 1, 0], [1, 2, 0]):
        environment = arena.battle([places[k] for k in order] + [FAR], [("Zealot", 16.8, 17.4)])
        arena.make_passive(environment, 4)
        arena.act(environment, f.FIRST_TARGET, f.FIRST_TARGET, f.FIRST_TARGET, f.STOP)
        ends.append(environment.units[0, 4, LIFE].tolist())
    assert ends[0] == ends[1] == ends[2]


def test_a_missile_flies_follows_and_is_lost_with_its_target(arena: Any) -> None:
    # 18.75 per second to the edge of a zealot 6 cells away: five loops, the last one begun
    environment = arena.battle([("Stalker", 16, 16)], [("Zealot", 22, 16), FAR])
    arena.make_passive(environment, 1, 2)
    units, shots = arena.film(environment, 2, f.FIRST_TARGET)
    fired = np.flatnonzero(shots[:, 0] >= 0)[0]
    hit = np.flatnonzero(units[1:, 1, f.TAKEN])[0]
    assert hit - fired == np.ceil((6 - 0.5) / (18.75 / 16))
    # two stalkers shoot at one point of life: the second missile is lost
    environment = arena.battle(
        [("Stalker", 16, 16), ("Stalker", 16, 18)], [("Zealot", 20, 16), ("Zealot", 20, 17)]
    )
    arena.make_passive(environment, 2, 3)
    arena.stop_regeneration(environment)
    environment.units[0, 2, LIFE] = (1.0, 0.0)
    units, _ = arena.film(environment, 3, f.FIRST_TARGET, f.FIRST_TARGET)
    assert units[-1, 2:, f.TAKEN].tolist() == [1.0, 0.0]
    assert (units[-1, :2, f.DEALT] == 0.0).sum() == 1


def test_a_missile_outlives_who_fired_it(arena: Any) -> None:
    environment = arena.battle([("Stalker", 16, 16), FAR], [("Zealot", 22, 16)])
    arena.make_passive(environment, 2)
    environment.units[0, 0, f.COOLDOWN] = 6.5
    arena.act(environment, f.FIRST_TARGET, f.STOP)
    assert environment.orders[0, 0, f.MISSILE_TARGET] == 2
    environment.units[0, 0, f.HEALTH] = 0.0
    arena.act(environment, f.STOP, f.STOP)
    assert environment.units[0, 2, f.TAKEN] == 13.0
