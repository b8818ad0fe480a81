"""One acting step of one member's agents for few rows, compiled: what `Agent.step` computes.

Contiguous arrays: observations (E, N, O), last_actions (E, N), hidden (E·N, H), weights in the
order of the agent's specs. Filled: q (E·N, A) and next_hidden (E·N, H).
"""

from __future__ import annotations

import numpy as np

from suite.algorithms.layers import attention_numba
from suite.algorithms.layers.arithmetic_numba import compiled
from suite.algorithms.layers.few_rows_numba import (
    add_dense,
    agent_inputs,
    dense,
    gru_cell,
    rectify,
)

_attend = attention_numba.forward
_attend_to_most = attention_numba.forward_of_most_attended


@compiled
def recurrent_step(observations, last_actions, hidden, q, next_hidden, weights):  # type: ignore[no-untyped-def]
    """`RecurrentAgent.step`."""
    w_encoder, b_encoder, w_ih, w_hh, b_ih, b_hh, w_head, b_head = weights
    x = dense(agent_inputs(observations, last_actions, q.shape[1]), w_encoder, b_encoder, True)
    gru_cell(x, hidden, w_ih, w_hh, b_ih, b_hh, next_hidden)
    q[:] = dense(next_hidden, w_head, b_head, False)


@compiled
def cadp_step(  # type: ignore[no-untyped-def]
    observations, last_actions, hidden, q, next_hidden, weights, n_heads, n_advisers, living
):
    """`CadpAgent.step`; living (E, N) bool, or None where the dead hear and are heard."""
    w_encoder, b_encoder, w_ih, w_hh, b_ih, b_hh = weights[:6]
    w_attention, w_advice, b_advice, w_merge, b_merge, w_last, b_last, w_head, b_head = weights[6:]
    n_rows, size = hidden.shape
    x = agent_inputs(observations, last_actions, q.shape[1])
    encoded = dense(x, w_encoder, b_encoder, True)
    gru_cell(encoded, hidden, w_ih, w_hh, b_ih, b_hh, next_hidden)
    z = advice(x, w_attention, n_heads, n_advisers, last_actions.shape, living)
    g = dense(z, w_advice, b_advice, True)
    merged = np.empty((n_rows, size), np.float32)
    merged[:] = b_merge
    add_dense(next_hidden, w_merge, 0, merged)
    add_dense(g, w_merge, size, merged)
    rectify(merged)
    q[:] = dense(dense(merged, w_last, b_last, True), w_head, b_head, False)


@compiled
def advice(x, weight, n_heads, n_advisers, shape, living):  # type: ignore[no-untyped-def]
    """Advice (E·N, width) of inputs x (E·N, D), (E, N) = `shape`, as `layers.attention` gives it.

    n_advisers: others whom each agent listens to; with 0 it has its own value alone.
    """
    n_environments, n_agents = shape
    n_rows, width = n_environments * n_agents, weight.shape[0] // 3
    if n_advisers == 0:
        own = np.zeros((n_rows, width), np.float32)
        add_dense(x, weight[2 * width :], 0, own)
        return own
    packed = np.zeros((n_rows, 3 * width), np.float32)
    add_dense(x, weight, 0, packed)
    z = np.empty((n_rows, width), np.float32)
    shares = np.empty((n_environments, n_heads, n_agents, n_agents), np.float32)
    scale = np.float32((width // n_heads) ** -0.5)
    hears = None if living is None else _who_hears_whom(living)
    if n_advisers < n_agents - 1:
        _attend_to_most(packed, shares, z, scale, hears, n_advisers)
    else:
        _attend(packed, shares, z, scale, hears)
    return z


@compiled
def _who_hears_whom(living):  # type: ignore[no-untyped-def]
    """`layers.attention.who_hears_whom`."""
    n_environments, n_agents = living.shape
    hears = np.empty((n_environments, n_agents, n_agents), np.bool_)
    for e in range(n_environments):
        for n in range(n_agents):
            for j in range(n_agents):
                hears[e, n, j] = (living[e, n] and living[e, j]) or n == j
    return hears
