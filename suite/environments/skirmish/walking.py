"""Walking in one game loop: everyone proposes a place, conflicts are settled, then all move.

Everyone plans from the positions at the start of the loop and from where the others would be if
all went straight on, so the order of the units does not matter. Who stays where it is, because its
place is taken, holds up whoever is behind it; so in the end no two units overlap. A walker blocked
by somebody who stands goes round it, along its edge, and waits if it cannot.
StarCraft's own crowds are not public; `docs/skirmish.md` says what was chosen.
"""

from __future__ import annotations

import math
from typing import Any

from suite.environments.skirmish.bundles import Battle, Scratch
from suite.environments.skirmish.compilation import NOTHING, inlined
from suite.environments.skirmish.contacts import TOLERANCE, find_touching
from suite.environments.skirmish.fields import (
    ACCELERATION,
    ATTACK_MOVE,
    CLIFF,
    DETOUR,
    GOAL_X,
    GOAL_Y,
    HEADING_X,
    HEADING_Y,
    HEALTH,
    IDLE,
    IS_HELD_UP,
    LAYER,
    ORDER,
    PACE,
    PATIENCE,
    PUSH_X,
    PUSH_Y,
    PUSHES_IDLE,
    SEPARATION,
    SPEED,
    TARGET,
    WAITING,
    X,
    Y,
)
from suite.environments.skirmish.steering import place_after, turn_to_goal
from suite.environments.skirmish.tables import Tables
from suite.environments.skirmish.targeting import distance_between

Array = Any

# what a unit does in this loop: posture (units,) int64
STANDING, MOVING, HOLDING = 0, 1, 2  # idle; walking; aiming or waiting

# rows of a plan (N_PLAN, padded units), in cells: the goal, whether the unit stops on it, the way
# of these loops; where the unit would be if it went straight on, where it will be
END_X, END_Y, STOPS_ON_GOAL, STRIDE, AHEAD_X, AHEAD_Y, NEXT_X, NEXT_Y = range(8)
N_PLAN = 8
# how a mover came by the place where it will be: (units,) int64
STRAIGHT, ROUND, STAYING = 0, 1, 2

PLAN_LOOPS = 2  # walks are planned for so many loops
WAIT_LOOPS = 8  # who finds no way round waits so long,
MEMORY_PLANS = 4  # who went round somebody keeps to that side so long
TRIES = 2  # how many units one after the other a walker tries to go round, on each side
LEAST_SHARE = 0.5  # of a stride, that must be left on the terrain for a way round to count
NEAR_END = 3.0  # cells from its goal at which a blocked attack-mover is content
EVEN = 1e-9  # cells; a smaller difference is none, whatever way it was rounded
BACKWARD = -0.8  # cosine of the largest turn away from the goal


