"""Whom a unit may aim at, and whom an automatic unit chooses. Columns in `fields`."""

from __future__ import annotations

import math
from typing import Any

from suite.environments.skirmish.bundles import Battle
from suite.environments.skirmish.compilation import inlined
from suite.environments.skirmish.fields import (
    AIR,
    ALWAYS_THREATENS,
    ATTACK,
    ATTACK_MOVE,
    CHASE_LIMIT,
    DETOUR,
    DRAWS_THREATS,
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
    PATIENCE,
    RADIUS,
    RANGE,
    RANGE_SLOP,
    REPLAN,
    RESCAN,
    RESCAN_LOOPS,
    SCAN,
    SCAN_OWN_RADIUS,
    TARGET,
    UNARMED,
    WAYPOINT,
    WEAPON,
    WIND_UP,
    X,
    Y,
)
from suite.environments.skirmish.streams import draw_uniform
from suite.environments.skirmish.tables import Tables

Array = Any

DUE, BEREFT, CALLED = 0, 1, 2  # occasions to choose a target


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
    orders[u, PATIENCE] = 0
    orders[u, WAYPOINT] = -1


@inlined
def is_threat(j: int, battle: Battle, tables: Tables) -> bool:
    """Whether unit j is a threat: these outrank all others.

    It is if it attacks or heals somebody, or is on its way to, or if its type always threatens.
    """
    orders, stats = battle.orders, tables.stats
    is_attacking = orders[j, ORDER] == ATTACK or stats[j, IS_SCANNING] > 0.0
    return stats[j, ALWAYS_THREATENS] > 0.0 or (is_attacking and orders[j, TARGET] >= 0)


@inlined
def scan(u: int, battle: Battle, tables: Tables) -> None:
    """Let a loop pass for an automatic unit's search of a target; search if it is time.

    It is time every `rescan_loops`, at a phase drawn for each unit and episode. Who has lost its
    target turns to another threat at once, to others when it is time.
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
    elif target >= 0 and units[target, HEALTH] <= 0.0:
        choose_target(u, DUE if is_due else BEREFT, battle, tables)
    elif is_due:
        choose_target(u, DUE, battle, tables)


@inlined
def choose_target(u: int, occasion: int, battle: Battle, tables: Tables) -> None:
    """Choose the automatic target of unit u among the other side.

    occasion: DUE, its regular scan; BEREFT, its target is dead; or CALLED by a neighbour in need:
    then only threats count. A threat within reach is kept; so is another target within reach, if
    there is no threat. Else a threat within scan range is taken: of several one by lot, but the
    nearest when BEREFT; else, of those that are no threats, the nearest. Ties go to the lower
    index. If nobody is there, the target is chased on, up to the chase limit. A hunter scans the
    whole map and keeps its target until it is dead.
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
        if is_hunter or (is_kept and is_threat(target, battle, tables)):
            return
        if chased > rules[CHASE_LIMIT]:
            target = -1
    best = -1
    least = math.inf
    is_ranked = occasion != DUE and not is_hunter
    is_drawn = occasion != BEREFT and rules[DRAWS_THREATS] > 0.0
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
        is_ranking = is_threat(j, battle, tables)
        lot = draw_uniform(battle.stream) if is_ranking and is_drawn else squared
        if (is_ranking and not is_ranked) or (is_ranking == is_ranked and lot < least):
            best = j
            least = lot
            is_ranked = is_ranking
    if best >= 0 and (is_ranked or not is_kept):
        target = best
    set_target(u, target, battle)


@inlined
def choose_patient(u: int, battle: Battle, tables: Tables) -> None:
    """Choose whom automatic healer u heals until that one is whole: the nearest it can.

    Equally near: the lower index. It needs some energy to begin.
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
def answer(victim: int, attacker: int, battle: Battle, tables: Tables) -> None:
    """Turn an automatic unit that is hit to its attacker, unless its own target attacks it.

    However far the attacker is. What always threatens counts as attacking the unit while it is in
    reach. A hunter keeps its target.
    """
    units, orders = battle.units, battle.orders
    if not _is_free_to_answer(victim, attacker, battle, tables):
        return
    own = orders[victim, TARGET]
    if own >= 0:
        if tables.rules[HUNTS_ALLIES] > 0.0 and victim >= battle.n_allies:
            return
        is_threatened = orders[own, TARGET] == victim
        if tables.stats[own, ALWAYS_THREATENS] > 0.0:
            distance = distance_between(units, victim, own)
            is_threatened = distance <= reach(battle, tables, victim, own)
        if is_threatened:
            return
    set_target(victim, attacker, battle)


@inlined
def call_for_help(victim: int, attacker: int, battle: Battle, tables: Tables) -> None:
    """Let automatic units without a target near a victim choose a threat, or take its attacker."""
    units, orders, n_allies = battle.units, battle.orders, battle.n_allies
    first = 0 if victim < n_allies else n_allies
    last = n_allies if victim < n_allies else units.shape[0]
    for j in range(first, last):
        if (
            orders[j, TARGET] < 0
            and _is_free_to_answer(j, attacker, battle, tables)
            and distance_between(units, victim, j) <= tables.rules[HELP_RADIUS]
        ):
            choose_target(j, CALLED, battle, tables)
            if orders[j, TARGET] < 0:
                set_target(j, attacker, battle)
