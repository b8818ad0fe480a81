"""Acceptance of single units: how far they walk, from where, how fast and how hard they hit."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from suite.environments.skirmish import fields as f
from suite.environments.skirmish.rules import Rules
from suite.environments.skirmish.scenario import load_unit_types

TIME_TO_KILL = json.loads(
    (Path(__file__).parents[1] / "data" / "time_to_kill.json").read_text("utf-8")
)["profiles"]
DUELS = [(profile, duel) for profile, duels in TIME_TO_KILL.items() for duel in duels]
PROFILES = list(TIME_TO_KILL)
FAR = ("Marine", 1.5, 1.5)  # somebody else, out of everyone's sight


def reach(attacker: str, target: str, profile: str = PROFILES[0]) -> float:
    """Largest centre distance at which a unit shoots at another."""
    types = load_unit_types()
    radii = types[attacker].radius + types[target].radius
    return types[attacker].weapons[profile].range + radii


def shot_times(
    units: NDArray[np.float64], shots: NDArray[np.int64], u: int, period: float
) -> NDArray[np.float64]:
    """When unit u shot, in loops, to the fraction of a loop; no jitter.

    A cooldown starts at the shot, so at the loop's end it tells when in the loop that was.
    """
    loops = np.flatnonzero(shots[:, u] >= 0)
    return np.asarray(loops + 1 - (period - units[loops + 1, u, f.COOLDOWN]))


@pytest.mark.parametrize(
    ("kind", "distance"),
    [
        ("Marine", 1.125),
        ("Marauder", 1.125),
        ("Stalker", 1.47655),
        ("Zealot", 1.125),
        ("Colossus", 1.125),
        ("Zergling", 1.47655),
        ("Baneling", 1.25),
        ("Hydralisk", 1.125),
    ],
)
def test_distance_of_a_step(kind: str, distance: float, arena: Any) -> None:
    environment = arena.battle([(kind, 16, 16)], [FAR])
    for action, x, y in ((f.EAST, 1, 0), (f.NORTH, 0, 1), (f.WEST, -1, 0), (f.SOUTH, 0, -1)):
        before = environment.units[0, 0, [f.X, f.Y]].copy()
        arena.act(environment, action)
        walked = environment.units[0, 0, [f.X, f.Y]] - before
        np.testing.assert_allclose(walked, (x * distance, y * distance), atol=1e-12)


def test_a_medivac_gathers_speed(arena: Any) -> None:
    environment = arena.battle([("Medivac", 4, 16)], [FAR])
    walked = []
    for _ in range(6):
        before = environment.units[0, 0, f.X]
        arena.act(environment, f.EAST)
        walked.append(environment.units[0, 0, f.X] - before)
    # measured: 9, 9.3252, 10.2285, 11.439 in 31 and 5 battles; it brakes before each goal
    assert walked[:3] == pytest.approx([0.3252, 0.9033, 1.2105], abs=1e-4)
    assert all(walked[1] < step < 1.375 for step in walked[3:])
    arena.act(environment, f.STOP)
    before = environment.units[0, 0, f.X]
    arena.act(environment, f.EAST)
    assert environment.units[0, 0, f.X] - before == pytest.approx(walked[0])


def test_a_medivac_brakes_before_its_goal(arena: Any) -> None:
    environment = arena.battle([("Marine", 30, 16), ("Medivac", 9, 16)], [FAR])
    places = []
    for action in (f.EAST, f.EAST, f.EAST, f.FIRST_TARGET, f.FIRST_TARGET):  # the last are refused
        environment.available_actions[:] = True
        arena.act(environment, f.STOP, action)
        places.append(environment.units[0, 1, f.X])
    # measured: told at 10.2285 to go to 12.2285, 8 loops later at 11.439, 16 later at 12.1255
    assert places == pytest.approx([9.3252, 10.2285, 11.439, 12.1255, 12.2285], abs=1e-4)


def test_a_medivac_does_not_brake_before_its_patient(arena: Any) -> None:
    environment = arena.battle([("Marine", 23, 16), ("Medivac", 12, 16)], [FAR])
    environment.units[0, 0, f.HEALTH] = 1.0
    strides, heals = [], []
    for _ in range(6):
        environment.available_actions[:] = True
        units, shots = arena.film(environment, 1, f.STOP, f.FIRST_TARGET)
        strides += np.diff(units[:, 1, f.X]).tolist()
        heals += (shots[:, 1] == 0).tolist()
    n = heals.index(True)
    np.testing.assert_allclose(strides[20:n], 2.75 / 16)
    assert not any(strides[n:])


@pytest.mark.parametrize(("profile", "distance"), [(PROFILES[0], 1.25), (PROFILES[1], 1.375)])
def test_the_enemies_medivac_is_slower_with_the_newer_data(
    profile: Any, distance: float, arena: Any
) -> None:
    rules = replace(arena.exact, weapon_profile=profile)
    environment = arena.battle([("Marine", 2, 30)], [("Medivac", 30, 16)], rules, goal=(2, 16))
    for _ in range(4):
        arena.act(environment, f.STOP)
    before = environment.units[0, 1, f.X]
    arena.act(environment, f.STOP)
    assert before - environment.units[0, 1, f.X] == pytest.approx(distance)


@pytest.mark.parametrize(("profile", "duel"), [d for d in DUELS if "Baneling ->" not in d[1]])
def test_time_to_kill(profile: Any, duel: str, arena: Any) -> None:
    attacker, target = duel.split(" -> ")
    expected = TIME_TO_KILL[profile][duel]
    distance = min(reach(attacker, target, profile), f.SHOOT_RANGE) - 1e-6
    rules = replace(arena.exact, weapon_profile=profile)
    environment = arena.battle([(attacker, 16, 16)], [(target, 16 + distance, 16)], rules)
    arena.stop_regeneration(environment)
    arena.make_passive(environment, 1)
    units, shots = arena.film(environment, int(expected["loops"] / 8) + 4, f.FIRST_TARGET)
    assert units[-1, 1, f.HEALTH] == 0.0
    period = load_unit_types()[attacker].weapons[profile].period_loops
    times = shot_times(units, shots, 0, period)
    assert len(times) == expected["volleys"]
    assert times[-1] - times[0] == pytest.approx(expected["loops"], abs=0.0051)  # two decimals


@pytest.mark.parametrize(("profile", "duel"), [d for d in DUELS if "Baneling ->" in d[1]])
def test_banelings_to_kill(profile: Any, duel: str, arena: Any) -> None:
    # whoever bursts has no second volley: so many banelings are needed, at any time
    target = duel.split(" -> ")[1]
    needed = TIME_TO_KILL[profile][duel]["volleys"]
    for n in (needed - 1, needed):
        angles = 2 * np.pi * np.arange(n) / max(n, 1)
        radius = reach("Baneling", target, profile) - 1e-6
        places = [("Baneling", 16 + radius * np.cos(a), 16 + radius * np.sin(a)) for a in angles]
        rules = replace(arena.exact, weapon_profile=profile)
        environment = arena.battle([*places, FAR], [(target, 16, 16)], rules)
        arena.stop_regeneration(environment)
        arena.make_passive(environment, n + 1)
        arena.act(environment, *[f.FIRST_TARGET] * n, f.STOP)
        assert not environment.units[0, :n, f.HEALTH].any()
        assert (environment.units[0, n + 1, f.HEALTH] == 0.0) == (n == needed)


@pytest.mark.parametrize(
    "kind",
    ["Marine", "Marauder", "Stalker", "Zealot", "Colossus", "Zergling", "Hydralisk",
     "SpineCrawler"],
)  # fmt: skip
def test_periods_are_uniform_over_the_jitter(kind: str, arena: Any) -> None:
    n = 4000
    rules = Rules(march_loops=0)
    weapon = load_unit_types()[kind].weapons[rules.weapon_profile]
    distance = min(reach(kind, "Marauder"), f.SHOOT_RANGE) - 1e-6
    environment = arena.battle(
        [(kind, 16, 16)], [("Marauder", 16 + distance, 16)], rules, n_environments=n
    )
    arena.make_passive(environment, 1)
    environment.step(np.full((n, 1), f.FIRST_TARGET))
    # everyone shot when the damage point had passed, in whole loops; the cooldown left is the
    # interval left
    damage_point = np.ceil(weapon.damage_point_loops)
    intervals = environment.units[:, 0, f.COOLDOWN] + f.LOOPS_PER_STEP - damage_point
    low, high = weapon.period_loops - 1.0, weapon.period_loops + 2.0
    assert low <= intervals.min() < low + 0.01
    assert high - 0.01 < intervals.max() <= high
    shares = np.histogram(intervals, 10, (low, high))[0] / n
    np.testing.assert_allclose(shares, 0.1, atol=4 * np.sqrt(0.1 * 0.9 / n))


def test_periods_of_a_marine_over_a_long_time(arena: Any) -> None:
    environment = arena.battle([("Marine", 16, 16)], [("Marauder", 20, 16)], Rules(march_loops=0))
    arena.make_passive(environment, 1)
    environment._tables.stats[1, f.HEALTH_MAX] = environment.units[0, 1, f.HEALTH] = 1e6
    _, shots = arena.film(environment, 4000, f.FIRST_TARGET)
    loops = np.flatnonzero(shots[:, 0] >= 0)
    intervals = np.diff(loops)  # whole loops: a shot falls somewhere within its loop
    assert set(intervals) <= set(range(12, 17))
    n = len(intervals)
    spread = np.sqrt(3.0**2 / 12)
    mean = (loops[-1] - loops[0]) / n
    assert mean == pytest.approx(14.2728, abs=(2.58 * spread * np.sqrt(n) + 1) / n)  # 99 %


@pytest.mark.parametrize(
    ("attacker", "target", "distance"),
    [
        ("Marine", "Marine", 5.75),
        ("Stalker", "Stalker", 7.25),
        ("Zealot", "Marine", 0.975),
        ("Zealot", "Zealot", 1.1),
        ("Hydralisk", "Zealot", 6.125),
        ("Colossus", "Zergling", 8.375),
        ("Marauder", "Marauder", 7.125),
        ("SpineCrawler", "Stalker", 8.5),
        ("Zergling", "Colossus", 1.475),
        ("Baneling", "Zealot", 1.125),
    ],
)
def test_reach(attacker: str, target: str, distance: float, arena: Any) -> None:
    for further, hits in ((-1e-6, True), (1e-6, False)):
        environment = arena.battle([(target, 8, 16)], [(attacker, 8 + distance + further, 16)])
        environment._tables.stats[1, f.SPEED] = 0.0
        arena.film(environment, 2, f.STOP)
        assert (environment.units[0, 0, f.TAKEN] > 0.0) == hits


@pytest.mark.parametrize(
    ("attacker", "target"),
    [("Marine", "Marine"), ("Stalker", "Zealot"), ("Zealot", "Marine"), ("Zergling", "Zergling")],
)
def test_an_approach_ends_in_the_first_stride_within_reach(
    attacker: str, target: str, arena: Any
) -> None:
    environment = arena.battle([(target, 8, 16)], [(attacker, 15, 16)], goal=(8, 16))
    units, _ = arena.film(environment, 6, f.STOP)
    speed = load_unit_types()[attacker].speed_per_loop
    ends = 8 + reach(attacker, target)
    assert ends - speed < units[-1, 1, f.X] <= ends


def test_only_weapons_against_air_hit_medivacs(arena: Any) -> None:
    for kind, type_ in load_unit_types().items():
        if not type_.weapons:
            continue
        environment = arena.battle([(kind, 16, 16), ("Marine", 30, 30)], [("Medivac", 16.5, 16)])
        arena.make_passive(environment, 2)
        for _ in range(3):
            arena.act(environment, f.FIRST_TARGET, f.STOP)
        is_hit = environment.units[0, 2, f.TAKEN] > 0.0
        assert is_hit == (kind in {"Marine", "Stalker", "Hydralisk"})


def test_structures_stay_where_they_are(arena: Any) -> None:
    environment = arena.battle(
        [("Stalker", 16, 14), ("Stalker", 16, 12)], [("SpineCrawler", 16, 16)]
    )
    for _ in range(5):
        arena.act(environment, f.NORTH, f.NORTH)
        assert environment.units[0, 2, [f.X, f.Y]].tolist() == [16.0, 16.0]
        gaps = np.hypot(*(environment.units[0, :2, [f.X, f.Y]] - 16.0))
        assert gaps.min() > 0.875 + 0.625 - 0.1


def test_flying_units_pass_over_others_and_push_idle_ones(arena: Any) -> None:
    environment = arena.battle([("Marine", 16.1, 16), ("Medivac", 16, 16)], [FAR])
    arena.act(environment, f.STOP, f.EAST)
    walked = environment.units[0, :2, f.X] - [16.1, 16]
    np.testing.assert_allclose(walked, [0.0, 0.3251953125], atol=1e-9)
    environment = arena.battle([("Medivac", 16, 16), ("Medivac", 17.6, 16.2)], [FAR])
    for _ in range(3):
        arena.act(environment, f.EAST, f.STOP)
    walker, idle = environment.units[0, :2, [f.X, f.Y]].T
    assert walker[0] > 17.6
    assert np.hypot(*(idle - (17.6, 16.2))) > 0.5
    assert np.hypot(*(idle - walker)) > 1.5 - 1 / 16 - 0.02
