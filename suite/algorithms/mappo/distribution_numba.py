"""log π of an action and the entropy of π as compiled loops over rows of float32 logits.

With log π_i = z_i - log Σ_j e^{z_j} and H = -Σ_i π_i log π_i, the gradients by a logit z_i are
1[i = action] - π_i of the first, and -π_i (log π_i + H) of the second.
"""

from __future__ import annotations

import numpy as np

from suite.algorithms.layers.arithmetic_numba import compiled, exp32

_ZERO = np.float32(0)
_ONE = np.float32(1)
_LOWEST = np.float32(-1e10)


@compiled
def forward(logits, is_unavailable, p, surprise, actions, log_p, entropy):  # type: ignore[no-untyped-def]
    """Fills π and π (log π + H) (R, A), log π of actions (R,) and H (R,).

    A row without any available action (padding) gets 0 everywhere.
    """
    n_rows, size = logits.shape
    score = np.empty(size, np.float32)
    e = np.empty(size, np.float32)
    for row in range(n_rows):
        z, closed = logits[row], is_unavailable[row]
        for i in range(size):
            score[i] = _LOWEST if closed[i] else z[i]
        top = score[0]
        for i in range(size):
            top = max(top, score[i])
        for i in range(size):
            score[i] -= top
        for i in range(size):
            e[i] = exp32(score[i])
        total = _ZERO
        for i in range(size):
            e[i] = _ZERO if closed[i] else e[i]
            total += e[i]
        total = max(total, _ONE)  # the largest of those available adds 1
        log_total = np.log(total)
        factor = _ONE / total
        spread = _ZERO
        for i in range(size):
            e[i] *= factor
            score[i] -= log_total
        for i in range(size):
            spread -= e[i] * score[i]
        for i in range(size):
            p[row, i] = e[i]
        for i in range(size):
            surprise[row, i] = e[i] * (score[i] + spread)
        log_p[row] = score[actions[row]]
        entropy[row] = spread


@compiled
def log_probabilities(logits, is_unavailable, log_p):  # type: ignore[no-untyped-def]
    """Fills log π (R, A), some -1e10 where an action is unavailable."""
    n_rows, size = logits.shape
    for row in range(n_rows):
        z, closed, found = logits[row], is_unavailable[row], log_p[row]
        for i in range(size):
            found[i] = _LOWEST if closed[i] else z[i]
        top = found[0]
        for i in range(size):
            top = max(top, found[i])
        for i in range(size):
            found[i] -= top
        total = _ZERO
        for i in range(size):
            total += exp32(found[i])
        log_total = np.log(total)
        for i in range(size):
            found[i] -= log_total


@compiled
def backward(p, surprise, grad, actions, grad_log_p, grad_entropy):  # type: ignore[no-untyped-def]
    """Fills the gradient of the logits (R, A)."""
    n_rows, size = p.shape
    for row in range(n_rows):
        of_log_p, of_entropy = grad_log_p[row], grad_entropy[row]
        own, other, g = p[row], surprise[row], grad[row]
        for i in range(size):
            g[i] = -of_log_p * own[i] - of_entropy * other[i]
        g[actions[row]] += of_log_p
