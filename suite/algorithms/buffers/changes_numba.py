"""Rows of words stored as what changes, as compiled loops: lossless for any bits.

The n rows of W words, one after another in time, become n·M mask words (bit i of a row's masks:
its word i differs from the row before; before the first row all is zero) and then the words that
changed, in order. Words are compared as integers: -0.0 and every NaN survive.

Kernels that write take the place of the next word and return, or leave in `starts`, the one after
the last.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numba import njit
from numba.cpython.unsafe.numbers import trailing_zeros

from suite.compilation import compiler

# Every array comes from outside: numba need not count references.
compiled = compiler([Path(__file__)], error_model="numpy", _nrt=False)

_U = np.uintp  # a signed index might count from the end
_WORD_BITS = _U(32)
_NONE, _ONE = np.uint32(0), np.uint32(1)


@njit(inline="always", error_model="numpy")
def _masks_per_row(width):  # type: ignore[no-untyped-def]
    return (_U(width) + _WORD_BITS - _U(1)) // _WORD_BITS


@compiled
def pack(rows, words, start):  # type: ignore[no-untyped-def]
    """Store rows (n, W) at words[start:]; returns the end.

    `words` must have room for n·(M + W) words and one more, which is overwritten.
    """
    n, width = _U(rows.shape[0]), _U(rows.shape[1])
    mask = _U(start)
    end = mask + n * _masks_per_row(width)
    for t in range(n):
        for first in range(_U(0), width, _WORD_BITS):
            bits = _NONE
            for i in range(min(_WORD_BITS, width - first)):
                value = rows[t, first + i]
                before = rows[t - _U(1), first + i] if t > _U(0) else _NONE
                is_changed = np.uint32(value != before)
                words[end] = value
                end += _U(is_changed)
                bits |= is_changed << np.uint32(i)
            words[mask] = bits
            mask += _U(1)
    return np.int64(end)


@compiled
def unpack(words, starts, n_stored, rows):  # type: ignore[no-untyped-def]
    """Fill rows (E, R, W) with the first R of the n_stored (E,) rows at each of starts (E,).

    Zeros follow where there are fewer.
    """
    n_rows, width = _U(rows.shape[1]), _U(rows.shape[2])
    for e in range(_U(rows.shape[0])):
        n = _U(n_stored[e])
        mask = _U(starts[e])
        value = mask + n * _masks_per_row(width)
        for t in range(n):
            is_wanted = t < n_rows
            if is_wanted:
                for i in range(width):
                    rows[e, t, i] = rows[e, t - _U(1), i] if t > _U(0) else _NONE
            for first in range(_U(0), width, _WORD_BITS):
                bits = words[mask]
                mask += _U(1)
                while bits != _NONE:
                    if is_wanted:
                        rows[e, t, first + _U(trailing_zeros(bits))] = words[value]
                    value += _U(1)
                    bits &= bits - _ONE
        starts[e] = value
        for t in range(min(n, n_rows), n_rows):
            for i in range(width):
                rows[e, t, i] = _NONE


@compiled
def end_of(words, start, n, width):  # type: ignore[no-untyped-def]
    """The end of n stored rows of `width` words, or -1 if `words` hold no such thing."""
    last = _U(words.shape[0])
    mask = _U(start)
    end = mask + _U(n) * _masks_per_row(width)
    if end > last:
        return -1
    for _ in range(_U(n)):
        for first in range(_U(0), _U(width), _WORD_BITS):
            bits = words[mask]
            mask += _U(1)
            n_bits = min(_WORD_BITS, _U(width) - first)
            if n_bits < _WORD_BITS and bits >> np.uint32(n_bits) != _NONE:
                return -1
            while bits != _NONE:
                end += _U(1)
                bits &= bits - _ONE
    return np.int64(end) if end <= last else -1
