"""A battle in time: game loops, orders, steps and resets of a whole batch."""

from __future__ import annotations

import math
from typing import Any

from suite.environments.skirmish.commands import ALL_LEGAL, find_illegal, give_order
from suite.environments.skirmish.compilation import CHANGED, NOTHING, compiled, inlined
from suite.environments.skirmish.contacts import fill_rooms
from suite.environments.skirmish.encoding import (
    battle_outcome,
    battle_reward,
    encode_available_actions,
    encode_observations,
    encode_state,
    remember_enemies,
)
from suite.environments.skirmish.fields import (
    ATTACK,
    ATTACK_MOVE,
    CLOSE_RANGE,
    DETOUR,
    EPISODE_LIMIT,
    GOAL_SPREAD_X,
    GOAL_SPREAD_Y,
    GOAL_X,
    GOAL_Y,
    GROUND,
    HAS_BURSTS,
    HAS_MISSILES,
    HAS_REGENERATION,
    HAS_WALLS,
    HEALTH,
    HIT_TARGET,
    IDLE,
    IS_HEALER,
    IS_SCANNING,
    KIND,
    MAX_START_LOOPS,
    MISSILE_TARGET,
    MOVE,
    N_ALLIES,
    ORDER,
    PACE,
    PATIENCE,
    PUSH_X,
    PUSH_Y,
    RADIUS,
    REPLAN,
    REWARD_DIVISOR,
    SHUFFLES_ENEMIES,
    SPEED,
    TARGET,
    UNDECIDED,
    WAITING,
    WAYPOINT,
    WON,
    X,
    Y,
)
from suite.environments.skirmish.streams import draw_uniform, seed_stream
from suite.environments.skirmish.targeting import can_heal, can_hit, reach, scan
from suite.environments.skirmish.walking import (
    END_X,
    END_Y,
    HOLDING,
    MEMORY_PLANS,
    MOVING,
    PLAN_LOOPS,
    STANDING,
    STAYING,
    STOPS_ON_GOAL,
    STRIDE,
    finish_walks,
    plan_walks,
)
from suite.environments.skirmish.weapons import (
    fly,
    heal,
    land,
    regenerate,
    rest_weapon,
    second_hit,
    shoot,
    tick_weapon,
)

Array = Any


