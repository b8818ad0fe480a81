"""One acting step of one member's policy for few rows, compiled: what the actors' `step` computes.

Contiguous arrays: observations (E, N, O), last_actions (E, N), hidden (E·N, H). Filled: logits
(E·N, A) and next_hidden (E·N, H). Weights in the order of the actors' specs, in three parts:
encoder, recurrence (None without), and what follows the trunk.
"""

from __future__ import annotations

import numpy as np

from suite.algorithms.agents.few_rows_numba import advice
from suite.algorithms.layers import norm_numba
from suite.algorithms.layers.arithmetic_numba import compiled
from suite.algorithms.layers.few_rows_numba import add_dense, agent_inputs, dense, gru_cell

_norm_rows = norm_numba.forward
_EPSILON = 1e-5  # nn.LayerNorm's default


@compiled
def actor_step(  # type: ignore[no-untyped-def]
    observations, last_actions, hidden, logits, next_hidden, encoder, recurrence, head
):
    """`Actor.step`."""
    x = agent_inputs(observations, last_actions, logits.shape[1])
    features = _trunk(x, hidden, next_hidden, encoder, recurrence)
    w_head, b_head = head
    logits[:] = dense(features, w_head, b_head, False)


@compiled
def cadp_step(  # type: ignore[no-untyped-def]
    observations,
    last_actions,
    hidden,
    logits,
    next_hidden,
    encoder,
    recurrence,
    head,
    n_heads,
    n_advisers,
):
    """`CadpActor.step`."""
    w_attention, w_advice, b_advice, w_merge, b_merge, w_head, b_head = head
    x = agent_inputs(observations, last_actions, logits.shape[1])
    z = advice(x, w_attention, n_heads, n_advisers, last_actions.shape, None)
    g = dense(z, w_advice, b_advice, True)
    features = _trunk(x, hidden, next_hidden, encoder, recurrence)
    n_rows, size = features.shape
    merged = np.empty((n_rows, size), np.float32)
    merged[:] = b_merge
    add_dense(features, w_merge, 0, merged)
    add_dense(g, w_merge, size, merged)
    logits[:] = dense(merged, w_head, b_head, False)


@compiled
def _trunk(x, hidden, next_hidden, encoder, recurrence):  # type: ignore[no-untyped-def]
    """`Trunk.step`; x becomes x̂."""
    gain, shift, w_first, b_first, gain_first, shift_first = encoder[:6]
    w_second, b_second, gain_second, shift_second = encoder[6:]
    _norm(x, gain, shift)
    first = dense(x, w_first, b_first, True)
    _norm(first, gain_first, shift_first)
    features = dense(first, w_second, b_second, True)
    _norm(features, gain_second, shift_second)
    if recurrence is None:
        return features
    w_ih, w_hh, b_ih, b_hh, gain_gru, shift_gru = recurrence
    gru_cell(features, hidden, w_ih, w_hh, b_ih, b_hh, next_hidden)
    remembered = next_hidden.copy()
    _norm(remembered, gain_gru, shift_gru)
    return remembered


@compiled
def _norm(x, gain, shift):  # type: ignore[no-untyped-def]
    """nn.LayerNorm of x (R, H) in place."""
    n_rows, size = x.shape
    rows, g, s = x.reshape(1, n_rows, size), gain.reshape(1, size), shift.reshape(1, size)
    scale = np.empty((1, n_rows, 2), np.float32)
    _norm_rows(rows, g, g, s, rows, scale, False, _EPSILON)
