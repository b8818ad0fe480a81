"""A battle in time: game loops, orders, steps and resets of a whole batch."""

from __future__ import annotations

import math
from typing import Any

from suite.environments.skirmish.combat import (
    choose_target,
    land_damage,
    needs_scan,
    reach,
    rest_weapon,
    shoot,
    tick_weapon,
)
from suite.environments.skirmish.commands import ALL_LEGAL, find_illegal, give_order
from suite.environments.skirmish.compilation import compiled
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
    DETOUR,
    EPISODE_LIMIT,
    GOAL_X,
    GOAL_Y,
    HEALTH,
    IDLE,
    IS_SCANNING,
    LOOPS_PER_STEP,
    MAX_START_LOOPS,
    MOVE,
    N_ALLIES,
    ORDER,
    REWARD_DIVISOR,
    SPEED,
    TARGET,
    UNDECIDED,
    WON,
    X,
    Y,
)
from suite.environments.skirmish.motion import (
    HOLDING,
    MOVING,
    STANDING,
    STRIDE,
    TO_GO,
    TO_X,
    TO_Y,
    settle_contacts,
    walk_all,
)
from suite.environments.skirmish.streams import draw_uniform, seed_stream

Array = Any


@compiled
def advance_loop(
    units: Array,
    orders: Array,
    stats: Array,
    rules: Array,
    is_free: Array,
    n_allies: int,
    streams: Array,
    slot: int,
    plan: Array,
    near: Array,
    ground: Array,
    posture: Array,
    damage: Array,
    attacker: Array,
    has_contact: bool,
) -> bool:
    """One game loop (1/16 game second) of one battle.

    Everyone decides and shoots from the positions at the start of the loop; then all walk, then
    all shots land. So two units that shoot each other in the same loop may both die.
    Scratch: plan (units, 4), near (units, 3), ground (4, units) and damage (units,) float64,
    posture and attacker (units,) int64.
    has_contact: whether units may overlap at the start; what is returned says so of the end.
    """
    n_units = units.shape[0]
    has_shots = False
    has_walkers = False
    for u in range(n_units):
        damage[u] = 0.0
        attacker[u] = -1
    for u in range(n_units):
        posture[u] = STANDING
        if units[u, HEALTH] <= 0.0:
            continue
        order = orders[u, ORDER]
        if order == ATTACK_MOVE:
            if needs_scan(u, units, orders):
                first = n_allies if u < n_allies else 0
                last = n_units if u < n_allies else n_allies
                choose_target(u, units, orders, stats, rules, first, last)
        elif order == ATTACK and units[orders[u, TARGET], HEALTH] <= 0.0:
            order = IDLE
            orders[u, ORDER] = IDLE
            orders[u, TARGET] = -1
        target = orders[u, TARGET]
        if target >= 0:
            dx = units[target, X] - units[u, X]
            dy = units[target, Y] - units[u, Y]
            squared = dx * dx + dy * dy
            length = reach(units, stats, u, target)
            if squared <= length * length:
                orders[u, DETOUR] = 0
                posture[u] = HOLDING
                if tick_weapon(u, target, units, stats, rules, streams, slot):
                    shoot(u, target, stats, damage, attacker)
                    has_shots = True
                continue
            distance = math.sqrt(squared)
            needed = distance - length
        elif order in (MOVE, ATTACK_MOVE):
            dx = units[u, GOAL_X] - units[u, X]
            dy = units[u, GOAL_Y] - units[u, Y]
            distance = math.sqrt(dx * dx + dy * dy)
            needed = distance
        else:
            rest_weapon(u, units)
            continue
        rest_weapon(u, units)
        if needed > 0.0 and stats[u, SPEED] > 0.0:
            posture[u] = MOVING
            has_walkers = True
            plan[u, TO_X] = dx / distance
            plan[u, TO_Y] = dy / distance
            plan[u, TO_GO] = needed
            # walkers to a point stop on it; walkers into range take whole strides
            plan[u, STRIDE] = stats[u, SPEED] if target >= 0 else min(stats[u, SPEED], needed)
        elif order == MOVE:
            orders[u, ORDER] = IDLE
    if has_walkers:
        walk_all(units, orders, stats, posture, is_free, n_allies, plan, near, ground)
    if has_walkers or has_contact:
        has_contact = settle_contacts(units, stats, posture, is_free, n_allies, plan, ground)
    if has_shots:
        land_damage(units, orders, stats, rules, n_allies, damage, attacker)
    return has_contact


