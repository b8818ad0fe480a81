"""What surrounds a dense layer's products, in one pass over memory each: float32 (P, R, O)."""

from __future__ import annotations

import numpy as np

from suite.algorithms.layers.arithmetic_numba import compiled

_ZERO = np.float32(0)
# Rows summed on their own before they join the total: keeps the rounding of long sums small.
_CHUNK = 128


@compiled
def add_bias(out, bias, is_rectified):  # type: ignore[no-untyped-def]
    """out += bias (P, O), and ReLU if asked."""
    n_members, n_rows, size = out.shape
    for p in range(n_members):
        bias_p = bias[p]
        for row in range(n_rows):
            o = out[p, row]
            if is_rectified:
                for i in range(size):
                    o[i] = max(o[i] + bias_p[i], _ZERO)
            else:
                for i in range(size):
                    o[i] += bias_p[i]


@compiled
def through_relu(grad, out, before, sums):  # type: ignore[no-untyped-def]
    """Gradient before the ReLU whose result is `out`, and its sums over rows (P, O)."""
    n_members, n_rows, size = out.shape
    partial = np.empty(size, np.float32)
    for p in range(n_members):
        sums_p = sums[p]
        sums_p[:] = _ZERO
        for first in range(0, n_rows, _CHUNK):
            partial[:] = _ZERO
            for row in range(first, min(first + _CHUNK, n_rows)):
                g, o, b = grad[p, row], out[p, row], before[p, row]
                for i in range(size):
                    value = g[i] if o[i] > _ZERO else _ZERO
                    b[i] = value
                    partial[i] += value
            for i in range(size):
                sums_p[i] += partial[i]
