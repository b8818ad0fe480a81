"""Targets, shots and damage of one game loop. Columns in `fields`; sources in docs/skirmish.md."""

from __future__ import annotations

import math
from typing import Any

from suite.environments.skirmish.compilation import compiled
from suite.environments.skirmish.fields import (
    ATTACK_MOVE,
    CHASE_LIMIT,
    COOLDOWN,
    DAMAGE,
    DAMAGE_POINT,
    HEALTH,
    HELP_RADIUS,
    IS_SCANNING,
    JITTER_HIGH,
    JITTER_LOW,
    MAP_EXTENT,
    ORDER,
    PERIOD,
    RADIUS,
    RANGE,
    RANGE_SLOP,
    RESCAN,
    RESCAN_LOOPS,
    SCAN,
    SCAN_OWN_RADIUS,
    TARGET,
    WIND_UP,
    X,
    Y,
)
from suite.environments.skirmish.streams import draw_uniform

Array = Any

FASTEST_APPROACH = 0.5  # cells per loop; no two units close faster, pushing included


@compiled
def distance_between(units: Array, u: int, j: int) -> float:
    """Centre distance of two units, cells."""
    dx = units[j, X] - units[u, X]
    dy = units[j, Y] - units[u, Y]
    return math.sqrt(dx * dx + dy * dy)


@compiled
def reach(units: Array, stats: Array, u: int, j: int) -> float:
    """Largest centre distance at which u shoots at j; a shot in preparation tolerates more."""
    length = stats[u, RANGE] + stats[u, RADIUS] + stats[j, RADIUS]
    if units[u, WIND_UP] > 0.0:
        length += stats[u, RANGE_SLOP]
    return length


@compiled
def needs_scan(u: int, units: Array, orders: Array) -> bool:
    """Count down to the next scan of an automatic unit; True when it is due."""
    orders[u, RESCAN] -= 1
    target = orders[u, TARGET]
    return orders[u, RESCAN] <= 0 or (target >= 0 and units[target, HEALTH] <= 0.0)


@compiled
def choose_target(
    u: int, units: Array, orders: Array, stats: Array, rules: Array, first: int, last: int
) -> None:
    """Scan: choose the automatic target of unit u among units first to last - 1.

    A living target within reach is kept. One out of reach makes place for the nearest unit within
    scan range; if there is none it is chased on, up to the chase limit. Ties go to the lower
    index. The next scan is due after `rescan_loops`; without a target, as soon as somebody could
    have come into scan range.
    """
    target = orders[u, TARGET]
    if target >= 0 and units[target, HEALTH] <= 0.0:
        target = -1
    if target >= 0:
        chased = distance_between(units, u, target)
        if chased <= reach(units, stats, u, target):
            orders[u, RESCAN] = int(rules[RESCAN_LOOPS])
            return
        if chased > rules[CHASE_LIMIT]:
            target = -1
    nearest = -1
    nearest_squared = math.inf
    gap = MAP_EXTENT
    x = units[u, X]
    y = units[u, Y]
    own = stats[u, SCAN] + rules[SCAN_OWN_RADIUS] * stats[u, RADIUS]
    for j in range(first, last):
        if units[j, HEALTH] <= 0.0:
            continue
        dx = units[j, X] - x
        dy = units[j, Y] - y
        squared = dx * dx + dy * dy
        limit = own + stats[j, RADIUS]
        if squared > limit * limit:
            gap = min(gap, math.sqrt(squared) - limit)
        elif squared < nearest_squared:
            nearest = j
            nearest_squared = squared
    if nearest >= 0:
        target = nearest
    set_target(u, target, orders, units)
    if target >= 0:
        orders[u, RESCAN] = int(rules[RESCAN_LOOPS])
    else:
        orders[u, RESCAN] = int(gap / FASTEST_APPROACH)


@compiled
def set_target(u: int, target: int, orders: Array, units: Array) -> None:
    """Turn unit u to a target (-1 for none); turning to another one loses the shot prepared."""
    if target != orders[u, TARGET]:
        units[u, WIND_UP] = 0.0
        orders[u, TARGET] = target


@compiled
def tick_weapon(
    u: int, target: int, units: Array, stats: Array, rules: Array, streams: Array, slot: int
) -> bool:
    """Let one loop pass for a unit aiming at a target within reach; True if it shoots in it.

    The shot is prepared for `damage point` loops, which may overlap the end of the cooldown, and
    falls at a fractional moment of the loop; the next period starts at that moment, so that
    periods are exact although loops are whole.
    """
    cooldown = units[u, COOLDOWN]
    damage_point = stats[u, DAMAGE_POINT]
    moment = max(cooldown, damage_point - units[u, WIND_UP])
    if moment < 1.0:
        low = rules[JITTER_LOW]
        jitter = low + (rules[JITTER_HIGH] - low) * draw_uniform(streams, slot)
        units[u, COOLDOWN] = stats[u, PERIOD] + jitter - (1.0 - moment)
        units[u, WIND_UP] = 0.0
        return True
    units[u, COOLDOWN] = max(cooldown - 1.0, 0.0)
    units[u, WIND_UP] += min(1.0, max(0.0, 1.0 - (cooldown - damage_point)))
    return False


@compiled
def rest_weapon(u: int, units: Array) -> None:
    """Let one loop pass for a unit that aims at nothing: a prepared shot is lost."""
    units[u, COOLDOWN] = max(units[u, COOLDOWN] - 1.0, 0.0)
    units[u, WIND_UP] = 0.0


@compiled
def land_damage(
    units: Array,
    orders: Array,
    stats: Array,
    rules: Array,
    n_allies: int,
    damage: Array,
    attacker: Array,
) -> None:
    """Let all shots of a loop land at once, then let automatic units answer.

    damage: (units,) sum of hits; attacker: (units,) one who hit the unit, -1 for none.
    Units without a target turn to whoever hit them or a neighbour within the help radius.
    """
    n_units = units.shape[0]
    for u in range(n_units):
        if damage[u] > 0.0:
            units[u, HEALTH] = max(units[u, HEALTH] - damage[u], 0.0)
    for u in range(n_units):
        if damage[u] <= 0.0 or units[attacker[u], HEALTH] <= 0.0:
            continue
        first = 0 if u < n_allies else n_allies
        last = n_allies if u < n_allies else n_units
        for j in range(first, last):
            is_waiting = orders[j, ORDER] == ATTACK_MOVE and orders[j, TARGET] < 0
            if stats[j, IS_SCANNING] > 0.0 and is_waiting and units[j, HEALTH] > 0.0:
                is_near = distance_between(units, u, j) <= rules[HELP_RADIUS]
                if is_near:
                    set_target(j, attacker[u], orders, units)
                    orders[j, RESCAN] = int(rules[RESCAN_LOOPS])


@compiled
def shoot(u: int, target: int, stats: Array, damage: Array, attacker: Array) -> None:
    """Note a hit that lands at the end of the loop."""
    damage[target] += stats[u, DAMAGE]
    if attacker[target] < 0:
        attacker[target] = u
