"""Parting: who would touch gives way, and who would still overlap stays where it is."""

from __future__ import annotations

import math

from suite.environments.skirmish.bundles import Battle, Scratch
from suite.environments.skirmish.compilation import NOTHING, inlined
from suite.environments.skirmish.contacts import (
    NO_BITS,
    WORD,
    bit_of,
    bits_after,
    lowest_unit,
    mark_touching,
    without_lowest,
)
from suite.environments.skirmish.fields import LAYER, SEPARATION, SPEED, X, Y
from suite.environments.skirmish.plans import (
    EVEN,
    HOLDING,
    KNOWN,
    NEAR,
    NEXT_X,
    NEXT_Y,
    PLAN_LOOPS,
    PUSHED_X,
    PUSHED_Y,
    SLACK,
    STANDING,
    TOUCHES,
    TOUCHING,
    is_forced_back,
    is_gone,
)
from suite.environments.skirmish.steering import place_after
from suite.environments.skirmish.tables import Tables

IDLE_SHARE = 0.9  # of an overlap, by which an idle friend makes place
MARGIN = 0.01  # cells by which who is parted goes farther than it must: fewer part again
MOST_CUT = 0.08  # cells two units may overlap that stop in the middle of a plan
PARTINGS = 6  # times in a plan that who touches is parted; with fewer, columns lose pace