@inlined
def plan_walks(
    n_movers: int, battle: Battle, tables: Tables, scratch: Scratch, is_first: bool
) -> None:
    """Choose where the walking units will be after PLAN_LOOPS, and take them half of the way.

    n_movers: how many of scratch.movers walk. is_first: whether this is the first plan of a step.
    """
    units, orders, stats = battle.units, battle.orders, tables.stats
    plan, rooms, posture = scratch.plan, scratch.rooms, scratch.posture
    found, movers, ways = scratch.found, scratch.movers, scratch.ways
    stayers, rounds = scratch.stayers, scratch.rounds
    for u in range(units.shape[0]):
        plan[AHEAD_X, u] = units[u, X]
        plan[AHEAD_Y, u] = units[u, Y]
        plan[NEXT_X, u] = units[u, X]
        plan[NEXT_Y, u] = units[u, Y]
        ways[u] = STAYING
    if is_first:
        for u in range(units.shape[0]):
            if posture[u] == STANDING and units[u, HEALTH] > 0.0:
                _part(u, battle, tables, scratch, rooms[int(stats[u, LAYER])])
    for k in range(n_movers):
        u = movers[k]
        turn_to_goal(u, battle, tables, plan[END_X, u], plan[END_Y, u])
        _limit_stride(u, battle, tables, scratch)
        dx = units[u, HEADING_X] * plan[STRIDE, u]
        dy = units[u, HEADING_Y] * plan[STRIDE, u]
        x, y = place_after(u, dx, dy, battle, tables)
        plan[NEXT_X, u] = x
        plan[NEXT_Y, u] = y
        if orders[u, IS_HELD_UP] == 0:
            plan[AHEAD_X, u] = x
            plan[AHEAD_Y, u] = y
    n_rounds = NOTHING
    n_stayers = NOTHING
    for k in range(n_movers):
        u = movers[k]
        row = rooms[int(stats[u, LAYER])]
        room = stats[u, SEPARATION]
        x = plan[NEXT_X, u]
        y = plan[NEXT_Y, u]
        way = STRAIGHT if orders[u, IS_HELD_UP] == 0 else ROUND
        n_found = find_touching(plan[AHEAD_X], plan[AHEAD_Y], row, x, y, room, found)
        if n_found > 1:  # it touches itself
            way = _go_round(u, battle, tables, scratch, row, n_found)
        elif orders[u, PATIENCE] > 0:
            orders[u, PATIENCE] -= 1
            if orders[u, PATIENCE] == 0:
                orders[u, DETOUR] = 0
        ways[u] = way
        if way == STAYING:
            plan[NEXT_X, u] = units[u, X]
            plan[NEXT_Y, u] = units[u, Y]
            stayers[n_stayers] = u
            n_stayers += 1
        elif way == ROUND:
            rounds[n_rounds] = u
            n_rounds += 1
    if n_rounds > 1:
        n_stayers = _settle_ways_round(n_rounds, battle, tables, scratch, n_stayers)
    _hold_up(battle, tables, scratch, n_stayers)
    for k in range(n_movers):
        u = movers[k]
        orders[u, IS_HELD_UP] = ways[u] == STAYING
        dx = 0.5 * (plan[NEXT_X, u] - units[u, X])
        dy = 0.5 * (plan[NEXT_Y, u] - units[u, Y])
        # both ends may be free and the middle blocked
        if tables.routes.has_walls or stats[u, LAYER] == CLIFF:
            units[u, X], units[u, Y] = place_after(u, dx, dy, battle, tables)
        else:
            units[u, X] += dx
            units[u, Y] += dy


@inlined
def finish_walks(battle: Battle, tables: Tables, scratch: Scratch) -> None:
    """Take the units that still walk the other half of the way that `plan_walks` chose.

    Who has stopped meanwhile holds up whoever would walk into it.
    """
    units = battle.units
    plan, ways, stayers = scratch.plan, scratch.ways, scratch.stayers
    n_stayers = NOTHING
    for u in range(units.shape[0]):
        if (ways[u] != STAYING) & (scratch.posture[u] != MOVING):
            ways[u] = STAYING
            plan[NEXT_X, u] = units[u, X]
            plan[NEXT_Y, u] = units[u, Y]
            if units[u, HEALTH] > 0.0:
                stayers[n_stayers] = u
                n_stayers += 1
    if n_stayers > 0:
        _hold_up(battle, tables, scratch, n_stayers)
    for u in range(units.shape[0]):  # who did not walk is there already
        units[u, X] = plan[NEXT_X, u]
        units[u, Y] = plan[NEXT_Y, u]


@inlined
def _limit_stride(u: int, battle: Battle, tables: Tables, scratch: Scratch) -> None:
    """Let unit u, if it gathers speed, go no farther than its pace, unless it makes place.

    Two who walk at each other go no farther than half of what is between them.
    """
    units, orders, stats = battle.units, battle.orders, tables.stats
    plan = scratch.plan
    target = orders[u, TARGET]
    if target >= 0 and orders[target, TARGET] == u and scratch.posture[target] == MOVING:
        gap = distance_between(units, u, target) - stats[u, SEPARATION] - stats[target, SEPARATION]
        plan[STRIDE, u] = min(plan[STRIDE, u], max(0.5 * gap, 0.0))
    if stats[u, ACCELERATION] > 0.0 and (orders[u, ORDER] != IDLE or target >= 0):
        way = 0.0
        for _ in range(PLAN_LOOPS):
            pace = min(units[u, PACE] + stats[u, ACCELERATION], stats[u, SPEED])
            way += 0.5 * (units[u, PACE] + pace)
            units[u, PACE] = pace
        plan[STRIDE, u] = min(plan[STRIDE, u], way)


@inlined
def _goes_first(u: int, v: int, battle: Battle) -> bool:
    """Whether mover u has the way of mover v: it is in front, along the mean of their headings.

    Of two side by side the first in order has it if they are friends, else neither.
    """
    units = battle.units
    n_allies = battle.n_allies
    to_x = units[u, HEADING_X] + units[v, HEADING_X]
    to_y = units[u, HEADING_Y] + units[v, HEADING_Y]
    lead = (units[u, X] - units[v, X]) * to_x + (units[u, Y] - units[v, Y]) * to_y
    if abs(lead) > EVEN:
        return lead > 0.0
    return u < v and (u < n_allies) == (v < n_allies)


