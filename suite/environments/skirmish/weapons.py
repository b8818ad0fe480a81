"""Shots, missiles, areas, and the damage they do. Columns in `fields`.

During a loop everyone's strikes are noted; at its end all of them land, so that units that hit
each other in the same loop may both die. A colossus' beams sweep the ground for some loops after
the shot, and what they touch is hit later.
"""

from __future__ import annotations

import math
from typing import Any

from suite.environments.skirmish.bundles import Battle, Scratch
from suite.environments.skirmish.compilation import NOTHING, inlined
from suite.environments.skirmish.fields import (
    ACROSS_X,
    ACROSS_Y,
    AIMED,
    AIR,
    ARMOR,
    BACKSWING,
    BACKSWING_LEFT,
    BEAM_DELAY,
    BEAMS,
    BURST,
    CALM,
    CLOSE_DAMAGE_POINT,
    CLOSE_PERIOD,
    COOLDOWN,
    DAMAGE_POINT,
    DEALT,
    DOUBLE,
    ENERGY,
    ENERGY_MAX,
    ENERGY_REGENERATION,
    HAS_BURSTS,
    HEAL_COST,
    HEAL_RATE,
    HEALED,
    HEALTH,
    HEALTH_MAX,
    HEALTH_REGENERATION,
    HIT_IN,
    HIT_TARGET,
    JITTER_HIGH,
    JITTER_LOW,
    KIND,
    LAYER,
    LINE_X,
    LINE_Y,
    MISSILE,
    MISSILE_SPEED,
    MISSILE_TARGET,
    MISSILE_X,
    MISSILE_Y,
    N_BEAM_UNITS,
    ORDER,
    PERIOD,
    PROBE_PERIOD,
    RADIUS,
    REGENERATED,
    SECOND_HIT_DELAY,
    SHIELD,
    SHIELD_DELAY,
    SHIELD_MAX,
    SHIELD_RATE,
    SPENT,
    SPLASH_HALF_LENGTH,
    SPLASH_RADIUS,
    SPLASH_TO_EDGE,
    SWEEP,
    TAKEN,
    WEAPON,
    WIND_UP,
    X,
    Y,
)
from suite.environments.skirmish.streams import draw_uniform
from suite.environments.skirmish.tables import Tables
from suite.environments.skirmish.targeting import call_for_help

Array = Any

MIN_DAMAGE = 0.5  # of a hit, whatever the armor
PROBE_STEP = 0.25  # cells between the probes along a colossus' line
N_BEAMS = 2  # one sweeps the line from the left, one from the right
STRIKER, STRUCK = 0, 1  # columns of a strike
N_STRIKES_PER_UNIT = 4  # in one loop at most: two missiles, a second hit, a shot


@inlined
def tick_weapon(u: int, is_close: bool, battle: Battle, tables: Tables) -> float:
    """Let one loop pass for a unit aiming at a target within reach (or close, see CLOSE_RANGE).

    Returns the moment within the loop, 0 to 1, at which it shoots, or -1. The shot is prepared for
    `damage point` loops, which may overlap the end of the cooldown, and falls at a fractional
    moment of the loop; the next period starts at that moment, so that periods are exact although
    loops are whole.
    """
    units, stats = battle.units, tables.stats
    rules = tables.rules
    cooldown = units[u, COOLDOWN]
    damage_point = stats[u, CLOSE_DAMAGE_POINT] if is_close else stats[u, DAMAGE_POINT]
    moment = max(cooldown, damage_point - units[u, WIND_UP])
    if moment <= 1.0:
        low = rules[JITTER_LOW]
        jitter = low + (rules[JITTER_HIGH] - low) * draw_uniform(battle.stream)
        period = stats[u, CLOSE_PERIOD] if is_close else stats[u, PERIOD]
        units[u, COOLDOWN] = period + jitter - (1.0 - moment)
        units[u, BACKSWING_LEFT] = stats[u, BACKSWING] - (1.0 - moment)
        units[u, WIND_UP] = 0.0
        return moment
    units[u, COOLDOWN] = max(cooldown - 1.0, 0.0)
    units[u, WIND_UP] += min(1.0, max(0.0, 1.0 - (cooldown - damage_point)))
    return -1.0


