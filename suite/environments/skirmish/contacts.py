"""Contact of units in one game loop: whoever overlaps is pushed apart.

All pairs are pushed from the same positions, a few rounds over, so the order of the units does not
matter. Units of different layers do not touch. Pairs of which neither has moved are not looked at.
Whom a unit touches is worked out for all others at once, as the bits of a word: a loop without
branches, which compiles to vector instructions and is several times faster than lists of near
units, whose branches a processor cannot foresee.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from suite.environments.skirmish.compilation import inlined
from suite.environments.skirmish.fields import (
    DETOUR,
    HEADING_X,
    HEADING_Y,
    HEALTH,
    LAYER,
    PUSHES_IDLE,
    REPLAN,
    SEPARATION,
    SPEED,
    X,
    Y,
)
from suite.environments.skirmish.steering import MOVING, SHUT_IN, STANDING, displace

Array = Any

OVERLAP_TOLERANCE = 1e-6
ROUNDS = 3  # how often units are pushed apart in a loop, at most
SLIGHT = 0.03  # cells; a round that found no deeper overlap is the last
LONGEST_PUSH = 0.25  # cells a unit is pushed in one round, at most
HELD_BACK = 0.5  # loops of walking; a walker pushed back by more waits
YIELD_LOOPS = 4  # for so long
# rows of the crowd (N_CROWD, units): the living
_X, _Y, _ROOM, _FIRMNESS, _SIDE, _PUSH_X, _PUSH_Y, _N_PUSHES, _UNIT = 0, 1, 2, 3, 4, 5, 6, 7, 8
N_CROWD = 9
_APART = 1024.0  # cells along x between the layers of a crowd, so that they do not meet
WORD = 64  # units told by one word of bits
_NONE, _ONE = np.uint64(0), np.uint64(1)
# firmness: walkers give way, except to friends who stand idle: these are pushed. Units that aim do
# not, structures never.
_WALKS, _IDLES, _AIMS, _STAYS = 0, 1, 2, 3


def _share(firmness: int, other: int, is_friend: int, pushes_idle: int) -> float:
    """Share of a push that the first of two units takes; two that stay take none."""
    if firmness == _STAYS:
        return 0.0
    if other == _STAYS:
        return 1.0
    if firmness == other or _WALKS not in (firmness, other):
        return 0.5
    gives_way = firmness == _WALKS
    if pushes_idle and is_friend and _IDLES in (firmness, other):
        gives_way = not gives_way
    return 1.0 if gives_way else 0.0


# [pushes idle, is friend, firmness, other's firmness]
_SHARES = np.array(
    [
        [[[_share(a, b, friend, idle) for b in range(4)] for a in range(4)] for friend in (0, 1)]
        for idle in (0, 1)
    ]
)


@intrinsic  # type: ignore[untyped-decorator, unused-ignore]
def _lowest_bit(typing: Any, bits: Any) -> Any:
    """Number of the lowest bit that is set."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))  # bits is never 0

    return types.int64(types.uint64), generate


