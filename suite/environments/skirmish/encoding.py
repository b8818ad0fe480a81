"""SMAC's view of a battle: observations, state, available actions, reward, outcome.

The simulator and `encode_episode` both go through these kernels. Source: oxwhirl/smac
`smac/env/starcraft2/starcraft2.py` with its default flags; order of operations in `battle_reward`
is SMAC's, so that rewards are equal to the last bit. Arrays of one slot, columns in `fields`;
enemies (enemies,) int64: the unit that each enemy id names.
"""

from __future__ import annotations

import math
from typing import Any

from suite.environments.skirmish.bundles import Battles, Outputs
from suite.environments.skirmish.compilation import NOTHING, compiled, inlined
from suite.environments.skirmish.fields import (
    ALLY_SHIELD,
    COOLDOWN,
    COOLDOWN_SCALE,
    DRAWN,
    EAST,
    ENEMY_SHIELD,
    ENERGY,
    FIRST_TARGET,
    GROUND,
    HEALTH,
    HEALTH_MAX,
    IS_HEALER,
    LOST,
    MAP_CENTER,
    MEDIVAC_RULES,
    MOVE_PROBE,
    N_ALLIES,
    N_ENEMIES,
    NO_OP,
    NORTH,
    PLAYABLE_EXTENT,
    REWARD_DIVISOR,
    SHIELD,
    SHIELD_SCALE,
    SHOOT_RANGE,
    SIGHT_RANGE,
    SOUTH,
    STOP,
    TYPE_BITS,
    TYPE_INDEX,
    UNDECIDED,
    WEST,
    WON,
    X,
    Y,
)
from suite.environments.skirmish.tables import Tables

Array = Any  # numba arrays inside kernels; shapes in the docstrings


@inlined
def _is_walkable(is_free: Array, x: float, y: float) -> bool:
    """SMAC's `can_move` test of a point; `int` truncates toward zero there, and so it does here."""
    i = int(x)
    j = int(y)
    return 0 <= i < is_free.shape[0] and 0 <= j < is_free.shape[1] and is_free[i, j]


@inlined
def encode_available_actions(
    units: Array, enemies: Array, tables: Tables, available: Array
) -> None:
    """Fill available (agents, actions) bool.

    A dead agent may only do nothing; a living one may stop, move where the cell one ahead is free,
    and aim at living enemies (a healer: at living agents that are no healers) within 6 cells. There
    are as many actions to aim as enemies: agents beyond cannot be healed (SMAC itself fails there).
    """
    stats, sizes = tables.stats, tables.sizes
    is_free = tables.is_free[GROUND]
    n_allies = sizes[N_ALLIES]
    for a in range(n_allies):
        row = available[a]
        row[:] = False
        if units[a, HEALTH] <= 0.0:
            row[NO_OP] = True
            continue
        x = units[a, X]
        y = units[a, Y]
        row[STOP] = True
        row[NORTH] = _is_walkable(is_free, x, y + MOVE_PROBE)
        row[SOUTH] = _is_walkable(is_free, x, y - MOVE_PROBE)
        row[EAST] = _is_walkable(is_free, x + MOVE_PROBE, y)
        row[WEST] = _is_walkable(is_free, x - MOVE_PROBE, y)
        is_healer = stats[a, IS_HEALER] > 0.0
        n_enemies = sizes[N_ENEMIES]
        for j in range(min(n_allies, n_enemies) if is_healer else n_enemies):
            u = j if is_healer else enemies[j]
            if units[u, HEALTH] <= 0.0 or (is_healer and stats[u, IS_HEALER] > 0.0):
                continue
            dx = units[u, X] - x
            dy = units[u, Y] - y
            row[FIRST_TARGET + j] = math.sqrt(dx * dx + dy * dy) <= SHOOT_RANGE