@inlined
def rest_weapon(u: int, units: Array) -> None:
    """Let one loop pass for a unit that aims at nothing: a prepared shot is lost."""
    units[u, COOLDOWN] = max(units[u, COOLDOWN] - 1.0, 0.0)
    units[u, WIND_UP] = 0.0


@inlined
def shoot(
    u: int,
    target: int,
    is_close: bool,
    moment: float,
    battle: Battle,
    tables: Tables,
    strikes: Array,
    n_strikes: int,
) -> int:
    """Release a shot at `moment` of the loop; returns the number of strikes noted.

    A missile starts its flight, beams their sweep; everything else strikes in this loop.
    """
    units, orders, stats = battle.units, battle.orders, tables.stats
    if stats[u, WEAPON] == MISSILE and not is_close:
        if orders[u, MISSILE_TARGET] >= 0:  # the one before is still flying: it lands
            n_strikes = note(u, orders[u, MISSILE_TARGET], strikes, n_strikes)
        orders[u, MISSILE_TARGET] = target
        units[u, MISSILE_X] = units[u, X]
        units[u, MISSILE_Y] = units[u, Y]
        return n_strikes
    if stats[u, WEAPON] == BEAMS:
        orders[u, AIMED] = target
        orders[u, SWEEP] = 1
        return n_strikes
    if stats[u, WEAPON] == DOUBLE:
        units[u, HIT_IN] = moment + stats[u, SECOND_HIT_DELAY]
        orders[u, HIT_TARGET] = target
    return note(u, target, strikes, n_strikes)


@inlined
def note(u: int, target: int, strikes: Array, n_strikes: int) -> int:
    """Note that u strikes target at the end of the loop; returns the number of strikes."""
    strikes[n_strikes, STRIKER] = u
    strikes[n_strikes, STRUCK] = target
    return n_strikes + 1


@inlined
def fly(u: int, battle: Battle, tables: Tables, strikes: Array, n_strikes: int) -> int:
    """Let u's missile fly for a loop; it strikes when it meets its target's edge.

    A missile follows its target and cannot miss; it is lost if the target dies first.
    """
    units, orders, stats = battle.units, battle.orders, tables.stats
    target = orders[u, MISSILE_TARGET]
    if units[target, HEALTH] <= 0.0:
        orders[u, MISSILE_TARGET] = -1
        return n_strikes
    dx = units[target, X] - units[u, MISSILE_X]
    dy = units[target, Y] - units[u, MISSILE_Y]
    distance = math.sqrt(dx * dx + dy * dy)
    speed = stats[u, MISSILE_SPEED]
    if distance - stats[target, RADIUS] <= speed:
        orders[u, MISSILE_TARGET] = -1
        return note(u, target, strikes, n_strikes)
    units[u, MISSILE_X] += dx / distance * speed
    units[u, MISSILE_Y] += dy / distance * speed
    return n_strikes


@inlined
def second_hit(u: int, battle: Battle, strikes: Array, n_strikes: int) -> int:
    """Let a loop pass for the second hit of u's blow; lost if either of the two is dead."""
    units, orders = battle.units, battle.orders
    if units[u, HEALTH] <= 0.0 or units[orders[u, HIT_TARGET], HEALTH] <= 0.0:
        orders[u, HIT_TARGET] = -1
        return n_strikes
    units[u, HIT_IN] -= 1.0
    if units[u, HIT_IN] < 1.0:
        n_strikes = note(u, orders[u, HIT_TARGET], strikes, n_strikes)
        orders[u, HIT_TARGET] = -1
    return n_strikes


@inlined
def sweep(battle: Battle, tables: Tables) -> int:
    """Let a loop pass for the beams of all colossi; returns how many colossi hit at its end.

    Two beams sweep a line across the shot, one from each end, through where the target is when the
    loop after the shot begins; whoever has left the line by then is not touched. Each beam notes
    whom it touches once, on the ground and on the other side.
    """
    units, orders, stats = battle.units, battle.orders, tables.stats
    n_hitting = NOTHING
    row = 0
    for u in range(units.shape[0]):
        if stats[u, WEAPON] != BEAMS:
            continue
        if orders[u, SWEEP] > 0:
            orders[u, SWEEP] += 1
            if orders[u, SWEEP] == 2:
                _lay_line(u, orders[u, AIMED], battle, battle.touched[row])
            if units[u, HEALTH] > 0.0:
                _probe(u, battle, tables, battle.touched[row])
            if _loop_due(u, battle, tables) > 0:
                n_hitting += 1
        row += 1
    return int(n_hitting)