@inlined
def _comes_nearer(
    u: int, b: int, x: float, y: float, at_x: float, at_y: float, units: Array
) -> bool:
    """Whether unit u at (x, y) and unit b at (at_x, at_y) are nearer to each other than now."""
    dx = units[b, X] - units[u, X]
    dy = units[b, Y] - units[u, Y]
    next_dx = at_x - x
    next_dy = at_y - y
    return next_dx * next_dx + next_dy * next_dy < dx * dx + dy * dy


@inlined
def _settle_ways_round(
    n_rounds: int, battle: Battle, tables: Tables, scratch: Scratch, n_stayers: int
) -> int:
    """Of two ways round others that end in the same place one is given up; returns n_stayers.

    n_rounds: how many of scratch.rounds, the movers that go round others.
    """
    units, stats = battle.units, tables.stats
    plan, ways, rounds = scratch.plan, scratch.ways, scratch.rounds
    stayers = scratch.stayers
    first = n_stayers
    for k in range(n_rounds):
        u = rounds[k]
        x = plan[NEXT_X, u]
        y = plan[NEXT_Y, u]
        for m in range(n_rounds):
            v = rounds[m]
            dx = plan[NEXT_X, v] - x
            dy = plan[NEXT_Y, v] - y
            apart = stats[u, SEPARATION] + stats[v, SEPARATION] - TOLERANCE
            if (
                dx * dx + dy * dy < apart * apart
                and v != u
                and stats[u, LAYER] == stats[v, LAYER]
                and _comes_nearer(u, v, x, y, plan[NEXT_X, v], plan[NEXT_Y, v], units)
                and not _goes_first(u, v, battle)
            ):
                stayers[n_stayers] = u
                n_stayers += 1
                break
    for k in range(first, n_stayers):
        u = stayers[k]
        ways[u] = STAYING
        plan[NEXT_X, u] = units[u, X]
        plan[NEXT_Y, u] = units[u, Y]
    return n_stayers


@inlined
def _hold_up(battle: Battle, tables: Tables, scratch: Scratch, n_stayers: int) -> None:
    """Let those stay who would walk into a stayer, and who would walk into them, and so on."""
    units, stats = battle.units, tables.stats
    plan, rooms, found = scratch.plan, scratch.rooms, scratch.found
    ways, stayers = scratch.ways, scratch.stayers
    k = 0
    while k < n_stayers:
        u = stayers[k]
        k += 1
        x = units[u, X]
        y = units[u, Y]
        row = rooms[int(stats[u, LAYER])]
        n_found = find_touching(plan[NEXT_X], plan[NEXT_Y], row, x, y, stats[u, SEPARATION], found)
        for m in range(n_found):
            v = found[m]
            if (
                v != u
                and ways[v] != STAYING
                and _comes_nearer(u, v, x, y, plan[NEXT_X, v], plan[NEXT_Y, v], units)
            ):
                ways[v] = STAYING
                plan[NEXT_X, v] = units[v, X]
                plan[NEXT_Y, v] = units[v, Y]
                stayers[n_stayers] = v
                n_stayers += 1


@inlined
def _is_taken(
    u: int, x: float, y: float, battle: Battle, tables: Tables, scratch: Scratch, row: Array
) -> int:
    """Who is most in mover u's way round to (x, y), or -1. Whom it moves away from is not.

    row: rooms of its layer.
    """
    units, stats = battle.units, tables.stats
    plan, found = scratch.plan, scratch.found
    n_found = find_touching(plan[AHEAD_X], plan[AHEAD_Y], row, x, y, stats[u, SEPARATION], found)
    nearest = -1
    least = math.inf
    for k in range(n_found):
        b = found[k]
        at_x = plan[AHEAD_X, b]
        at_y = plan[AHEAD_Y, b]
        squared = (at_x - x) * (at_x - x) + (at_y - y) * (at_y - y)
        if b != u and squared < least and _comes_nearer(u, b, x, y, at_x, at_y, units):
            nearest = b
            least = squared
    return nearest


