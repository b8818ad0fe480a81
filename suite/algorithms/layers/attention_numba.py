"""Attention among agents as compiled loops on rows as the projections leave them, (N, 3·E).

No transposing copies, no tensor per step. See `attention` for the equations. Arrays: packed
(rows·N, 3·E) float32, keys, queries, values side by side, heads side by side within each;
weights C (rows, heads, N, N); hears (rows, N, N) bool, whether agent n hears agent j, or None where
all hear all. None compiles to loops of their own, in which nothing asks for it.

Written for the vectoriser: flat arrays and unsigned indices (a signed index might count from the
end, which turns loads into gathers), inner loops over the head size alone, whose length the
compiler must not know (it would unroll them into scalar code instead).
"""

from __future__ import annotations

import numpy as np
from numba import njit

from suite.algorithms.layers.arithmetic_numba import FAST, compiled, exp32

_U = np.uintp
_ZERO = np.float32(0)
_ONE = np.float32(1)
_LOWEST = np.float32(-3e38)


@njit(inline="always", **FAST)
def _dot(a, a_first, b, b_first, size):  # type: ignore[no-untyped-def]
    total = _ZERO
    for i in range(size):
        total += a[a_first + i] * b[b_first + i]
    return total


@njit(inline="always", **FAST)
def _weighted_sum(out, out_first, shares, share_first, share_step, a, a_first, a_step, n, size):  # type: ignore[no-untyped-def]
    """out = Σ_j shares[j] · a[j], vectors of `size` at strides of `a_step`."""
    share = shares[share_first]
    for i in range(size):
        out[out_first + i] = share * a[a_first + i]
    for j in range(_U(1), n):
        share = shares[share_first + j * share_step]
        start = a_first + j * a_step
        for i in range(size):
            out[out_first + i] += share * a[start + i]


@njit(inline="always", **FAST)
def _softmax_rows(scores, n):  # type: ignore[no-untyped-def]
    """Softmax of each of the n rows of n scores."""
    for row in range(n):
        first = row * n
        top = scores[first]
        for j in range(n):
            top = max(top, scores[first + j])
        for j in range(n):
            scores[first + j] -= top
    for k in range(n * n):
        scores[k] = exp32(scores[k])
    for row in range(n):
        first = row * n
        total = _ZERO
        for j in range(n):
            total += scores[first + j]
        factor = _ONE / total
        for j in range(n):
            scores[first + j] *= factor


@njit(inline="always", **FAST)
def _heard_softmax_rows(scores, hears, first_pair, n):  # type: ignore[no-untyped-def]
    """The same over those who are heard; exactly 0 for the others."""
    for k in range(n * n):
        if not hears[first_pair + k]:
            scores[k] = _LOWEST
    for row in range(n):
        first = row * n
        top = scores[first]
        for j in range(n):
            top = max(top, scores[first + j])
        total = _ZERO
        for j in range(n):
            share = exp32(scores[first + j] - top)
            scores[first + j] = share if hears[first_pair + first + j] else _ZERO
            total += scores[first + j]
        factor = _ONE / total
        for j in range(n):
            scores[first + j] *= factor


@compiled
def forward(packed, weights, advice, scale, hears):  # type: ignore[no-untyped-def]
    """Fills C and advice (rows·N, E); every agent has to hear somebody."""
    n_rows, n_heads, n_agents = _U(weights.shape[0]), _U(weights.shape[1]), _U(weights.shape[2])
    width = _U(advice.shape[1])
    size = width // n_heads
    stride = _U(3) * width
    n_pairs = n_agents * n_agents
    x, z, c = packed.reshape(-1), advice.reshape(-1), weights.reshape(-1)
    scores = np.empty(n_pairs, np.float32)
    heard = None if hears is None else hears.reshape(-1)
    for row in range(n_rows):
        for head in range(n_heads):
            keys = row * n_agents * stride + head * size
            queries, values = keys + width, keys + width + width
            for n in range(n_agents):
                for j in range(n_agents):
                    dot = _dot(x, queries + n * stride, x, keys + j * stride, size)
                    scores[n * n_agents + j] = dot * scale
            if heard is None:
                _softmax_rows(scores, n_agents)
            else:
                _heard_softmax_rows(scores, heard, row * n_pairs, n_agents)
            kept = (row * n_heads + head) * n_pairs
            for k in range(n_pairs):
                c[kept + k] = scores[k]
            for n in range(n_agents):
                out = (row * n_agents + n) * width + head * size
                _weighted_sum(
                    z, out, scores, n * n_agents, _U(1), x, values, stride, n_agents, size
                )