@inlined
def _act(
    u: int,
    units: Array,
    orders: Array,
    stats: Array,
    rules: Array,
    n_allies: int,
    streams: Array,
    slot: int,
    plan: Array,
    posture: Array,
    strikes: Array,
    n_strikes: int,
    shots: Array,
    ways: Array,
    is_planning: bool,
) -> int:
    """Let living unit u carry out its order in this loop, except for walking.

    Sets its posture, and its plan if it wants to walk; returns the number of strikes noted.
    """
    order = orders[u, ORDER]
    target = orders[u, TARGET]
    if stats[u, IS_SCANNING] > 0.0:
        scan(u, units, orders, stats, rules, n_allies)
        target = orders[u, TARGET]
    elif order == ATTACK:
        is_done = stats[u, IS_HEALER] > 0.0 and not can_heal(units, stats, u, target)
        if is_done or units[target, HEALTH] <= 0.0:
            order = IDLE
            target = -1
            orders[u, ORDER] = IDLE
            orders[u, TARGET] = -1
    if target >= 0:
        dx = units[target, X] - units[u, X]
        dy = units[target, Y] - units[u, Y]
        squared = dx * dx + dy * dy
        length = reach(units, stats, u, target)
        is_aiming = stats[u, IS_HEALER] > 0.0 or can_hit(stats, u, target)
        if not is_aiming:
            length = stats[u, RADIUS] + stats[target, RADIUS]
        if squared <= length * length:
            if not is_aiming:
                rest_weapon(u, units)
                return n_strikes
            posture[u] = HOLDING
            orders[u, REPLAN] = 0
            if stats[u, IS_HEALER] > 0.0:
                heal(u, target, units, stats)
                shots[u] = target
                return n_strikes
            close = stats[u, CLOSE_RANGE]
            if close >= 0.0:
                close += stats[u, RADIUS] + stats[target, RADIUS]
            is_close = close >= 0.0 and squared <= close * close
            moment = tick_weapon(u, is_close, units, stats, rules, streams, slot)
            if moment >= 0.0:
                shots[u] = target
                return shoot(u, target, is_close, moment, units, orders, stats, strikes, n_strikes)
            return n_strikes
        plan[END_X, u] = units[target, X]
        plan[END_Y, u] = units[target, Y]
        plan[STOPS_ON_GOAL, u] = 0.0
        plan[STRIDE, u] = PLAN_LOOPS * stats[u, SPEED]  # walkers into range take whole strides
    elif order in (MOVE, ATTACK_MOVE):
        dx = units[u, GOAL_X] - units[u, X]
        dy = units[u, GOAL_Y] - units[u, Y]
        squared = dx * dx + dy * dy
        plan[END_X, u] = units[u, GOAL_X]
        plan[END_Y, u] = units[u, GOAL_Y]
        plan[STOPS_ON_GOAL, u] = 1.0
        plan[STRIDE, u] = PLAN_LOOPS * stats[u, SPEED]
        if squared < plan[STRIDE, u] * plan[STRIDE, u]:  # walkers to a point stop on it
            plan[STRIDE, u] = math.sqrt(squared)
    else:
        rest_weapon(u, units)
        if is_planning:
            _make_place(u, units, orders, stats, plan, posture)
        elif ways[u] != STAYING:
            posture[u] = MOVING
        return n_strikes
    rest_weapon(u, units)
    if squared > 0.0 and stats[u, SPEED] > 0.0:
        posture[u] = MOVING
        if abs(orders[u, DETOUR]) == WAITING:
            orders[u, PATIENCE] -= 1
            if orders[u, PATIENCE] > 0:
                posture[u] = HOLDING
            else:
                orders[u, DETOUR] //= WAITING
                orders[u, PATIENCE] = MEMORY_PLANS
    else:  # it has arrived
        if order == MOVE:
            orders[u, ORDER] = IDLE
        if is_planning:
            _make_place(u, units, orders, stats, plan, posture)
    return n_strikes


@inlined
def _make_place(
    u: int, units: Array, orders: Array, stats: Array, plan: Array, posture: Array
) -> None:
    """Let idle unit u walk the way it was pushed, for the loops of one plan."""
    dx = units[u, PUSH_X]
    dy = units[u, PUSH_Y]
    length = math.sqrt(dx * dx + dy * dy)
    if length == 0.0:
        return
    units[u, PUSH_X] = 0.0
    units[u, PUSH_Y] = 0.0
    if stats[u, SPEED] == 0.0:
        return
    plan[END_X, u] = units[u, X] + dx
    plan[END_Y, u] = units[u, Y] + dy
    orders[u, REPLAN] = 2
    orders[u, WAYPOINT] = -1
    orders[u, DETOUR] = 0
    orders[u, PATIENCE] = 0
    plan[STOPS_ON_GOAL, u] = 0.0
    plan[STRIDE, u] = min(PLAN_LOOPS * stats[u, SPEED], length)
    posture[u] = MOVING


