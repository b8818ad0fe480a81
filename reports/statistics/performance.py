"""From a run's test history to one number per run, and from runs to a mean curve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reports.data import History
from suite.runs.intervals import t_half_width
from suite.runs.performance import final_performance


@dataclass(frozen=True)
class Performance:
    """One run's test results, in the unit of the history.

    final, n_final_tests: as `suite.runs.performance` defines them. best is optimistic (a maximum).
    """

    final: float
    n_final_tests: int
    last: float
    best: float
    best_step: float
    n_tests: int


def summarise(history: History, total_env_steps: int) -> Performance:
    """Final, last and best test of one run. history: one test or more, all finite."""
    steps, values = history.steps, history.values
    final = final_performance(steps, values, total_env_steps)
    best = int(np.argmax(values))
    return Performance(
        final=final.value,
        n_final_tests=final.n_tests,
        last=float(values[-1]),
        best=float(values[best]),
        best_step=float(steps[best]),
        n_tests=len(values),
    )


@dataclass(frozen=True)
class Curve:
    """Mean over runs on the common grid of test times.

    steps, mean: (points,). low, high: (points,) pointwise 95 % t interval, equal to the mean where
    all runs agree; None with one run. n_dropped: grid points some run has no test for.
    """

    steps: NDArray[np.float64]
    mean: NDArray[np.float64]
    low: NDArray[np.float64] | None
    high: NDArray[np.float64] | None
    n_runs: int
    n_dropped: int

    def at(self, step: float) -> float | None:
        """The mean at a test time; None where not every run has one there."""
        found = np.flatnonzero(self.steps == step)
        return float(self.mean[found[0]]) if len(found) else None


def align(history: History, interval_env_steps: int) -> dict[int, float]:
    """Tests by the nearest multiple of the test interval; the last one where several share it.

    Runs test at the end of the first episode past each multiple, at slightly different steps.
    """
    bins = np.rint(history.steps / interval_env_steps).astype(int)
    return dict(zip(bins.tolist(), history.values.tolist(), strict=True))


def mean_curve(
    histories: Sequence[History],
    interval_env_steps: int,
    bounds: tuple[float, float] = (-np.inf, np.inf),
    confidence: float = 0.95,
) -> Curve | None:
    """Mean curve over the grid points that every run has; None without runs or common points."""
    aligned = [align(history, interval_env_steps) for history in histories]
    if not aligned:
        return None
    everywhere = sorted(set.intersection(*(set(one) for one in aligned)))
    anywhere = set.union(*(set(one) for one in aligned))
    if not everywhere:
        return None
    values = np.array([[one[index] for index in everywhere] for one in aligned])
    steps = np.array(everywhere, dtype=np.float64) * interval_env_steps
    mean = values.mean(axis=0)
    low = high = None
    if len(aligned) > 1:
        half = t_half_width(values.T, confidence)
        low, high = np.clip(mean - half, *bounds), np.clip(mean + half, *bounds)
    return Curve(steps, mean, low, high, len(aligned), len(anywhere) - len(everywhere))
