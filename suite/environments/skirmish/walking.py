"""Walking: everyone chooses a way, then whoever would touch is parted, then all move.

Everyone chooses from the positions at the start of the loop and from where the others would be if
all went straight on, so the order of the units does not matter. A walker whose place is taken goes
round whoever is there, along the edge, at full pace. Where two ways end in one place, whoever
walked into the other gives way: a unit that is followed closely is not pushed, and columns that
come together part sideways without losing pace. StarCraft's own crowds are not public;
`docs/skirmish.md` says what was measured and what was chosen.
"""

from __future__ import annotations

import math
from typing import Any

from suite.environments.skirmish.bundles import Battle, Scratch
from suite.environments.skirmish.compilation import NOTHING, inlined
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
    ACCELERATION,
    ATTACK_MOVE,
    DETOUR,
    GOAL_X,
    GOAL_Y,
    HEADING_X,
    HEADING_Y,
    HEALTH,
    IS_HELD_UP,
    LAYER,
    ORDER,
    PACE,
    SEPARATION,
    SPEED,
    TARGET,
    X,
    Y,
)
from suite.environments.skirmish.steering import place_after, turn_to_goal
from suite.environments.skirmish.tables import Tables

Array = Any

# what a unit does in this loop: posture (units,) int64
STANDING, MOVING, HOLDING = 0, 1, 2  # idle; walking; aiming

# rows of a plan (N_PLAN, padded units), in cells: the goal, the way of these loops; where the unit
# would be if it went straight on, where it will be; how it is pushed; whether it touches somebody,
# whether it walks; its heading, if it does
END_X, END_Y, STRIDE, AHEAD_X, AHEAD_Y, NEXT_X, NEXT_Y, PUSHED_X, PUSHED_Y = range(9)
TOUCHES, WALKS, WAY_X, WAY_Y = 9, 10, 11, 12
N_PLAN = 13

# sets of units (N_SETS, words), as bits: who touches the place looked at; who walks on, who walks
# and is held up, who stands idle and could walk; of the walker looked at, who comes against it,
# whom it follows, who may be in its way; who is in `near`, who was at the start of the round
TOUCHING, GOING, STUCK, IDLERS, AGAINST, FOLLOWED, MATTERING, NEAR, KNOWN = range(9)
N_SETS = 9

PLAN_LOOPS = 2  # walks are planned for so many loops
HELD_UP_SHARE = 0.25  # of a stride; who gets on by less is held up
TRIES = 2  # how many units one after the other a walker tries to go round, on each side
LEAST_SHARE = 0.5  # of a stride, that must be left on the terrain for a way round to count
NEAR_END = 3.0  # cells from its goal at which a blocked attack-mover is content
EVEN = 1e-9  # cells; a smaller difference is none, whatever way it was rounded
COSINE_AGAINST = -0.5  # below it, a heading is against another, or a way against the goal
IDLE_SHARE = 0.9  # of an overlap, by which an idle friend makes place
MARGIN = 0.01  # cells by which who is parted goes farther than it must: fewer part again
SLACK = 0.02  # cells two units may overlap after a loop
MOST_CUT = 0.08  # cells two units may overlap that stop in the middle of a plan
PARTINGS = 6  # times in a plan that who touches is parted; with fewer, columns lose pace


