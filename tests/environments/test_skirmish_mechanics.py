"""Rules of battle against numbers worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numba import njit

from suite.environments.skirmish import fields as f
from suite.environments.skirmish import steering
from suite.environments.skirmish.environment import SkirmishEnvironment
from suite.environments.skirmish.rules import Rules
from suite.environments.skirmish.scenario import EnemyOrder, Placement, load_scenario

EXACT = Rules(period_jitter_loops=(0.0, 0.0), march_loops=0, draws_enemy_ids=False)
PERIOD = 13.7728

# kernels that kernels call only
is_free_at = njit(lambda is_free, x, y: steering.is_free_at(is_free, x, y))
walk = njit(lambda is_free, x, y, to_x, to_y, room: steering.walk(is_free, x, y, to_x, to_y, room))


def battle(
    allies: list[tuple[float, float]],
    enemies: list[tuple[float, float]],
    rules: Rules = EXACT,
    n_environments: int = 1,
    goal: tuple[float, float] | None = None,
) -> SkirmishEnvironment:
    """3m's ground with marines at these places; enemies stay where they are unless `goal`."""
    scenario = replace(
        load_scenario("3m"),
        allies=tuple(Placement("Marine", x, y) for x, y in allies),
        enemies=tuple(Placement("Marine", x, y) for x, y in enemies),
        enemy_point=enemies[0],
        enemy_order=EnemyOrder("attack_move" if goal else "none", (goal or enemies[0],) * 2),
    )
    return SkirmishEnvironment(scenario, n_environments, 0, rules)


def make_passive(environment: SkirmishEnvironment, *units: int) -> None:
    """Let these units do nothing but be hit."""
    environment._tables.stats[list(units), f.IS_SCANNING] = 0.0
    environment.orders[:, list(units), f.ORDER] = f.IDLE


def act(environment: SkirmishEnvironment, *actions: int) -> Any:
    return environment.step(np.array([actions]))


def test_a_move_covers_eight_loops_of_speed() -> None:
    environment = battle([(9, 16)], [(30, 16)])
    for action, x, y in (
        (f.EAST, 10.125, 16), (f.NORTH, 10.125, 17.125), (f.WEST, 9, 17.125), (f.SOUTH, 9, 16),
        (f.STOP, 9, 16),
    ):  # fmt: skip
        act(environment, action)
        np.testing.assert_allclose(environment.units[0, 0, [f.X, f.Y]], (x, y), atol=1e-12)


def test_enemies_march_in_formation_to_their_goal() -> None:
    environment = battle([(2, 8)], [(23, 20), (23.75, 20.75)], goal=(20.375, 20.375))
    act(environment, f.STOP)
    np.testing.assert_allclose(environment.units[0, 1:, f.X], (21.875, 22.625), atol=1e-12)
    for _ in range(4):
        act(environment, f.STOP)
    np.testing.assert_allclose(environment.units[0, 1:, f.X], (20, 20.75), atol=1e-12)
    np.testing.assert_allclose(environment.units[0, 1:, f.Y], (20, 20.75), atol=1e-12)


def test_time_to_kill_is_eight_volleys_in_96_41_loops() -> None:
    environment = battle([(9, 16)], [(14, 16)])
    environment.orders[0, 1, f.RESCAN] = 1  # it scans in the first loop
    fired, loop = [], 0
    health = [45.0]
    while environment.units[0, 0, f.HEALTH] > 0:
        act(environment, f.STOP)
        loop += f.LOOPS_PER_STEP
        if environment.units[0, 0, f.HEALTH] < health[-1]:
            health.append(environment.units[0, 0, f.HEALTH])
            fired.append(loop - (PERIOD - environment.units[0, 1, f.COOLDOWN]))
    assert health == [45.0, 39.0, 33.0, 27.0, 21.0, 15.0, 9.0, 3.0, 0.0]
    assert fired[0] == pytest.approx(1.0)  # the damage point of 0.8 in whole loops
    assert fired[-1] - fired[0] == pytest.approx(96.41, abs=0.01)


def test_shot_intervals_are_uniform_over_the_jitter() -> None:
    environment = battle([(9, 16)], [(14, 16)], replace(Rules(), march_loops=0), 2000)
    environment.orders[:, 1, f.RESCAN] = 1
    environment.step(np.full((2000, 1), f.STOP))
    # everyone shot at loop 1, and fire is continuous: the cooldown left is the interval left
    intervals = environment.units[:, 1, f.COOLDOWN] + f.LOOPS_PER_STEP - 1.0
    assert intervals.min() == pytest.approx(12.7728, abs=0.02)
    assert intervals.max() == pytest.approx(15.7728, abs=0.02)
    assert intervals.mean() == pytest.approx(14.2728, abs=4 * 3 / np.sqrt(12 * 2000))


