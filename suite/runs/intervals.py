"""Intervals of a mean: of fractions (Wilson) and of independent values (Student)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

CONFIDENCE = 0.95


def wilson_interval(
    n_successes: int, n: int, confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """Interval of a fraction, n ≥ 1 (Wilson 1927, "Probable inference"); good also near 0 and 1."""
    found = stats.binomtest(n_successes, n).proportion_ci(confidence, method="wilson")
    return float(found.low), float(found.high)


def is_constant(values: NDArray[np.float64]) -> bool:
    """True if all values are equal up to rounding: no spread from which to estimate anything."""
    return bool(np.ptp(values) <= 1e-12 * max(1.0, float(np.max(np.abs(values)))))


def t_half_width(values: NDArray[np.float64], confidence: float) -> NDArray[np.float64]:
    """Half the width of Student's interval of the mean: t_(n-1) · s / √n.

    values: (..., n) → (...), n ≥ 2.
    """
    n = values.shape[-1]
    quantile = float(stats.t.ppf(0.5 + confidence / 2, n - 1))
    return np.asarray(quantile * np.std(values, axis=-1, ddof=1) / np.sqrt(n))