@inlined
def settle_contacts(
    units: Array,
    orders: Array,
    stats: Array,
    posture: Array,
    rules: Array,
    is_free: Array,
    n_allies: int,
    unsettled: Array,
    crowd: Array,
    active: Array,
) -> bool:
    """Push overlapping units apart; returns whether any was pushed.

    The pair shares the way by `_share`. Where the last round makes a new contact the next call
    goes on.
    unsettled: (units,) bool, who has moved since the last call; then who was pushed. Scratch:
    crowd (N_CROWD, units) float64, active (words,) uint64 with a bit for each unit.
    """
    n_alive = _gather(units, stats, posture, n_allies, unsettled, crowd, active)
    pushes_idle = int(rules[PUSHES_IDLE])
    has_pushed = False
    for _ in range(ROUNDS):
        deepest = 0.0
        for a in range(n_alive):
            if (active[a // WORD] >> np.uint64(a % WORD)) & _ONE == _NONE:
                continue
            for word in range(len(active)):
                bits = _touching(crowd, a, word * WORD, min(n_alive, (word + 1) * WORD))
                # of two that have moved, the first looks
                bits &= ~active[word] | _after(a, word)
                while bits != _NONE:
                    b = word * WORD + _lowest_bit(bits)
                    bits &= bits - _ONE
                    deepest = max(deepest, _push_apart(a, b, pushes_idle, crowd))
        if deepest == 0.0:
            break
        has_pushed = True
        for word in range(len(active)):
            active[word] = _NONE
        for a in range(n_alive):
            if crowd[_N_PUSHES, a] > 0.0:
                u = int(crowd[_UNIT, a])
                _apply_push(a, u, units, orders, stats, rules, is_free, crowd)
                unsettled[u] = True
                active[a // WORD] |= _ONE << np.uint64(a % WORD)
        if deepest <= SLIGHT:
            break
    return has_pushed


@inlined
def _touching(crowd: Array, a: int, first: int, last: int) -> Any:
    """Bits of those of the crowd from first to last - 1 that overlap with a, itself included.

    Unsigned numbers let the compiler see that no index is negative.
    """
    xs = crowd[_X]
    ys = crowd[_Y]
    rooms = crowd[_ROOM]
    x = xs[a]
    y = ys[a]
    own = rooms[a] - OVERLAP_TOLERANCE
    start = np.uint64(first)
    bits = _NONE
    for b in range(start, np.uint64(max(first, last))):
        dx = xs[b] - x
        dy = ys[b] - y
        room = own + rooms[b]
        bits |= np.uint64(dx * dx + dy * dy < room * room) << (b - start)
    return bits


@inlined
def _after(a: int, word: int) -> Any:
    """Bits of the units after a in a word."""
    place = a - word * WORD
    if place < 0:
        return ~_NONE
    if place >= WORD - 1:
        return _NONE
    return (~_NONE) << np.uint64(place + 1)


@inlined
def _apply_push(
    a: int,
    u: int,
    units: Array,
    orders: Array,
    stats: Array,
    rules: Array,
    is_free: Array,
    crowd: Array,
) -> None:
    """Move unit u, the crowd's a, by its pushes.

    By more than their mean, or a crowd would part slowly; by less than their sum, or it would
    shake. A walker that is held back waits a little before it looks for its way again, so that a
    crowd queues instead of squeezing.
    """
    factor = min(1.0, 1.5 / crowd[_N_PUSHES, a])
    dx = crowd[_PUSH_X, a] * factor
    dy = crowd[_PUSH_Y, a] * factor
    length = math.sqrt(dx * dx + dy * dy)
    if length > LONGEST_PUSH:
        dx *= LONGEST_PUSH / length
        dy *= LONGEST_PUSH / length
    displace(u, dx, dy, units, stats, rules, is_free)
    back = -(dx * units[u, HEADING_X] + dy * units[u, HEADING_Y])
    if crowd[_FIRMNESS, a] == _WALKS and back > HELD_BACK * stats[u, SPEED]:
        orders[u, DETOUR] = SHUT_IN
        orders[u, REPLAN] = YIELD_LOOPS
    crowd[_X, a] = units[u, X] + _APART * stats[u, LAYER]
    crowd[_Y, a] = units[u, Y]
    crowd[_PUSH_X, a] = 0.0
    crowd[_PUSH_Y, a] = 0.0
    crowd[_N_PUSHES, a] = 0.0


@inlined
def _gather(
    units: Array,
    stats: Array,
    posture: Array,
    n_allies: int,
    unsettled: Array,
    crowd: Array,
    active: Array,
) -> int:
    """Fill crowd with the living, active with those unsettled; returns how many are alive."""
    for word in range(len(active)):
        active[word] = _NONE
    n_alive = 0
    for u in range(units.shape[0]):
        if units[u, HEALTH] <= 0.0:
            continue
        crowd[_X, n_alive] = units[u, X] + _APART * stats[u, LAYER]
        crowd[_Y, n_alive] = units[u, Y]
        crowd[_ROOM, n_alive] = stats[u, SEPARATION]
        firmness = _AIMS
        if posture[u] == MOVING:
            firmness = _WALKS
        if posture[u] == STANDING:
            firmness = _IDLES
        if stats[u, SPEED] == 0.0:
            firmness = _STAYS
        crowd[_FIRMNESS, n_alive] = firmness
        crowd[_SIDE, n_alive] = 0.0 if u < n_allies else 1.0
        crowd[_PUSH_X, n_alive] = 0.0
        crowd[_PUSH_Y, n_alive] = 0.0
        crowd[_N_PUSHES, n_alive] = 0.0
        crowd[_UNIT, n_alive] = u
        active[n_alive // WORD] |= np.uint64(unsettled[u]) << np.uint64(n_alive % WORD)
        unsettled[u] = False
        n_alive += 1
    return n_alive


@inlined
def _push_apart(a: int, b: int, pushes_idle: int, crowd: Array) -> float:
    """Add to the pushes of a and b what parts them; returns how deep they overlap, cells."""
    dx = crowd[_X, b] - crowd[_X, a]
    dy = crowd[_Y, b] - crowd[_Y, a]
    room = crowd[_ROOM, a] + crowd[_ROOM, b]
    distance = math.sqrt(dx * dx + dy * dy)
    push = (room + OVERLAP_TOLERANCE - distance) / distance
    if distance == 0.0:  # two units on one point part along x
        dx = 1.0
        push = room
    is_friend = 1 if crowd[_SIDE, a] == crowd[_SIDE, b] else 0
    firmness = int(crowd[_FIRMNESS, a])
    other = int(crowd[_FIRMNESS, b])
    share = _SHARES[pushes_idle, is_friend, firmness, other]
    other_share = _SHARES[pushes_idle, is_friend, other, firmness]
    crowd[_PUSH_X, a] -= dx * push * share
    crowd[_PUSH_Y, a] -= dy * push * share
    crowd[_PUSH_X, b] += dx * push * other_share
    crowd[_PUSH_Y, b] += dy * push * other_share
    # who takes no share is not moved, and its own pushes are not thinned
    crowd[_N_PUSHES, a] += 1.0 if share > 0.0 else 0.0
    crowd[_N_PUSHES, b] += 1.0 if other_share > 0.0 else 0.0
    return room - distance
