"""Ways round others: who is in a walker's way, and on which side it goes round."""

from __future__ import annotations

import math
from typing import Any

from suite.environments.skirmish.bundles import Battle, Scratch
from suite.environments.skirmish.compilation import inlined
from suite.environments.skirmish.contacts import (
    NO_BITS,
    WORD,
    bit_of,
    bits_after,
    lowest_unit,
    mark_along,
    mark_touching,
    without_lowest,
)
from suite.environments.skirmish.fields import (
    ATTACK_MOVE,
    DETOUR,
    GOAL_X,
    GOAL_Y,
    HEADING_X,
    HEADING_Y,
    IS_HELD_UP,
    ORDER,
    SEPARATION,
    TARGET,
    X,
    Y,
)
from suite.environments.skirmish.plans import (
    AGAINST,
    AHEAD_X,
    AHEAD_Y,
    COSINE_AGAINST,
    END_X,
    END_Y,
    EVEN,
    FOLLOWED,
    GOING,
    IDLERS,
    MATTERING,
    NEXT_X,
    NEXT_Y,
    SLACK,
    STRIDE,
    STUCK,
    TOUCHING,
    WAY_X,
    WAY_Y,
    walks_against,
)
from suite.environments.skirmish.steering import place_after
from suite.environments.skirmish.tables import Tables

Array = Any

TRIES = 2  # how many units one after the other a walker tries to go round, on each side
LEAST_SHARE = 0.5  # of a stride, that must be left on the terrain for a way round to count
NEAR_END = 3.0  # cells from its goal at which a blocked attack-mover is content


