"""Layers for a handful of rows, where calling an operation costs more than its arithmetic.

Acting in one environment is some 0.1 MFLOP per agent; compiled in one piece it takes a fraction of
what a dozen tensor operations take. Plain two-dimensional float32 arrays of one member.
"""

from __future__ import annotations

import numpy as np

from suite.algorithms.layers.arithmetic_numba import compiled, sigmoid32, tanh32

_U = np.uintp
_ZERO = np.float32(0)


@compiled
def add_dense(x, weight, first_column, out):  # type: ignore[no-untyped-def]
    """out (R, O) += x (R, I) @ weight[:, first_column : first_column + I].T.

    Four rows share each reading of the weights.
    """
    n_rows, n_inputs, n_outputs = _U(x.shape[0]), _U(x.shape[1]), _U(out.shape[1])
    stride, offset = _U(weight.shape[1]), _U(first_column)
    x, w, y = x.reshape(-1), weight.reshape(-1), out.reshape(-1)
    fours = n_rows // _U(4) * _U(4)
    for o in range(n_outputs):
        v = o * stride + offset
        for row in range(_U(0), fours, _U(4)):
            a = row * n_inputs
            b, c, d = a + n_inputs, a + n_inputs + n_inputs, a + n_inputs * _U(3)
            to_a, to_b, to_c, to_d = _ZERO, _ZERO, _ZERO, _ZERO
            for i in range(n_inputs):
                to_a += x[a + i] * w[v + i]
                to_b += x[b + i] * w[v + i]
                to_c += x[c + i] * w[v + i]
                to_d += x[d + i] * w[v + i]
            into = row * n_outputs + o
            y[into] += to_a
            y[into + n_outputs] += to_b
            y[into + n_outputs * _U(2)] += to_c
            y[into + n_outputs * _U(3)] += to_d
        for row in range(fours, n_rows):
            a = row * n_inputs
            total = _ZERO
            for i in range(n_inputs):
                total += x[a + i] * w[v + i]
            y[row * n_outputs + o] += total


@compiled
def dense(x, weight, bias, is_rectified):  # type: ignore[no-untyped-def]
    """x (R, I) @ weight (O, I).T + bias (O,), then ReLU if asked: a new array (R, O)."""
    out = np.empty((x.shape[0], bias.shape[0]), np.float32)
    out[:] = bias
    add_dense(x, weight, 0, out)
    if is_rectified:
        rectify(out)
    return out


@compiled
def rectify(x):  # type: ignore[no-untyped-def]
    """ReLU in place."""
    flat = x.reshape(-1)
    for i in range(flat.shape[0]):
        flat[i] = max(flat[i], _ZERO)


@compiled
def gru_cell(x, hidden, weight_ih, weight_hh, bias_ih, bias_hh, out):  # type: ignore[no-untyped-def]
    """nn.GRUCell: x (R, I), hidden (R, H) -> out (R, H)."""
    size = hidden.shape[1]
    of_x = dense(x, weight_ih, bias_ih, False)
    of_hidden = dense(hidden, weight_hh, bias_hh, False)
    r = np.empty(size, np.float32)
    z = np.empty(size, np.float32)
    for row in range(x.shape[0]):
        x_r, x_z, x_n = of_x[row, :size], of_x[row, size : 2 * size], of_x[row, 2 * size :]
        h_r, h_z = of_hidden[row, :size], of_hidden[row, size : 2 * size]
        h_n = of_hidden[row, 2 * size :]
        before, after = hidden[row], out[row]
        for i in range(size):
            r[i] = sigmoid32(x_r[i] + h_r[i])
        for i in range(size):
            z[i] = sigmoid32(x_z[i] + h_z[i])
        for i in range(size):
            r[i] = tanh32(x_n[i] + r[i] * h_n[i])
        for i in range(size):
            after[i] = r[i] + z[i] * (before[i] - r[i])


@compiled
def agent_inputs(observations, last_actions, n_actions):  # type: ignore[no-untyped-def]
    """[observation | one-hot last action | one-hot agent]: (E, N, O), (E, N) -> (E·N, O+A+N)."""
    n_environments, n_agents, size = observations.shape
    x = np.zeros((n_environments * n_agents, size + n_actions + n_agents), np.float32)
    for e in range(n_environments):
        for n in range(n_agents):
            row = x[e * n_agents + n]
            row[:size] = observations[e, n]
            if last_actions[e, n] >= 0:
                row[size + last_actions[e, n]] = 1
            row[size + n_actions + n] = 1
    return x
