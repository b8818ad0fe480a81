"""Whom a unit may aim at, and whom an automatic unit chooses. Columns in `fields`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from suite.environments.skirmish.bundles import Battle
from suite.environments.skirmish.compilation import inlined
from suite.environments.skirmish.fields import (
    AIMED,
    AIR,
    ALWAYS_THREATENS,
    ATTACK,
    ATTACK_MOVE,
    CHASE_LIMIT,
    DETOUR,
    ENERGY,
    ENERGY_TO_SCAN,
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
    RADIUS,
    RANGE,
    RANGE_SLOP,
    REPLAN,
    RESCAN,
    RESCAN_LOOPS,
    SCAN,
    SCAN_OWN_RADIUS,
    SEEN_TARGET,
    TARGET,
    UNARMED,
    WAYPOINT,
    WEAPON,
    WIND_UP,
    X,
    Y,
)
from suite.environments.skirmish.tables import Tables

Array = Any

ANYBODY = np.bool_(True)  # whom `choose_target` may take; else threats only


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
    """Let unit u look for its way anew."""
    orders = battle.orders
    orders[u, DETOUR] = 0
    orders[u, REPLAN] = 0
    orders[u, WAYPOINT] = -1


@inlined
def is_threat(j: int, u: int, battle: Battle, tables: Tables) -> bool:
    """Whether unit j threatens u: it has the order, or a target of its own accord, to attack u.

    That j attacks somebody else does not count. Some types threaten everybody, whatever they do.
    """
    orders, stats = battle.orders, tables.stats
    is_attacking = orders[j, ORDER] == ATTACK or stats[j, IS_SCANNING] > 0.0
    return stats[j, ALWAYS_THREATENS] > 0.0 or (is_attacking and orders[j, SEEN_TARGET] == u)


@inlined
def scan(u: int, battle: Battle, tables: Tables) -> None:
    """Let a loop pass for an automatic unit's search of a target; search if it is time.

    It is time every `rescan_loops`, at a phase drawn for each unit and episode. Whose target is
    dead turns to a threat at once, to others when it is time.
    """
    units, orders = battle.units, battle.orders
    orders[u, RESCAN] -= 1
    is_due = orders[u, RESCAN] <= 0
    if is_due:
        orders[u, RESCAN] = int(tables.rules[RESCAN_LOOPS])
    target = orders[u, TARGET]
    if tables.stats[u, IS_HEALER] > 0.0:
        if target >= 0 and not can_heal(battle, tables, u, target):
            set_target(u, -1, battle)
        if orders[u, TARGET] < 0:
            choose_patient(u, battle, tables)
    elif is_due or (target >= 0 and units[target, HEALTH] <= 0.0):
        choose_target(u, is_due, battle, tables)


@inlined
def choose_target(u: int, takes_anybody: bool, battle: Battle, tables: Tables) -> None:
    """Choose the automatic target of unit u among the other side.

    Of all within scan range whom its weapon can hit, who threatens it comes before who does not.
    Of equal rank, the target it has is kept while within reach; else the nearest is taken, of
    equally near ones the lower index. If nobody is there, the target is chased on, up to the chase
    limit. A hunter scans the whole map and keeps its target until it is dead.
    takes_anybody: if False, only who threatens it is taken.
    """
    units, orders, stats = battle.units, battle.orders, tables.stats
    rules, n_allies = tables.rules, battle.n_allies
    is_hunter = rules[HUNTS_ALLIES] > 0.0 and u >= n_allies
    target = orders[u, TARGET]
    if target >= 0 and units[target, HEALTH] <= 0.0:
        target = -1
    is_kept = False
    if target >= 0:
        chased = distance_between(units, u, target)
        is_kept = is_hunter or chased <= reach(battle, tables, u, target)
        if is_hunter or (is_kept and is_threat(target, u, battle, tables)):
            return
        if chased > rules[CHASE_LIMIT]:
            target = -1
    best = -1
    least = math.inf
    is_ranked = is_kept or not (takes_anybody or is_hunter)  # whether only threats count
    x = units[u, X]
    y = units[u, Y]
    own = stats[u, SCAN] + rules[SCAN_OWN_RADIUS] * stats[u, RADIUS]
    if is_hunter:
        own += 2.0 * MAP_EXTENT
    first = n_allies if u < n_allies else 0
    last = units.shape[0] if u < n_allies else n_allies
    for j in range(first, last):
        dx = units[j, X] - x
        dy = units[j, Y] - y
        squared = dx * dx + dy * dy
        limit = own + stats[j, RADIUS]
        if units[j, HEALTH] <= 0.0 or squared > limit * limit or not can_hit(tables, u, j):
            continue
        is_ranking = is_threat(j, u, battle, tables)
        if (is_ranking and not is_ranked) or (is_ranking == is_ranked and squared < least):
            best = j
            least = squared
            is_ranked = is_ranking
    if best >= 0:
        target = best
    set_target(u, target, battle)


@inlined
def choose_freely(u: int, battle: Battle, tables: Tables) -> int:
    """At whom unit u, whose weapon needs no order, aims when it has none; -1 for nobody.

    It keeps whom it has aimed at last, by order or not, while that one lives and is within reach;
    else it takes at once, of those within reach, the nearest to that one. Who has never aimed takes
    the nearest to itself when it is time to look. Equally near: the lower index.
    """
    units, orders, n_allies = battle.units, battle.orders, battle.n_allies
    last = orders[u, AIMED]
    middle = last
    if last < 0:
        orders[u, RESCAN] -= 1
        if orders[u, RESCAN] > 0:
            return -1
        middle = u
    elif units[last, HEALTH] > 0.0 and _is_in_reach(u, last, battle, tables):
        return last
    best = -1
    least = math.inf
    first = n_allies if u < n_allies else 0
    for j in range(first, units.shape[0] if u < n_allies else n_allies):
        distance = distance_between(units, middle, j)
        is_there = units[j, HEALTH] > 0.0 and can_hit(tables, u, j)
        if is_there and distance < least and _is_in_reach(u, j, battle, tables):
            best = j
            least = distance
    if best >= 0:
        orders[u, AIMED] = best
    return best


@inlined
def _is_in_reach(u: int, j: int, battle: Battle, tables: Tables) -> bool:
    """Whether u can act on j from where it is."""
    return distance_between(battle.units, u, j) <= reach(battle, tables, u, j)


@inlined
def choose_patient(u: int, battle: Battle, tables: Tables) -> None:
    """Choose whom automatic healer u heals until that one is whole: who has the least of its life.

    Of equal ones the nearest, then the lower index. It needs some energy to begin.
    """
    units, stats = battle.units, tables.stats
    rules, n_allies = tables.rules, battle.n_allies
    if units[u, ENERGY] < stats[u, ENERGY_TO_SCAN]:
        return
    best = -1
    least = math.inf
    worst = 1.0
    own = stats[u, SCAN] + rules[SCAN_OWN_RADIUS] * stats[u, RADIUS]
    first = 0 if u < n_allies else n_allies
    last = n_allies if u < n_allies else units.shape[0]
    for j in range(first, last):
        distance = distance_between(units, u, j)
        share = units[j, HEALTH] / stats[j, HEALTH_MAX]
        is_first = share < worst or (share == worst and distance < least)
        is_near = distance <= own + stats[j, RADIUS]
        if j != u and is_first and is_near and can_heal(battle, tables, u, j):
            best = j
            worst = share
            least = distance
    if best >= 0:
        set_target(u, best, battle)


@inlined
def _is_free_to_answer(u: int, attacker: int, battle: Battle, tables: Tables) -> bool:
    """Whether unit u is alive, on an attack-move, and could shoot at a living attacker."""
    units, orders, stats = battle.units, battle.orders, tables.stats
    is_fighter = stats[u, IS_SCANNING] > 0.0 and stats[u, IS_HEALER] == 0.0
    is_alive = units[u, HEALTH] > 0.0 and units[attacker, HEALTH] > 0.0
    is_marching = orders[u, ORDER] == ATTACK_MOVE
    return is_fighter and is_alive and is_marching and can_hit(tables, u, attacker)


@inlined
def call_for_help(victim: int, attacker: int, battle: Battle, tables: Tables) -> None:
    """Let automatic units without a target, near a victim or itself, look for one at once.

    Whoever finds nobody takes the victim's attacker.
    """
    units, orders, n_allies = battle.units, battle.orders, battle.n_allies
    first = 0 if victim < n_allies else n_allies
    last = n_allies if victim < n_allies else units.shape[0]
    for j in range(first, last):
        if (
            orders[j, TARGET] < 0
            and _is_free_to_answer(j, attacker, battle, tables)
            and distance_between(units, victim, j) <= tables.rules[HELP_RADIUS]
        ):
            choose_target(j, ANYBODY, battle, tables)
            if orders[j, TARGET] < 0:
                set_target(j, attacker, battle)