@compiled
def most_attended(weights, n_advisers, hears):  # type: ignore[no-untyped-def]
    """Fills hears: each agent itself and the `n_advisers` others to whom it attends most.

    Attention counts summed over heads; others to whom no head attends are not heard.
    """
    n_rows, n_heads, n_agents = weights.shape[:3]
    totals = np.empty(n_agents, np.float32)
    for row in range(n_rows):
        for n in range(n_agents):
            for j in range(n_agents):
                totals[j] = _ZERO
                for head in range(n_heads):
                    totals[j] += weights[row, head, n, j]
                hears[row, n, j] = j == n
            totals[n] = _ZERO
            for _ in range(n_advisers):
                best = np.argmax(totals)
                if totals[best] > _ZERO:
                    hears[row, n, best] = True
                    totals[best] = _ZERO


@compiled
def forward_of_most_attended(packed, weights, advice, scale, hears, n_advisers):  # type: ignore[no-untyped-def]
    """`forward` of those to whom each agent attends most, among those it hears."""
    n_rows, _, n_agents, _ = weights.shape
    chosen = np.empty((n_rows, n_agents, n_agents), np.bool_)
    forward(packed, weights, advice, scale, hears)
    most_attended(weights, n_advisers, chosen)
    forward(packed, weights, advice, scale, chosen)


@compiled
def backward(packed, weights, grad_advice, grad_self, grad_packed, scale):  # type: ignore[no-untyped-def]
    """Fills the gradient of `packed`; grad_self (rows, heads, N) of C_nn may have no rows.

    Nothing asks who hears whom: where C is 0, so is the gradient of its score.
    """
    n_rows, n_heads, n_agents = _U(weights.shape[0]), _U(weights.shape[1]), _U(weights.shape[2])
    width = _U(grad_advice.shape[1])
    size = width // n_heads
    stride = _U(3) * width
    n_pairs = n_agents * n_agents
    has_self = grad_self.shape[0] > 0
    x, c, grad_c_self = packed.reshape(-1), weights.reshape(-1), grad_self.reshape(-1)
    g, grad_x = grad_advice.reshape(-1), grad_packed.reshape(-1)
    shares = np.empty(n_pairs, np.float32)
    grad = np.empty(n_pairs, np.float32)  # of C, then of the scores
    for row in range(n_rows):
        for head in range(n_heads):
            keys = row * n_agents * stride + head * size
            queries, values = keys + width, keys + width + width
            advised = row * n_agents * width + head * size
            kept = (row * n_heads + head) * n_pairs
            for k in range(n_pairs):
                shares[k] = c[kept + k]
            for n in range(n_agents):
                for j in range(n_agents):
                    dot = _dot(g, advised + n * width, x, values + j * stride, size)
                    grad[n * n_agents + j] = dot
            if has_self:
                diagonal = (row * n_heads + head) * n_agents
                for n in range(n_agents):
                    grad[n * n_agents + n] += grad_c_self[diagonal + n]
            for n in range(n_agents):
                first = n * n_agents
                expected = _ZERO
                for j in range(n_agents):
                    expected += grad[first + j] * shares[first + j]
                for j in range(n_agents):
                    grad[first + j] = shares[first + j] * (grad[first + j] - expected) * scale
            for n in range(n_agents):
                first, step = n * n_agents, n * stride
                _weighted_sum(
                    grad_x, values + step, shares, n, n_agents, g, advised, width, n_agents, size
                )
                _weighted_sum(
                    grad_x, queries + step, grad, first, _U(1), x, keys, stride, n_agents, size
                )
                _weighted_sum(
                    grad_x, keys + step, grad, n, n_agents, x, queries, stride, n_agents, size
                )
