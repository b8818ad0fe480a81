"""Importance: what Optuna's evaluator says, its uncertainty, and when it says nothing."""

import numpy as np
import optuna
import pytest
import synthetic_search as made

from reports.statistics.importance import (
    FEWEST_POINTS,
    N_RESAMPLES,
    Importance,
    importances,
    n_best,
)
from suite.study.dimensions import Dimension

DIMENSIONS = (made.ALPHA, made.START, made.HIDDEN)
POINTS = made.random_points(40, dimensions=DIMENSIONS)


def by_alpha(point: made.Parameters) -> float:
    return -abs(np.log10(float(str(point["alpha"]))))


def told(points, values, dimensions=DIMENSIONS) -> dict[str, Importance]:
    seeds = [(value - 0.01, value + 0.01) for value in values]
    found = importances(dimensions, points, seeds, rng=np.random.default_rng(3))
    return {one.dimension.name: one for one in found}


def test_it_is_what_optuna_says() -> None:
    values = [by_alpha(point) for point in POINTS]
    study = optuna.create_study(direction="maximize")
    space = {
        "alpha": optuna.distributions.FloatDistribution(0.01, 10.0, log=True),
        "pruning_start_fraction": optuna.distributions.FloatDistribution(0.2, 0.8),
        "hidden_size": optuna.distributions.CategoricalDistribution((32, 64, 128)),
    }
    for point, value in zip(POINTS, values, strict=True):
        trial = optuna.trial.create_trial(params=dict(point), distributions=space, value=value)
        study.add_trial(trial)
    evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=5 / 40)
    expected = optuna.importance.get_param_importances(study, evaluator=evaluator)
    found = told(POINTS, values)
    assert {name: one.share for name, one in found.items()} == pytest.approx(expected)
    assert sum(one.share for one in found.values()) == pytest.approx(1)
    assert next(iter(found)) == "alpha"


def test_only_what_matters_is_told_from_chance() -> None:
    found = told(POINTS, [by_alpha(point) for point in POINTS])
    assert found["alpha"].is_told
    assert not found["hidden_size"].is_told
    assert all(0 <= one.low <= one.high <= 1 for one in found.values())
    assert found["alpha"].low > found["hidden_size"].high


def test_of_nothing_that_matters_little_is_told() -> None:
    """One in twenty by chance, in each dimension."""
    rng = np.random.default_rng(0)
    n_told = 0
    for _ in range(10):
        found = told(POINTS, rng.random(40))
        n_told += sum(one.is_told for one in found.values())
    assert n_told <= 5


@pytest.mark.parametrize("n", [0, 1, FEWEST_POINTS - 1])
def test_of_few_points_it_is_not_computed(n: int) -> None:
    assert told(POINTS[:n], [by_alpha(point) for point in POINTS[:n]]) == {}
    assert told(POINTS[:FEWEST_POINTS], [by_alpha(p) for p in POINTS[:FEWEST_POINTS]]) != {}


def test_points_that_are_worth_the_same_tell_nothing() -> None:
    assert told(POINTS, [0.0] * 40) == {}


def test_a_dimension_without_effect_at_some_points_counts_where_it_has_one() -> None:
    """As a setting that only one of two backbones has."""
    backbone = Dimension("backbone", "backbone", "categorical", choices=("vdn", "qmix"))
    points = [
        {"backbone": "qmix" if i % 2 else "vdn", "alpha": one["alpha"]}
        for i, one in enumerate(POINTS)
    ]
    partly = [p if p["backbone"] == "qmix" else {"backbone": "vdn"} for p in points]
    values = [1.0 + by_alpha(p) if p["backbone"] == "qmix" else -5.0 for p in points]
    found = told(partly, values, (backbone, made.ALPHA))
    assert found["alpha"].is_told
    assert found["backbone"].share > 0


def test_the_best_are_a_tenth_and_never_less_than_five() -> None:
    assert [n_best(n) for n in (10, 50, 60, 200)] == [5, 5, 6, 20]
    assert n_best(FEWEST_POINTS) < FEWEST_POINTS


def test_the_same_records_give_the_same_numbers() -> None:
    values = [by_alpha(point) for point in POINTS]
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.INFO)
    assert told(POINTS, values) == told(POINTS, values)
    assert optuna.logging.get_verbosity() == optuna.logging.INFO
    optuna.logging.set_verbosity(verbosity)
    assert N_RESAMPLES >= 100
