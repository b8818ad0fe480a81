"""A battle in time: game loops, orders, steps and resets of a whole batch."""

from __future__ import annotations

import math
from typing import Any

from suite.environments.skirmish.bundles import Battle, Battles, Outputs, Scratch
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
    AIMED,
    ATTACK,
    ATTACK_MOVE,
    BACKSWING_LEFT,
    CLOSE_RANGE,
    DRAWS_ENEMY_IDS,
    EPISODE_LIMIT,
    FIRES_FREELY,
    GOAL_SPREAD_X,
    GOAL_SPREAD_Y,
    GOAL_X,
    GOAL_Y,
    HAS_MISSILES,
    HAS_REGENERATION,
    HEALTH,
    HIT_TARGET,
    IDLE,
    IS_HEALER,
    IS_HELD_UP,
    IS_SCANNING,
    MARCH_LOOPS,
    MISSILE_TARGET,
    MOVE,
    N_ALLIES,
    N_BEAM_UNITS,
    ORDER,
    PACE,
    RADIUS,
    REPLAN,
    RESCAN,
    RESCAN_LOOPS,
    SEEN_TARGET,
    SIGHT_RANGE,
    SPEED,
    TARGET,
    UNDECIDED,
    WIND_UP,
    WON,
    X,
    Y,
)
from suite.environments.skirmish.plans import (
    END_X,
    END_Y,
    HOLDING,
    MOVING,
    PLAN_LOOPS,
    STANDING,
    STRIDE,
)
from suite.environments.skirmish.streams import draw_uniform, seed_stream
from suite.environments.skirmish.tables import Tables
from suite.environments.skirmish.targeting import can_heal, can_hit, choose_freely, reach, scan
from suite.environments.skirmish.walking import finish_walks, plan_walks
from suite.environments.skirmish.weapons import (
    fly,
    heal,
    land,
    regenerate,
    rest_weapon,
    second_hit,
    shoot,
    sweep,
    tick_weapon,
)

Array = Any

LOOPS_TO_STOP = 1.0  # who walks up to its target shoots so much later


@inlined
def _act(u: int, battle: Battle, tables: Tables, scratch: Scratch, n_strikes: int) -> int:
    """Let living unit u carry out its order in this loop, except for walking.

    Sets its posture, and its plan if it wants to walk; returns the number of strikes noted.
    """
    units, orders, stats = battle.units, battle.orders, tables.stats
    plan, posture, shots = scratch.plan, scratch.posture, scratch.shots
    order = orders[u, ORDER]
    target = orders[u, TARGET]
    backswing = units[u, BACKSWING_LEFT]
    units[u, BACKSWING_LEFT] = max(backswing - 1.0, 0.0)
    if stats[u, IS_SCANNING] > 0.0:
        scan(u, battle, tables)
        target = orders[u, TARGET]
    elif order == ATTACK:
        is_done = stats[u, IS_HEALER] > 0.0 and not can_heal(battle, tables, u, target)
        if is_done or units[target, HEALTH] <= 0.0:
            order = IDLE
            target = -1
            orders[u, ORDER] = IDLE
            orders[u, TARGET] = -1
    if target >= 0:
        dx = units[target, X] - units[u, X]
        dy = units[target, Y] - units[u, Y]
        squared = dx * dx + dy * dy
        length = reach(battle, tables, u, target)
        is_aiming = stats[u, IS_HEALER] > 0.0 or can_hit(tables, u, target)
        if not is_aiming:
            length = stats[u, RADIUS] + stats[target, RADIUS]
        if squared <= length * length:
            if not is_aiming:
                rest_weapon(u, units)
                return n_strikes
            posture[u] = HOLDING
            orders[u, REPLAN] = 0
            if stats[u, IS_HEALER] > 0.0:
                heal(u, target, battle, tables)
                shots[u] = target
                return n_strikes
            close = stats[u, CLOSE_RANGE]
            if close >= 0.0:
                close += stats[u, RADIUS] + stats[target, RADIUS]
            is_close = close >= 0.0 and squared <= close * close
            orders[u, AIMED] = target
            moment = tick_weapon(u, is_close, battle, tables)
            if moment >= 0.0:
                shots[u] = target
                strikes = scratch.strikes
                return shoot(u, target, is_close, moment, battle, tables, strikes, n_strikes)
            return n_strikes
        plan[END_X, u] = units[target, X]
        plan[END_Y, u] = units[target, Y]
        plan[STRIDE, u] = PLAN_LOOPS * stats[u, SPEED]  # walkers into range take whole strides
    elif order in (MOVE, ATTACK_MOVE):
        dx = units[u, GOAL_X] - units[u, X]
        dy = units[u, GOAL_Y] - units[u, Y]
        squared = dx * dx + dy * dy
        plan[END_X, u] = units[u, GOAL_X]
        plan[END_Y, u] = units[u, GOAL_Y]
        plan[STRIDE, u] = PLAN_LOOPS * stats[u, SPEED]
        if squared < plan[STRIDE, u] * plan[STRIDE, u]:  # walkers to a point stop on it
            plan[STRIDE, u] = math.sqrt(squared)
    elif stats[u, FIRES_FREELY] > 0.0:
        orders[u, IS_HELD_UP] = 0
        return _fire_freely(u, True, battle, tables, scratch, n_strikes)
    else:
        rest_weapon(u, units)
        return n_strikes
    if stats[u, FIRES_FREELY] > 0.0:
        n_strikes = _fire_freely(u, False, battle, tables, scratch, n_strikes)
    else:
        rest_weapon(u, units)
        if backswing > 0.0:
            posture[u] = HOLDING
            return n_strikes
        if target >= 0:
            units[u, WIND_UP] = -LOOPS_TO_STOP
    if squared > 0.0 and stats[u, SPEED] > 0.0:
        posture[u] = MOVING
    elif order == MOVE:  # it has arrived
        orders[u, ORDER] = IDLE
    return n_strikes