@inlined
def encode_state(
    units: Array, enemies: Array, tables: Tables, last_actions: Array, state: Array
) -> None:
    """Fill state (state_size,) float32: ally rows | enemy rows | last actions one-hot.

    last_actions: (agents,) integers, -1 for none (right after a reset). The dead have zero rows.
    """
    stats, sizes = tables.stats, tables.sizes
    n_allies = sizes[N_ALLIES]
    n_units = n_allies + sizes[N_ENEMIES]
    bits = sizes[TYPE_BITS]
    state[:] = 0.0
    column = 0
    for k in range(n_units):
        is_ally = k < n_allies
        u = k if is_ally else enemies[k - n_allies]
        has_shield = sizes[ALLY_SHIELD] if is_ally else sizes[ENEMY_SHIELD]
        width = (4 if is_ally else 3) + has_shield + bits
        if units[u, HEALTH] > 0.0:
            state[column] = units[u, HEALTH] / stats[u, HEALTH_MAX]
            place = column + 1
            if is_ally:
                if sizes[MEDIVAC_RULES] > 0 and stats[u, IS_HEALER] > 0.0:
                    state[place] = units[u, ENERGY] / stats[u, COOLDOWN_SCALE]
                else:
                    state[place] = units[u, COOLDOWN] / stats[u, COOLDOWN_SCALE]
                place += 1
            state[place] = (units[u, X] - MAP_CENTER) / PLAYABLE_EXTENT
            state[place + 1] = (units[u, Y] - MAP_CENTER) / PLAYABLE_EXTENT
            if has_shield > 0:
                state[place + 2] = units[u, SHIELD] / stats[u, SHIELD_SCALE]
            if bits > 0:
                state[column + width - bits + int(stats[u, TYPE_INDEX])] = 1.0
        column += width
    n_actions = FIRST_TARGET + sizes[N_ENEMIES]
    for a in range(n_allies):
        if last_actions[a] >= 0:
            state[column + last_actions[a]] = 1.0
        column += n_actions


@inlined
def encode_observations(
    units: Array,
    enemies: Array,
    tables: Tables,
    available: Array,
    state: Array,
    sight: float,
    observations: Array,
) -> None:
    """Fill observations (agents, observation_size) float32; the dead see zeros.

    Order: four move flags | enemy rows | rows of the other allies | own row. A row of a unit that
    is dead or not nearer than `sight` is zero. state: of `encode_state`, which has the same shares
    of health and shield.
    """
    stats, sizes = tables.stats, tables.sizes
    n_allies = sizes[N_ALLIES]
    n_enemies = sizes[N_ENEMIES]
    bits = sizes[TYPE_BITS]
    observations[:] = 0.0
    ally_width = 4 + sizes[ALLY_SHIELD] + bits  # of the rows of the state
    enemy_width = 3 + sizes[ENEMY_SHIELD] + bits
    for a in range(n_allies):
        if units[a, HEALTH] <= 0.0:
            continue
        row = observations[a]
        for k in range(4):
            row[k] = available[a, NORTH + k]
        column = 4
        place = n_allies * ally_width
        for e in range(n_enemies):
            can_attack = available[a, FIRST_TARGET + e]
            _encode_other(
                a, enemies[e], can_attack, units, stats, sizes[ENEMY_SHIELD], bits,
                row, column, state, place, place + 3, sight,
            )  # fmt: skip
            column += 5 + sizes[ENEMY_SHIELD] + bits
            place += enemy_width
        place = NOTHING
        for j in range(n_allies):
            if j != a:
                _encode_other(
                    a, j, units[j, HEALTH] > 0.0, units, stats, sizes[ALLY_SHIELD], bits,
                    row, column, state, place, place + 4, sight,
                )  # fmt: skip
                column += 5 + sizes[ALLY_SHIELD] + bits
            place += ally_width
        place = a * ally_width
        row[column] = state[place]
        if sizes[ALLY_SHIELD] > 0:
            row[column + 1] = state[place + 4]
        if bits > 0:
            row[column + 1 + sizes[ALLY_SHIELD] + int(stats[a, TYPE_INDEX])] = 1.0


