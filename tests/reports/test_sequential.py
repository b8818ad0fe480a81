"""Repeated looks: boundaries against published tables, and the error by simulation."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from reports.statistics import sequential
from reports.statistics.sequential import (
    CELLS,
    EDGES,
    Spending,
    nominal_levels,
    p_values_by_look,
    sequential_p_value,
    spent,
)
from reports.statistics.verdicts import decide, holm, p_above, p_for, pair_by_seed

LOOKS = (5, 10, 15, 20, 25, 30)
SHARES = tuple(n / 30 for n in LOOKS)
SEEDS = tuple(tuple(range(1, n + 1)) for n in LOOKS)
Floats = NDArray[np.float64]


def known_variance(n: int) -> Floats:
    """From n to n + 1 equal parts of the information, of a normal mean."""
    return stats.norm.sf(EDGES * np.sqrt(n + 1) - CELLS[:, None] * np.sqrt(n))


def obrien_fleming(levels: Floats, share: float) -> Floats:
    return 2 * stats.norm.sf(stats.norm.isf(levels / 2) / np.sqrt(share))


def pocock(levels: Floats, share: float) -> Floats:
    return levels * np.log1p((np.e - 1) * share)


@pytest.mark.parametrize(
    ("spending", "published"),
    [
        # Five equal looks, 2.5 % on one side: Lan and DeMets' boundaries in textbooks and software.
        (obrien_fleming, [4.877, 3.357, 2.680, 2.290, 2.031]),
        (pocock, [2.438, 2.427, 2.410, 2.397, 2.386]),
        (lambda levels, share: levels * share, [2.576, 2.492, 2.411, 2.339, 2.275]),
    ],
)
def test_published_boundaries_of_known_variance(spending: Spending, published: list[float]) -> None:
    parts = (1, 2, 3, 4, 5)
    shares = tuple(part / 5 for part in parts)
    nominal = nominal_levels(parts, shares, np.array([0.025]), spending, known_variance)
    assert stats.norm.isf(nominal[:, 0]) == pytest.approx(published, abs=0.001)


def test_from_look_to_look_scores_stay_normal() -> None:
    """Whatever the number of pairs, the normal score of a p value is normal where nobody stops."""
    above = stats.norm.sf(EDGES)[None]
    for n in range(2, 30):
        above = -np.diff(above) @ sequential._student(n)
    for score in (-3.0, -1.0, 0.0, 1.0, 2.0):
        found = np.interp(score, EDGES, above[0])
        assert found == pytest.approx(stats.norm.sf(score), rel=2e-3)


def test_the_first_of_two_looks_by_hand() -> None:
    """The first look spends α t², nothing having been decided before."""
    nominal = nominal_levels((5, 10), (0.5, 1.0), np.array([0.04]))
    assert nominal[0, 0] == pytest.approx(0.01, rel=1e-3)
    assert 0.03 < nominal[1, 0] < 0.04  # what is left, and a little that both looks share


def test_one_look_is_the_plain_test() -> None:
    for p in (1e-6, 0.003, 0.04, 0.3):
        assert sequential_p_value(p, (7,), (1.0,)) == pytest.approx(p, rel=2e-3)


@pytest.mark.parametrize(
    "looks", [LOOKS, (2, 3, 4, 5, 6), (2, 30), (4, 9, 13, 17, 21, 26), (90, 100)]
)
def test_levels_are_nested_so_that_p_values_exist(looks: tuple[int, ...]) -> None:
    shares = tuple(n / looks[-1] for n in looks)
    nominal = nominal_levels(looks, shares, np.geomspace(1e-8, 0.5, 40))
    assert np.all(np.diff(nominal, axis=1) > 0)
    assert np.all((nominal > 0) & (nominal < 1))


def test_a_p_value_is_the_smallest_level_that_decides() -> None:
    for k in range(1, len(LOOKS) + 1):
        for level in (0.025, 0.0031, 1e-5):
            (nominal,) = nominal_levels(LOOKS[:k], SHARES[:k], np.array([level]))[-1:]
            found = sequential_p_value(float(nominal[0]), LOOKS[:k], SHARES[:k])
            assert found == pytest.approx(level, rel=2e-3)


def test_p_values_beyond_the_table_are_on_the_safe_side() -> None:
    assert sequential_p_value(0.0, LOOKS[:2], SHARES[:2]) == pytest.approx(1e-8)
    assert sequential_p_value(0.9, LOOKS[:2], SHARES[:2]) == 1.0


def one_sided(differences: Floats, looks: tuple[int, ...] = LOOKS) -> Floats:
    """`p_above` of many studies at each look: (studies, seeds) → (studies, looks)."""
    found = []
    for n in looks:
        here = differences[:, :n]
        alike = np.ptp(here, axis=1) == 0
        t = here.mean(axis=1) / np.where(alike, 1, here.std(axis=1, ddof=1)) * np.sqrt(n)
        found.append(np.where(alike, np.where(here[:, 0] > 0, 0.5**n, 1.0), stats.t.sf(t, n - 1)))
    return np.stack(found, axis=1)


def share_of_errors(differences: Floats, level: float) -> float:
    """How often some look decides "above zero" at a one-sided level."""
    nominal = nominal_levels(LOOKS, SHARES, np.array([level]))[:, 0]
    return float((one_sided(differences) <= nominal).any(axis=1).mean())


def test_the_simulation_tests_what_reports_test() -> None:
    rng = np.random.default_rng(0)
    drawn = np.round(rng.normal(0.4, 1.0, size=(8, 30)), 1)
    drawn[0] = 0.3
    p = one_sided(drawn)
    for row, values in zip(drawn, p, strict=True):
        assert [p_above(row[:n], 0.0) for n in LOOKS] == pytest.approx(values)


@pytest.mark.parametrize("looks", [LOOKS, (2, 3, 5, 8), (4, 9, 13, 21, 26)])
def test_the_error_is_exactly_the_level_for_normal_differences(looks: tuple[int, ...]) -> None:
    """Levels of known variance, given to t tests, would err 5 to 10 % more often."""
    n, levels = 400_000, np.array([0.05, 0.025, 0.005])
    shares = tuple(m / looks[-1] for m in looks)
    p = one_sided(np.random.default_rng(1).normal(size=(n, looks[-1])), looks)
    for level, nominal in zip(levels, nominal_levels(looks, shares, levels).T, strict=True):
        four_standard_errors = 4 * np.sqrt(level / n)
        errors = (p <= nominal).any(axis=1).mean()
        assert errors == pytest.approx(level, abs=four_standard_errors)


def wins(rng: np.random.Generator, mean: float, n_episodes: int, shape: tuple[int, int]) -> Floats:
    """Win rates of networks whose chances vary around the mean."""
    size = 30.0
    return rng.binomial(n_episodes, rng.beta(mean * size, (1 - mean) * size, shape)) / n_episodes


def skewed(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """Arms of equal mean, 60 %, of which only one varies from seed to seed."""
    return rng.binomial(96, 0.6, shape) / 96 - wins(rng, 0.6, 96, shape)


def equal_arms(mean: float, n_episodes: int) -> Callable[..., Floats]:
    return lambda rng, shape: (
        wins(rng, mean, n_episodes, shape) - wins(rng, mean, n_episodes, shape)
    )


@pytest.mark.parametrize(
    "sample",
    [
        *(equal_arms(mean, n) for mean in (0.02, 0.1, 0.9, 0.98) for n in (32, 96)),
        skewed,
        lambda rng, shape: 1.0 * rng.integers(0, 2, shape) - rng.integers(0, 2, shape),
    ],
)
def test_errors_on_win_rates_stay_under_five_percent(sample: Callable[..., Floats]) -> None:
    """Both verdicts of "exceeds" are false where arms are equal. At most: 4 standard errors."""
    n = 20_000
    drawn = sample(np.random.default_rng(2), (n, 30))
    errors = share_of_errors(drawn, 0.025) + share_of_errors(-drawn, 0.025)
    assert errors <= 0.05 + 4 * np.sqrt(0.05 / n)
    uncorrected = sum((one_sided(side) <= 0.025).any(axis=1).mean() for side in (drawn, -drawn))
    assert uncorrected > 0.1


def test_where_t_tests_err_repeated_ones_err_hardly_more() -> None:
    """A constant arm beside one with rare failures: no t test of few seeds keeps its level."""
    n, rng = 40_000, np.random.default_rng(3)
    drawn = rng.binomial(32, 0.95, (n, 30)) / 32 - wins(rng, 0.95, 32, (n, 30))
    once = max(
        sum((one_sided(side, (m,)) <= 0.025).mean() for side in (drawn, -drawn)) for m in (5, 10)
    )
    assert once > 0.05
    assert share_of_errors(drawn, 0.025) + share_of_errors(-drawn, 0.025) < 1.15 * once


def test_equivalence_of_arms_that_differ_by_the_margin_is_seldom_said() -> None:
    n = 20_000
    drawn = np.random.default_rng(4).normal(0.05, 0.03, size=(n, 30))
    assert share_of_errors(0.05 - drawn, 0.05) <= 0.05 + 4 * np.sqrt(0.05 / n)


def studies(effects: tuple[float, ...], n: int, seed: int) -> tuple[Floats, Floats]:
    """Sequential p values of "greater", for and against, of n studies: (n, claims, looks)."""
    rng = np.random.default_rng(seed)
    sides = []
    drawn = [rng.normal(effect, 1.0, size=(n, 30)) for effect in effects]
    for sign in (1, -1):
        p = np.stack([one_sided(sign * one) for one in drawn], axis=1)
        found = np.empty_like(p)
        for k in range(len(LOOKS)):
            _, highest, level_at = sequential._inverse(LOOKS[: k + 1], SHARES[: k + 1])
            inside = np.clip(p[..., k], 1e-12, highest)
            found[..., k] = np.where(p[..., k] > highest, 1.0, np.exp(level_at(np.log(inside))))
        sides.append(np.minimum(1, 2 * np.minimum.accumulate(found, axis=2)))
    return sides[0], sides[1]


def verdicts(for_: Floats, against: Floats) -> list[str]:
    """Of the claims of one study at one look, after Holm's correction."""
    return [decide(*both) for both in zip(holm(list(for_)), holm(list(against)), strict=True)]


