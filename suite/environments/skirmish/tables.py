"""A scenario and its rules as the plain arrays the kernels read; columns in `fields`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from suite.environments.skirmish import fields as f
from suite.environments.skirmish.paths import Routes, build_routes
from suite.environments.skirmish.rules import Rules
from suite.environments.skirmish.scenario import (
    LOOPS_PER_SECOND,
    REWARD_SCALE_RATE,
    Heal,
    Scenario,
    UnitType,
    Weapon,
)

SHIELD_DELAY_SECONDS = 10.0  # without damage, before shields come back
SHIELD_RATE_PER_SECOND = 2.0
_LAYERS = {"ground": f.GROUND, "cliff": f.CLIFF, "air": f.AIR}


class Tables(NamedTuple):
    """stats (units, N_STATS), damage (kinds, kinds) per hit before armor, sizes (N_SIZES,),
    rules (N_RULES,), is_free (2, 32, 32) [layer, x, y], is_open the same: whether the cells around
    are free as well, routes round walls, start (units, N_UNIT_FIELDS) and start_orders (units,
    N_ORDER_FIELDS): a new battle."""

    stats: NDArray[np.float64]
    damage: NDArray[np.float64]
    sizes: NDArray[np.int64]
    rules: NDArray[np.float64]
    is_free: NDArray[np.bool_]
    is_open: NDArray[np.bool_]
    routes: Routes
    start: NDArray[np.float64]
    start_orders: NDArray[np.int64]


def build_tables(scenario: Scenario, rules: Rules) -> Tables:
    """All tables of a scenario."""
    ground = scenario.terrain.ground(rules)
    routes = build_routes(ground)
    stats = build_stats(
        scenario,
        [unit.type_name for unit in scenario.allies],
        [unit.type_name for unit in scenario.enemies],
        rules,
    )
    start, start_orders = _start(scenario, stats, ground, rules)
    sizes = build_sizes(scenario)
    sizes[f.HAS_REGENERATION] = (
        stats[:, [f.SHIELD_MAX, f.HEALTH_REGENERATION, f.ENERGY_MAX]] > 0
    ).any()
    sizes[f.HAS_MISSILES] = (stats[:, f.WEAPON] == f.MISSILE).any()
    sizes[f.HAS_BURSTS] = (stats[:, f.WEAPON] == f.BURST).any()
    sizes[f.N_BEAM_UNITS] = (stats[:, f.WEAPON] == f.BEAMS).sum()
    is_free = np.stack([ground, scenario.terrain.cliff])
    return Tables(
        stats=stats,
        damage=_damage_table(scenario, rules),
        sizes=sizes,
        rules=_rule_values(scenario, stats, rules),
        is_free=is_free,
        is_open=_open_cells(is_free),
        routes=routes,
        start=start,
        start_orders=start_orders,
    )


def _open_cells(is_free: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Of is_free (layers, x, y), the cells that are free as are the eight around them."""
    padded = np.pad(is_free, ((0, 0), (1, 1), (1, 1)))
    around = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    return np.asarray(around.all(axis=(-2, -1)))


def build_stats(
    scenario: Scenario, ally_types: Sequence[str], enemy_types: Sequence[str], rules: Rules
) -> NDArray[np.float64]:
    """One row of constants per unit, allies first."""
    stats = np.zeros((len(ally_types) + len(enemy_types), f.N_STATS))
    orders = [scenario.ally_type_order] * len(ally_types)
    orders += [scenario.enemy_type_order] * len(enemy_types)
    kinds = _kinds(scenario)
    for u, (name, order) in enumerate(zip([*ally_types, *enemy_types], orders, strict=True)):
        is_agent = u < len(ally_types)
        keys = [rules.weapon_profile, "agents"] if is_agent else [rules.weapon_profile]
        unit = scenario.types[name].variant(*keys)
        row = stats[u]
        _fill_body(row, unit)
        radii = {
            "radius": unit.radius,
            "separation": unit.separation_radius,
            "inner": unit.inner_radius,
        }
        row[f.SEPARATION] = radii[rules.spacing] - 0.5 * rules.spacing_overlap
        row[f.CLEARANCE] = unit.inner_radius - rules.clearance_overlap
        row[f.TYPE_INDEX] = order.index(name) if scenario.type_bits else 0
        row[f.KIND] = kinds.index(name)
        row[f.IS_SCANNING] = not is_agent or rules.allies_use_enemy_ai
        if rules.weapon_profile in unit.weapons:
            _fill_weapon(row, unit.weapons[rules.weapon_profile])
            row[f.FIRES_FREELY] = (
                unit.weapons[rules.weapon_profile].fires_freely and not row[f.IS_SCANNING]
            )
            if rules.whole_damage_points:
                points = [f.DAMAGE_POINT, f.CLOSE_DAMAGE_POINT]
                row[points] = np.ceil(row[points] - 1e-9)
        if unit.heal is not None:
            _fill_heal(row, unit.heal)
    return stats