@inlined
def touches_others(u: int, touching: Array) -> bool:
    """Whether anybody but unit u is marked."""
    others = touching[u // WORD] & ~bit_of(u)
    for w in range(len(touching)):
        if w != u // WORD:
            others |= touching[w]
    return bool(others != NO_BITS)


@inlined
def mark_mattering(u: int, battle: Battle, scratch: Scratch) -> None:
    """Mark whom walker u follows, and who may be in its way.

    The one is who walks on, but not against it. The other is not who makes place: idle friends
    and, if it is not held up, those who are and come against it.
    """
    plan, sets = scratch.plan, scratch.sets
    x = battle.units[u, HEADING_X]
    y = battle.units[u, HEADING_Y]
    mark_along(plan[WAY_X], plan[WAY_Y], x, y, COSINE_AGAINST, sets[FOLLOWED])
    mark_along(plan[WAY_X], plan[WAY_Y], -x, -y, -COSINE_AGAINST, sets[AGAINST])
    for w in range(sets.shape[1]):
        sets[FOLLOWED, w] &= sets[GOING, w]
        enemies = bits_after(battle.n_allies - 1, w)
        friends = ~enemies if u < battle.n_allies else enemies
        placing = sets[IDLERS, w]
        if battle.orders[u, IS_HELD_UP] == 0:
            placing |= sets[STUCK, w] & sets[AGAINST, w]
        sets[MATTERING, w] = ~(friends & placing)
    sets[MATTERING, u // WORD] &= ~bit_of(u)


@inlined
def who_is_there(
    u: int,
    passed: int,
    x: float,
    y: float,
    battle: Battle,
    tables: Tables,
    scratch: Scratch,
    row: Array,
    follows: bool,
) -> int:
    """Who, of those who touch it and matter, is most in walker u's way to (x, y), or -1.

    Whom it moves away from is not. passed: a unit that is no matter. row: rooms of its layer.
    follows: whether who walks on, but not against it, is no matter.
    """
    units, sets = battle.units, scratch.sets
    own = tables.stats[u, SEPARATION]
    most = -1
    deepest = SLACK
    for w in range(sets.shape[1]):
        bits = sets[TOUCHING, w] & sets[MATTERING, w]
        if follows:
            bits &= ~sets[FOLLOWED, w]
        while bits != NO_BITS:
            b = lowest_unit(w, bits)
            bits = without_lowest(bits)
            if b == passed:
                continue
            at_x, at_y = _place_of(u, b, battle, scratch)
            dx = at_x - x
            dy = at_y - y
            squared = dx * dx + dy * dy
            apart = own + row[b]
            now_dx = units[b, X] - units[u, X]
            now_dy = units[b, Y] - units[u, Y]
            if squared < apart * apart and squared < now_dx * now_dx + now_dy * now_dy - EVEN:
                depth = apart - math.sqrt(squared)
                if depth > deepest + EVEN:
                    most = b
                    deepest = depth
    return most


@inlined
def _place_of(u: int, b: int, battle: Battle, scratch: Scratch) -> tuple[float, float]:
    """Where walker u takes b to be at the end of the plan."""
    units, plan = battle.units, scratch.plan
    along = units[b, HEADING_X] * units[u, HEADING_X] + units[b, HEADING_Y] * units[u, HEADING_Y]
    if along > COSINE_AGAINST:
        return plan[AHEAD_X, b], plan[AHEAD_Y, b]
    return units[b, X], units[b, Y]


@inlined
def _is_free_beside(
    u: int,
    b: int,
    side: int,
    battle: Battle,
    tables: Tables,
    scratch: Scratch,
    row: Array,
) -> bool:
    """Whether nobody stands in the place beside b by which walker u would pass it."""
    units, plan = battle.units, scratch.plan
    room = tables.stats[u, SEPARATION]
    apart = room + row[b]
    at_x, at_y = _place_of(u, b, battle, scratch)
    x = at_x - side * apart * units[u, HEADING_Y]
    y = at_y + side * apart * units[u, HEADING_X]
    touching = scratch.sets[TOUCHING]
    # b itself is just not touched
    mark_touching(plan[AHEAD_X], plan[AHEAD_Y], row, x, y, room - SLACK, touching)
    touching[b // WORD] &= ~bit_of(b)
    return not touches_others(u, touching)


@inlined
def go_round(
    u: int, blocker: int, battle: Battle, tables: Tables, scratch: Scratch, row: Array
) -> None:
    """Let walker u go round who blocks it, along its edge; if somebody is there, round that one.

    It tries the side that it has taken before, as long as there is somebody to go round; else that
    of the smaller turn, of equal ones the right one, unless somebody stands there and nobody on the
    other; then the other; else it stays.
    """
    units, orders, stats = battle.units, battle.orders, tables.stats
    plan = scratch.plan
    x = units[u, X]
    y = units[u, Y]
    to_x = units[u, HEADING_X]
    to_y = units[u, HEADING_Y]
    room = stats[u, SEPARATION]
    stride = plan[STRIDE, u]
    side = orders[u, DETOUR]
    if side == 0:
        at_x, at_y = _place_of(u, blocker, battle, scratch)
        side = 1 if (at_x - x) * to_y - (at_y - y) * to_x > EVEN else -1
        if (
            not walks_against(u, blocker, battle, scratch)
            and not _is_free_beside(u, blocker, side, battle, tables, scratch, row)
            and _is_free_beside(u, blocker, -side, battle, tables, scratch, row)
        ):
            side = -side
    for _ in range(2):
        b = blocker
        for _ in range(TRIES):
            # the stride that ends on the edge of b, to the side: a part along the way to b, and a
            # part across it, as shares of that way
            at_x, at_y = _place_of(u, b, battle, scratch)
            dx = at_x - x
            dy = at_y - y
            apart = room + row[b]
            is_mutual = walks_against(u, b, battle, scratch)
            if is_mutual:  # each gives way by half
                dx *= 0.5
                dy *= 0.5
                apart *= 0.5
            squared = dx * dx + dy * dy
            if squared == 0.0:  # b comes to where it stands
                break
            part = 0.5 * (squared + stride * stride - apart * apart) / squared
            rest = stride * stride / squared - part * part
            across = math.sqrt(max(rest, 0.0)) * side
            if rest < 0.0:  # no such stride: straight away from b, or to it
                part = math.copysign(stride / math.sqrt(squared), part)
            step_x = dx * part - dy * across
            step_y = dy * part + dx * across
            if step_x * to_x + step_y * to_y < COSINE_AGAINST * stride:
                break
            at_x, at_y = place_after(u, step_x, step_y, battle, tables)
            if (at_x - x) * step_x + (at_y - y) * step_y < LEAST_SHARE * stride * stride:
                break
            touching = scratch.sets[TOUCHING]
            mark_touching(plan[AHEAD_X], plan[AHEAD_Y], row, at_x, at_y, room, touching)
            passed = b if is_mutual else -1
            b = who_is_there(u, passed, at_x, at_y, battle, tables, scratch, row, is_mutual)
            if b < 0:
                plan[NEXT_X, u] = at_x
                plan[NEXT_Y, u] = at_y
                orders[u, DETOUR] = side
                return
        side = -side
    plan[NEXT_X, u] = x
    plan[NEXT_Y, u] = y
    end_dx = plan[END_X, u] - x
    end_dy = plan[END_Y, u] - y
    is_near_end = end_dx * end_dx + end_dy * end_dy < NEAR_END * NEAR_END
    if is_near_end and orders[u, ORDER] == ATTACK_MOVE and orders[u, TARGET] < 0:
        units[u, GOAL_X] = x
        units[u, GOAL_Y] = y
