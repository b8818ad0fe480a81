"""How much each dimension of a search matters, by Optuna's PED-ANOVA.

PED-ANOVA (Watanabe et al. 2023, arXiv 2304.10255) asks along which dimensions the best points lie
elsewhere than all points that were tried: the Pearson divergence of their densities, dimension by
dimension. It is the one evaluator of Optuna that needs no further package, and, as it compares with
the points that were tried, it allows for a sampler that crowds them. It tells nothing of dimensions
that matter only together.

Imports Optuna, as no other module of the reports does; only where importance is shown.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from suite.runs.intervals import CONFIDENCE
from suite.runs.spec import Scalar
from suite.study.dimensions import Dimension

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

EVALUATOR = "PED-ANOVA"
# "It is preferable to include at least 5 trials above target_quantile" (Optuna); the best ones are
# to be fewer than the others.
FEWEST_BEST, FEWEST_POINTS = 5, 10
BEST_PART = 0.1
N_RESAMPLES = 100


@dataclass(frozen=True)
class Importance:
    """One dimension's share of the sum over all dimensions.

    low, high: percentile interval over resampled points and seeds. by_chance: the share of the same
    sum that it exceeds in one of twenty shuffles of the values among the points.
    """

    dimension: Dimension
    share: float
    low: float
    high: float
    by_chance: float

    @property
    def is_told(self) -> bool:
        """Whether it is more than chance would give."""
        return self.share > self.by_chance


def n_best(n_points: int) -> int:
    """How many points count as the best of n."""
    return max(FEWEST_BEST, round(BEST_PART * n_points))


def importances(
    dimensions: Sequence[Dimension],
    points: Sequence[Mapping[str, Scalar]],
    values: Sequence[Sequence[float]],
    *,
    rng: np.random.Generator,
) -> tuple[Importance, ...]:
    """The importance of each dimension, the largest first; empty where it cannot be told.

    points: values by dimension, without those that have no effect. values: of each point one per
    seed, the larger the better. None of them can be told with fewer than `FEWEST_POINTS` points, or
    where the best cannot be told from the others because too many are worth the same.

    The interval is wide: resampled points repeat, which draws shares together.
    """
    if len(points) < FEWEST_POINTS:
        return ()
    means = np.array([np.mean(of_point) for of_point in values])
    raw = _divergences(dimensions, points, means)
    if not np.sum(raw) > 0:
        return ()
    resampled = np.array(
        [_shares(_resampled(dimensions, points, values, rng)) for _ in range(N_RESAMPLES)]
    )
    shuffled = np.array(
        [_divergences(dimensions, points, rng.permutation(means)) for _ in range(N_RESAMPLES)]
    )
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(resampled, [tail, 1 - tail], axis=0)
    by_chance = np.quantile(shuffled, 0.95, axis=0) / np.sum(raw)
    shares = _shares(raw)
    found = [
        Importance(one, float(shares[i]), float(low[i]), float(high[i]), float(by_chance[i]))
        for i, one in enumerate(dimensions)
    ]
    return tuple(sorted(found, key=lambda one: -one.share))


def _resampled(
    dimensions: Sequence[Dimension],
    points: Sequence[Mapping[str, Scalar]],
    values: Sequence[Sequence[float]],
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Of points drawn again, each with seeds drawn again."""
    drawn = rng.integers(len(points), size=len(points))
    means = np.array([np.mean(rng.choice(np.asarray(values[i]), len(values[i]))) for i in drawn])
    return _divergences(dimensions, [points[i] for i in drawn], means)


def _shares(raw: NDArray[np.float64]) -> NDArray[np.float64]:
    """Equal ones where nothing was told."""
    total = np.sum(raw)
    return raw / total if total > 0 else np.full(len(raw), 1 / len(raw))


def _divergences(
    dimensions: Sequence[Dimension],
    points: Sequence[Mapping[str, Scalar]],
    means: NDArray[np.float64],
) -> NDArray[np.float64]:
    """PED-ANOVA's divergence of each dimension; (dimensions,)."""
    import optuna

    distributions = {one.name: _distribution(one) for one in dimensions}
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that both may change in later versions
        study = optuna.create_study(direction="maximize")
        study.add_trials(
            [
                optuna.trial.create_trial(
                    params=dict(point),
                    distributions={name: distributions[name] for name in point},
                    value=float(mean),
                )
                for point, mean in zip(points, means, strict=True)
            ]
        )
        found = optuna.importance.get_param_importances(
            study,
            evaluator=optuna.importance.PedAnovaImportanceEvaluator(
                target_quantile=(n_best(len(points)) - 0.5) / len(points)  # Optuna rounds up
            ),
            normalize=False,
        )
    optuna.logging.set_verbosity(verbosity)
    return np.array([found.get(one.name, 0.0) for one in dimensions])


def _distribution(one: Dimension) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if one.low is None or one.high is None:
        return CategoricalDistribution(one.choices)
    if one.kind == "int":
        step = 1 if one.step is None else int(one.step)
        return IntDistribution(int(one.low), int(one.high), log=one.log, step=step)
    return FloatDistribution(one.low, one.high, log=one.log, step=one.step)
