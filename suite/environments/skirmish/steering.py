"""Where a walking unit wants to go: routes round walls, headings, steps on the terrain.

StarCraft's own path finding is not public; `docs/skirmish.md` says what was chosen.
"""

from __future__ import annotations

import math
from typing import Any

from suite.environments.skirmish.bundles import Battle
from suite.environments.skirmish.compilation import inlined
from suite.environments.skirmish.fields import (
    AIR,
    CLEARANCE,
    GROUND,
    HEADING_X,
    HEADING_Y,
    LAYER,
    PLAYABLE_HIGH,
    PLAYABLE_LOW,
    REPLAN,
    WAYPOINT,
    X,
    Y,
)
from suite.environments.skirmish.paths import (
    cell_of,
    find_corner,
    foot_of,
    is_passable,
)
from suite.environments.skirmish.tables import Tables

Array = Any

ROUTE_PLANS = 4  # a walking unit looks for its route every so many plans
CORNER_MARGIN = 0.0625  # cells by which a route passes a corner farther off than it must
NEAR_CORNER = 0.5  # cells from a corner at which it does so at every plan
TERRAIN_MARGIN = 1.0 / 4096.0  # grain of the game's positions; keeps centres off blocked cells


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
def place_after(
    u: int, dx: float, dy: float, battle: Battle, tables: Tables
) -> tuple[float, float]:
    """Where unit u is after a step of less than a cell on its layer."""
    units, stats = battle.units, tables.stats
    x = units[u, X]
    y = units[u, Y]
    layer = int(stats[u, LAYER])
    if layer == AIR:
        low, high = PLAYABLE_LOW, PLAYABLE_HIGH - TERRAIN_MARGIN
        return min(max(x + dx, low), high), min(max(y + dy, low), high)
    if tables.is_open[layer, int(x), int(y)] and abs(dx) < 0.5 and abs(dy) < 0.5:
        return x + dx, y + dy  # no wall is near
    return walk(tables.is_free[layer], x, y, x + dx, y + dy, stats[u, CLEARANCE])


@inlined
def turn_to_goal(u: int, battle: Battle, tables: Tables, goal_x: float, goal_y: float) -> None:
    """Let walking unit u look where its goal is, or the corner it goes by."""
    units, orders = battle.units, battle.orders
    if tables.routes.has_walls and tables.stats[u, LAYER] == GROUND:
        orders[u, REPLAN] -= 1
        if orders[u, REPLAN] <= 0:
            orders[u, REPLAN] = ROUTE_PLANS
            orders[u, WAYPOINT] = _choose_corner(u, battle, tables, goal_x, goal_y)
    corner = orders[u, WAYPOINT]
    if corner >= 0:
        # it passes the wall's corner by its inner radius, however many others do
        bend = tables.routes.bends[corner]
        away = tables.stats[u, CLEARANCE] + CORNER_MARGIN
        goal_x = bend[0] + away * bend[2]
        goal_y = bend[1] + away * bend[3]
    to_x = goal_x - units[u, X]
    to_y = goal_y - units[u, Y]
    distance = math.sqrt(to_x * to_x + to_y * to_y)
    if distance > 0.0:
        units[u, HEADING_X] = to_x / distance
        units[u, HEADING_Y] = to_y / distance
    if corner >= 0 and distance < NEAR_CORNER:
        orders[u, REPLAN] = 0


@inlined
def _choose_corner(u: int, battle: Battle, tables: Tables, to_x: float, to_y: float) -> int:
    """The corner by which unit u goes to (to_x, to_y); -1 for straight on."""
    is_free, routes = tables.is_free[GROUND], tables.routes
    x, y = battle.units[u, X], battle.units[u, Y]
    clearance = tables.stats[u, CLEARANCE]
    to_x, to_y = foot_of(is_free, x, y, to_x, to_y)
    is_straight = routes.is_clear[cell_of(routes.cell, x, y), cell_of(routes.cell, to_x, to_y)]
    if is_straight or is_passable(is_free, x, y, to_x, to_y, clearance - TERRAIN_MARGIN):
        return -1
    corners, onward, bends = routes.corners, routes.onward, routes.bends
    distance = clearance + CORNER_MARGIN
    width = clearance - TERRAIN_MARGIN
    return find_corner(
        is_free, routes.cell, corners, onward, bends, x, y, to_x, to_y, width, distance
    )