@inlined
def advance_loop(
    units: Array,
    orders: Array,
    stats: Array,
    table: Array,
    sizes: Array,
    rules: Array,
    is_free: Array,
    cell: Array,
    is_clear: Array,
    corners: Array,
    onward: Array,
    streams: Array,
    slot: int,
    plan: Array,
    rooms: Array,
    found: Array,
    ways: Array,
    stayers: Array,
    rounds: Array,
    strikes: Array,
    posture: Array,
    movers: Array,
    attacker: Array,
    shots: Array,
    loop: int,
    is_changed: bool,
) -> bool:
    """One game loop (1/16 game second) of one battle.

    Everyone decides and shoots from the positions at the start of the loop; then all walk, then
    all strikes land. Scratch arrays are described where they are used; shots (units,) gets whom a
    unit shot at or healed.
    loop: number of the loop in this call of `advance_batch`. is_changed: whether units
    may have died since `rooms` was filled; what is returned says so of this loop.
    """
    n_units = units.shape[0]
    n_allies = sizes[N_ALLIES]
    is_planning = loop % PLAN_LOOPS == 0
    n_strikes = NOTHING
    if sizes[HAS_MISSILES] > 0:
        for u in range(n_units):
            if orders[u, MISSILE_TARGET] >= 0:
                n_strikes = fly(u, units, orders, stats, strikes, n_strikes)
    if is_changed:
        fill_rooms(units, stats, rooms)
    n_movers = NOTHING
    for u in range(n_units):
        posture[u] = STANDING
        if orders[u, HIT_TARGET] >= 0:
            n_strikes = second_hit(u, units, orders, strikes, n_strikes)
        if units[u, HEALTH] > 0.0:
            n_strikes = _act(
                u, units, orders, stats, rules, n_allies, streams, slot,
                plan, posture, strikes, n_strikes, shots, ways, is_planning,
            )  # fmt: skip
            if posture[u] == MOVING:
                movers[n_movers] = u
                n_movers += 1
            else:
                units[u, PACE] = 0.0
    if is_planning:
        plan_walks(
            movers, n_movers, units, orders, stats, posture, rules, is_free, sizes[HAS_WALLS] > 0,
            cell, is_clear, corners, onward, n_allies, plan, rooms, found, ways, stayers, rounds,
            loop == 0,
        )  # fmt: skip
    else:
        finish_walks(units, stats, posture, plan, rooms, found, ways, stayers)
    if sizes[HAS_REGENERATION] > 0:
        regenerate(units, stats, rules)
    if n_strikes > 0:
        land(
            units, orders, stats, table, rules, n_allies,
            strikes, n_strikes, attacker, sizes[HAS_BURSTS] > 0,
        )  # fmt: skip
    return bool(n_strikes > 0)


@compiled
def advance_batch(
    actions: Array,
    active: Array,
    n_loops: Array,
    is_step: bool,
    units: Array,
    orders: Array,
    streams: Array,
    n_steps: Array,
    is_over: Array,
    previous: Array,
    last_actions: Array,
    stats: Array,
    table: Array,
    sizes: Array,
    rules: Array,
    is_free: Array,
    cell: Array,
    is_clear: Array,
    corners: Array,
    onward: Array,
    observations: Array,
    state: Array,
    available: Array,
    reward: Array,
    terminated: Array,
    truncated: Array,
    won: Array,
    plan: Array,
    rooms: Array,
    found: Array,
    ways: Array,
    stayers: Array,
    rounds: Array,
    strikes: Array,
    posture: Array,
    movers: Array,
    attacker: Array,
    shots: Array,
    loop_units: Array,
    loop_shots: Array,
) -> int:
    """Advance the active slots by n_loops (slots,) and encode them.

    A step (`is_step`) first checks all actions and gives them as orders, and is rewarded; without,
    it is the start of an episode: enemies march before anybody looks.
    Returns ALL_LEGAL, or the fault `find_illegal` found: then nothing has changed.
    First axis slots; the meaning of each array is in `environment` and `fields`. loop_units (slots
    or 0, loops, units, N_UNIT_FIELDS) and loop_shots (slots or 0, loops, units) record every loop.
    """
    if is_step:
        fault = find_illegal(actions, active, is_over, available)
        if fault != ALL_LEGAL:
            return fault
    n_allies = sizes[N_ALLIES]
    is_recording = loop_units.shape[0] > 0
    for s in range(actions.shape[0]):
        if is_step:
            reward[s] = 0.0
            terminated[s] = False
            truncated[s] = False
            won[s] = False
        if not active[s]:
            continue
        if is_step:
            for a in range(n_allies):
                last_actions[s, a] = actions[s, a]
                if stats[a, IS_SCANNING] == 0.0:
                    give_order(a, actions[s, a], units[s], orders[s], stats, rules, n_allies)
        is_changed = CHANGED
        for loop in range(n_loops[s]):
            if is_recording:
                shots[:] = -1
            is_changed = advance_loop(
                units[s], orders[s], stats, table, sizes, rules,
                is_free, cell, is_clear, corners, onward, streams, s,
                plan, rooms, found, ways, stayers, rounds, strikes, posture, movers,
                attacker, shots, loop, is_changed,
            )  # fmt: skip
            if is_recording and is_step:
                for u in range(units.shape[1]):
                    loop_shots[s, loop, u] = shots[u]
                    for field in range(units.shape[2]):
                        loop_units[s, loop, u, field] = units[s, u, field]
        if is_step:
            n_steps[s] += 1
            outcome = battle_outcome(units[s], stats, sizes)
            reward[s] = battle_reward(units[s], sizes, previous[s], outcome, rules[REWARD_DIVISOR])
            terminated[s] = outcome != UNDECIDED
            truncated[s] = outcome == UNDECIDED and n_steps[s] >= sizes[EPISODE_LIMIT]
            won[s] = outcome == WON
            is_over[s] = terminated[s] or truncated[s]
        else:
            remember_enemies(units[s], sizes, previous[s])
        encode_available_actions(units[s], stats, sizes, is_free[GROUND], available[s])
        encode_state(units[s], stats, sizes, last_actions[s], state[s])
        encode_observations(units[s], stats, sizes, available[s], state[s], observations[s])
    return ALL_LEGAL