@inlined
def _is_along(u: int, b: int, units: Array) -> bool:
    """Whether two walkers walk rather the same way than towards each other."""
    along = units[b, HEADING_X] * units[u, HEADING_X]
    return along + units[b, HEADING_Y] * units[u, HEADING_Y] > 0.0


@inlined
def _go_round(
    u: int, battle: Battle, tables: Tables, scratch: Scratch, row: Array, n_found: int
) -> int:
    """Find a place for mover u, whose place ahead touches others; returns which way it goes.

    - It goes straight on if it moves away from them all, or if they walk its way behind it.
    - Up to its own target, or to the point it is to stop on, it goes as far as it can.
    - Else it goes along the edge of whoever blocks it, to the side it has taken before, or to that
      of the smaller turn; if somebody is there, along the edge of that one. If that leads nowhere
      it tries the other side, then waits, unless they walk. Idle friends are asked to make place.
    - An attack-mover without target that is near its goal has then arrived.
    row: rooms of its layer. n_found: how many of scratch.found its place ahead touches, itself
    among them.
    """
    units, orders, stats = battle.units, battle.orders, tables.stats
    plan, posture, found = scratch.plan, scratch.posture, scratch.found
    n_allies = battle.n_allies
    x = units[u, X]
    y = units[u, Y]
    to_x = units[u, HEADING_X]
    to_y = units[u, HEADING_Y]
    is_straight = orders[u, IS_HELD_UP] == 0
    n_blockers = NOTHING
    n_along = 0
    nearest = -1
    deepest = 0.0
    is_at_end = False
    ahead_x = plan[NEXT_X, u]
    ahead_y = plan[NEXT_Y, u]
    for k in range(n_found):
        b = found[k]
        at_x = plan[AHEAD_X, b]
        at_y = plan[AHEAD_Y, b]
        if b == u or not _comes_nearer(u, b, ahead_x, ahead_y, at_x, at_y, units):
            continue
        if posture[b] == MOVING and orders[b, IS_HELD_UP] == 0 and _is_along(u, b, units):
            if is_straight and _goes_first(u, b, battle):
                continue
            n_along += 1
        found[n_blockers] = b
        n_blockers += 1
        apart = stats[u, SEPARATION] + row[b]
        dx = at_x - ahead_x
        dy = at_y - ahead_y
        depth = apart * apart - dx * dx - dy * dy
        is_even = abs(depth - deepest) <= EVEN  # then the friend, so that no side is preferred
        is_friend = (u < n_allies) == (b < n_allies)
        if nearest < 0 or (is_friend if is_even else depth > deepest):
            nearest = b
            deepest = depth
        end_dx = plan[END_X, u] - at_x
        end_dy = plan[END_Y, u] - at_y
        is_on_end = end_dx * end_dx + end_dy * end_dy < apart * apart
        stops_there = plan[STOPS_ON_GOAL, u] > 0.0 and is_on_end and posture[b] != MOVING
        if b == orders[u, TARGET] or stops_there:
            is_at_end = True
    if n_blockers == 0:
        return STRAIGHT if is_straight else ROUND
    end_dx = plan[END_X, u] - x
    end_dy = plan[END_Y, u] - y
    is_near_end = end_dx * end_dx + end_dy * end_dy < NEAR_END * NEAR_END
    is_arriving = is_near_end and orders[u, ORDER] == ATTACK_MOVE and orders[u, TARGET] < 0
    if not is_arriving:
        _ask_for_place(u, n_blockers, battle, tables, scratch)
    if orders[u, ORDER] == IDLE and orders[u, TARGET] < 0:  # it makes place itself
        return STAYING
    if is_at_end:
        if is_arriving:
            _arrive(u, units)
            return STAYING
        # up to the edge of whoever it meets first
        least = plan[STRIDE, u]
        for k in range(n_blockers):
            b = found[k]
            dx = plan[AHEAD_X, b] - x
            dy = plan[AHEAD_Y, b] - y
            apart = stats[u, SEPARATION] + row[b]
            along = dx * to_x + dy * to_y
            gap = apart * apart - (dx * dx + dy * dy - along * along)
            least = min(least, along - math.sqrt(max(gap, 0.0)))
        if least <= EVEN:
            return STAYING
        at_x, at_y = place_after(u, to_x * least, to_y * least, battle, tables)
        if _is_taken(u, at_x, at_y, battle, tables, scratch, row) >= 0:
            return STAYING
        plan[NEXT_X, u] = at_x
        plan[NEXT_Y, u] = at_y
        return ROUND
    side = orders[u, DETOUR]
    n_sides = 1
    if side == 0:
        n_sides = 2
        turn = (plan[AHEAD_X, nearest] - x) * to_y - (plan[AHEAD_Y, nearest] - y) * to_x
        side = -1 if turn < -EVEN else 1
    stride = plan[STRIDE, u]
    b = nearest
    n_tries = 0
    while True:
        # the stride that ends on the edge of b, to the side: a part along the way to b, and a part
        # across it, as shares of that way
        dx = plan[AHEAD_X, b] - x
        dy = plan[AHEAD_Y, b] - y
        apart = stats[u, SEPARATION] + row[b]
        squared = dx * dx + dy * dy
        part = 0.5 * (squared + stride * stride - apart * apart) / squared
        rest = stride * stride / squared - part * part
        across = math.sqrt(max(rest, 0.0)) * side
        if rest < 0.0:  # no such stride: straight away from b, or to it
            part = math.copysign(stride / math.sqrt(squared), part)
        step_x = dx * part - dy * across
        step_y = dy * part + dx * across
        n_tries += 1
        b = -1
        if step_x * to_x + step_y * to_y >= BACKWARD * stride:
            at_x, at_y = place_after(u, step_x, step_y, battle, tables)
            if (at_x - x) * step_x + (at_y - y) * step_y >= LEAST_SHARE * stride * stride:
                b = _is_taken(u, at_x, at_y, battle, tables, scratch, row)
                if b < 0:
                    plan[NEXT_X, u] = at_x
                    plan[NEXT_Y, u] = at_y
                    orders[u, DETOUR] = side
                    orders[u, PATIENCE] = MEMORY_PLANS
                    return ROUND
        if b < 0 or n_tries == TRIES:
            side = -side
            n_sides -= 1
            if n_sides == 0:
                break
            b = nearest
            n_tries = 0
    if n_along == n_blockers:
        return STAYING
    if is_arriving:
        _arrive(u, units)
    else:
        orders[u, DETOUR] = side * WAITING
        orders[u, PATIENCE] = WAIT_LOOPS
    return STAYING


