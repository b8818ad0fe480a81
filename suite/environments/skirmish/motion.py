"""Movement of one game loop: steering round standing units, contact, terrain.

Every unit plans from the positions at the start of the loop, and contacts are settled for all
pairs at once, so the order of the units does not matter. StarCraft's own path finding and
pushing are not public; `docs/skirmish.md` says what was chosen.
"""

from __future__ import annotations

import math
from typing import Any

from suite.environments.skirmish.compilation import compiled
from suite.environments.skirmish.fields import DETOUR, HEALTH, SEPARATION, X, Y

Array = Any

# what a unit does in this loop: posture (units,) int64
STANDING, MOVING, HOLDING = 0, 1, 2  # idle; walking; aiming or waiting for its weapon

# columns of a plan (units, 4): unit vector wanted, way left and way of this loop in cells
TO_X, TO_Y, TO_GO, STRIDE = 0, 1, 2, 3

LOOK_AHEAD = 1.5  # cells in which a walking unit looks for standing units in its way
CONTACT_TOLERANCE = 0.02  # cells two units may overlap before one counts as in the other's way
OVERLAP_TOLERANCE = 1e-6
TERRAIN_MARGIN = 1.0 / 4096.0  # grain of the game's positions; keeps centres off blocked cells
# a blocked unit turns by multiples of 22.5 degrees, up to 135
_TURN_COS = tuple(math.cos(k * math.pi / 8) for k in range(7))
_TURN_SIN = tuple(math.sin(k * math.pi / 8) for k in range(7))
N_TURNS = 7


@compiled
def is_free_at(is_free: Array, x: float, y: float) -> bool:
    """Whether a unit's centre may be here."""
    i = math.floor(x)
    j = math.floor(y)
    return 0 <= i < is_free.shape[0] and 0 <= j < is_free.shape[1] and is_free[i, j]


@compiled
def _clamp(position: float, wanted: float) -> float:
    """The point nearest to `wanted` that is still in the cell of `position`."""
    low = math.floor(position)
    return min(max(wanted, low), max(low + 1.0 - TERRAIN_MARGIN, position))


@compiled
def walk(is_free: Array, x: float, y: float, to_x: float, to_y: float) -> tuple[float, float]:
    """Where a step of less than a cell ends: at (to_x, to_y), or sliding along what blocks it."""
    if is_free_at(is_free, to_x, to_y):
        return to_x, to_y
    if not is_free_at(is_free, to_x, y):
        to_x = _clamp(x, to_x)
    if not is_free_at(is_free, to_x, to_y):
        to_y = _clamp(y, to_y)
    return to_x, to_y


@compiled
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
    room = separation - CONTACT_TOLERANCE
    gap = room * room - aside_squared
    if gap <= 0.0:
        return look
    return min(look, along - math.sqrt(gap))


@compiled
def _list_standing(
    units: Array, stats: Array, posture: Array, n_allies: int, standing: Array
) -> int:
    """List the living units that do not walk; returns how many.

    standing: (4, units) scratch: x, y, separation, and the side that need not walk round the unit
    because it pushes it (0 allies, 1 enemies), -1 for none.
    """
    count = 0
    for j in range(units.shape[0]):
        if posture[j] != MOVING and units[j, HEALTH] > 0.0:
            standing[0, count] = units[j, X]
            standing[1, count] = units[j, Y]
            standing[2, count] = stats[j, SEPARATION]
            if posture[j] == HOLDING:
                standing[3, count] = -1.0
            else:
                standing[3, count] = 0.0 if j < n_allies else 1.0
            count += 1
    return count


@compiled
def _find_obstacles(
    x: float,
    y: float,
    separation: float,
    side: float,
    standing: Array,
    n_standing: int,
    look: float,
    near: Array,
) -> int:
    """List what a unit of `side` at (x, y) must walk round within `look` cells; returns how many.

    near: (units, 3) scratch, filled with offset x, offset y and least distance of the centres.
    Holding units and standing units of the other side are obstacles; standing friends are not
    (they get pushed), nor are walking units.
    """
    count = 0
    for j in range(n_standing):
        dx = standing[0, j] - x
        dy = standing[1, j] - y
        room = separation + standing[2, j]
        limit = look + room
        if dx * dx + dy * dy < limit * limit and standing[3, j] != side:
            near[count, 0] = dx
            near[count, 1] = dy
            near[count, 2] = room
            count += 1
    return count


@compiled
def _is_clear(near: Array, n_near: int, to_x: float, to_y: float, look: float) -> bool:
    """Whether a unit walks `look` cells along unit vector (to_x, to_y) without contact."""
    for k in range(n_near):
        if _way_to_contact(near[k, 0], near[k, 1], to_x, to_y, near[k, 2], look) < look:
            return False
    return True