def _fill_body(row: NDArray[np.float64], unit: UnitType) -> None:
    row[f.HEALTH_MAX] = unit.health
    row[f.SHIELD_MAX] = unit.shield
    row[f.ARMOR] = unit.armor
    row[f.HEALTH_REGENERATION] = unit.health_regeneration_per_loop
    row[f.SPEED] = unit.speed_per_loop
    row[f.ACCELERATION] = unit.acceleration_per_loop or 0.0
    row[f.RADIUS] = unit.radius
    row[f.LAYER] = _LAYERS[unit.layer]
    row[f.IS_PATIENT] = "biological" in unit.attributes and unit.layer == "ground"
    if "structure" in unit.attributes:
        row[f.IS_PATIENT] = False
    row[f.ALWAYS_THREATENS] = unit.always_threatens
    row[f.COOLDOWN_SCALE] = unit.smac_cooldown_scale
    row[f.SHIELD_SCALE] = unit.smac_shield_scale


def _fill_weapon(row: NDArray[np.float64], weapon: Weapon) -> None:
    if weapon.is_suicide:
        row[f.WEAPON] = f.BURST
    elif weapon.splash is not None:
        row[f.WEAPON] = f.BEAMS
    elif weapon.second_hit_delay_loops is not None:
        row[f.WEAPON] = f.DOUBLE
        row[f.SECOND_HIT_DELAY] = weapon.second_hit_delay_loops
    elif weapon.missile_speed_per_loop is not None:
        row[f.WEAPON] = f.MISSILE
        row[f.MISSILE_SPEED] = weapon.missile_speed_per_loop
    else:
        row[f.WEAPON] = f.INSTANT
    row[f.PERIOD] = weapon.period_loops
    row[f.DAMAGE_POINT] = weapon.damage_point_loops
    row[f.BACKSWING] = weapon.backswing_loops
    row[f.RANGE] = weapon.range
    row[f.RANGE_SLOP] = weapon.range_slop
    row[f.SCAN] = weapon.scan_range
    row[f.HITS_AIR] = weapon.targets_air
    if weapon.splash is not None:
        row[f.SPLASH_RADIUS] = weapon.splash.radius
        row[f.SPLASH_HALF_LENGTH] = weapon.splash.half_length
        row[f.PROBE_PERIOD] = weapon.splash.probe_period_loops
        row[f.BEAM_DELAY] = weapon.splash.delay_loops
    row[f.CLOSE_RANGE] = -1.0
    if weapon.close is not None:
        row[f.CLOSE_RANGE] = weapon.close.range
        row[f.CLOSE_PERIOD] = weapon.close.period_loops
        row[f.CLOSE_DAMAGE_POINT] = weapon.close.damage_point_loops


def _fill_heal(row: NDArray[np.float64], heal: Heal) -> None:
    row[f.IS_HEALER] = True
    row[f.RANGE] = heal.range
    row[f.SCAN] = heal.scan_range
    row[f.HEAL_RATE] = heal.health_per_loop
    row[f.HEAL_COST] = heal.energy_per_health
    row[f.ENERGY_MAX] = heal.energy_max
    row[f.ENERGY_REGENERATION] = heal.energy_regeneration_per_loop
    row[f.ENERGY_TO_SCAN] = heal.energy_to_scan


def _kinds(scenario: Scenario) -> list[str]:
    return sorted({unit.type_name for unit in (*scenario.allies, *scenario.enemies)})


def _damage_table(scenario: Scenario, rules: Rules) -> NDArray[np.float64]:
    """Damage of one hit of kind i on kind j: base and every bonus that applies."""
    kinds = _kinds(scenario)
    damage = np.zeros((len(kinds), len(kinds)))
    for i, name in enumerate(kinds):
        weapon = scenario.types[name].weapons.get(rules.weapon_profile)
        if weapon is not None:
            for j, target in enumerate(kinds):
                attributes = scenario.types[target].attributes
                bonus = sum(value for key, value in weapon.bonus.items() if key in attributes)
                damage[i, j] = weapon.damage + bonus
    return damage


