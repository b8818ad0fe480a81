"""Who touches whom: tests of one place against all units at once.

Centres of two units of one layer stay at least the sum of their separation radii apart. Whom a
place touches is worked out for a block of units at a time, as the bits of a word, in vector
instructions; lists of near units, whose branches a processor cannot foresee, are slower. For the
same reason sets of units are words of bits, from which those who do not matter are taken out.
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
_LINE = 8  # numbers in a cache line
_BLOCK = ir.VectorType(ir.DoubleType(), BLOCK)
NO_BITS, FIRST_BIT, ALL_BITS = np.uint64(0), np.uint64(1), np.uint64(2**64 - 1)


def new_rows(n_rows: int, n_units: int, value: float) -> Array:
    """Rows (n_rows, padded units) float64 in which units are looked for, filled with a value.

    Each begins on a cache line: vectors that lie across two of them take twice as long to load.
    """
    size = n_rows * -(-n_units // BLOCK) * BLOCK
    memory = np.full(size + _LINE, value)
    first = -(memory.ctypes.data // memory.itemsize) % _LINE
    return memory[first : first + size].reshape(n_rows, -1)


def n_words(n_units: int) -> int:
    """How many words hold a bit for each of `n_units`."""
    return -(-n_units // WORD)


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


def _load_block(context: Any, builder: Any, signature: Any, arguments: Any, k: int) -> Any:
    """BLOCK numbers of argument k, an array, from `start` on, the last argument but three."""
    start = arguments[len(arguments) - 4]
    data = context.make_array(signature.args[k])(context, builder, arguments[k]).data
    place = builder.gep(data, [start])
    return builder.load(builder.bitcast(place, _BLOCK.as_pointer()), align=8)


def _spread(builder: Any, value: Any) -> Any:
    """A number BLOCK times."""
    nothing = ir.Constant(_BLOCK, ir.Undefined)
    one = builder.insert_element(nothing, value, ir.Constant(ir.IntType(32), 0))
    everywhere = ir.Constant(ir.VectorType(ir.IntType(32), BLOCK), [0] * BLOCK)
    return builder.shuffle_vector(one, nothing, everywhere)


def _bits_where(builder: Any, less: Any, more: Any) -> Any:
    """The bits of those of BLOCK numbers that are less than the others."""
    bits = builder.bitcast(builder.fcmp_ordered("<", less, more), ir.IntType(BLOCK))
    return builder.zext(bits, ir.IntType(64))


@intrinsic  # type: ignore[untyped-decorator, unused-ignore]
def _touching_bits(
    typing: Any, xs: Any, ys: Any, rooms: Any, start: Any, x: Any, y: Any, room: Any
) -> Any:
    """Bits of those of the BLOCK units from start that are nearer to (x, y) than room + theirs.

    Written as vector instructions, since a compiler does not turn comparisons into bits well.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        block_x, block_y, block_rooms = (
            _load_block(context, builder, signature, arguments, k) for k in range(3)
        )
        dx = builder.fsub(block_x, _spread(builder, arguments[4]))
        dy = builder.fsub(block_y, _spread(builder, arguments[5]))
        apart = builder.fadd(block_rooms, _spread(builder, arguments[6]))
        squared = builder.fadd(builder.fmul(dx, dx), builder.fmul(dy, dy))
        return _bits_where(builder, squared, builder.fmul(apart, apart))

    number = types.float64
    return types.uint64(xs, ys, rooms, types.int64, number, number, number), generate


@intrinsic  # type: ignore[untyped-decorator, unused-ignore]
def _along_bits(typing: Any, xs: Any, ys: Any, start: Any, x: Any, y: Any, least: Any) -> Any:
    """Bits of those of the BLOCK ways from start whose product with (x, y) is over `least`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        block_x, block_y = (
            _load_block(context, builder, signature, arguments, k) for k in range(2)
        )
        part_x = builder.fmul(block_x, _spread(builder, arguments[3]))
        part_y = builder.fmul(block_y, _spread(builder, arguments[4]))
        least = _spread(builder, arguments[5])
        return _bits_where(builder, least, builder.fadd(part_x, part_y))

    number = types.float64
    return types.uint64(xs, ys, types.int64, number, number, number), generate


@inlined
def mark_touching(
    xs: Array, ys: Array, rooms: Array, x: float, y: float, room: float, touching: Array
) -> None:
    """Mark the units of a layer that touch one of separation radius `room` at (x, y).

    xs, ys, rooms: (padded units,), rooms of `fill_rooms`. touching: (words,) gets their bits.
    """
    own = room - TOLERANCE
    for w in range(len(touching)):
        bits = NO_BITS
        for start in range(WORD * w, min(len(xs), WORD * w + WORD), BLOCK):
            block = _touching_bits(xs, ys, rooms, start, x, y, own)
            bits |= block << np.uint64(start - WORD * w)
        touching[w] = bits


@inlined
def mark_along(xs: Array, ys: Array, x: float, y: float, least: float, along: Array) -> None:
    """Mark the units whose way (xs, ys), (padded units,) each, goes along (x, y) by over `least`.

    along: (words,) gets their bits.
    """
    for w in range(len(along)):
        bits = NO_BITS
        for start in range(WORD * w, min(len(xs), WORD * w + WORD), BLOCK):
            block = _along_bits(xs, ys, start, x, y, least)
            bits |= block << np.uint64(start - WORD * w)
        along[w] = bits


@inlined
def bit_of(u: int) -> Any:
    """The bit of unit u in its word."""
    return FIRST_BIT << np.uint64(u % WORD)


@inlined
def lowest_unit(word: int, bits: Any) -> int:
    """The first unit of those marked in a word; bits: not 0."""
    return WORD * word + _lowest_bit(bits)


@inlined
def without_lowest(bits: Any) -> Any:
    """The units marked in a word but the first one."""
    return bits & (bits - FIRST_BIT)


@inlined
def bits_after(u: int, word: int) -> Any:
    """The units of a word that come after unit u."""
    last = u - WORD * word
    if last < 0:
        return ALL_BITS
    if last >= WORD:
        return NO_BITS
    return (ALL_BITS << np.uint64(last)) << FIRST_BIT