def test_marine_shoots_from_5_75_between_centres() -> None:
    for distance, hits in ((5.75, True), (5.76, False)):
        environment = battle([(9, 16)], [(9 + distance, 16)])
        make_passive(environment, 1)
        environment._tables.stats[0, f.SPEED] = 0.0
        act(environment, f.FIRST_TARGET)
        assert (environment.units[0, 1, f.HEALTH] < 45) == hits


def test_attack_order_walks_into_range() -> None:
    environment = battle([(9, 16)], [(14.9, 16)])
    make_passive(environment, 1)
    act(environment, f.FIRST_TARGET)
    # 0.15 to go: two whole strides, a loop to stop, then the wind-up
    assert environment.units[0, 0, f.X] == pytest.approx(9 + 2 * 0.140625)
    assert environment.units[0, 1, f.HEALTH] == 39.0


def test_damage_of_a_loop_lands_together() -> None:
    environment = battle([(9, 16)], [(14, 16)])
    environment.units[0, :, f.HEALTH] = 6.0
    step = act(environment, f.FIRST_TARGET)
    assert environment.units[0, :, f.HEALTH].tolist() == [0.0, 0.0]
    assert step.terminated[0]
    assert not step.won[0]
    # the 45 last seen and a death, no bonus for a win; one enemy: (10 + 200 + 45) / 20
    assert step.reward[0] == (45.0 + 10.0) / 12.75


def test_moving_loses_the_shot_prepared_but_not_the_cooldown() -> None:
    environment = battle([(9, 16)], [(14, 16)])
    make_passive(environment, 1)
    act(environment, f.FIRST_TARGET)
    # measured: the cooldown starts exactly 1.0 loop after the order (3,470 shots)
    assert environment.units[0, 0, f.COOLDOWN] == pytest.approx(PERIOD + 1.0 - 8, abs=1e-12)
    act(environment, f.WEST)
    assert environment.units[0, 0, f.COOLDOWN] == 0.0
    assert environment.units[0, 0, f.WIND_UP] == 0.0
    assert environment.units[0, 1, f.HEALTH] == 39.0


def test_repeating_an_attack_order_does_not_delay_it(players: Any) -> None:
    environment = battle([(9, 16)], [(14, 16)])
    make_passive(environment, 1)
    for _ in range(14):  # 112 loops; 8 shots need 97.2
        if environment.units[0, 1, f.HEALTH] > 0:
            step = act(environment, f.FIRST_TARGET)
    assert step.won[0]


def test_agents_neither_acquire_nor_answer() -> None:
    environment = battle([(9, 16)], [(14, 16)])
    for _ in range(3):
        act(environment, f.STOP)
    assert environment.units[0, 0, f.HEALTH] < 45
    assert environment.units[0, 1, f.HEALTH] == 45
    assert environment.orders[0, 0, f.TARGET] == -1


def test_enemies_acquire_within_scan_range_and_take_the_nearest() -> None:
    # scan 5.5 + two radii of 0.375
    for distance, target in ((6.25, 0), (6.26, -1)):
        environment = battle([(9, 16), (9, 8)], [(9 + distance, 16)])
        act(environment, f.STOP, f.STOP)
        assert environment.orders[0, 2, f.TARGET] == target
    environment = battle([(9, 16), (10, 16)], [(14, 16)])
    act(environment, f.STOP, f.STOP)
    assert environment.orders[0, 2, f.TARGET] == 1


def test_scan_range_option() -> None:
    environment = battle([(9, 16)], [(14.9, 16)], replace(EXACT, scan_adds_own_radius=False))
    act(environment, f.STOP)
    assert environment.orders[0, 1, f.TARGET] == -1  # 5.5 + 0.375 < 5.9


def test_enemy_keeps_a_target_in_reach_when_another_comes_nearer() -> None:
    environment = battle([(9, 16), (9, 12)], [(14, 16)])
    act(environment, f.STOP, f.STOP)
    assert environment.orders[0, 2, f.TARGET] == 0
    environment.units[0, 1, [f.X, f.Y]] = (13, 16)
    for _ in range(3):
        act(environment, f.STOP, f.STOP)
    assert environment.orders[0, 2, f.TARGET] == 0
    environment.units[0, 0, f.X] = 4.0  # out of reach: the nearer one takes its place in time
    for _ in range(2):
        act(environment, f.STOP, f.STOP)
    assert environment.orders[0, 2, f.TARGET] == 1


def test_enemies_answer_an_attacker_outside_their_scan_range() -> None:
    environment = battle([(9, 16)], [(17, 16), (17, 14), (17, 9)])
    environment._tables.stats[0, f.RANGE] = 8.0
    environment.units[0, 0, [f.GOAL_X, f.GOAL_Y]] = environment.units[0, 0, [f.X, f.Y]]
    environment.orders[0, 0, [f.ORDER, f.TARGET]] = (f.ATTACK, 1)
    environment.available_actions[0, 0, f.FIRST_TARGET] = True
    act(environment, f.FIRST_TARGET)
    # the one hit and its neighbour within 4 cells, not the one 7 cells away
    assert environment.orders[0, 1:, f.TARGET].tolist() == [0, 0, -1]


