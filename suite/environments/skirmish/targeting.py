"""Whom a unit may aim at, and whom an automatic unit chooses. Columns in `fields`."""

from __future__ import annotations

import math
from typing import Any

from suite.environments.skirmish.bundles import Battle
from suite.environments.skirmish.compilation import inlined
from suite.environments.skirmish.fields import (
    AIR,
    ATTACK_MOVE,
    CHASE_LIMIT,
    DETOUR,
    ENERGY,
    ENERGY_TO_SCAN,
    FASTEST,
    HEALTH,
    HEALTH_MAX,
    HELP_RADIUS,
    HITS_AIR,
    HUNTS_ALLIES,
    IS_HEALER,
    IS_PATIENT,
    IS_SCANNING,
    LAYER,
    MAP_EXTENT,
    ORDER,
    PATIENCE,
    PUSH_X,
    PUSH_Y,
    RADIUS,
    RANGE,
    RANGE_SLOP,
    REPLAN,
    RESCAN,
    RESCAN_LOOPS,
    SCAN,
    SCAN_OWN_RADIUS,
    SPEED,
    TARGET,
    UNARMED,
    WAITING,
    WAYPOINT,
    WEAPON,
    WIDEST,
    WIND_UP,
    X,
    Y,
)
from suite.environments.skirmish.tables import Tables

Array = Any

SEARCH_LOOPS = 2  # a unit without target looks for one this often, if somebody may be near


@inlined
def can_hit(tables: Tables, u: int, j: int) -> bool:
    """Whether u has a weapon that hits j's layer."""
    stats = tables.stats
    return stats[u, WEAPON] != UNARMED and (stats[j, LAYER] != AIR or stats[u, HITS_AIR] > 0.0)


@inlined
def can_heal(battle: Battle, tables: Tables, u: int, j: int) -> bool:
    """Whether healer u may heal j now: living, hurt, biological, on the ground, and energy left."""
    units, stats = battle.units, tables.stats
    return (
        stats[j, IS_PATIENT] > 0.0
        and 0.0 < units[j, HEALTH] < stats[j, HEALTH_MAX]
        and units[u, ENERGY] > 0.0
    )


@inlined
def reach(battle: Battle, tables: Tables, u: int, j: int) -> float:
    """Largest centre distance at which u acts on j; a shot in preparation tolerates more."""
    units, stats = battle.units, tables.stats
    length = stats[u, RANGE] + stats[u, RADIUS] + stats[j, RADIUS]
    if units[u, WIND_UP] > 0.0:
        length += stats[u, RANGE_SLOP]
    return length


@inlined
def distance_between(units: Array, u: int, j: int) -> float:
    """Centre distance of two units, cells."""
    dx = units[j, X] - units[u, X]
    dy = units[j, Y] - units[u, Y]
    return math.sqrt(dx * dx + dy * dy)


@inlined
def set_target(u: int, target: int, battle: Battle) -> None:
    """Turn unit u to a target (-1 for none); turning to another one loses the shot prepared."""
    units, orders = battle.units, battle.orders
    if target != orders[u, TARGET]:
        units[u, WIND_UP] = 0.0
        orders[u, TARGET] = target
        forget_way(u, battle)


@inlined
def forget_way(u: int, battle: Battle) -> None:
    """Let unit u look for its way anew, whoever has pushed it."""
    units, orders = battle.units, battle.orders
    units[u, PUSH_X] = 0.0
    units[u, PUSH_Y] = 0.0
    orders[u, DETOUR] = 0
    orders[u, REPLAN] = 0
    orders[u, PATIENCE] = 0
    orders[u, WAYPOINT] = -1


@inlined
def scan(u: int, battle: Battle, tables: Tables) -> None:
    """Let a loop pass for an automatic unit's search of a target; search if it is time."""
    units, orders = battle.units, battle.orders
    orders[u, RESCAN] -= 1
    target = orders[u, TARGET]
    if tables.stats[u, IS_HEALER] > 0.0:
        if target >= 0 and not can_heal(battle, tables, u, target):
            set_target(u, -1, battle)
        elif target >= 0 and orders[u, RESCAN] > 0:
            return
        choose_patient(u, battle, tables)
    elif orders[u, RESCAN] <= 0 or (target >= 0 and units[target, HEALTH] <= 0.0):
        choose_target(u, battle, tables)