@compiled
def begin_episodes(
    slots: Array,
    seeds: Array,
    start: Array,
    start_orders: Array,
    stats: Array,
    sizes: Array,
    rules: Array,
    units: Array,
    orders: Array,
    streams: Array,
    n_steps: Array,
    is_over: Array,
    last_actions: Array,
    n_loops: Array,
) -> None:
    """Set up a new battle in `slots` (n,) from episode seeds (n,).

    n_loops: (slots of the batch,) how long the enemies march before the first observation.
    """
    n_allies = sizes[N_ALLIES]
    n_units = start.shape[0]
    for k in range(len(slots)):
        s = slots[k]
        seed_stream(streams, s, seeds[k])
        for u in range(n_units):
            for field in range(start.shape[1]):
                units[s, u, field] = start[u, field]
            for field in range(start_orders.shape[1]):
                orders[s, u, field] = start_orders[u, field]
        n_steps[s] = 0
        is_over[s] = False
        last_actions[s] = -1
        n_loops[s] = int(draw_uniform(streams, s) * (rules[MAX_START_LOOPS] + 1.0))
        if rules[GOAL_SPREAD_X] != 0.0 or rules[GOAL_SPREAD_Y] != 0.0:
            share = draw_uniform(streams, s)
            for u in range(n_allies, n_units):
                units[s, u, GOAL_X] += share * rules[GOAL_SPREAD_X]
                units[s, u, GOAL_Y] += share * rules[GOAL_SPREAD_Y]
        if rules[SHUFFLES_ENEMIES] > 0.0:
            _shuffle_enemies(units[s], stats, n_allies, streams, s)


@compiled
def _shuffle_enemies(units: Array, stats: Array, n_allies: int, streams: Array, slot: int) -> None:
    """Exchange start and goal of enemies of one kind, every order equally likely."""
    for u in range(units.shape[0] - 1, n_allies, -1):
        n_candidates = 0
        for j in range(n_allies, u + 1):
            n_candidates += stats[j, KIND] == stats[u, KIND]
        rank = int(draw_uniform(streams, slot) * n_candidates)
        for j in range(n_allies, u + 1):
            if stats[j, KIND] == stats[u, KIND]:
                if rank == 0:
                    for field in (X, Y, GOAL_X, GOAL_Y):
                        value = units[u, field]
                        units[u, field] = units[j, field]
                        units[j, field] = value
                    break
                rank -= 1
