"""Walking in one game loop: routes round walls, ways round standing units, steps.

Every unit plans from the positions at the start of the loop, so the order of the units does not
matter. StarCraft's own path finding is not public; `docs/skirmish.md` says what was chosen.
"""

from __future__ import annotations

import math
from typing import Any

from suite.environments.skirmish.compilation import inlined
from suite.environments.skirmish.fields import (
    ACCELERATION,
    AIR,
    CLEARANCE,
    DETOUR,
    GROUND,
    HEADING_X,
    HEADING_Y,
    HEALTH,
    LAYER,
    MAP_EXTENT,
    PACE,
    PUSHES_IDLE,
    REPLAN,
    REROUTE,
    SEPARATION,
    SPEED,
    WAYPOINT,
    X,
    Y,
)
from suite.environments.skirmish.paths import cell_of, find_corner, foot_of, is_visible

Array = Any

# what a unit does in this loop: posture (units,) int64
STANDING, MOVING, HOLDING = 0, 1, 2  # idle; walking; aiming or waiting for its weapon

# columns of a plan (units, 4): goal, distance from it at which to stop, way of this loop, in cells
END_X, END_Y, STOP_AT, STRIDE = 0, 1, 2, 3
N_PLAN = 4
# rows of the list of standing units (4, units): x, y, separation, who walks through it
OBSTACLE_X, OBSTACLE_Y, OBSTACLE_ROOM, PASSES = 0, 1, 2, 3
N_OBSTACLE = 4
NOBODY_PASSES, ALLIES_PASS, ENEMIES_PASS = 0.0, 1.0, 2.0
SHUT_IN = 2  # a unit's DETOUR while it finds no way

PLAN_LOOPS = 8  # a walking unit looks at what stands in its way this often,
AIM_LOOPS = 4  # at where its goal is, if the way there is straight, this often,
ROUTE_PLANS = 1  # and at walls every so many times it looks
ARRIVAL = 0.75  # cells from a corner at which the next one is looked for
LOOK_AHEAD = 1.5  # cells in which a walking unit looks for standing units in its way
CONTACT_TOLERANCE = 0.02  # cells two units may overlap before one counts as in the other's way
TERRAIN_MARGIN = 1.0 / 4096.0  # grain of the game's positions; keeps centres off blocked cells
# a blocked unit turns by multiples of 22.5 degrees, up to 135
_TURN_COS = tuple(math.cos(k * math.pi / 8) for k in range(7))
_TURN_SIN = tuple(math.sin(k * math.pi / 8) for k in range(7))
N_TURNS = 7


@inlined
def is_free_at(is_free: Array, x: float, y: float) -> bool:
    """Whether a unit's centre may be here; is_free (32, 32) of the unit's layer."""
    i = math.floor(x)
    j = math.floor(y)
    return 0 <= i < is_free.shape[0] and 0 <= j < is_free.shape[1] and is_free[i, j]


@inlined
def _fits(is_free: Array, x: float, y: float, clearance: float) -> bool:
    """Whether a square of half side `clearance` round (x, y) is free."""
    if clearance == 0.0:
        return is_free_at(is_free, x, y)
    return (
        is_free_at(is_free, x - clearance, y - clearance)
        and is_free_at(is_free, x - clearance, y + clearance)
        and is_free_at(is_free, x + clearance, y - clearance)
        and is_free_at(is_free, x + clearance, y + clearance)
    )


@inlined
def _clamp(position: float, wanted: float, clearance: float) -> float:
    """The point nearest to `wanted` that keeps the unit in the cells it touches at `position`."""
    low = math.floor(position - clearance) + clearance
    high = math.floor(position + clearance) + 1.0 - TERRAIN_MARGIN - clearance
    return min(max(wanted, min(low, position)), max(high, position))


