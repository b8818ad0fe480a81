"""The GRU cell as compiled loops over float32 arrays in memory: same contract as `gru_torch`.

One pass over a step's rows while they are in cache, instead of a dozen operations. Each inner loop
touches few arrays: beyond eight the compiler no longer proves them apart and gives up vectorising.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from suite.algorithms.layers.arithmetic_numba import FAST, compiled, sigmoid32, tanh32

_ZERO = np.float32(0)
_ONE = np.float32(1)


@compiled
def forward_step(  # type: ignore[no-untyped-def]
    gates, hidden_gates, bias_ih, bias_hh, hidden, factors, start, previous, n_rows, has_factors
):
    """`gru_torch.forward_step`; `factors` is any array where `has_factors` is False."""
    n_members, n_all, size = hidden.shape[0], hidden.shape[1], hidden.shape[2]
    offset = n_all - gates.shape[1]
    rz = np.empty(2 * size, np.float32)
    h_n = np.empty(size, np.float32)
    n = np.empty(size, np.float32)
    r, z = rz[:size], rz[size:]
    for p in range(n_members):
        bias_rz = bias_ih[p, : 2 * size] + bias_hh[p, : 2 * size]
        bias_x_n, bias_h_n = bias_ih[p, 2 * size :], bias_hh[p, 2 * size :]
        for row in range(n_rows):
            x_rz, x_n = gates[p, start + row, : 2 * size], gates[p, start + row, 2 * size :]
            w_rz, w_n = hidden_gates[p, row, : 2 * size], hidden_gates[p, row, 2 * size :]
            before = hidden[p, previous + row]
            after = hidden[p, offset + start + row]
            for i in range(2 * size):
                rz[i] = sigmoid32(x_rz[i] + w_rz[i] + bias_rz[i])
            for i in range(size):
                h_n[i] = w_n[i] + bias_h_n[i]
            for i in range(size):
                n[i] = tanh32(x_n[i] + bias_x_n[i] + r[i] * h_n[i])
            for i in range(size):
                after[i] = n[i] + z[i] * (before[i] - n[i])
            if has_factors:
                _factors(factors[p, start + row], r, z, n, h_n, before, size)


@njit(inline="always", **FAST)
def _factors(factors, r, z, n, h_n, before, size):  # type: ignore[no-untyped-def]
    to_hidden_n, to_r, to_z = factors[:size], factors[size : 2 * size], factors[2 * size : 3 * size]
    to_n, carried = factors[3 * size : 4 * size], factors[4 * size :]
    for i in range(size):
        to_n[i] = (_ONE - z[i]) * (_ONE - n[i] * n[i])
    for i in range(size):
        to_hidden_n[i] = to_n[i] * r[i]
    for i in range(size):
        to_r[i] = to_hidden_n[i] * h_n[i] * (_ONE - r[i])
    for i in range(size):
        to_z[i] = (before[i] - n[i]) * z[i] * (_ONE - z[i])
    for i in range(size):
        carried[i] = z[i]


@compiled
def backward_step(total, factors, grads, sums, start, previous, n_rows):  # type: ignore[no-untyped-def]
    """`gru_torch.backward_step`."""
    n_members, _, size = total.shape
    step_sums = np.empty(4 * size, np.float32)
    for p in range(n_members):
        step_sums[:] = _ZERO
        for row in range(n_rows):
            d = total[p, start + row]
            for block in range(4):
                f = factors[p, start + row, block * size : (block + 1) * size]
                g = grads[p, start + row, block * size : (block + 1) * size]
                for i in range(size):
                    g[i] = d[i] * f[i]
            g = grads[p, start + row]
            for i in range(4 * size):
                step_sums[i] += g[i]
            if previous >= 0:
                carried = total[p, previous + row]
                z = factors[p, start + row, 4 * size :]
                for i in range(size):
                    carried[i] += d[i] * z[i]
        for i in range(4 * size):
            sums[p, i] += step_sums[i]
