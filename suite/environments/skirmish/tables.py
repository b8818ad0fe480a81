"""A scenario and its rules as the plain arrays the kernels read; columns in `fields`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suite.environments.skirmish import fields as f
from suite.environments.skirmish.rules import Rules
from suite.environments.skirmish.scenario import REWARD_SCALE_RATE, Scenario


@dataclass(frozen=True)
class Tables:
    """stats (units, N_STATS), sizes (N_SIZES,), rules (N_RULES,), is_free (32, 32) [x, y],
    start (units, N_UNIT_FIELDS) and start_orders (units, N_ORDER_FIELDS): a new battle."""

    stats: NDArray[np.float64]
    sizes: NDArray[np.int64]
    rules: NDArray[np.float64]
    is_free: NDArray[np.bool_]
    start: NDArray[np.float64]
    start_orders: NDArray[np.int64]


def build_tables(scenario: Scenario, rules: Rules) -> Tables:
    """All tables of a scenario."""
    stats = build_stats(
        scenario,
        [unit.type_name for unit in scenario.allies],
        [unit.type_name for unit in scenario.enemies],
        rules,
    )
    start, start_orders = _start(scenario, stats, rules)
    return Tables(
        stats=stats,
        sizes=build_sizes(scenario),
        rules=_rule_values(scenario, rules),
        is_free=scenario.is_free,
        start=start,
        start_orders=start_orders,
    )


def build_stats(
    scenario: Scenario, ally_types: Sequence[str], enemy_types: Sequence[str], rules: Rules
) -> NDArray[np.float64]:
    """One row of constants per unit, allies first."""
    stats = np.zeros((len(ally_types) + len(enemy_types), f.N_STATS))
    orders = [scenario.ally_type_order] * len(ally_types)
    orders += [scenario.enemy_type_order] * len(enemy_types)
    for row, name, order in zip(stats, [*ally_types, *enemy_types], orders, strict=True):
        unit = scenario.types[name]
        row[f.HEALTH_MAX] = unit.health
        row[f.SPEED] = unit.speed_per_loop
        row[f.RADIUS] = unit.radius
        row[f.SEPARATION] = unit.separation_radius
        row[f.COOLDOWN_SCALE] = unit.smac_cooldown_scale
        row[f.SHIELD_SCALE] = unit.smac_shield_scale
        row[f.IS_HEALER] = unit.is_healer
        row[f.TYPE_INDEX] = order.index(name) if scenario.type_bits else 0
        weapon = unit.weapons.get(rules.weapon_profile)
        if weapon is not None:
            row[f.DAMAGE] = weapon.damage
            row[f.PERIOD] = weapon.period_loops
            row[f.DAMAGE_POINT] = weapon.damage_point_loops
            row[f.RANGE] = weapon.range
            row[f.RANGE_SLOP] = weapon.range_slop
            row[f.SCAN] = weapon.scan_range
    stats[len(ally_types) :, f.IS_SCANNING] = 1.0
    if rules.allies_use_enemy_ai:
        stats[:, f.IS_SCANNING] = 1.0
    return stats


def build_sizes(scenario: Scenario) -> NDArray[np.int64]:
    """The integers of a scenario."""
    sizes = np.zeros(f.N_SIZES, np.int64)
    sizes[f.N_ALLIES] = len(scenario.allies)
    sizes[f.N_ENEMIES] = len(scenario.enemies)
    sizes[f.ALLY_SHIELD] = scenario.allies_have_shield
    sizes[f.ENEMY_SHIELD] = scenario.enemies_have_shield
    sizes[f.TYPE_BITS] = scenario.type_bits
    sizes[f.EPISODE_LIMIT] = scenario.episode_limit
    sizes[f.MEDIVAC_RULES] = scenario.has_medivac_rules
    return sizes


def reward_divisor(scenario: Scenario) -> float:
    """What SMAC divides rewards by, so that a won battle sums to 20."""
    return scenario.max_reward / REWARD_SCALE_RATE


def _rule_values(scenario: Scenario, rules: Rules) -> NDArray[np.float64]:
    values = np.zeros(f.N_RULES)
    values[f.JITTER_LOW], values[f.JITTER_HIGH] = rules.period_jitter_loops
    values[f.SCAN_OWN_RADIUS] = rules.scan_adds_own_radius
    values[f.RESCAN_LOOPS] = rules.rescan_loops
    values[f.CHASE_LIMIT] = rules.chase_loses_beyond
    values[f.HELP_RADIUS] = rules.help_radius
    values[f.MAX_START_LOOPS] = rules.max_start_loops
    values[f.REWARD_DIVISOR] = reward_divisor(scenario)
    return values


def _start(
    scenario: Scenario, stats: NDArray[np.float64], rules: Rules
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Units and orders of a new battle.

    Whoever attack-moves marches in formation: every unit's goal is its own start moved by the
    vector from its side's point to the point of the order.
    """
    n_allies = len(scenario.allies)
    start = np.zeros((len(stats), f.N_UNIT_FIELDS))
    orders = np.zeros((len(stats), f.N_ORDER_FIELDS), np.int64)
    positions = [(unit.x, unit.y) for unit in (*scenario.allies, *scenario.enemies)]
    start[:, [f.X, f.Y]] = positions
    start[:, f.HEALTH] = stats[:, f.HEALTH_MAX]
    orders[:, f.TARGET] = -1
    march = np.subtract(scenario.enemy_attack_point, scenario.enemy_point)
    start[:, [f.GOAL_X, f.GOAL_Y]] = positions
    start[n_allies:, [f.GOAL_X, f.GOAL_Y]] += march
    orders[n_allies:, f.ORDER] = f.ATTACK_MOVE
    if rules.allies_use_enemy_ai:
        start[:n_allies, [f.GOAL_X, f.GOAL_Y]] += np.subtract(
            scenario.enemy_point, scenario.ally_point
        )
        orders[:n_allies, f.ORDER] = f.ATTACK_MOVE
    return start, orders
