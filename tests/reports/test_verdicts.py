"""Verdicts: one test per row of the table in `reports.statistics.verdicts`, and Holm by hand."""

import numpy as np
import pytest

from reports.statistics.verdicts import (
    combine_scenarios,
    decide,
    holm,
    is_at_floor,
    p_above,
    p_against,
    p_for,
    pair_by_seed,
    paired_estimate,
)


def verdict(kind: str, differences: list[float], margin: float) -> str:
    array = np.array(differences, dtype=float)
    return decide(p_for(kind, array, margin), p_against(kind, array, margin))


@pytest.mark.parametrize(
    ("differences", "margin", "expected"),
    [
        ([18, 20, 22, 21, 19], 0, "reproduced"),
        ([18, 20, 22, 21, 19], 5, "reproduced"),
        ([18, 20, 22, 21, 19], 20, "undecided"),
        ([18, 20, 22, 21, 19], 30, "not reproduced"),
        ([-18, -20, -22, -21, -19], 0, "not reproduced"),
        ([-5, 20, 3, -10, 8], 0, "undecided"),
    ],
)
def test_greater(differences: list[float], margin: float, expected: str) -> None:
    assert verdict("greater", differences, margin) == expected


@pytest.mark.parametrize(
    ("differences", "margin", "expected"),
    [
        ([1, -1, 0.5, 0, -0.5], 5, "reproduced"),
        ([10, 11, 12, 10, 11], 5, "not reproduced"),
        ([-10, -11, -12, -10, -11], 5, "not reproduced"),
        ([-10, 10, 3, -4, 2], 5, "undecided"),
        ([4, 5, 6, 5, 5], 5, "undecided"),
    ],
)
def test_equivalent(differences: list[float], margin: float, expected: str) -> None:
    assert verdict("equivalent", differences, margin) == expected


def test_greater_agrees_with_the_95_percent_interval() -> None:
    generator = np.random.default_rng(0)
    for _ in range(200):
        differences = generator.normal(5, 6, size=5)
        interval = paired_estimate(differences, 0.95)
        assert (p_for("greater", differences, 0) <= 0.05) == (interval.low > 0)
        assert (p_against("greater", differences, 0) <= 0.05) == (interval.high < 0)


def test_equivalence_agrees_with_the_90_percent_interval() -> None:
    generator = np.random.default_rng(1)
    for _ in range(200):
        differences = generator.normal(1, 3, size=5)
        interval = paired_estimate(differences, 0.90)
        is_inside = interval.low > -5 and interval.high < 5
        assert (p_for("equivalent", differences, 5) <= 0.05) == is_inside


def test_one_sided_p_by_hand() -> None:
    # mean 2, s 1, n 3: t = 2√3 = 3.4641; for 2 degrees of freedom p = (1 − t/√(t² + 2))/2
    t = 2 * np.sqrt(3)
    assert p_above(np.array([1.0, 2, 3]), 0) == pytest.approx((1 - t / np.sqrt(t**2 + 2)) / 2)


@pytest.mark.parametrize(("n", "p"), [(1, 1.0), (2, 0.25), (5, 1 / 32)])
def test_equal_differences_fall_back_to_the_sign_test(n: int, p: float) -> None:
    assert p_above(np.full(n, 3.0), 0) == p
    assert p_above(np.full(n, -3.0), 0) == 1.0


def test_saturated_scenarios_need_five_seeds_to_be_equivalent() -> None:
    assert verdict("equivalent", [0, 0, 0], 5) == "undecided"
    assert verdict("equivalent", [0, 0, 0, 0, 0], 5) == "reproduced"


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ([0, 0, 0], [0, 0, 0], True),
        ([0, 1, 5], [3, 0, 5], True),  # within the margin: no difference could exceed it
        ([0, 0, 5.1], [0, 0, 0], False),
        ([0, 0, 0], [90, 90, 90], False),
        ([100, 100, 100], [100, 100, 100], False),  # a worse arm would have shown
        ([], [], False),
    ],
)
def test_floor(left: list[float], right: list[float], expected: bool) -> None:
    pairs = pair_by_seed(dict(enumerate(left)), dict(enumerate(right)))
    assert is_at_floor(pairs, 5.0) is expected


@pytest.mark.parametrize("differences", [[], [50.0]])
@pytest.mark.parametrize("kind", ["greater", "equivalent"])
def test_no_verdict_without_two_pairs(differences: list[float], kind: str) -> None:
    assert verdict(kind, differences, 5) == "undecided"


def test_paired_estimate_says_why_it_has_no_interval() -> None:
    assert paired_estimate(np.array([]), 0.95) is None
    assert paired_estimate(np.array([1.0]), 0.95).method == "one pair: no interval"
    assert "sign test" in paired_estimate(np.array([2.0, 2.0]), 0.95).method


def test_pairing_keeps_shared_seeds_and_names_the_others() -> None:
    pairs = pair_by_seed({3: 30.0, 1: 10.0, 7: 0.0}, {1: 4.0, 3: 5.0, 9: 1.0})
    assert pairs.seeds == (1, 3)
    assert pairs.differences.tolist() == [6.0, 25.0]
    assert (pairs.left_only, pairs.right_only) == ((7,), (9,))


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_several_scenarios_are_a_conjunction() -> None:
    assert combine_scenarios([0.01, 0.2], [0.9, 0.02]) == (0.2, 0.04)
    assert combine_scenarios([], []) == (1.0, 1.0)


def test_false_reproductions_stay_under_five_percent() -> None:
    generator = np.random.default_rng(2)
    at_the_margin = generator.normal(5, 4, size=(2000, 5))
    wrong = np.mean([p_for("equivalent", sample, 5) <= 0.05 for sample in at_the_margin])
    assert wrong < 0.065