@inlined
def _loop_due(u: int, battle: Battle, tables: Tables) -> int:
    """Whom u's beams touched in this loop after the shot is hit now; below 1 for nobody yet."""
    return int(battle.orders[u, SWEEP] - 1 - tables.stats[u, BEAM_DELAY])


@inlined
def _lay_line(u: int, target: int, battle: Battle, touched: Array) -> None:
    """Lay the line of u's beams across the shot at a target; nobody is touched yet."""
    units = battle.units
    to_x = units[target, X] - units[u, X]
    to_y = units[target, Y] - units[u, Y]
    distance = math.sqrt(to_x * to_x + to_y * to_y)
    units[u, LINE_X] = units[target, X]
    units[u, LINE_Y] = units[target, Y]
    units[u, ACROSS_X] = to_y / distance if distance > 0.0 else 0.0
    units[u, ACROSS_Y] = -to_x / distance if distance > 0.0 else 1.0
    for beam in range(N_BEAMS):
        for j in range(units.shape[0]):
            touched[beam, j] = 0


@inlined
def _n_probes(u: int, tables: Tables) -> int:
    """How many points of the line each of u's beams probes."""
    return int(2.0 * tables.stats[u, SPLASH_HALF_LENGTH] / PROBE_STEP) + 1


@inlined
def _probe(u: int, battle: Battle, tables: Tables, touched: Array) -> None:
    """Note whom u's beams touch in this loop, edge to edge: they probe a point every period."""
    units, orders, stats = battle.units, battle.orders, tables.stats
    n_allies = battle.n_allies
    first = n_allies if u < n_allies else 0
    last = units.shape[0] if u < n_allies else n_allies
    now = orders[u, SWEEP] - 1
    for k in range(_n_probes(u, tables)):
        if math.ceil((k + 1) * stats[u, PROBE_PERIOD]) != now:
            continue
        for beam in range(N_BEAMS):
            along = PROBE_STEP * k - stats[u, SPLASH_HALF_LENGTH]
            if beam == 1:
                along = -along
            x = units[u, LINE_X] + along * units[u, ACROSS_X]
            y = units[u, LINE_Y] + along * units[u, ACROSS_Y]
            for j in range(first, last):
                if units[j, HEALTH] <= 0.0 or stats[j, LAYER] == AIR or touched[beam, j] > 0:
                    continue
                dx = units[j, X] - x
                dy = units[j, Y] - y
                limit = stats[u, SPLASH_RADIUS] + tables.rules[SPLASH_TO_EDGE] * stats[j, RADIUS]
                if dx * dx + dy * dy <= limit * limit:
                    touched[beam, j] = now


@inlined
def _land_beams(battle: Battle, tables: Tables, attacker: Array) -> None:
    """Hit whom beams have touched, BEAM_DELAY later; it does not matter where they are now."""
    units, orders, stats = battle.units, battle.orders, tables.stats
    row = 0
    for u in range(units.shape[0]):
        if stats[u, WEAPON] != BEAMS:
            continue
        due = _loop_due(u, battle, tables)
        if orders[u, SWEEP] > 0 and due > 0:
            for beam in range(N_BEAMS):
                for j in range(units.shape[0]):
                    if battle.touched[row, beam, j] == due:
                        _hit(u, j, battle, tables, attacker)
            if due >= _n_probes(u, tables) * stats[u, PROBE_PERIOD]:
                orders[u, SWEEP] = 0
        row += 1


@inlined
def heal(u: int, j: int, battle: Battle, tables: Tables) -> None:
    """Healer u heals j for one loop, as far as j lacks health and u has energy."""
    units, stats = battle.units, tables.stats
    points = min(stats[u, HEAL_RATE], stats[j, HEALTH_MAX] - units[j, HEALTH])
    points = min(points, units[u, ENERGY] / stats[u, HEAL_COST])
    units[j, HEALTH] += points
    units[j, HEALED] += points
    units[u, ENERGY] = max(units[u, ENERGY] - points * stats[u, HEAL_COST], 0.0)


