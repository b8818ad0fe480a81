"""Intervals of a mean over seeds, and of an aggregate over scenarios.

Which method and why: at 5 seeds of skewed win rates, nominal 95 % intervals cover .93 (Student t)
against .78 (percentile bootstrap) and .81 (BCa), so the t interval is used below ten seeds and
BCa from ten on (DiCiccio and Efron 1996, "Bootstrap confidence intervals", section 2).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from suite.runs.intervals import CONFIDENCE, is_constant, t_half_width

BCA_FROM_N = 10
N_RESAMPLES = 10_000


@dataclass(frozen=True)
class Estimate:
    """A mean with its interval; the interval is None where the data cannot give one.

    n: number of independent units (seeds, or paired seeds).
    method: in words, for the reader; says why where there is no interval.
    """

    mean: float
    low: float | None
    high: float | None
    n: int
    sd: float | None
    confidence: float
    method: str

    @property
    def has_interval(self) -> bool:
        return self.low is not None


def mean_interval(
    values: ArrayLike,
    *,
    rng: np.random.Generator,
    confidence: float = CONFIDENCE,
    bounds: tuple[float, float] = (-np.inf, np.inf),
    bca_from_n: int = BCA_FROM_N,
) -> Estimate:
    """Mean of independent values with its interval.

    values: (n,), finite. bounds: the possible range; intervals are cut there, which leaves their
    coverage as it is. rng is used from `bca_from_n` values on. Raises ValueError for n = 0 or NaN.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or len(array) == 0 or not np.all(np.isfinite(array)):
        raise ValueError("mean_interval needs one or more finite values on one axis")
    n, mean = len(array), float(np.mean(array))
    if n == 1:
        return Estimate(mean, None, None, 1, None, confidence, "one seed: no interval")
    sd = float(np.std(array, ddof=1))
    if is_constant(array):
        return Estimate(mean, None, None, n, 0.0, confidence, "all seeds equal: no interval")
    low, high, method = np.nan, np.nan, "BCa bootstrap"
    if n >= bca_from_n:
        low, high = _bca(array, rng, confidence)
    if not (np.isfinite(low) and np.isfinite(high)):
        method = "t" if n < bca_from_n else "t (BCa undefined)"
        half = float(t_half_width(array, confidence))
        low, high = mean - half, mean + half
    low, high = max(low, bounds[0]), min(high, bounds[1])
    return Estimate(mean, float(low), float(high), n, sd, confidence, method)


def _bca(
    array: NDArray[np.float64], rng: np.random.Generator, confidence: float
) -> tuple[float, float]:
    """BCa interval of the mean; NaN where the bootstrap distribution is degenerate."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        result = stats.bootstrap(
            (array,),
            np.mean,
            n_resamples=N_RESAMPLES,
            confidence_level=confidence,
            method="BCa",
            vectorized=True,
            rng=rng,
        )
    return float(result.confidence_interval.low), float(result.confidence_interval.high)


def plain_mean(
    values: NDArray[np.float64], weights: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Weighted mean over the last axis: values (..., n), weights (n,) → (...)."""
    return np.asarray(np.average(values, axis=-1, weights=_alike(weights, values)))


def interquartile_mean(
    values: NDArray[np.float64], weights: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Mean of the middle half of the last axis (Agarwal et al. 2021, "Statistical precipice").

    values: (..., n), weights: (n,) → (...). ⌊n/4⌋ values are dropped at either end; where weights
    differ, that share of the weight, in part where the limit falls within a value.
    """
    n = values.shape[-1]
    order = np.argsort(values, axis=-1, kind="stable")
    weight = np.take_along_axis(_alike(weights, values), order, axis=-1)
    upper = np.cumsum(weight / weight.sum(axis=-1, keepdims=True), axis=-1)
    lower = np.concatenate([np.zeros_like(upper[..., :1]), upper[..., :-1]], axis=-1)
    cut = (n // 4) / n
    kept = np.clip(np.minimum(upper, 1 - cut) - np.maximum(lower, cut), 0.0, None)
    return np.asarray(np.average(np.take_along_axis(values, order, axis=-1), axis=-1, weights=kept))


def _alike(weights: NDArray[np.float64] | None, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights in the shape of values; equal ones where none are given."""
    return np.broadcast_to(np.ones(1) if weights is None else weights, values.shape)


def stratified_interval(
    strata: Sequence[ArrayLike],
    statistic: Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]],
    *,
    rng: np.random.Generator,
    confidence: float = CONFIDENCE,
    n_resamples: int = N_RESAMPLES,
) -> Estimate:
    """Percentile bootstrap of an aggregate, resampling seeds within each scenario.

    Every scenario weighs the same, however many seeds it has: a value weighs 1 / n_s.

    strata: one (n_s,) array of per-seed values per scenario. statistic: values (..., n) and their
    weights (n,) → (...), over the values of all scenarios together. n of the result is the number
    of values. No interval where a scenario has one seed, or where resampling changes nothing.
    """
    arrays = [np.asarray(stratum, dtype=np.float64) for stratum in strata]
    if len(arrays) < 2 or any(len(array) == 0 for array in arrays):
        raise ValueError("stratified_interval needs two or more scenarios, each with a value")
    pooled = np.concatenate(arrays)
    weights = np.concatenate([np.full(len(array), 1 / len(array)) for array in arrays])
    point = float(statistic(pooled, weights))
    if any(len(array) < 2 for array in arrays):
        why = "a scenario has one seed only: no interval"
        return Estimate(point, None, None, len(pooled), None, confidence, why)
    resampled = np.concatenate(
        [array[rng.integers(len(array), size=(n_resamples, len(array)))] for array in arrays],
        axis=1,
    )
    tail = (1 - confidence) / 2
    low, high = ends = np.quantile(statistic(resampled, weights), [tail, 1 - tail])
    if is_constant(ends):
        why = "no spread between seeds: no interval"
        return Estimate(point, None, None, len(pooled), None, confidence, why)
    method = "stratified percentile bootstrap"
    return Estimate(point, float(low), float(high), len(pooled), None, confidence, method)
