"""The arrays of a batch of battles, in named bundles; the constants are `tables.Tables`."""

from __future__ import annotations

from typing import Any, NamedTuple

Array = Any


class Battles(NamedTuple):
    """The battles of a batch; first axis slots.

    units: (slots, units, N_UNIT_FIELDS) float64 and orders: (slots, units, N_ORDER_FIELDS) int64,
    columns in `fields`. streams: (slots, 1) uint64 of `streams`. n_steps: (slots,) int64 of this
    episode. is_over: (slots,) bool. previous: (slots, enemies) float64 of
    `encoding.remember_enemies`. last_actions: (slots, agents) int64, -1 after a reset.
    enemies: (slots, enemies) int64, the unit that each enemy id of this episode names.
    touched: (slots, colossi, 2, units) int64, SWEEP of that colossus when its first, its second
    beam touched the unit, 0 for not yet.
    """

    units: Array
    orders: Array
    streams: Array
    n_steps: Array
    is_over: Array
    previous: Array
    last_actions: Array
    enemies: Array
    touched: Array


class Battle(NamedTuple):
    """One battle of a batch: units (units, N_UNIT_FIELDS), orders (units, N_ORDER_FIELDS), stream
    (1,), enemies (enemies,), the unit that each enemy id names, touched (colossi, 2, units), and
    how many of the units, the first ones, are allies."""

    units: Array
    orders: Array
    stream: Array
    enemies: Array
    touched: Array
    n_allies: int


class Scratch(NamedTuple):
    """What one loop of one battle needs; nothing of it lasts longer than a step.

    plan: (N_PLAN, padded units) float64, rows in `plans`. rooms: (layers, padded units) float64
    of `contacts.fill_rooms`. strikes: (N_STRIKES_PER_UNIT * units, 2) int64, columns in `weapons`.
    sets: (N_SETS, words) uint64, sets of units in `plans`. The others are (units,) int64.
    posture: codes in `plans`. movers: who walks. stayers, near: lists of units. attacker: who hit
    the unit first in this loop, or -1. shots: whom the unit shot at or healed, or -1.
    """

    plan: Array
    rooms: Array
    strikes: Array
    posture: Array
    movers: Array
    stayers: Array
    near: Array
    sets: Array
    attacker: Array
    shots: Array


class Outputs(NamedTuple):
    """What a step hands out; first axis slots.

    The contract's arrays (`environments.interface`), and, if loops are recorded, else of no slots,
    loop_units: (slots, loops, units, N_UNIT_FIELDS) and loop_shots: (slots, loops, units).
    """

    observations: Array
    state: Array
    available_actions: Array
    reward: Array
    terminated: Array
    truncated: Array
    won: Array
    loop_units: Array
    loop_shots: Array
