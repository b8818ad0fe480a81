"""Ways round walls: which cells see each other, and the corners a route goes by.

A unit walks straight at its goal if no wall is between; else to the corner from which the shortest
way leads on, and so forth. StarCraft's own path finding is not public; shortest ways are chosen.
"""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from suite.environments.skirmish.compilation import compiled, inlined

Array = Any

CORNER_DISTANCE = 0.5  # cells from a wall's corner, along each axis, from which routes are measured
MOST_CLEARANCE = 0.5  # cells a walker may keep from walls
LAST_PART = 1.0  # cells of a way, before its end, on which a walker's width does not matter
SIDE_STEPS = 2  # cells from a goal on a wall at which the ground beside it is looked for


class Routes(NamedTuple):
    """Everything a unit needs to find its way on one terrain.

    has_walls: False if the free cells form a rectangle; the arrays are then placeholders.
    cell: (32, 32) int64 [x, y], number of the nearest free cell.
    is_clear: (cells, cells) bool, from every point of one cell a walker can go straight to every
    point of the other, if it keeps no more than MOST_CLEARANCE from walls.
    corners: (corners, 2) float64. onward: (corners, cells) length of the shortest way in cells.
    bends: (corners, 4) float64, the wall's corner itself, and the way straight away from it (one
    cell along each axis).
    """

    has_walls: bool
    cell: NDArray[np.int64]
    is_clear: NDArray[np.bool_]
    corners: NDArray[np.float64]
    onward: NDArray[np.float64]
    bends: NDArray[np.float64]


def build_routes(is_free: NDArray[np.bool_]) -> Routes:
    """Routes of a terrain, is_free (32, 32) bool [x, y]."""
    return _build_routes(is_free.tobytes(), is_free.shape)


@functools.cache
def _build_routes(packed: bytes, shape: tuple[int, int]) -> Routes:
    is_free = np.frombuffer(packed, np.bool_).reshape(shape).copy()
    cells = np.argwhere(is_free)
    box = is_free[slice(*_bounds(cells[:, 0])), slice(*_bounds(cells[:, 1]))]
    number = _nearest(is_free, cells)
    if box.all():
        none = np.zeros((1, 1))
        return Routes(False, number, none > 0, np.zeros((1, 2)), none, np.zeros((1, 4)))
    is_clear = np.zeros((len(cells), len(cells)), np.bool_)
    _find_clear(is_free, cells, 0.0, is_clear)
    corners = _find_corners(is_free)
    length = np.full((len(corners), len(corners)), np.inf)
    _measure(is_free, corners, corners, length)
    for k in range(len(corners)):
        np.minimum(length, length[:, k, None] + length[k], out=length)
    last = np.full((len(corners), len(cells)), np.inf)
    _measure(is_free, corners, cells + 0.5, last)
    onward = np.full(last.shape, np.inf)
    for k in range(len(corners)):
        np.minimum(onward, length[:, k, None] + last[k], out=onward)
    is_used = np.zeros(len(corners), np.bool_)
    _mark_used(last, onward, is_clear, is_used)
    _find_clear(is_free, cells, MOST_CLEARANCE, is_clear)
    bends = np.array([_bend(is_free, corner) for corner in corners[is_used]])
    return Routes(True, number, is_clear, corners[is_used], onward[is_used], bends)


def _bounds(values: NDArray[np.intp]) -> tuple[int, int]:
    return int(values.min()), int(values.max()) + 1


def _nearest(is_free: NDArray[np.bool_], cells: NDArray[np.intp]) -> NDArray[np.int64]:
    """(32, 32) number of the free cell nearest to each cell."""
    every = np.argwhere(np.ones_like(is_free))
    squared = ((every[:, None] - cells) ** 2).sum(-1)
    return squared.argmin(1).astype(np.int64).reshape(is_free.shape)


