"""Actions: which are legal, and the orders they give."""

from __future__ import annotations

from typing import Any

from suite.environments.skirmish.bundles import Battle
from suite.environments.skirmish.compilation import inlined
from suite.environments.skirmish.fields import (
    AIMED,
    ATTACK,
    BACKSWING_LEFT,
    EAST,
    FIRES_FREELY,
    FIRST_TARGET,
    FOLLOWS_UNHITTABLE,
    GOAL_X,
    GOAL_Y,
    IDLE,
    IS_HEALER,
    MOVE,
    MOVE_DISTANCE,
    NO_OP,
    NORTH,
    ORDER,
    REPEAT_RESTARTS,
    SOUTH,
    STOP,
    TARGET,
    WEST,
    WIND_UP,
    X,
    Y,
)
from suite.environments.skirmish.tables import Tables
from suite.environments.skirmish.targeting import can_heal, can_hit, forget_way

Array = Any

ALL_LEGAL = -1


@inlined
def give_order(u: int, action: int, battle: Battle, tables: Tables) -> None:
    """Turn an available action of agent u into its order.

    What the game refuses changes nothing: healing who needs no healing, and (as an option)
    attacking what the weapon cannot hit.
    """
    units, orders = battle.units, battle.orders
    stats, rules = tables.stats, tables.rules
    if action == NO_OP:
        return
    if action >= FIRST_TARGET:
        if stats[u, IS_HEALER] > 0.0:
            target = action - FIRST_TARGET
            if not can_heal(battle, tables, u, target):
                return
        else:
            target = battle.enemies[action - FIRST_TARGET]
            if rules[FOLLOWS_UNHITTABLE] == 0.0 and not can_hit(tables, u, target):
                return
        is_new = orders[u, ORDER] != ATTACK or orders[u, TARGET] != target
        if is_new:
            units[u, BACKSWING_LEFT] = 0.0
            forget_way(u, battle)
        aims_there = stats[u, FIRES_FREELY] > 0.0 and orders[u, AIMED] == target
        if (is_new and not aims_there) or rules[REPEAT_RESTARTS] > 0.0:
            units[u, WIND_UP] = 0.0
        orders[u, ORDER] = ATTACK
        orders[u, TARGET] = target
        return
    if stats[u, FIRES_FREELY] == 0.0:  # a weapon that needs no order goes on with its shot
        units[u, WIND_UP] = 0.0
    units[u, BACKSWING_LEFT] = 0.0
    forget_way(u, battle)
    orders[u, TARGET] = -1
    orders[u, ORDER] = IDLE if action == STOP else MOVE
    units[u, GOAL_X] = units[u, X]
    units[u, GOAL_Y] = units[u, Y]
    if action == NORTH:
        units[u, GOAL_Y] += MOVE_DISTANCE
    elif action == SOUTH:
        units[u, GOAL_Y] -= MOVE_DISTANCE
    elif action == EAST:
        units[u, GOAL_X] += MOVE_DISTANCE
    elif action == WEST:
        units[u, GOAL_X] -= MOVE_DISTANCE


@inlined
def find_illegal(actions: Array, active: Array, is_over: Array, available: Array) -> int:
    """ALL_LEGAL, or slot * (agents + 1) + agent of the first fault.

    The number of agents stands for an agent if the episode of the slot is over.
    """
    n_agents = actions.shape[1]
    n_actions = available.shape[2]
    for s in range(actions.shape[0]):
        if not active[s]:
            continue
        if is_over[s]:
            return s * (n_agents + 1) + n_agents
        for a in range(n_agents):
            action = actions[s, a]
            if action < 0 or action >= n_actions or not available[s, a, action]:
                return s * (n_agents + 1) + a
    return ALL_LEGAL
