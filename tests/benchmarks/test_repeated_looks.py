"""The long simulation of repeated looks, short."""

import json
from collections.abc import Callable

import numpy as np
import pytest
from repeated_looks import CASES, LOOKS, SPENDINGS, boundary, decisions, one_sided

from reports.statistics.verdicts import p_above


@pytest.mark.parametrize("case", CASES)
def test_every_case_is_one_of_equal_means(case: str) -> None:
    drawn = CASES[case](np.random.default_rng(0), (4_000, LOOKS[-1]))
    assert abs(drawn.mean()) < 4 * drawn.std() / np.sqrt(drawn.size)


def test_it_tests_what_reports_test() -> None:
    drawn = np.random.default_rng(1).normal(0.5, 1, size=(5, 30))
    drawn[0] = 0.25
    for row, values in zip(drawn, one_sided(drawn, LOOKS), strict=True):
        assert [p_above(row[:n], 0.0) for n in LOOKS] == pytest.approx(values)


@pytest.mark.parametrize("name", SPENDINGS)
def test_every_spending_function_spends_the_level(name: str) -> None:
    n = 60_000
    drawn = np.random.default_rng(2).normal(size=(n, 30))
    found = decisions(drawn, boundary(0.05, SPENDINGS[name]), LOOKS) < len(LOOKS)
    assert found.mean() == pytest.approx(0.05, abs=4 * np.sqrt(0.05 / n))


def test_the_script(call: Callable[..., tuple[int, str, str]]) -> None:
    code, out, err = call("repeated_looks", "--simulations", 200, "--json")
    assert (code, err) == (0, "")
    tables = json.loads(out)
    assert [row["case"] for row in tables["errors"]] == list(CASES)
    assert {"claims", "effect", *SPENDINGS} <= tables["seeds"][0].keys()
    assert all(0.5 < float(row["mean / truth"]) < 1.5 for row in tables["means"])