def _find_corners(is_free: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Points beside every corner at which one blocked cell meets three free ones."""
    found = []
    for i in range(1, is_free.shape[0]):
        for j in range(1, is_free.shape[1]):
            blocked = np.argwhere(~is_free[i - 1 : i + 1, j - 1 : j + 1])
            if len(blocked) == 1:
                away = 1 - 2 * blocked[0]
                found.append((i, j) + CORNER_DISTANCE * away)
    return np.array(found, np.float64).reshape(-1, 2)


def _bend(is_free: NDArray[np.bool_], corner: NDArray[np.float64]) -> tuple[float, ...]:
    """A row of `Routes.bends`."""
    i, j = corner.astype(int)
    around = [(i + dx, j + dy) for dx in (-1, 1) for dy in (-1, 1)]
    away = next(
        (corner - (a + 0.5, b + 0.5))
        for a, b in around
        if not is_free[a, b] and is_free[a, j] and is_free[i, b]
    )
    return (*(corner - CORNER_DISTANCE * away), *away)


@compiled
def is_visible(is_free: Array, x: float, y: float, to_x: float, to_y: float) -> bool:
    """Whether the straight line between two points meets no blocked cell, nor the map's edge."""
    i = math.floor(x)
    j = math.floor(y)
    last_i = math.floor(to_x)
    last_j = math.floor(to_y)
    size = is_free.shape[0]
    if not (0 <= last_i < size and 0 <= last_j < size and 0 <= i < size and 0 <= j < size):
        return False
    dx = to_x - x
    dy = to_y - y
    step_i = 1 if dx > 0.0 else -1
    step_j = 1 if dy > 0.0 else -1
    # share of the line after which it enters the next column, the next row
    next_x = ((i + (1 if dx > 0.0 else 0)) - x) / dx if dx != 0.0 else math.inf
    next_y = ((j + (1 if dy > 0.0 else 0)) - y) / dy if dy != 0.0 else math.inf
    while is_free[i, j]:
        if i == last_i and j == last_j:
            return True
        # at the very end of the line rounding must not lead past its last column or row
        if j == last_j or (i != last_i and next_x < next_y):
            i += step_i
            next_x += step_i / dx
        else:
            j += step_j
            next_y += step_j / dy
    return False


@compiled
def is_passable(
    is_free: Array, x: float, y: float, to_x: float, to_y: float, clearance: float
) -> bool:
    """Whether a walker that keeps `clearance` from walls can go straight between two points.

    On the LAST_PART of the way only its middle line must be free: goals may be near walls.
    """
    if not is_visible(is_free, x, y, to_x, to_y):
        return False
    dx = to_x - x
    dy = to_y - y
    length = math.sqrt(dx * dx + dy * dy)
    if length <= LAST_PART:
        return True
    aside_x = -dy / length * clearance
    aside_y = dx / length * clearance
    to_x -= dx / length * LAST_PART
    to_y -= dy / length * LAST_PART
    return is_visible(
        is_free, x + aside_x, y + aside_y, to_x + aside_x, to_y + aside_y
    ) and is_visible(is_free, x - aside_x, y - aside_y, to_x - aside_x, to_y - aside_y)


@compiled
def find_corner(
    is_free: Array,
    cell: Array,
    corners: Array,
    onward: Array,
    bends: Array,
    x: float,
    y: float,
    to_x: float,
    to_y: float,
    clearance: float,
    distance: float,
) -> int:
    """Corner by which the shortest way from (x, y) to (to_x, to_y) goes; -1 if none is seen.

    clearance: what the walker keeps from walls; distance: at which it passes the wall's corner,
    along each axis.
    """
    goal = cell[_column(to_x), _column(to_y)]
    least = -1.0
    while True:
        best = -1
        best_length = math.inf
        for w in range(len(corners)):
            dx = corners[w, 0] - x
            dy = corners[w, 1] - y
            length = math.sqrt(dx * dx + dy * dy) + onward[w, goal]
            if least < length < best_length:
                best = w
                best_length = length
        if best < 0:
            return best
        pass_x = bends[best, 0] + distance * bends[best, 2]
        pass_y = bends[best, 1] + distance * bends[best, 3]
        if is_passable(is_free, x, y, pass_x, pass_y, clearance):
            return best
        least = best_length


@inlined
def foot_of(is_free: Array, x: float, y: float, to_x: float, to_y: float) -> tuple[float, float]:
    """Where a walker from (x, y) goes for a goal on a wall: beside it, on the walker's side.

    The centre of the free cell nearest to the walker, of those up to SIDE_STEPS cells from the
    goal along either axis; the goal itself if it is free or there is none.
    """
    i = _column(to_x)
    j = _column(to_y)
    if is_free[i, j]:
        return to_x, to_y
    best_x = to_x
    best_y = to_y
    least = math.inf
    for step in range(1, SIDE_STEPS + 1):
        for k in range(4):
            place_i = i + (step if k == 0 else -step if k == 1 else 0)
            place_j = j + (step if k == 2 else -step if k == 3 else 0)
            is_inside = 0 <= place_i < is_free.shape[0] and 0 <= place_j < is_free.shape[1]
            if is_inside and is_free[place_i, place_j]:
                dx = place_i + 0.5 - x
                dy = place_j + 0.5 - y
                if dx * dx + dy * dy < least:
                    least = dx * dx + dy * dy
                    best_x = place_i + 0.5
                    best_y = place_j + 0.5
    return best_x, best_y


@inlined
def _column(position: float) -> int:
    """Column or row of a position, the nearest one for a position outside the map."""
    return min(max(math.floor(position), 0), 31)


@inlined
def cell_of(cell: Array, x: float, y: float) -> int:
    """Number of the free cell at, or nearest to, a point."""
    return cell[_column(x), _column(y)]


@compiled
def _find_clear(is_free: Array, cells: Array, clearance: float, is_clear: Array) -> None:
    """Fill is_clear: no blocked cell meets the square that slides from one cell to the other.

    clearance: cells by which the square is larger than a cell, on each side.
    """
    for c in range(len(cells)):
        for d in range(c, len(cells)):
            clear = _slides_freely(
                is_free, cells[c, 0], cells[c, 1], cells[d, 0], cells[d, 1], clearance
            )
            is_clear[c, d] = clear
            is_clear[d, c] = clear


@inlined
def _slides_freely(
    is_free: Array, i: int, j: int, last_i: int, last_j: int, clearance: float
) -> bool:
    dx = last_i - i
    dy = last_j - j
    length = max(abs(dx), abs(dy))
    more = math.ceil(clearance)
    size = is_free.shape[0]
    for k in range(max(min(i, last_i) - more, 0), min(max(i, last_i) + more + 1, size)):
        for m in range(max(min(j, last_j) - more, 0), min(max(j, last_j) + more + 1, size)):
            # the square meets a cell if its way passes so near it on both axes
            if not is_free[k, m] and _passes_within(1.0 + clearance, k - i, m - j, dx, dy, length):
                return False
    return True


@inlined
def _passes_within(near: float, u: int, v: int, dx: int, dy: int, length: int) -> bool:
    """Whether some t in [0, 1] has |u - t dx| < near and |v - t dy| < near."""
    if length == 0:
        return abs(u) < near and abs(v) < near
    low = 0.0
    high = 1.0
    for offset, way in ((u, dx), (v, dy)):
        if way == 0:
            if abs(offset) >= near:
                return False
        else:
            first = (offset - near) / way
            last = (offset + near) / way
            low = max(low, min(first, last))
            high = min(high, max(first, last))
    return low < high


@compiled
def _measure(is_free: Array, origins: Array, goals: Array, length: Array) -> None:
    """Fill length (origins, goals) with the distance of points that see each other."""
    for k in range(len(origins)):
        for m in range(len(goals)):
            if is_visible(is_free, origins[k, 0], origins[k, 1], goals[m, 0], goals[m, 1]):
                dx = goals[m, 0] - origins[k, 0]
                dy = goals[m, 1] - origins[k, 1]
                length[k, m] = math.sqrt(dx * dx + dy * dy)


@compiled
def _mark_used(last: Array, onward: Array, is_clear: Array, is_used: Array) -> None:
    """Mark the corners that some route between two cells goes to first."""
    for c in range(len(is_clear)):
        for d in range(len(is_clear)):
            if is_clear[c, d]:
                continue
            best = -1
            best_length = math.inf
            for w in range(len(last)):
                if last[w, c] + onward[w, d] < best_length:
                    best = w
                    best_length = last[w, c] + onward[w, d]
            if best >= 0:
                is_used[best] = True