@compiled
def detour(
    near: Array, n_near: int, to_x: float, to_y: float, side: int
) -> tuple[float, float, int]:
    """Direction of a unit whose way along unit vector (to_x, to_y) is blocked, and its side.

    The smallest turn with LOOK_AHEAD cells free, to `side` (1 left, -1 right) as long as there is
    one, so that a unit that has begun to walk round others goes on round them; `side` 0 has not
    begun and takes the smaller turn, left if equal. (0, 0) and side 0 if shut in.
    near: the `n_near` obstacles of `_find_obstacles`.
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
    return 0.0, 0.0, 0


@compiled
def walk_all(
    units: Array,
    orders: Array,
    stats: Array,
    posture: Array,
    is_free: Array,
    n_allies: int,
    plan: Array,
    near: Array,
    standing: Array,
) -> None:
    """Let every walking unit go by its speed, all from the positions at the start of the loop.

    plan: (units, 4), columns `TO_X` to `STRIDE`; overwritten. near (units, 3) and standing
    (4, units) are scratch.
    """
    n_standing = _list_standing(units, stats, posture, n_allies, standing)
    for u in range(units.shape[0]):
        if posture[u] != MOVING:
            continue
        side = 0.0 if u < n_allies else 1.0
        room = stats[u, SEPARATION]
        x = units[u, X]
        y = units[u, Y]
        to_x = plan[u, TO_X]
        to_y = plan[u, TO_Y]
        look = min(LOOK_AHEAD, plan[u, TO_GO])
        n_near = _find_obstacles(x, y, room, side, standing, n_standing, look, near)
        if n_near == 0 or _is_clear(near, n_near, to_x, to_y, look):
            orders[u, DETOUR] = 0
            continue
        n_near = _find_obstacles(x, y, room, side, standing, n_standing, LOOK_AHEAD, near)
        plan[u, TO_X], plan[u, TO_Y], orders[u, DETOUR] = detour(
            near, n_near, to_x, to_y, orders[u, DETOUR]
        )
    for u in range(units.shape[0]):
        if posture[u] == MOVING:
            to_x = units[u, X] + plan[u, TO_X] * plan[u, STRIDE]
            to_y = units[u, Y] + plan[u, TO_Y] * plan[u, STRIDE]
            units[u, X], units[u, Y] = walk(is_free, units[u, X], units[u, Y], to_x, to_y)


@compiled
def _yields(posture_u: int, posture_j: int, is_friend: bool) -> float:
    """How readily a unit in contact gives way: walkers do, the idle do for walking friends."""
    if posture_u == MOVING:
        return 0.0 if posture_j == STANDING and is_friend else 1.0
    if posture_u == STANDING and is_friend and posture_j == MOVING:
        return 1.0
    return 0.0


@compiled
def settle_contacts(
    units: Array,
    stats: Array,
    posture: Array,
    is_free: Array,
    n_allies: int,
    push: Array,
    ground: Array,
) -> bool:
    """Push overlapping units apart, once per loop; returns whether any overlapped.

    All pairs are pushed from the same positions. The pair shares the way by `_yields`; if neither
    gives way, equally. Where a push makes a new contact the next loop goes on.
    push: (units, 2 or more), ground: (4, units) scratch: x, y, separation, unit of the living.
    """
    n_units = units.shape[0]
    n_alive = 0
    for u in range(n_units):
        if units[u, HEALTH] > 0.0:
            ground[0, n_alive] = units[u, X]
            ground[1, n_alive] = units[u, Y]
            ground[2, n_alive] = stats[u, SEPARATION] - 0.5 * OVERLAP_TOLERANCE
            ground[3, n_alive] = u
            n_alive += 1
    has_contact = False
    for i in range(n_alive - 1):
        x = ground[0, i]
        y = ground[1, i]
        separation = ground[2, i]
        for j in range(i + 1, n_alive):
            dx = ground[0, j] - x
            dy = ground[1, j] - y
            room = separation + ground[2, j]
            if dx * dx + dy * dy < room * room:
                if not has_contact:
                    push[:] = 0.0
                    has_contact = True
                u = int(ground[3, i])
                _push_apart(u, int(ground[3, j]), dx, dy, room, posture, n_allies, push)
    if has_contact:
        for u in range(n_units):
            if push[u, 0] != 0.0 or push[u, 1] != 0.0:
                to_x = units[u, X] + push[u, 0]
                to_y = units[u, Y] + push[u, 1]
                units[u, X], units[u, Y] = walk(is_free, units[u, X], units[u, Y], to_x, to_y)
    return has_contact


@compiled
def _push_apart(
    i: int, j: int, dx: float, dy: float, room: float, posture: Array, n_allies: int, push: Array
) -> None:
    """Add to push (units, 2 or more) what parts units i and j; (dx, dy) leads from i to j."""
    distance = math.sqrt(dx * dx + dy * dy)
    if distance > 0.0:
        dx /= distance
        dy /= distance
    else:  # two units on one point part along x
        dx = 1.0
    is_friend = (i < n_allies) == (j < n_allies)
    share_i = _yields(posture[i], posture[j], is_friend)
    share_j = _yields(posture[j], posture[i], is_friend)
    if share_i + share_j == 0.0:
        share_i = 1.0
        share_j = 1.0
    overlap = (room + OVERLAP_TOLERANCE - distance) / (share_i + share_j)
    push[i, 0] -= dx * overlap * share_i
    push[i, 1] -= dy * overlap * share_i
    push[j, 0] += dx * overlap * share_j
    push[j, 1] += dy * overlap * share_j