def test_walking_units_stop_at_blocked_cells() -> None:
    environment = battle([(9, 24.5)], [(30, 10)])
    is_free = environment._tables.is_free[f.GROUND]
    assert not environment.available_actions[0, 0, f.NORTH]
    assert is_free_at(is_free, 9.0, 24.99)
    assert not is_free_at(is_free, 9.0, 25.0)
    assert not is_free_at(is_free, -0.1, 16.0)
    assert walk(is_free, 9.0, 24.9, 9.1, 25.04, 0.0) == (9.1, 25.0 - 1 / 4096)
    assert walk(is_free, 9.0, 7.1, 9.1, 6.9, 0.0) == (9.1, 7.0)
    assert walk(is_free, 0.05, 16.0, -0.1, 16.1, 0.0) == (0.0, 16.1)
    # half a cell kept from blocked cells, along each axis
    assert walk(is_free, 9.0, 24.4, 9.1, 24.6, 0.5) == (9.1, 24.5 - 1 / 4096)
    assert walk(is_free, 0.5, 16.0, 0.4, 16.1, 0.5) == (0.5, 16.1)


@pytest.mark.parametrize(("y", "is_open"), [(24.0, False), (23.99, True)])
def test_north_is_available_where_the_cell_ahead_is_free(y: float, is_open: bool) -> None:
    assert battle([(9, y)], [(30, 10)]).available_actions[0, 0, f.NORTH] == is_open


def test_a_unit_behind_others_walks_round_them_into_range(players: Any) -> None:
    # two enemies side by side hold at reach, the third arrives behind them
    environment = battle([(9, 16)], [(16, 16), (16, 15.25), (16.75, 15.625)], goal=(9, 16))
    environment.units[0, 0, f.HEALTH] = 1e6
    for _ in range(6):
        act(environment, f.STOP)
    distance = np.hypot(*(environment.units[0, 1:, [f.X, f.Y]] - [[9], [16]]))
    assert (distance <= 5.75).all()


def test_time_limit_truncates() -> None:
    environment = battle([(2, 8)], [(30, 23)])
    for step in range(1, 61):
        result = act(environment, f.STOP)
        assert result.truncated[0] == (step == 60)
        assert not result.terminated[0]


def test_a_decision_at_the_limit_is_no_truncation() -> None:
    environment = battle([(2, 8)], [(30, 23)])
    for _ in range(59):
        act(environment, f.STOP)
    environment.units[0, 1, f.HEALTH] = 0.0
    result = act(environment, f.STOP)
    assert (result.terminated[0], result.truncated[0], result.won[0]) == (True, False, True)


def test_last_actions_are_zero_after_reset_and_no_op_for_the_dead() -> None:
    environment = battle([(9, 16), (9, 10)], [(14, 16)])
    assert not environment.state[0, 11:].any()
    environment.units[0, 0, f.HEALTH] = 6.0
    act(environment, f.STOP, f.NORTH)
    assert environment.state[0, 11:].tolist() == [0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]
    assert environment.available_actions[0, 0].tolist() == [True] + [False] * 6
    act(environment, f.NO_OP, f.STOP)
    assert environment.state[0, 11:].tolist() == [1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0]


@pytest.mark.parametrize("is_dead", [True, False])
def test_who_has_shot_stands_twelve_loops_before_it_walks_by_itself(
    is_dead: bool, arena: Any
) -> None:
    # measured on 3m: 8 loops after the step in which a marine shot and its target got out of reach
    # or died, the next out of reach, it had walked for 0 to 4 of them: 18 of 18 and 656 of 672
    agents = [("Marine", 9, 16), ("Marine", 6, 16)]
    environment = arena.battle(agents, [("Marine", 14.5, 16)], goal=(2, 16))
    environment.orders[0, 2, [f.TARGET, f.RESCAN]] = (0, 1)
    units, shots = arena.film(environment, 1, f.STOP, f.STOP)
    loop = int((shots[:, 2] == 0).argmax())
    if is_dead:
        environment.units[0, 0, f.HEALTH] = 0.0
    else:
        environment.units[0, 0, f.X] = 8.0
    first = f.NO_OP if is_dead else f.STOP
    environment.available_actions[:] = True
    units, shots = arena.film(environment, 2, first, f.STOP)
    x = units[:, 2, f.X]
    n = 12 - (7 - loop)  # loops of these in which it stands; walks begin at even ones
    np.testing.assert_array_equal(x[: n + 1], 14.5)
    assert x[n + 2] < 14.5


def test_a_new_order_ends_the_wait_after_a_shot() -> None:
    environment = battle([(9, 16)], [(14, 16)])
    make_passive(environment, 1)
    act(environment, f.FIRST_TARGET)
    act(environment, f.WEST)  # measured: 22,000 moves begin at once
    assert environment.units[0, 0, f.X] == pytest.approx(9 - 1.125)