@inlined
def _arrive(u: int, units: Array) -> None:
    """Let unit u be content with where it is."""
    units[u, GOAL_X] = units[u, X]
    units[u, GOAL_Y] = units[u, Y]


@inlined
def _ask_for_place(
    u: int, n_blockers: int, battle: Battle, tables: Tables, scratch: Scratch
) -> None:
    """Push the idle friends in unit u's way: rather aside than along."""
    units = battle.units
    n_allies = battle.n_allies
    if tables.rules[PUSHES_IDLE] == 0.0:
        return
    to_x = units[u, HEADING_X]
    to_y = units[u, HEADING_Y]
    for k in range(n_blockers):
        b = scratch.found[k]
        if scratch.posture[b] != STANDING or (u < n_allies) != (b < n_allies):
            continue
        dx = units[b, X] - units[u, X]
        dy = units[b, Y] - units[u, Y]
        along = 0.5 * (dx * to_x + dy * to_y)
        aside = 0.25 if dy * to_x - dx * to_y >= 0.0 else -0.25  # left if it is in the middle
        units[b, PUSH_X] += dx - along * to_x - aside * to_y
        units[b, PUSH_Y] += dy - along * to_y + aside * to_x


@inlined
def _part(u: int, battle: Battle, tables: Tables, scratch: Scratch, row: Array) -> None:
    """Push standing unit u away from those it overlaps with.

    Units do not come to overlap by walking; they may at the start of a battle.
    """
    units, stats = battle.units, tables.stats
    plan, found = scratch.plan, scratch.found
    room = stats[u, SEPARATION]
    x = units[u, X]
    y = units[u, Y]
    n_found = find_touching(plan[AHEAD_X], plan[AHEAD_Y], row, x, y, room, found)
    for k in range(n_found):
        b = found[k]
        if b == u:
            continue
        dx = x - units[b, X]
        dy = y - units[b, Y]
        distance = math.sqrt(dx * dx + dy * dy)
        if distance == 0.0:  # two units on one point part along x
            dx = 1.0 if u > b else -1.0
            distance = 1.0
        share = 1.0 if stats[b, SPEED] == 0.0 else 0.5
        push = share * (room + row[b] - distance)
        units[u, PUSH_X] += dx / distance * push
        units[u, PUSH_Y] += dy / distance * push
