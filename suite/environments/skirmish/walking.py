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

from suite.environments.skirmish.bundles import Battle, Scratch
from suite.environments.skirmish.compilation import NOTHING, inlined
from suite.environments.skirmish.contacts import NO_BITS, WORD, bit_of, mark_touching
from suite.environments.skirmish.detours import (
    go_round,
    mark_mattering,
    touches_others,
    who_is_there,
)
from suite.environments.skirmish.fields import (
    ACCELERATION,
    DETOUR,
    HEADING_X,
    HEADING_Y,
    HEALTH,
    IS_HELD_UP,
    LAYER,
    PACE,
    SEPARATION,
    SPEED,
    TARGET,
    X,
    Y,
)
from suite.environments.skirmish.parting import hold_back_others, part, part_stayers
from suite.environments.skirmish.plans import (
    AHEAD_X,
    AHEAD_Y,
    END_X,
    END_Y,
    GOING,
    HOLDING,
    IDLERS,
    MOVING,
    NEAR,
    NEXT_X,
    NEXT_Y,
    PLAN_LOOPS,
    STANDING,
    STRIDE,
    STUCK,
    TOUCHING,
    WALKS,
    WAY_X,
    WAY_Y,
    is_gone,
)
from suite.environments.skirmish.steering import place_after, turn_to_goal
from suite.environments.skirmish.tables import Tables

HELD_UP_SHARE = 0.25  # of a stride; who gets on by less is held up


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
        if touches_others(u, sets[TOUCHING]) or orders[u, IS_HELD_UP] != 0:
            scratch.near[n_near] = u
            sets[NEAR, u // WORD] |= bit_of(u)
            n_near += 1
            mark_mattering(u, battle, scratch)
            b = who_is_there(u, -1, x, y, battle, tables, scratch, row, True)
        if b >= 0:
            go_round(u, b, battle, tables, scratch, row)
        else:
            orders[u, DETOUR] = 0
    if n_near > 0:
        part(n_near, battle, tables, scratch)
    for k in range(n_movers):
        u = movers[k]
        dx = plan[NEXT_X, u] - units[u, X]
        dy = plan[NEXT_Y, u] - units[u, Y]
        way = dx * units[u, HEADING_X] + dy * units[u, HEADING_Y]
        orders[u, IS_HELD_UP] = way < HELD_UP_SHARE * plan[STRIDE, u]
    for u in range(units.shape[0]):
        if is_gone(u, battle, scratch):
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
        if has_stopped and is_gone(u, battle, scratch):
            plan[NEXT_X, u] = units[u, X]
            plan[NEXT_Y, u] = units[u, Y]
            if units[u, HEALTH] > 0.0:
                scratch.stayers[n_stayers] = u
                n_stayers += 1
    if n_stayers > 0:
        n_stayers = hold_back_others(n_stayers, battle, tables, scratch)
        part_stayers(n_stayers, battle, tables, scratch)
    for u in range(units.shape[0]):
        units[u, X] = plan[NEXT_X, u]
        units[u, Y] = plan[NEXT_Y, u]


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
def _is_idle(u: int, tables: Tables, scratch: Scratch) -> bool:
    """Whether unit u stands idle and could walk."""
    return scratch.posture[u] == STANDING and tables.stats[u, SPEED] > 0.0