@inlined
def _fire_freely(
    u: int, stands: bool, battle: Battle, tables: Tables, scratch: Scratch, n_strikes: int
) -> int:
    """Let a loop pass for a weapon that needs no order; returns the number of strikes noted.

    It fires when its unit stands, by order or because it is held up, but goes on with a shot that
    it has begun to prepare.
    """
    units, orders = battle.units, battle.orders
    target = choose_freely(u, battle, tables)
    is_firing = stands or orders[u, IS_HELD_UP] > 0 or units[u, WIND_UP] > 0.0
    if target < 0 or not is_firing:
        rest_weapon(u, units)
        return n_strikes
    if stands:
        scratch.posture[u] = HOLDING
    moment = tick_weapon(u, False, battle, tables)
    if moment < 0.0:
        return n_strikes
    units[u, BACKSWING_LEFT] = 0.0
    scratch.shots[u] = target
    return shoot(u, target, False, moment, battle, tables, scratch.strikes, n_strikes)


@inlined
def advance_loop(
    battle: Battle, tables: Tables, scratch: Scratch, loop: int, is_changed: bool
) -> bool:
    """One game loop (1/16 game second) of one battle.

    Everyone decides and shoots from the positions at the start of the loop; then all walk, then
    all strikes land.
    loop: number of the loop in this call of `advance_batch`. is_changed: whether units
    may have died since scratch.rooms was filled; what is returned says so of this loop.
    """
    units, orders, sizes = battle.units, battle.orders, tables.sizes
    posture, strikes = scratch.posture, scratch.strikes
    n_units = units.shape[0]
    n_strikes = NOTHING
    if sizes[HAS_MISSILES] > 0:
        for u in range(n_units):
            if orders[u, MISSILE_TARGET] >= 0:
                n_strikes = fly(u, battle, tables, strikes, n_strikes)
    n_hitting = sweep(battle, tables) if sizes[N_BEAM_UNITS] > 0 else NOTHING
    if is_changed:
        fill_rooms(battle, tables, scratch.rooms)
    for u in range(n_units):
        orders[u, SEEN_TARGET] = orders[u, TARGET]
    n_movers = NOTHING
    for u in range(n_units):
        posture[u] = STANDING
        if orders[u, HIT_TARGET] >= 0:
            n_strikes = second_hit(u, battle, strikes, n_strikes)
        if units[u, HEALTH] > 0.0:
            n_strikes = _act(u, battle, tables, scratch, n_strikes)
            if posture[u] == MOVING:
                scratch.movers[n_movers] = u
                n_movers += 1
            else:
                units[u, PACE] = 0.0
    if loop % PLAN_LOOPS == 0:
        plan_walks(n_movers, battle, tables, scratch)
    else:
        finish_walks(battle, tables, scratch)
    if sizes[HAS_REGENERATION] > 0:
        regenerate(battle, tables)
    if n_strikes + n_hitting > 0:
        land(battle, tables, scratch, n_strikes)
    return bool(n_strikes + n_hitting > 0)


@compiled
def advance_batch(
    actions: Array,
    active: Array,
    n_loops: Array,
    is_step: bool,
    tables: Tables,
    battles: Battles,
    scratch: Scratch,
    outputs: Outputs,
) -> int:
    """Advance the active slots by n_loops (slots,) and encode them.

    A step (`is_step`) first checks all actions (slots, agents) and gives them as orders, and is
    rewarded; without, it is the start of an episode: enemies march before anybody looks.
    Returns ALL_LEGAL, or the fault `find_illegal` found: then nothing has changed.
    """
    if is_step:
        fault = find_illegal(actions, active, battles.is_over, outputs.available_actions)
        if fault != ALL_LEGAL:
            return fault
    is_recording = is_step and outputs.loop_units.shape[0] > 0
    for s in range(actions.shape[0]):
        if is_step:
            outputs.reward[s] = 0.0
            outputs.terminated[s] = False
            outputs.truncated[s] = False
            outputs.won[s] = False
        if not active[s]:
            continue
        battle = battle_of(battles, s, tables)
        if is_step:
            for a in range(battle.n_allies):
                battles.last_actions[s, a] = actions[s, a]
                if tables.stats[a, IS_SCANNING] == 0.0:
                    give_order(a, actions[s, a], battle, tables)
        _advance_loops(s, n_loops[s], is_recording, battle, tables, scratch, outputs)
        if is_step:
            _judge(s, battle, tables, battles, outputs)
        else:
            remember_enemies(battle.units, battle.enemies, battles.previous[s])
        _encode(s, battle, tables, battles, outputs)
    return ALL_LEGAL


