"""`encoder.summed_codes` in one pass over memory each way: float32, no tensor per agent.

Arrays: read (P, R, N, E), table (P, A, E), actions (P, M, N) int64, M ≤ R.
"""

from __future__ import annotations

import numpy as np

from suite.algorithms.layers.arithmetic_numba import compiled

_ZERO = np.float32(0)
# Rows summed on their own before they join the total: keeps the rounding of long sums small.
_CHUNK = 128


@compiled
def forward(read, table, actions, out):  # type: ignore[no-untyped-def]
    """Fills out (P, M, E)."""
    n_members, n_rows, n_agents = actions.shape
    size = out.shape[2]
    for p in range(n_members):
        for row in range(n_rows):
            total = out[p, row]
            total[:] = _ZERO
            for n in range(n_agents):
                x, a = read[p, row, n], table[p, actions[p, row, n]]
                for i in range(size):
                    total[i] += max(x[i] + a[i], _ZERO)


@compiled
def backward(read, table, actions, grad, grad_read, grad_table):  # type: ignore[no-untyped-def]
    """Fills the first M rows of grad_read; adds to grad_table, which must be 0 before."""
    n_members, n_rows, n_agents = actions.shape
    size = grad.shape[2]
    partial = np.empty(table.shape[1:], np.float32)
    for p in range(n_members):
        for first in range(0, n_rows, _CHUNK):
            partial[:] = _ZERO
            for row in range(first, min(first + _CHUNK, n_rows)):
                g = grad[p, row]
                for n in range(n_agents):
                    action = actions[p, row, n]
                    x, a = read[p, row, n], table[p, action]
                    of_x, of_a = grad_read[p, row, n], partial[action]
                    for i in range(size):
                        value = g[i] if x[i] + a[i] > _ZERO else _ZERO
                        of_x[i] = value
                        of_a[i] += value
            grad_table[p] += partial
