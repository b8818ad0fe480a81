"""Who touches whom: tests of one place against all units at once.

Centres of two units of one layer stay at least the sum of their separation radii apart. Whom a
place touches is worked out for a block of units at a time, as the bits of a word, in vector
instructions; lists of near units, whose branches a processor cannot foresee, are slower.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from suite.environments.skirmish.bundles import Battle
from suite.environments.skirmish.compilation import inlined
from suite.environments.skirmish.fields import HEALTH, LAYER, SEPARATION
from suite.environments.skirmish.tables import Tables

Array = Any

TOLERANCE = 1e-6  # cells two units may overlap without being in contact
WORD = 64  # units told by one word of bits
BLOCK = 16  # units tested at a time; rows are filled up to multiples of it
_NONE, _ONE = np.uint64(0), np.uint64(1)


def padded(n_units: int) -> int:
    """Length of the rows in which `n_units` are looked for."""
    return -(-n_units // BLOCK) * BLOCK


@inlined
def fill_rooms(battle: Battle, tables: Tables, rooms: Array) -> None:
    """Fill rooms (layers, padded units): the separation radius, NaN for the dead, for units of
    other layers and, from before, behind the last unit.

    Comparisons with NaN are false: it touches nobody.
    """
    units, stats = battle.units, tables.stats
    for layer in range(rooms.shape[0]):
        for u in range(np.uint64(units.shape[0])):
            is_there = (units[u, HEALTH] > 0.0) & (stats[u, LAYER] == layer)
            rooms[layer, u] = stats[u, SEPARATION] if is_there else math.nan


@intrinsic  # type: ignore[untyped-decorator, unused-ignore]
def _lowest_bit(typing: Any, bits: Any) -> Any:
    """Number of the lowest bit that is set."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))  # bits is never 0

    return types.int64(types.uint64), generate


@intrinsic  # type: ignore[untyped-decorator, unused-ignore]
def _touching_bits(
    typing: Any, xs: Any, ys: Any, rooms: Any, start: Any, x: Any, y: Any, room: Any
) -> Any:
    """Bits of those of the BLOCK units from start that are nearer to (x, y) than room + theirs.

    Written as vector instructions, since a compiler does not turn comparisons into bits well.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vector = ir.VectorType(ir.DoubleType(), BLOCK)

        def load(k: int) -> Any:
            data = context.make_array(signature.args[k])(context, builder, arguments[k]).data
            place = builder.gep(data, [arguments[3]])
            return builder.load(builder.bitcast(place, vector.as_pointer()), align=8)

        def spread(value: Any) -> Any:
            one = builder.insert_element(
                ir.Constant(vector, ir.Undefined), value, ir.Constant(ir.IntType(32), 0)
            )
            everywhere = ir.Constant(ir.VectorType(ir.IntType(32), BLOCK), [0] * BLOCK)
            return builder.shuffle_vector(one, ir.Constant(vector, ir.Undefined), everywhere)

        dx = builder.fsub(load(0), spread(arguments[4]))
        dy = builder.fsub(load(1), spread(arguments[5]))
        apart = builder.fadd(load(2), spread(arguments[6]))
        squared = builder.fadd(builder.fmul(dx, dx), builder.fmul(dy, dy))
        is_touching = builder.fcmp_ordered("<", squared, builder.fmul(apart, apart))
        bits = builder.bitcast(is_touching, ir.IntType(BLOCK))
        return builder.zext(bits, ir.IntType(64))

    number = types.float64
    return types.uint64(xs, ys, rooms, types.int64, number, number, number), generate


@inlined
def find_touching(
    xs: Array, ys: Array, rooms: Array, x: float, y: float, room: float, found: Array
) -> int:
    """List the units of a layer that touch one of separation radius `room` at (x, y).

    xs, ys, rooms: (padded units,), rooms of `fill_rooms`. found: (units,) int64 gets the units;
    returns how many.
    """
    own = room - TOLERANCE
    count = 0
    for word in range(0, len(xs), WORD):
        bits = _NONE
        for start in range(word, min(len(xs), word + WORD), BLOCK):
            block = _touching_bits(xs, ys, rooms, start, x, y, own)
            bits |= block << np.uint64(start - word)
        while bits != _NONE:
            found[count] = word + _lowest_bit(bits)
            bits &= bits - _ONE
            count += 1
    return count