@inlined
def regenerate(battle: Battle, tables: Tables) -> None:
    """One loop of shields (after a while without damage), of Zerg health and of energy."""
    units, stats = battle.units, tables.stats
    rules = tables.rules
    for u in range(units.shape[0]):
        if units[u, HEALTH] <= 0.0:
            continue
        units[u, CALM] += 1.0
        if units[u, SHIELD] < stats[u, SHIELD_MAX] and units[u, CALM] > rules[SHIELD_DELAY]:
            points = min(rules[SHIELD_RATE], stats[u, SHIELD_MAX] - units[u, SHIELD])
            units[u, SHIELD] += points
            units[u, REGENERATED] += points
        if stats[u, HEALTH_REGENERATION] > 0.0 and units[u, HEALTH] < stats[u, HEALTH_MAX]:
            points = min(stats[u, HEALTH_REGENERATION], stats[u, HEALTH_MAX] - units[u, HEALTH])
            units[u, HEALTH] += points
            units[u, REGENERATED] += points
        if units[u, ENERGY] < stats[u, ENERGY_MAX]:
            energy = units[u, ENERGY] + stats[u, ENERGY_REGENERATION]
            units[u, ENERGY] = min(energy, stats[u, ENERGY_MAX])


@inlined
def land(battle: Battle, tables: Tables, scratch: Scratch, n_strikes: int) -> None:
    """Let all strikes of a loop land, let the dead burst, then let automatic units answer.

    scratch.attacker is -1 before and after: who hit the unit first in this loop.
    """
    units, orders, stats = battle.units, battle.orders, tables.stats
    strikes, attacker = scratch.strikes, scratch.attacker
    for k in range(n_strikes):
        u = strikes[k, STRIKER]
        if stats[u, WEAPON] == BURST:
            if units[u, HEALTH] > 0.0:
                units[u, TAKEN] += units[u, HEALTH]
                units[u, DEALT] += units[u, HEALTH]
                units[u, HEALTH] = 0.0
        else:
            _hit(u, strikes[k, STRUCK], battle, tables, attacker)
    if tables.sizes[N_BEAM_UNITS] > 0:
        _land_beams(battle, tables, attacker)
    if tables.sizes[HAS_BURSTS] > 0:
        has_burst = True
        while has_burst:  # a burst may kill others that burst
            has_burst = False
            for u in range(units.shape[0]):
                is_dead = stats[u, WEAPON] == BURST and units[u, HEALTH] <= 0.0
                if is_dead and orders[u, ORDER] != SPENT:
                    orders[u, ORDER] = SPENT
                    has_burst = True
                    _burst(u, battle, tables, attacker)
    for u in range(units.shape[0]):
        if attacker[u] >= 0:
            call_for_help(u, attacker[u], battle, tables)
            attacker[u] = -1


@inlined
def _hit(u: int, j: int, battle: Battle, tables: Tables, attacker: Array) -> None:
    """One hit of u on j: shields first, without armor, then life, less armor."""
    units, stats = battle.units, tables.stats
    if units[j, HEALTH] <= 0.0:
        return
    damage = tables.damage[int(stats[u, KIND]), int(stats[j, KIND])]
    on_shield = min(damage, units[j, SHIELD])
    on_health = damage - on_shield
    if on_health > 0.0:
        least = max(MIN_DAMAGE - on_shield, 0.0)
        on_health = min(max(on_health - stats[j, ARMOR], least), units[j, HEALTH])
    units[j, SHIELD] -= on_shield
    units[j, HEALTH] -= on_health
    units[j, TAKEN] += on_shield + on_health
    units[u, DEALT] += on_shield + on_health
    units[j, CALM] = 0.0
    if attacker[j] < 0:
        attacker[j] = u


@inlined
def _burst(u: int, battle: Battle, tables: Tables, attacker: Array) -> None:
    """A baneling bursts: all enemies on the ground within its radius are hit."""
    units, stats = battle.units, tables.stats
    n_allies = battle.n_allies
    first = n_allies if u < n_allies else 0
    last = units.shape[0] if u < n_allies else n_allies
    for j in range(first, last):
        if units[j, HEALTH] <= 0.0 or stats[j, LAYER] == AIR:
            continue
        dx = units[j, X] - units[u, X]
        dy = units[j, Y] - units[u, Y]
        limit = stats[u, SPLASH_RADIUS] + tables.rules[SPLASH_TO_EDGE] * stats[j, RADIUS]
        if dx * dx + dy * dy <= limit * limit:
            _hit(u, j, battle, tables, attacker)