@compiled
def encode_unlimited_sight(
    active: Array, tables: Tables, battles: Battles, outputs: Outputs, observations: Array
) -> None:
    """Fill the observations (slots, agents, observation_size) of the active slots as if nobody
    were too far to be seen."""
    for s in range(active.shape[0]):
        if active[s]:
            available, state = outputs.available_actions[s], outputs.state[s]
            units, enemies = battles.units[s], battles.enemies[s]
            encode_observations(units, enemies, tables, available, state, math.inf, observations[s])


@inlined
def _encode_other(
    a: int,
    j: int,
    flag: float,
    units: Array,
    stats: Array,
    has_shield: int,
    bits: int,
    row: Array,
    column: int,
    state: Array,
    health_place: int,
    shield_place: int,
    sight: float,
) -> None:
    """Fill the row of unit j, from a column on, in agent a's observation, if a sees j."""
    dx = units[j, X] - units[a, X]
    dy = units[j, Y] - units[a, Y]
    squared = dx * dx + dy * dy
    beyond = sight + 0.5  # spares square roots; the test itself is SMAC's
    if squared >= beyond * beyond or units[j, HEALTH] <= 0.0:
        return
    distance = math.sqrt(squared)
    if distance < sight:
        row[column] = flag
        row[column + 1] = distance / SIGHT_RANGE
        row[column + 2] = dx / SIGHT_RANGE
        row[column + 3] = dy / SIGHT_RANGE
        row[column + 4] = state[health_place]
        if has_shield > 0:
            row[column + 5] = state[shield_place]
        if bits > 0:
            row[column + 5 + has_shield + int(stats[j, TYPE_INDEX])] = 1.0


@inlined
def battle_outcome(units: Array, tables: Tables) -> int:
    """WON, LOST, DRAWN (both sides empty) or UNDECIDED, tested in SMAC's order."""
    stats, sizes = tables.stats, tables.sizes
    n_allies = sizes[N_ALLIES]
    n_units = n_allies + sizes[N_ENEMIES]
    allies = 0
    fighting_allies = 0
    for a in range(n_allies):
        if units[a, HEALTH] > 0.0:
            allies += 1
            if stats[a, IS_HEALER] == 0.0:
                fighting_allies += 1
    enemies = 0
    enemy_healers = 0
    for e in range(n_allies, n_units):
        if units[e, HEALTH] > 0.0:
            enemies += 1
            if stats[e, IS_HEALER] > 0.0:
                enemy_healers += 1
    with_medivacs = sizes[MEDIVAC_RULES] > 0
    if (allies == 0 and enemies > 0) or (with_medivacs and fighting_allies == 0):
        return LOST
    if (allies > 0 and enemies == 0) or (with_medivacs and enemies == 1 and enemy_healers == 1):
        return WON
    if allies == 0 and enemies == 0:
        return DRAWN
    return UNDECIDED


@inlined
def remember_enemies(units: Array, enemies: Array, previous: Array) -> None:
    """Set previous (enemies,) to health + shield of every enemy, by id, -1 for the dead."""
    for e in range(enemies.shape[0]):
        u = enemies[e]
        if units[u, HEALTH] > 0.0:
            previous[e] = units[u, HEALTH] + units[u, SHIELD]
        else:
            previous[e] = -1.0


@inlined
def battle_reward(
    units: Array, enemies: Array, tables: Tables, previous: Array, outcome: int
) -> float:
    """SMAC's dense reward of a step; updates previous (enemies,) of `remember_enemies`.

    |damage dealt + 10 per death| + 200 for a win, divided by max_reward / 20.
    """
    damage = 0.0
    deaths = 0.0
    for e in range(enemies.shape[0]):
        if previous[e] < 0.0:
            continue
        u = enemies[e]
        health = units[u, HEALTH]
        if health <= 0.0:
            deaths += 10.0
            damage += previous[e]
            previous[e] = -1.0
        else:
            shield = units[u, SHIELD]
            damage += previous[e] - health - shield
            previous[e] = health + shield
    reward = abs(damage + deaths)
    if outcome == WON:
        reward += 200.0
    return reward / tables.rules[REWARD_DIVISOR]