@inlined
def part(n_near: int, battle: Battle, tables: Tables, scratch: Scratch) -> None:
    """Part who would touch: whoever goes into the other gives way, by as much as it did.

    Who aims is not moved, who stands idle by friends only. Who would overlap nevertheless stays
    where it is. n_near: how many of scratch.near may touch.
    """
    plan, near, sets = scratch.plan, scratch.near, scratch.sets
    for _ in range(PARTINGS):
        for k in range(n_near):
            plan[PUSHED_X, near[k]] = 0.0
            plan[PUSHED_Y, near[k]] = 0.0
            plan[TOUCHES, near[k]] = 0.0
        for w in range(sets.shape[1]):
            sets[KNOWN, w] = sets[NEAR, w]
        before = n_near
        for k in range(before):
            u = near[k]
            row = scratch.rooms[int(tables.stats[u, LAYER])]
            x, y = plan[NEXT_X, u], plan[NEXT_Y, u]
            room = tables.stats[u, SEPARATION]
            mark_touching(plan[NEXT_X], plan[NEXT_Y], row, x, y, room, sets[TOUCHING])
            for w in range(sets.shape[1]):
                # each two once
                bits = sets[TOUCHING, w] & (bits_after(u, w) | ~sets[KNOWN, w])
                while bits != NO_BITS:
                    b = lowest_unit(w, bits)
                    bits = without_lowest(bits)
                    plan[TOUCHES, u] = 1.0
                    plan[TOUCHES, b] = 1.0
                    dx, dy, share = _push(u, b, room + row[b], battle, tables, scratch)
                    plan[PUSHED_X, u] += dx * share
                    plan[PUSHED_Y, u] += dy * share
                    if share < 1.0:
                        if not sets[NEAR, w] & bit_of(b):
                            sets[NEAR, w] |= bit_of(b)
                            near[n_near] = b
                            n_near += 1
                            plan[PUSHED_X, b] = 0.0
                            plan[PUSHED_Y, b] = 0.0
                        plan[PUSHED_X, b] -= dx * (1.0 - share)
                        plan[PUSHED_Y, b] -= dy * (1.0 - share)
        n_left = 0
        for k in range(n_near):
            u = near[k]
            if plan[TOUCHES, u] > 0.0:
                if plan[PUSHED_X, u] != 0.0 or plan[PUSHED_Y, u] != 0.0:
                    _give_way(u, battle, tables, scratch)
                near[n_left] = u
                n_left += 1
            else:
                sets[NEAR, u // WORD] &= ~bit_of(u)
        n_near = n_left
        if n_near == 0:
            return
    _hold_back(n_near, battle, tables, scratch)


@inlined
def _give_way(u: int, battle: Battle, tables: Tables, scratch: Scratch) -> None:
    """Move unit u's next place by its push, no farther from where it is than it walks."""
    units, plan = battle.units, scratch.plan
    dx = plan[NEXT_X, u] + plan[PUSHED_X, u] - units[u, X]
    dy = plan[NEXT_Y, u] + plan[PUSHED_Y, u] - units[u, Y]
    way = math.sqrt(dx * dx + dy * dy)
    most = PLAN_LOOPS * tables.stats[u, SPEED]
    if way > most:
        dx *= most / way
        dy *= most / way
    plan[NEXT_X, u], plan[NEXT_Y, u] = place_after(u, dx, dy, battle, tables)


@inlined
def _push(
    u: int, b: int, apart: float, battle: Battle, tables: Tables, scratch: Scratch
) -> tuple[float, float, float]:
    """The way that parts unit u from b if u goes all of it, and u's share of it.

    apart: cells between the two at which they touch.
    """
    units, plan, posture = battle.units, scratch.plan, scratch.posture
    n_allies = battle.n_allies
    dx = plan[NEXT_X, u] - plan[NEXT_X, b]
    dy = plan[NEXT_Y, u] - plan[NEXT_Y, b]
    distance = math.sqrt(dx * dx + dy * dy)
    depth = apart + MARGIN - distance
    if distance == 0.0:  # two units on one point part along x
        dx = 1.0 if u > b else -1.0
    else:
        dx /= distance
        dy /= distance
    is_friend = (u < n_allies) == (b < n_allies)
    u_yields = _yields(u, tables, scratch) and (is_friend or posture[u] != STANDING)
    b_yields = _yields(b, tables, scratch) and (is_friend or posture[b] != STANDING)
    share = 0.5
    if not b_yields:
        share = 1.0
        if not u_yields:  # they stay as they are
            depth = 0.0
    elif not u_yields:
        share = 0.0
    elif posture[u] != posture[b]:
        share = IDLE_SHARE if posture[u] == STANDING else 1.0 - IDLE_SHARE
    elif is_forced_back(u, b, battle, scratch):
        share = 1.0 - IDLE_SHARE
    elif is_forced_back(b, u, battle, scratch):
        share = IDLE_SHARE
    else:
        own = (units[u, X] - plan[NEXT_X, u]) * dx + (units[u, Y] - plan[NEXT_Y, u]) * dy
        other = (plan[NEXT_X, b] - units[b, X]) * dx + (plan[NEXT_Y, b] - units[b, Y]) * dy
        own = max(own, 0.0)
        other = max(other, 0.0)
        if own + other > EVEN:
            share = own / (own + other)
    return dx * depth, dy * depth, share


@inlined
def _yields(u: int, tables: Tables, scratch: Scratch) -> bool:
    """Whether unit u can be pushed: it does not aim, and can walk."""
    return scratch.posture[u] != HOLDING and tables.stats[u, SPEED] > 0.0


@inlined
def _comes_nearer(u: int, b: int, battle: Battle, scratch: Scratch) -> bool:
    """Whether units u and b would be nearer to each other after the plan than they are now."""
    units, plan = battle.units, scratch.plan
    dx = units[b, X] - units[u, X]
    dy = units[b, Y] - units[u, Y]
    next_dx = plan[NEXT_X, b] - plan[NEXT_X, u]
    next_dy = plan[NEXT_Y, b] - plan[NEXT_Y, u]
    return next_dx * next_dx + next_dy * next_dy < dx * dx + dy * dy - EVEN


@inlined
def _goes_in(u: int, b: int, battle: Battle, scratch: Scratch) -> bool:
    """Whether unit u goes into b at least as much as b into it."""
    units, plan = battle.units, scratch.plan
    dx = plan[NEXT_X, u] - plan[NEXT_X, b]
    dy = plan[NEXT_Y, u] - plan[NEXT_Y, b]
    own = (units[u, X] - plan[NEXT_X, u]) * dx + (units[u, Y] - plan[NEXT_Y, u]) * dy
    other = (plan[NEXT_X, b] - units[b, X]) * dx + (plan[NEXT_Y, b] - units[b, Y]) * dy
    return max(own, 0.0) >= max(other, 0.0) - EVEN


@inlined
def _hold_back(n_near: int, battle: Battle, tables: Tables, scratch: Scratch) -> None:
    """Let those stay where they are who would still overlap, then who would overlap with them.

    Of two, it is the one that goes into the other more: if both stayed, they might do so for ever.
    n_near: how many of scratch.near may touch.
    """
    units, stats = battle.units, tables.stats
    plan, rooms, stayers, sets = scratch.plan, scratch.rooms, scratch.stayers, scratch.sets
    n_stayers = NOTHING
    k = 0
    while k < n_near:
        u = scratch.near[k]
        k += 1
        walks = is_gone(u, battle, scratch)
        row = rooms[int(stats[u, LAYER])]
        x, y = plan[NEXT_X, u], plan[NEXT_Y, u]
        room = stats[u, SEPARATION] - SLACK
        mark_touching(plan[NEXT_X], plan[NEXT_Y], row, x, y, room, sets[TOUCHING])
        stays = False
        for w in range(sets.shape[1]):
            bits = sets[TOUCHING, w]
            while bits != NO_BITS:
                b = lowest_unit(w, bits)
                bits = without_lowest(bits)
                if b == u or not _comes_nearer(u, b, battle, scratch):
                    continue
                if walks and _goes_in(u, b, battle, scratch):
                    stays = True
                elif not sets[NEAR, w] & bit_of(b):
                    sets[NEAR, w] |= bit_of(b)
                    scratch.near[n_near] = b
                    n_near += 1
        if stays:
            stayers[n_stayers] = u
            n_stayers += 1
    for k in range(n_stayers):
        u = stayers[k]
        plan[NEXT_X, u] = units[u, X]
        plan[NEXT_Y, u] = units[u, Y]
    if n_stayers > 0:
        hold_back_others(n_stayers, battle, tables, scratch)


@inlined
def hold_back_others(n_stayers: int, battle: Battle, tables: Tables, scratch: Scratch) -> int:
    """Let those stay too who would overlap with scratch.stayers, and so on; returns how many."""
    units, stats = battle.units, tables.stats
    plan, rooms, stayers, sets = scratch.plan, scratch.rooms, scratch.stayers, scratch.sets
    k = NOTHING
    while k < n_stayers:
        u = stayers[k]
        k += 1
        row = rooms[int(stats[u, LAYER])]
        room = stats[u, SEPARATION] - SLACK
        x, y = units[u, X], units[u, Y]
        mark_touching(plan[NEXT_X], plan[NEXT_Y], row, x, y, room, sets[TOUCHING])
        for w in range(sets.shape[1]):
            bits = sets[TOUCHING, w]
            while bits != NO_BITS:
                b = lowest_unit(w, bits)
                bits = without_lowest(bits)
                is_next = is_gone(b, battle, scratch) and _comes_nearer(u, b, battle, scratch)
                if b != u and is_next:
                    plan[NEXT_X, b] = units[b, X]
                    plan[NEXT_Y, b] = units[b, Y]
                    stayers[n_stayers] = b
                    n_stayers += 1
    return n_stayers


@inlined
def part_stayers(n_stayers: int, battle: Battle, tables: Tables, scratch: Scratch) -> None:
    """Part those of scratch.stayers, by halves, who overlap by more than MOST_CUT.

    Ways of two loops cut corners, and only their ends are apart.
    """
    units, stats, plan, stayers = battle.units, tables.stats, scratch.plan, scratch.stayers
    for k in range(n_stayers):
        plan[PUSHED_X, stayers[k]] = 0.0
        plan[PUSHED_Y, stayers[k]] = 0.0
    for k in range(n_stayers):
        u = stayers[k]
        for m in range(k):
            b = stayers[m]
            dx = units[u, X] - units[b, X]
            dy = units[u, Y] - units[b, Y]
            squared = dx * dx + dy * dy
            apart = stats[u, SEPARATION] + stats[b, SEPARATION] - MOST_CUT
            is_apart = squared >= apart * apart or squared == 0.0
            if is_apart or stats[u, LAYER] != stats[b, LAYER]:
                continue
            share = 0.5 * (apart / math.sqrt(squared) - 1.0)
            plan[PUSHED_X, u] += dx * share
            plan[PUSHED_Y, u] += dy * share
            plan[PUSHED_X, b] -= dx * share
            plan[PUSHED_Y, b] -= dy * share
    for k in range(n_stayers):
        u = stayers[k]
        if plan[PUSHED_X, u] != 0.0 or plan[PUSHED_Y, u] != 0.0:
            _give_way(u, battle, tables, scratch)