@inlined
def plan_walks(n_movers: int, battle: Battle, tables: Tables, scratch: Scratch) -> None:
    """Choose where the walking units will be after PLAN_LOOPS, and take them half of the way.

    n_movers: how many of scratch.movers walk.
    """
    units, orders, stats = battle.units, battle.orders, tables.stats
    plan, rooms, movers, sets = scratch.plan, scratch.rooms, scratch.movers, scratch.sets
    sets[:] = NO_BITS
    for u in range(units.shape[0]):
        if _is_idle(u, tables, scratch):
            sets[IDLERS, u // WORD] |= bit_of(u)
        plan[AHEAD_X, u] = units[u, X]
        plan[AHEAD_Y, u] = units[u, Y]
        plan[NEXT_X, u] = units[u, X]
        plan[NEXT_Y, u] = units[u, Y]
        plan[WALKS, u] = 0.0
    for k in range(n_movers):
        u = movers[k]
        plan[WALKS, u] = 1.0
        turn_to_goal(u, battle, tables, plan[END_X, u], plan[END_Y, u])
        plan[WAY_X, u] = units[u, HEADING_X]
        plan[WAY_Y, u] = units[u, HEADING_Y]
        sets[GOING if orders[u, IS_HELD_UP] == 0 else STUCK, u // WORD] |= bit_of(u)
        _gather_speed(u, battle, tables, scratch)
        dx = units[u, HEADING_X] * plan[STRIDE, u]
        dy = units[u, HEADING_Y] * plan[STRIDE, u]
        x, y = place_after(u, dx, dy, battle, tables)
        plan[NEXT_X, u] = x
        plan[NEXT_Y, u] = y
        if orders[u, IS_HELD_UP] == 0:
            plan[AHEAD_X, u] = x
            plan[AHEAD_Y, u] = y
    n_near = NOTHING
    for k in range(n_movers):
        u = movers[k]
        row = rooms[int(stats[u, LAYER])]
        x, y = plan[NEXT_X, u], plan[NEXT_Y, u]
        room = stats[u, SEPARATION]
        mark_touching(plan[AHEAD_X], plan[AHEAD_Y], row, x, y, room, sets[TOUCHING])
        b = -1
        if _touches_others(u, sets[TOUCHING]) or orders[u, IS_HELD_UP] != 0:
            scratch.near[n_near] = u
            sets[NEAR, u // WORD] |= bit_of(u)
            n_near += 1
            _mark_mattering(u, battle, scratch)
            b = _who_is_there(u, -1, x, y, battle, tables, scratch, row, True)
        if b >= 0:
            _go_round(u, b, battle, tables, scratch, row)
        else:
            orders[u, DETOUR] = 0
    if n_near > 0:
        _part(n_near, battle, tables, scratch)
    for k in range(n_movers):
        u = movers[k]
        dx = plan[NEXT_X, u] - units[u, X]
        dy = plan[NEXT_Y, u] - units[u, Y]
        way = dx * units[u, HEADING_X] + dy * units[u, HEADING_Y]
        orders[u, IS_HELD_UP] = way < HELD_UP_SHARE * plan[STRIDE, u]
    for u in range(units.shape[0]):
        if _is_gone(u, battle, scratch):
            dx = 0.5 * (plan[NEXT_X, u] - units[u, X])
            dy = 0.5 * (plan[NEXT_Y, u] - units[u, Y])
            # both ends may be free and the middle blocked
            units[u, X], units[u, Y] = place_after(u, dx, dy, battle, tables)


@inlined
def finish_walks(battle: Battle, tables: Tables, scratch: Scratch) -> None:
    """Take the units the other half of the way that `plan_walks` chose.

    Who walked and does not by now stays, and holds back whoever would walk into it.
    """
    units, plan = battle.units, scratch.plan
    n_stayers = NOTHING
    for u in range(units.shape[0]):
        has_stopped = scratch.posture[u] == HOLDING or units[u, HEALTH] <= 0.0
        has_stopped |= plan[WALKS, u] > 0.0 and scratch.posture[u] != MOVING
        if has_stopped and _is_gone(u, battle, scratch):
            plan[NEXT_X, u] = units[u, X]
            plan[NEXT_Y, u] = units[u, Y]
            if units[u, HEALTH] > 0.0:
                scratch.stayers[n_stayers] = u
                n_stayers += 1
    if n_stayers > 0:
        n_stayers = _hold_back_others(n_stayers, battle, tables, scratch)
        _part_stayers(n_stayers, battle, tables, scratch)
    for u in range(units.shape[0]):
        units[u, X] = plan[NEXT_X, u]
        units[u, Y] = plan[NEXT_Y, u]


@inlined
def _part_stayers(n_stayers: int, battle: Battle, tables: Tables, scratch: Scratch) -> None:
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


@inlined
def _gather_speed(u: int, battle: Battle, tables: Tables, scratch: Scratch) -> None:
    """Let unit u, if it gathers speed, go no farther than its pace.

    It brakes as hard as it gathers, once it could not stop on its goal otherwise; not before
    whomever it heals.
    """
    units, stats, plan = battle.units, tables.stats, scratch.plan
    gain = stats[u, ACCELERATION]
    if gain > 0.0:
        way = 0.0
        left = math.inf
        if battle.orders[u, TARGET] < 0:
            dx = plan[END_X, u] - units[u, X]
            dy = plan[END_Y, u] - units[u, Y]
            left = math.sqrt(dx * dx + dy * dy)
        for _ in range(PLAN_LOOPS):
            pace = units[u, PACE]
            if pace * pace < 2.0 * gain * (left - way):
                pace = min(pace + gain, stats[u, SPEED])
            else:
                pace = max(pace - gain, gain)
            way += pace
            units[u, PACE] = pace
        plan[STRIDE, u] = min(plan[STRIDE, u], way)


@inlined
def _touches_others(u: int, touching: Array) -> bool:
    """Whether anybody but unit u is marked."""
    others = touching[u // WORD] & ~bit_of(u)
    for w in range(len(touching)):
        if w != u // WORD:
            others |= touching[w]
    return bool(others != NO_BITS)


@inlined
def _mark_mattering(u: int, battle: Battle, scratch: Scratch) -> None:
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
def _who_is_there(
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
def _is_idle(u: int, tables: Tables, scratch: Scratch) -> bool:
    """Whether unit u stands idle and could walk."""
    return scratch.posture[u] == STANDING and tables.stats[u, SPEED] > 0.0


@inlined
def _is_forced_back(u: int, b: int, battle: Battle, scratch: Scratch) -> bool:
    """Whether unit b, held up, makes way for walker u, a friend who comes against it."""
    orders = battle.orders
    is_weaker = orders[b, IS_HELD_UP] != 0 and orders[u, IS_HELD_UP] == 0
    return is_weaker and scratch.posture[u] == MOVING and _walks_against(u, b, battle, scratch)


@inlined
def _walks_against(u: int, b: int, battle: Battle, scratch: Scratch) -> bool:
    """Whether unit b, a friend, walks against walker u."""
    units, n_allies = battle.units, battle.n_allies
    along = units[b, HEADING_X] * units[u, HEADING_X] + units[b, HEADING_Y] * units[u, HEADING_Y]
    is_friend = (u < n_allies) == (b < n_allies)
    return scratch.posture[b] == MOVING and along < COSINE_AGAINST and is_friend


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
    return not _touches_others(u, touching)


@inlined
def _go_round(
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
            not _walks_against(u, blocker, battle, scratch)
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
            is_mutual = _walks_against(u, b, battle, scratch)
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
            b = _who_is_there(u, passed, at_x, at_y, battle, tables, scratch, row, is_mutual)
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


@inlined
def _part(n_near: int, battle: Battle, tables: Tables, scratch: Scratch) -> None:
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
    elif _is_forced_back(u, b, battle, scratch):
        share = 1.0 - IDLE_SHARE
    elif _is_forced_back(b, u, battle, scratch):
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
def _is_gone(u: int, battle: Battle, scratch: Scratch) -> bool:
    """Whether unit u is to be elsewhere after the plan."""
    units, plan = battle.units, scratch.plan
    return plan[NEXT_X, u] != units[u, X] or plan[NEXT_Y, u] != units[u, Y]


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
        is_gone = _is_gone(u, battle, scratch)
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
                if is_gone and _goes_in(u, b, battle, scratch):
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
        _hold_back_others(n_stayers, battle, tables, scratch)


@inlined
def _hold_back_others(n_stayers: int, battle: Battle, tables: Tables, scratch: Scratch) -> int:
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
                is_next = _is_gone(b, battle, scratch) and _comes_nearer(u, b, battle, scratch)
                if b != u and is_next:
                    plan[NEXT_X, b] = units[b, X]
                    plan[NEXT_Y, b] = units[b, Y]
                    stayers[n_stayers] = b
                    n_stayers += 1
    return n_stayers