@inlined
def walk(
    is_free: Array, x: float, y: float, to_x: float, to_y: float, clearance: float
) -> tuple[float, float]:
    """Where a step of less than a cell ends: at (to_x, to_y), or sliding along what blocks it."""
    if _fits(is_free, to_x, to_y, clearance):
        return to_x, to_y
    if not _fits(is_free, to_x, y, clearance):
        to_x = _clamp(x, to_x, clearance)
    if not _fits(is_free, to_x, to_y, clearance):
        to_y = _clamp(y, to_y, clearance)
    return to_x, to_y


@inlined
def displace(
    u: int, dx: float, dy: float, units: Array, stats: Array, rules: Array, is_free: Array
) -> None:
    """Move unit u by less than a cell, as its layer lets it; is_free (2, 32, 32)."""
    layer = int(stats[u, LAYER])
    if layer == AIR:
        edge = MAP_EXTENT - TERRAIN_MARGIN
        units[u, X] = min(max(units[u, X] + dx, 0.0), edge)
        units[u, Y] = min(max(units[u, Y] + dy, 0.0), edge)
        return
    clearance = rules[CLEARANCE] if layer == GROUND else 0.0
    x = units[u, X]
    y = units[u, Y]
    units[u, X], units[u, Y] = walk(is_free[layer], x, y, x + dx, y + dy, clearance)


@inlined
def _way_to_contact(
    dx: float, dy: float, to_x: float, to_y: float, separation: float, look: float
) -> float:
    """Distance walkable along unit vector (to_x, to_y) before meeting a unit at offset (dx, dy).

    Returns `look` if nothing is met within it.
    """
    along = dx * to_x + dy * to_y
    if along <= 0.0:
        return look
    aside_squared = dx * dx + dy * dy - along * along
    if along > look + separation:
        return look
    room = separation - CONTACT_TOLERANCE
    gap = room * room - aside_squared
    if gap <= 0.0:
        return look
    return min(look, along - math.sqrt(gap))


@inlined
def _list_standing(
    units: Array,
    orders: Array,
    stats: Array,
    posture: Array,
    rules: Array,
    n_allies: int,
    standing: Array,
) -> int:
    """List the living ground units that do not walk, or are shut in; returns how many.

    standing: (N_OBSTACLE, units) scratch. Idle units are passed by walkers of their side, which
    push them aside; units that aim or wait, and structures, by nobody.
    """
    count = 0
    for j in range(units.shape[0]):
        if units[j, HEALTH] <= 0.0 or stats[j, LAYER] != GROUND:
            continue
        if posture[j] != MOVING or orders[j, DETOUR] == SHUT_IN:
            standing[OBSTACLE_X, count] = units[j, X]
            standing[OBSTACLE_Y, count] = units[j, Y]
            standing[OBSTACLE_ROOM, count] = stats[j, SEPARATION]
            standing[PASSES, count] = NOBODY_PASSES
            is_waiting = orders[j, DETOUR] == SHUT_IN
            if (
                not is_waiting
                and posture[j] == STANDING
                and stats[j, SPEED] > 0.0
                and rules[PUSHES_IDLE] > 0.0
            ):
                standing[PASSES, count] = ALLIES_PASS if j < n_allies else ENEMIES_PASS
            count += 1
    return count


@inlined
def _is_straight_clear(
    x: float,
    y: float,
    to_x: float,
    to_y: float,
    room: float,
    passes: float,
    standing: Array,
    n_standing: int,
    look: float,
) -> bool:
    """Whether a unit at (x, y) walks `look` cells along (to_x, to_y) without contact."""
    for j in range(n_standing):
        dx = standing[OBSTACLE_X, j] - x
        dy = standing[OBSTACLE_Y, j] - y
        least = room + standing[OBSTACLE_ROOM, j]
        is_met = _way_to_contact(dx, dy, to_x, to_y, least, look) < look
        if is_met and standing[PASSES, j] != passes:
            return False
    return True


