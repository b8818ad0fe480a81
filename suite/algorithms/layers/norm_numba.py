"""Layer normalisation as compiled loops over float32 rows: see `norm` for the equations.

A row (64 values) stays in the first cache from its first reading to its last writing. Inner loops
are short and written out, even where two kernels share them: inlined functions keep the compiler
from vectorising them, at almost twice the time (measured).
"""

from __future__ import annotations

import numpy as np

from suite.algorithms.layers.arithmetic_numba import compiled

_ZERO = np.float32(0)
_ONE = np.float32(1)
# Rows summed on their own before they join the total: keeps the rounding of long sums small.
_CHUNK = 128


@compiled
def forward(x, bias, gain, shift, out, scale, is_rectified, epsilon):  # type: ignore[no-untyped-def]
    """Fills out (P, R, H) and scale (P, R, 2): mean and 1/√(variance + ε) of each row."""
    n_members, n_rows, size = x.shape
    per_value = _ONE / np.float32(size)
    y = np.empty(size, np.float32)
    for p in range(n_members):
        b, g, s = bias[p], gain[p], shift[p]
        for row in range(n_rows):
            a, o = x[p, row], out[p, row]
            if is_rectified:
                for i in range(size):
                    y[i] = max(a[i] + b[i], _ZERO)
            else:
                for i in range(size):
                    y[i] = a[i]
            total = _ZERO
            for i in range(size):
                total += y[i]
            mean = total * per_value
            squares = _ZERO
            for i in range(size):
                squares += (y[i] - mean) * (y[i] - mean)
            factor = _ONE / np.sqrt(squares * per_value + np.float32(epsilon))
            scale[p, row, 0], scale[p, row, 1] = mean, factor
            for i in range(size):
                o[i] = (y[i] - mean) * factor * g[i] + s[i]


@compiled
def backward(grad, x, bias, gain, scale, grad_x, sums, is_rectified):  # type: ignore[no-untyped-def]
    """Fills grad_x (P, R, H) and sums (3, P, H): gradients of bias, gain and shift."""
    n_members, n_rows, size = x.shape
    per_value = _ONE / np.float32(size)
    y = np.empty(size, np.float32)
    normal = np.empty(size, np.float32)
    d = np.empty(size, np.float32)
    to_bias = np.empty(size, np.float32)
    to_gain = np.empty(size, np.float32)
    to_shift = np.empty(size, np.float32)
    sums[:] = _ZERO
    for p in range(n_members):
        b, g = bias[p], gain[p]
        for first in range(0, n_rows, _CHUNK):
            to_bias[:] = _ZERO
            to_gain[:] = _ZERO
            to_shift[:] = _ZERO
            for row in range(first, min(first + _CHUNK, n_rows)):
                a, u, out = x[p, row], grad[p, row], grad_x[p, row]
                mean, factor = scale[p, row, 0], scale[p, row, 1]
                if is_rectified:
                    for i in range(size):
                        y[i] = max(a[i] + b[i], _ZERO)
                else:
                    for i in range(size):
                        y[i] = a[i]
                for i in range(size):
                    normal[i] = (y[i] - mean) * factor
                for i in range(size):
                    to_shift[i] += u[i]
                for i in range(size):
                    to_gain[i] += u[i] * normal[i]
                for i in range(size):
                    d[i] = u[i] * g[i]
                total, along = _ZERO, _ZERO
                for i in range(size):
                    total += d[i]
                for i in range(size):
                    along += d[i] * normal[i]
                total *= per_value
                along *= per_value
                for i in range(size):
                    d[i] = (d[i] - total - normal[i] * along) * factor
                if is_rectified:
                    for i in range(size):
                        before = d[i] if y[i] > _ZERO else _ZERO
                        out[i] = before
                        to_bias[i] += before
                else:
                    for i in range(size):
                        out[i] = d[i]
            for i in range(size):
                sums[0, p, i] += to_bias[i]
                sums[1, p, i] += to_gain[i]
                sums[2, p, i] += to_shift[i]