def stopped(for_: Floats, against: Floats) -> tuple[int, list[str]]:
    """Number of seeds at which a study stops, and the verdicts there."""
    for k in range(len(LOOKS)):
        found = verdicts(for_[:, k], against[:, k])
        if "undecided" not in found:
            break
    return LOOKS[k], found


def test_holm_over_claims_keeps_five_percent_whenever_all_are_decided_or_not() -> None:
    """One claim is true, two are about arms that are equal."""
    n = 6_000
    wrong = sum(
        any(verdict != "undecided" for verdict in stopped(*both)[1][1:])
        for both in zip(*studies((1.5, 0.0, 0.0), n, seed=5), strict=True)
    )
    assert wrong / n <= 0.05 + 4 * np.sqrt(0.05 / n)
    assert wrong / n > 0.03  # and not by deciding nothing


def test_real_effects_save_seeds() -> None:
    """Three claims, all true, two of them clearly: 30 seeds would be trained otherwise."""
    ends = [stopped(*both) for both in zip(*studies((3.0, 2.0, 1.5), 2_000, seed=6), strict=True)]
    assert np.mean([found == ["reproduced"] * 3 for _, found in ends]) > 0.99
    assert np.mean([n for n, _ in ends]) < 14


def pairs_of(differences: Floats):
    left = {seed: 50.0 + d for seed, d in enumerate(differences.tolist(), 1)}
    return pair_by_seed(left, dict.fromkeys(left, 50.0))