@compiled
def step_batch(
    actions: Array,
    active: Array,
    units: Array,
    orders: Array,
    streams: Array,
    n_steps: Array,
    is_over: Array,
    previous: Array,
    last_actions: Array,
    stats: Array,
    sizes: Array,
    rules: Array,
    is_free: Array,
    observations: Array,
    state: Array,
    available: Array,
    reward: Array,
    terminated: Array,
    truncated: Array,
    won: Array,
    plan: Array,
    near: Array,
    ground: Array,
    posture: Array,
    damage: Array,
    attacker: Array,
) -> int:
    """Check all actions, then advance the active slots by one step and encode them.

    Returns ALL_LEGAL, or the fault `find_illegal` found: then nothing has changed.
    First axis slots; the meaning of each array is in `environment` and `fields`.
    """
    fault = find_illegal(actions, active, is_over, available)
    if fault != ALL_LEGAL:
        return fault
    n_allies = sizes[N_ALLIES]
    for s in range(actions.shape[0]):
        reward[s] = 0.0
        terminated[s] = False
        truncated[s] = False
        won[s] = False
        if not active[s]:
            continue
        for a in range(n_allies):
            last_actions[s, a] = actions[s, a]
            if stats[a, IS_SCANNING] == 0.0:
                give_order(a, actions[s, a], units[s], orders[s], n_allies)
        has_contact = True
        for _ in range(LOOPS_PER_STEP):
            has_contact = advance_loop(
                units[s], orders[s], stats, rules, is_free, n_allies, streams, s,
                plan, near, ground, posture, damage, attacker, has_contact,
            )  # fmt: skip
        n_steps[s] += 1
        outcome = battle_outcome(units[s], stats, sizes)
        reward[s] = battle_reward(units[s], sizes, previous[s], outcome, rules[REWARD_DIVISOR])
        terminated[s] = outcome != UNDECIDED
        truncated[s] = outcome == UNDECIDED and n_steps[s] >= sizes[EPISODE_LIMIT]
        won[s] = outcome == WON
        is_over[s] = terminated[s] or truncated[s]
        encode_available_actions(units[s], stats, sizes, is_free, available[s])
        encode_observations(units[s], stats, sizes, available[s], observations[s])
        encode_state(units[s], stats, sizes, last_actions[s], state[s])
    return ALL_LEGAL


@compiled
def reset_batch(
    slots: Array,
    seeds: Array,
    start: Array,
    start_orders: Array,
    units: Array,
    orders: Array,
    streams: Array,
    n_steps: Array,
    is_over: Array,
    previous: Array,
    last_actions: Array,
    stats: Array,
    sizes: Array,
    rules: Array,
    is_free: Array,
    observations: Array,
    state: Array,
    available: Array,
    plan: Array,
    near: Array,
    ground: Array,
    posture: Array,
    damage: Array,
    attacker: Array,
) -> None:
    """Begin a new battle in `slots` (n,) from episode seeds (n,), and encode it."""
    n_allies = sizes[N_ALLIES]
    for k in range(len(slots)):
        s = slots[k]
        seed_stream(streams, s, seeds[k])
        for u in range(start.shape[0]):
            for field in range(start.shape[1]):
                units[s, u, field] = start[u, field]
            for field in range(start_orders.shape[1]):
                orders[s, u, field] = start_orders[u, field]
        n_steps[s] = 0
        is_over[s] = False
        last_actions[s] = -1
        n_loops = int(draw_uniform(streams, s) * (rules[MAX_START_LOOPS] + 1.0))
        has_contact = True
        for _ in range(n_loops):
            has_contact = advance_loop(
                units[s], orders[s], stats, rules, is_free, n_allies, streams, s,
                plan, near, ground, posture, damage, attacker, has_contact,
            )  # fmt: skip
        remember_enemies(units[s], sizes, previous[s])
        encode_available_actions(units[s], stats, sizes, is_free, available[s])
        encode_observations(units[s], stats, sizes, available[s], observations[s])
        encode_state(units[s], stats, sizes, last_actions[s], state[s])