@inlined
def choose_target(u: int, battle: Battle, tables: Tables) -> None:
    """Scan: choose the automatic target of unit u among the other side.

    A living target within reach is kept. One out of reach makes place for the nearest unit within
    scan range, for another one if no way to it is found; if there is none it is chased on, up to
    the chase limit. Ties go to the lower index. The next scan is due after `rescan_loops`; without
    a target, as soon as somebody could have walked into scan range, but not in the next loop. A
    hunter scans the whole map and keeps its target until it is dead.
    """
    units, orders, stats = battle.units, battle.orders, tables.stats
    rules, n_allies = tables.rules, battle.n_allies
    is_hunter = rules[HUNTS_ALLIES] > 0.0 and u >= n_allies
    target = orders[u, TARGET]
    if target >= 0 and units[target, HEALTH] <= 0.0:
        target = -1
    if target >= 0:
        chased = distance_between(units, u, target)
        if is_hunter or chased <= reach(battle, tables, u, target):
            orders[u, RESCAN] = int(rules[RESCAN_LOOPS])
            return
        if chased > rules[CHASE_LIMIT]:
            target = -1
    nearest = -1
    nearest_squared = math.inf
    far_squared = math.inf
    x = units[u, X]
    y = units[u, Y]
    own = stats[u, SCAN] + rules[SCAN_OWN_RADIUS] * stats[u, RADIUS]
    if is_hunter:
        own += 2.0 * MAP_EXTENT
    first = n_allies if u < n_allies else 0
    last = units.shape[0] if u < n_allies else n_allies
    out_of_way = target if abs(orders[u, DETOUR]) == WAITING else -1
    for j in range(first, last):
        if units[j, HEALTH] <= 0.0 or j == out_of_way:
            continue
        dx = units[j, X] - x
        dy = units[j, Y] - y
        squared = dx * dx + dy * dy
        limit = own + stats[j, RADIUS]
        if squared > limit * limit:
            far_squared = min(far_squared, squared)
        elif squared < nearest_squared and can_hit(tables, u, j):
            nearest = j
            nearest_squared = squared
    if nearest >= 0:
        target = nearest
    set_target(u, target, battle)
    if target >= 0:
        orders[u, RESCAN] = int(rules[RESCAN_LOOPS])
    else:
        gap = min(math.sqrt(far_squared), MAP_EXTENT) - own - rules[WIDEST]
        loops = int(gap / (stats[u, SPEED] + rules[FASTEST]))
        orders[u, RESCAN] = max(loops, SEARCH_LOOPS)


@inlined
def choose_patient(u: int, battle: Battle, tables: Tables) -> None:
    """Choose whom automatic healer u heals: the lowest share of health within scan range.

    Equal shares: the nearest, then the lower index. It needs some energy to begin.
    """
    units, orders, stats = battle.units, battle.orders, tables.stats
    rules, n_allies = tables.rules, battle.n_allies
    if units[u, ENERGY] < stats[u, ENERGY_TO_SCAN] and orders[u, TARGET] < 0:
        return
    best = -1
    best_share = math.inf
    best_distance = math.inf
    own = stats[u, SCAN] + rules[SCAN_OWN_RADIUS] * stats[u, RADIUS]
    first = 0 if u < n_allies else n_allies
    last = n_allies if u < n_allies else units.shape[0]
    for j in range(first, last):
        if j == u or not can_heal(battle, tables, u, j):
            continue
        distance = distance_between(units, u, j)
        share = units[j, HEALTH] / stats[j, HEALTH_MAX]
        is_better = share < best_share or (share == best_share and distance < best_distance)
        if distance <= own + stats[j, RADIUS] and is_better:
            best = j
            best_share = share
            best_distance = distance
    if best >= 0:
        set_target(u, best, battle)
        orders[u, RESCAN] = int(rules[RESCAN_LOOPS])


@inlined
def call_for_help(victim: int, attacker: int, battle: Battle, tables: Tables) -> None:
    """Turn automatic units without a target that are near a victim, or are it, to its attacker."""
    units, orders, stats = battle.units, battle.orders, tables.stats
    rules, n_allies = tables.rules, battle.n_allies
    first = 0 if victim < n_allies else n_allies
    last = n_allies if victim < n_allies else units.shape[0]
    for j in range(first, last):
        if (
            orders[j, TARGET] < 0
            and orders[j, ORDER] == ATTACK_MOVE
            and stats[j, IS_SCANNING] > 0.0
            and units[j, HEALTH] > 0.0
            and can_hit(tables, j, attacker)
            and distance_between(units, victim, j) <= rules[HELP_RADIUS]
        ):
            set_target(j, attacker, battle)
            orders[j, RESCAN] = int(rules[RESCAN_LOOPS])