def build_sizes(scenario: Scenario) -> NDArray[np.int64]:
    """The integers of a scenario that its encoding needs."""
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


def _rule_values(
    scenario: Scenario, stats: NDArray[np.float64], rules: Rules
) -> NDArray[np.float64]:
    values = np.zeros(f.N_RULES)
    values[f.JITTER_LOW], values[f.JITTER_HIGH] = rules.period_jitter_loops
    values[f.SCAN_OWN_RADIUS] = rules.scan_adds_own_radius
    values[f.RESCAN_LOOPS] = rules.rescan_loops
    values[f.CHASE_LIMIT] = rules.chase_loses_beyond
    values[f.HELP_RADIUS] = rules.help_radius
    values[f.MARCH_LOOPS] = rules.march_loops
    values[f.REWARD_DIVISOR] = reward_divisor(scenario)
    values[f.SPLASH_TO_EDGE] = rules.splash_to_edge
    values[f.HUNTS_ALLIES] = (
        scenario.enemy_order.kind == "attack_group" and rules.group_order == "hunt"
    )
    values[f.REPEAT_RESTARTS] = rules.repeated_attack_restarts
    values[f.FOLLOWS_UNHITTABLE] = rules.unhittable_attack == "followed"
    values[f.DRAWS_ENEMY_IDS] = rules.draws_enemy_ids
    first, last = scenario.enemy_order.between
    values[f.GOAL_SPREAD_X], values[f.GOAL_SPREAD_Y] = np.subtract(last, first)
    values[f.SHIELD_DELAY] = SHIELD_DELAY_SECONDS * LOOPS_PER_SECOND
    values[f.SHIELD_RATE] = SHIELD_RATE_PER_SECOND / LOOPS_PER_SECOND
    return values


def _start(
    scenario: Scenario, stats: NDArray[np.float64], ground: NDArray[np.bool_], rules: Rules
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Units and orders of a new battle.

    Whoever attack-moves marches in formation: every unit's goal is its own start moved by the
    vector from the centroid of its side to the point of the order, or the free cell nearest to it.
    Without an order the goal is the start.
    """
    n_allies = len(scenario.allies)
    units = (*scenario.allies, *scenario.enemies)
    start = np.zeros((len(stats), f.N_UNIT_FIELDS))
    orders = np.zeros((len(stats), f.N_ORDER_FIELDS), np.int64)
    start[:, [f.X, f.Y]] = [(unit.x, unit.y) for unit in units]
    if rules.mixed_layouts == "lattice" and scenario.lattice is not None:
        start[:, [f.X, f.Y]] = scenario.lattice
    start[:, f.HEALTH] = stats[:, f.HEALTH_MAX]
    start[:, f.SHIELD] = stats[:, f.SHIELD_MAX]
    start[:, f.CALM] = SHIELD_DELAY_SECONDS * LOOPS_PER_SECOND
    for row, unit in zip(start, units, strict=True):
        heal = scenario.types[unit.type_name].heal
        row[f.ENERGY] = heal.energy_start if heal is not None else 0.0
    orders[:, [f.TARGET, f.WAYPOINT, f.HIT_TARGET, f.MISSILE_TARGET, f.AIMED]] = -1
    goals = start[:, [f.X, f.Y]]
    if scenario.enemy_order.kind != "none":
        goals[n_allies:] += scenario.enemy_order.between[0] - goals[n_allies:].mean(0)
    orders[n_allies:, f.ORDER] = f.ATTACK_MOVE
    if rules.allies_use_enemy_ai:
        goals[:n_allies] += scenario.enemy_point - goals[:n_allies].mean(0)
        orders[:n_allies, f.ORDER] = f.ATTACK_MOVE
    cells = np.argwhere(ground)
    for goal, constants in zip(goals, stats, strict=True):
        x, y = np.clip(goal.astype(int), 0, len(ground) - 1)
        if constants[f.LAYER] == f.GROUND and not ground[x, y]:
            goal[:] = cells[((cells + 0.5 - goal) ** 2).sum(1).argmin()] + 0.5
    start[:, [f.GOAL_X, f.GOAL_Y]] = goals
    return start, orders
