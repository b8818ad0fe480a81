"""Intervals: hand-computed values, coverage of known truth, and what must not be claimed."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from reports.statistics.intervals import (
    Estimate,
    interquartile_mean,
    mean_interval,
    plain_mean,
    stratified_interval,
)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_t_interval_by_hand() -> None:
    # mean 2, s 1, n 3, t(.975, 2) = 4.30265: half width 4.30265 / √3 = 2.48414
    estimate = mean_interval([1, 2, 3], rng=rng())
    assert estimate.method == "t"
    assert (estimate.mean, estimate.sd, estimate.n) == (2.0, 1.0, 3)
    assert estimate.low == pytest.approx(-0.48414, abs=1e-5)
    assert estimate.high == pytest.approx(4.48414, abs=1e-5)


def test_intervals_are_cut_at_the_possible_range() -> None:
    estimate = mean_interval([90, 95, 100], rng=rng(), bounds=(0, 100))
    assert estimate.high == 100.0
    assert estimate.low == pytest.approx(95 - 12.4207, abs=1e-4)


@pytest.mark.parametrize(
    ("values", "words"),
    [([0.4], "one seed: no interval"), ([1.0] * 5, "all seeds equal: no interval")],
)
def test_no_interval_where_data_cannot_give_one(values: list[float], words: str) -> None:
    estimate = mean_interval(values, rng=rng())
    assert not estimate.has_interval
    assert estimate.high is None
    assert estimate.method == words


@pytest.mark.parametrize("values", [[], [1.0, float("nan")], [[1.0, 2.0]]])
def test_unusable_values_are_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match="finite"):
        mean_interval(values, rng=rng())


def test_bca_from_ten_seeds_and_reproducible() -> None:
    values = np.linspace(0, 1, 12) ** 2
    first, again = (mean_interval(values, rng=rng(1)) for _ in range(2))
    other = mean_interval(values, rng=rng(2))
    assert first.method == "BCa bootstrap"
    assert (first.low, first.high) == (again.low, again.high)
    assert first.low != other.low
    assert mean_interval(values[:9], rng=rng()).method == "t"


def test_zero_variance_does_not_reach_the_bootstrap() -> None:
    assert not mean_interval([100.0] * 12, rng=rng()).has_interval


def test_t_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    generator = rng(3)
    samples = generator.normal(50, 10, size=(1000, 5))
    estimates = [mean_interval(sample, rng=generator) for sample in samples]
    covered = np.mean([e.low <= 50 <= e.high for e in estimates])
    assert 0.93 < covered < 0.97


def test_interquartile_mean_by_hand() -> None:
    assert interquartile_mean(np.array([9.0, 1, 2, 3, 4, 5, 6, 0])) == pytest.approx(3.5)
    assert interquartile_mean(np.array([[1.0, 2, 3]])).tolist() == [2.0]


def test_stratified_bootstrap_with_one_seed_has_no_interval() -> None:
    estimate = stratified_interval([[1.0], [2.0, 3.0]], plain_mean, rng=rng())
    assert estimate.mean == pytest.approx((1.0 + 2.5) / 2)
    assert not estimate.has_interval


def test_scenarios_weigh_the_same_however_many_seeds_they_have() -> None:
    # One seed of the hard scenario is missing: 90 and 10 stay 50.
    estimate = stratified_interval([[90.0, 90, 90, 90], [10.0]], plain_mean, rng=rng())
    assert estimate.mean == pytest.approx(50.0)


def test_the_order_of_two_arms_does_not_depend_on_who_finished_first() -> None:
    """The better arm has few seeds of the easy scenario yet, the worse one few of the hard."""
    easy, hard = [90.0] * 5, [20.0] * 5
    better = [[value + 5 for value in easy[:1]], [value + 5 for value in hard]]
    worse = [easy, hard[:1]]
    for statistic in (plain_mean, interquartile_mean):
        ahead, behind = (
            stratified_interval(arm, statistic, rng=rng()).mean for arm in (better, worse)
        )
        assert ahead == pytest.approx(behind + 5)


def test_the_bootstrap_keeps_the_weights() -> None:
    strata = [[60.0, 80.0], [0.0, 10, 20, 30, 40, 50, 60, 70]]
    estimate = stratified_interval(strata, plain_mean, rng=rng(4))
    resamples = rng(5)
    means = [
        np.mean([np.mean(resamples.choice(values, len(values))) for values in strata])
        for _ in range(4000)
    ]
    assert estimate.mean == pytest.approx((70 + 35) / 2)
    assert [estimate.low, estimate.high] == pytest.approx(np.quantile(means, [0.025, 0.975]), abs=1)


@pytest.mark.parametrize("n", [1, 3, 4, 5, 10, 15, 16])
def test_equal_groups_have_the_usual_interquartile_mean(n: int) -> None:
    values = rng(n).normal(size=(2, 3 * n))
    usual = stats.trim_mean(values, 0.25, axis=-1)
    assert interquartile_mean(values, np.full(3 * n, 1 / n)) == pytest.approx(usual)


def test_weighted_interquartile_mean_by_hand() -> None:
    # Weights 1/2, 1/2, 1/2, 1/2 and 1, 1: shares 1/8 four times, 1/4 twice; ⌊6/4⌋/6 = 1/6 is cut
    # at either end: 1/8 and then 1/24 of the next value, below and above.
    values = np.array([1.0, 2, 3, 4, 10, 20])
    weights = np.array([0.5, 0.5, 0.5, 0.5, 1, 1])
    kept = np.array([0, 1 / 8 - 1 / 24, 1 / 8, 1 / 8, 1 / 4, 1 / 4 - 1 / 6])
    assert interquartile_mean(values, weights) == pytest.approx(kept @ values / kept.sum())


def test_stratified_bootstrap_wants_two_scenarios() -> None:
    with pytest.raises(ValueError, match="two or more"):
        stratified_interval([[1.0, 2.0]], plain_mean, rng=rng())


@pytest.mark.parametrize("statistic", [plain_mean, interquartile_mean])
def test_an_aggregate_without_spread_has_no_interval(
    statistic: Callable[..., NDArray[np.float64]],
) -> None:
    def estimate(*strata: list[float]) -> Estimate:
        return stratified_interval(strata, statistic, rng=rng())

    # Resampling within scenarios, and only that, changes nothing.
    none = estimate([100.0, 100.0], [0.0, 0.0])
    assert (none.mean, none.low, none.high, none.n) == (50.0, None, None, 4)
    assert none.method == "no spread between seeds: no interval"
    assert estimate([100.0, 100.0], [0.0, 20.0]).has_interval