@inlined
def battle_of(battles: Battles, slot: int, tables: Tables) -> Battle:
    """The battle of one slot, as views."""
    streams, n_allies = battles.streams, tables.sizes[N_ALLIES]
    enemies, touched = battles.enemies[slot], battles.touched[slot]
    units, orders = battles.units[slot], battles.orders[slot]
    return Battle(units, orders, streams[slot], enemies, touched, n_allies)


@inlined
def _advance_loops(
    slot: int,
    n_loops: int,
    is_recording: bool,
    battle: Battle,
    tables: Tables,
    scratch: Scratch,
    outputs: Outputs,
) -> None:
    """Game loops of one battle."""
    is_changed = CHANGED
    for loop in range(n_loops):
        if is_recording:
            scratch.shots[:] = -1
        is_changed = advance_loop(battle, tables, scratch, loop, is_changed)
        if is_recording:
            _record(slot, loop, battle, scratch, outputs)


@inlined
def _record(slot: int, loop: int, battle: Battle, scratch: Scratch, outputs: Outputs) -> None:
    """Keep the units of one battle after a loop, and whom they shot at in it."""
    _copy(battle.units, outputs.loop_units[slot, loop])
    for u in range(battle.units.shape[0]):
        outputs.loop_shots[slot, loop, u] = scratch.shots[u]


@inlined
def _judge(slot: int, battle: Battle, tables: Tables, battles: Battles, outputs: Outputs) -> None:
    """Count the step of one battle, reward it, and say whether the battle is over."""
    battles.n_steps[slot] += 1
    units, enemies = battle.units, battle.enemies
    outcome = battle_outcome(units, tables)
    is_late = battles.n_steps[slot] >= tables.sizes[EPISODE_LIMIT]
    outputs.reward[slot] = battle_reward(units, enemies, tables, battles.previous[slot], outcome)
    outputs.terminated[slot] = outcome != UNDECIDED
    outputs.truncated[slot] = outcome == UNDECIDED and is_late
    outputs.won[slot] = outcome == WON
    battles.is_over[slot] = outcome != UNDECIDED or is_late


@inlined
def _encode(slot: int, battle: Battle, tables: Tables, battles: Battles, outputs: Outputs) -> None:
    """Show one battle as SMAC would."""
    units, enemies = battle.units, battle.enemies
    available, state = outputs.available_actions[slot], outputs.state[slot]
    observations = outputs.observations[slot]
    encode_available_actions(units, enemies, tables, available)
    encode_state(units, enemies, tables, battles.last_actions[slot], state)
    encode_observations(units, enemies, tables, available, state, SIGHT_RANGE, observations)


@inlined
def _copy(source: Array, target: Array) -> None:
    """Copy a table (numba's own assignment might want memory)."""
    for i in range(source.shape[0]):
        for j in range(source.shape[1]):
            target[i, j] = source[i, j]


@compiled
def begin_episodes(
    slots: Array, seeds: Array, n_loops: Array, tables: Tables, battles: Battles
) -> None:
    """Set up a new battle in `slots` (n,) from episode seeds (n,).

    n_loops: (slots of the batch,) gets how long the enemies march before the first observation.
    """
    rules = tables.rules
    for k in range(len(slots)):
        s = slots[k]
        battle = battle_of(battles, s, tables)
        units, stream = battle.units, battle.stream
        seed_stream(stream, seeds[k])
        _copy(tables.start, units)
        _copy(tables.start_orders, battle.orders)
        battles.n_steps[s] = 0
        battles.is_over[s] = False
        battles.last_actions[s] = -1
        for u in range(units.shape[0]):
            battle.orders[u, RESCAN] = 1 + int(draw_uniform(stream) * rules[RESCAN_LOOPS])
        n_loops[s] = int(rules[MARCH_LOOPS])
        if rules[GOAL_SPREAD_X] != 0.0 or rules[GOAL_SPREAD_Y] != 0.0:
            share = draw_uniform(stream)
            for u in range(battle.n_allies, units.shape[0]):
                units[u, GOAL_X] += share * rules[GOAL_SPREAD_X]
                units[u, GOAL_Y] += share * rules[GOAL_SPREAD_Y]
        _number_enemies(battle, rules[DRAWS_ENEMY_IDS] > 0.0)


@inlined
def _number_enemies(battle: Battle, is_drawn: bool) -> None:
    """Give the enemies their ids: in order of creation or, drawn, as StarCraft does.

    There each enemy in turn, whatever its type, comes with even chance next in front or last.
    """
    front = 0
    back = battle.enemies.shape[0] - 1
    for u in range(battle.n_allies, battle.units.shape[0]):
        if is_drawn and draw_uniform(battle.stream) < 0.5:
            battle.enemies[back] = u
            back -= 1
        else:
            battle.enemies[front] = u
            front += 1