@inlined
def _find_obstacles(
    x: float,
    y: float,
    room: float,
    passes: float,
    standing: Array,
    n_standing: int,
    look: float,
    near: Array,
) -> int:
    """List what a unit at (x, y) must walk round within `look` cells; returns how many.

    near: (units, 3) scratch, filled with offset x, offset y and least distance of the centres.
    """
    count = 0
    for j in range(n_standing):
        dx = standing[OBSTACLE_X, j] - x
        dy = standing[OBSTACLE_Y, j] - y
        least = room + standing[OBSTACLE_ROOM, j]
        limit = look + least
        if dx * dx + dy * dy < limit * limit and standing[PASSES, j] != passes:
            near[count, 0] = dx
            near[count, 1] = dy
            near[count, 2] = least
            count += 1
    return count


@inlined
def _is_clear(near: Array, n_near: int, to_x: float, to_y: float, look: float) -> bool:
    """Whether a unit walks `look` cells along unit vector (to_x, to_y) without contact."""
    for k in range(n_near):
        if _way_to_contact(near[k, 0], near[k, 1], to_x, to_y, near[k, 2], look) < look:
            return False
    return True


@inlined
def detour(
    near: Array, n_near: int, to_x: float, to_y: float, side: int, soon: float
) -> tuple[float, float, int]:
    """Direction of a unit whose way along unit vector (to_x, to_y) is blocked, and its side.

    The smallest turn with LOOK_AHEAD cells free, to `side` (1 left, -1 right) as long as there is
    one, so that a unit that has begun to walk round others goes on round them; with `side` 0 it
    takes the smaller turn, left if equal. If there is none: straight on if there is room until
    the next look, else (0, 0) and SHUT_IN.
    near: the `n_near` obstacles of `_find_obstacles`. soon: the way until the next look, cells.
    """
    first = 1 if side == 0 else side
    other_x = 0.0
    other_y = 0.0
    has_other = False
    for turn in range(1, N_TURNS):
        sine = _TURN_SIN[turn] * first
        try_x = to_x * _TURN_COS[turn] - to_y * sine
        try_y = to_x * sine + to_y * _TURN_COS[turn]
        if _is_clear(near, n_near, try_x, try_y, LOOK_AHEAD):
            return try_x, try_y, first
        if not has_other:
            try_x = to_x * _TURN_COS[turn] + to_y * sine
            try_y = -to_x * sine + to_y * _TURN_COS[turn]
            if _is_clear(near, n_near, try_x, try_y, LOOK_AHEAD):
                if side == 0:
                    return try_x, try_y, -first
                other_x = try_x
                other_y = try_y
                has_other = True
    if has_other:
        return other_x, other_y, -first
    if _is_clear(near, n_near, to_x, to_y, soon):
        return to_x, to_y, 0
    return 0.0, 0.0, SHUT_IN


@inlined
def _choose_route(
    u: int,
    units: Array,
    orders: Array,
    is_free: Array,
    cell: Array,
    is_clear: Array,
    corners: Array,
    onward: Array,
    to_x: float,
    to_y: float,
) -> None:
    """Set the corner unit u walks to on its way to (to_x, to_y); is_free (32, 32)."""
    x = units[u, X]
    y = units[u, Y]
    corner = orders[u, WAYPOINT]
    if corner >= 0:
        dx = corners[corner, 0] - x
        dy = corners[corner, 1] - y
        has_arrived = dx * dx + dy * dy < ARRIVAL * ARRIVAL
    else:
        has_arrived = False
    orders[u, REROUTE] -= 1
    if orders[u, REROUTE] > 0 and not has_arrived:
        return
    orders[u, REROUTE] = ROUTE_PLANS
    to_x, to_y = foot_of(is_free, x, y, to_x, to_y)
    is_straight = is_clear[cell_of(cell, x, y), cell_of(cell, to_x, to_y)]
    if is_straight or is_visible(is_free, x, y, to_x, to_y):
        orders[u, WAYPOINT] = -1
    else:
        orders[u, WAYPOINT] = find_corner(is_free, cell, corners, onward, x, y, to_x, to_y)