def test_by_look_is_what_the_simulation_says() -> None:
    for_, against = studies((0.8,), 5, seed=7)
    drawn = np.random.default_rng(7).normal(0.8, 1.0, size=(5, 30))
    for index, row in enumerate(drawn):
        found = p_values_by_look("greater", pairs_of(row), 0.0, SEEDS, 30)
        assert [p for p, _ in found] == pytest.approx(for_[index, 0], rel=1e-6)
        assert [p for _, p in found] == pytest.approx(against[index, 0], rel=1e-6)


def test_what_was_decided_once_stays_so() -> None:
    row = np.concatenate([np.random.default_rng(8).normal(5, 1, 10), np.full(20, -3.0)])
    found = p_values_by_look("greater", pairs_of(row), 0.0, SEEDS, 30)
    assert p_for("greater", row, 0.0) > 0.05
    assert [p <= 0.05 for p, _ in found] == [True] * 6
    assert np.all(np.diff([p for p, _ in found]) <= 0)


def test_equal_differences_use_the_sign_test_at_each_look() -> None:
    found = p_values_by_look("greater", pairs_of(np.full(30, 7.0)), 0.0, SEEDS[:2], 30)
    expected = [sequential_p_value(0.5**n, LOOKS[:k], SHARES[:k]) for k, n in ((1, 5), (2, 10))]
    assert [p for p, _ in found] == pytest.approx([2 * p if p < 0.5 else 1.0 for p in expected])
    assert found[0][0] > 0.05 > found[1][0]


def test_the_sign_test_decides_no_more_often_than_its_look_may() -> None:
    """All of n differences have one sign with a probability of 2^-n, and keep having it."""
    for k, n in enumerate(LOOKS, 1):
        level = sequential_p_value(0.5**n, LOOKS[:k], SHARES[:k])
        assert level == 1.0 or spent(np.array([level]), SHARES[k - 1])[0] >= 0.5**n


def test_looks_whose_pairs_are_lost_test_with_what_is_there() -> None:
    """Seed 3 has failed, and the whole second look: it is no test, and its share is spent later."""
    row = np.random.default_rng(9).normal(1, 1, 30)
    kept = [seed for seed in range(1, 31) if seed != 3 and not 6 <= seed <= 10]
    left = {seed: 50.0 + row[seed - 1] for seed in kept}
    pairs = pair_by_seed(left, dict.fromkeys(left, 50.0))
    found = p_values_by_look("greater", pairs, 0.0, SEEDS[:3], 30)
    assert found[1] == found[0]
    p = sequential_p_value(p_above(row[[s - 1 for s in kept[:9]]], 0.0), (4, 9), (5 / 30, 0.5))
    assert found[2][0] == pytest.approx(min(2 * p, found[0][0]))


def test_equivalence_at_the_floor_is_said_at_no_look() -> None:
    zeros = pair_by_seed(dict.fromkeys(range(1, 31), 0.0), dict.fromkeys(range(1, 31), 0.0))
    assert p_values_by_look("equivalent", zeros, 5.0, SEEDS, 30)[-1][0] == 1.0


def test_the_share_that_is_spent() -> None:
    assert spent(np.array([0.05]), 1.0) == pytest.approx([0.05])
    assert spent(np.array([0.05]), 0.5) == pytest.approx([0.0125])
