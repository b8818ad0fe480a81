"""Actions: which are legal, and the orders they give."""

from __future__ import annotations

from typing import Any

from suite.environments.skirmish.compilation import compiled
from suite.environments.skirmish.fields import (
    ATTACK,
    EAST,
    FIRST_TARGET,
    GOAL_X,
    GOAL_Y,
    IDLE,
    MOVE,
    MOVE_DISTANCE,
    NO_OP,
    NORTH,
    ORDER,
    SOUTH,
    STOP,
    TARGET,
    WEST,
    WIND_UP,
    X,
    Y,
)

Array = Any

ALL_LEGAL = -1


@compiled
def give_order(u: int, action: int, units: Array, orders: Array, n_allies: int) -> None:
    """Turn an available action of agent u into its order."""
    if action == NO_OP:
        return
    if action >= FIRST_TARGET:
        target = n_allies + action - FIRST_TARGET
        if orders[u, ORDER] != ATTACK or orders[u, TARGET] != target:
            units[u, WIND_UP] = 0.0
        orders[u, ORDER] = ATTACK
        orders[u, TARGET] = target
        return
    units[u, WIND_UP] = 0.0
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


@compiled
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