@inlined
def walk_all(
    movers: Array,
    n_movers: int,
    units: Array,
    orders: Array,
    stats: Array,
    posture: Array,
    rules: Array,
    is_free: Array,
    has_walls: bool,
    cell: Array,
    is_clear: Array,
    corners: Array,
    onward: Array,
    n_allies: int,
    plan: Array,
    near: Array,
    standing: Array,
) -> None:
    """Let the walking units go by their plans, all from the positions at the start of the loop.

    movers: the `n_movers` walking units. plan: (units, N_PLAN). near (units, 3) and standing
    (N_OBSTACLE, units) are scratch. The routes are those of `paths.Routes`.
    """
    n_standing = -1
    for k in range(n_movers):
        u = movers[k]
        orders[u, REPLAN] -= 1
        if orders[u, REPLAN] > 0:
            is_straight = orders[u, DETOUR] == 0 and orders[u, WAYPOINT] < 0
            if is_straight and orders[u, REPLAN] % AIM_LOOPS == 0:
                _head(u, plan[u, END_X] - units[u, X], plan[u, END_Y] - units[u, Y], units)
            continue
        orders[u, REPLAN] = PLAN_LOOPS
        if n_standing < 0:
            n_standing = _list_standing(units, orders, stats, posture, rules, n_allies, standing)
        _look(
            u, units, orders, stats, rules, is_free[GROUND], has_walls, cell, is_clear, corners,
            onward, n_allies, plan, near, standing, n_standing,
        )  # fmt: skip
    for k in range(n_movers):
        u = movers[k]
        stride = plan[u, STRIDE]
        if stats[u, ACCELERATION] > 0.0:
            pace = min(units[u, PACE] + stats[u, ACCELERATION], stats[u, SPEED])
            stride = min(stride, 0.5 * (units[u, PACE] + pace))
            units[u, PACE] = pace
        dx = units[u, HEADING_X] * stride
        dy = units[u, HEADING_Y] * stride
        displace(u, dx, dy, units, stats, rules, is_free)


@inlined
def _look(
    u: int,
    units: Array,
    orders: Array,
    stats: Array,
    rules: Array,
    is_free: Array,
    has_walls: bool,
    cell: Array,
    is_clear: Array,
    corners: Array,
    onward: Array,
    n_allies: int,
    plan: Array,
    near: Array,
    standing: Array,
    n_standing: int,
) -> None:
    """Set the heading of walking unit u: to its goal, by walls and by who stands in its way."""
    x = units[u, X]
    y = units[u, Y]
    to_x = plan[u, END_X] - x
    to_y = plan[u, END_Y] - y
    stop_at = plan[u, STOP_AT]
    if stats[u, LAYER] == GROUND and has_walls:
        _choose_route(
            u, units, orders, is_free, cell, is_clear, corners, onward,
            plan[u, END_X], plan[u, END_Y],
        )  # fmt: skip
        corner = orders[u, WAYPOINT]
        if corner >= 0:
            to_x = corners[corner, 0] - x
            to_y = corners[corner, 1] - y
            stop_at = 0.0
    distance = _head(u, to_x, to_y, units)
    if stats[u, LAYER] == GROUND:
        passes = ALLIES_PASS if u < n_allies else ENEMIES_PASS
        look = min(LOOK_AHEAD, distance - stop_at)
        room = stats[u, SEPARATION]
        to_x = units[u, HEADING_X]
        to_y = units[u, HEADING_Y]
        if _is_straight_clear(x, y, to_x, to_y, room, passes, standing, n_standing, look):
            orders[u, DETOUR] = 0
            return
        n_near = _find_obstacles(x, y, room, passes, standing, n_standing, LOOK_AHEAD, near)
        side = 0 if orders[u, DETOUR] == SHUT_IN else orders[u, DETOUR]
        soon = PLAN_LOOPS * stats[u, SPEED]
        units[u, HEADING_X], units[u, HEADING_Y], orders[u, DETOUR] = detour(
            near, n_near, to_x, to_y, side, soon
        )


@inlined
def _head(u: int, to_x: float, to_y: float, units: Array) -> float:
    """Let unit u head for an offset; returns its length, cells."""
    distance = math.sqrt(to_x * to_x + to_y * to_y)
    if distance > 0.0:
        units[u, HEADING_X] = to_x / distance
        units[u, HEADING_Y] = to_y / distance
    return distance
