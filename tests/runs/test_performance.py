"""One number per run, by hand; that ledger and report agree is tested with the coordinator."""

from __future__ import annotations

import numpy as np
import pytest

from suite.runs.performance import FinalPerformance, final_performance


@pytest.mark.parametrize(
    ("steps", "values", "expected"),
    [
        ([100, 500, 900, 901, 1000], [0, 0.9, 0.1, 0.2, 0.4], (0.3, 2)),  # after 900, not at it
        ([100, 950, 1040], [0, 0.5, 1.0], (0.75, 2)),  # the last episode may end beyond the budget
        ([100, 200], [0.5, 0.7], (0.7, 0)),  # none so late: the last one stands in
        ([1010], [0.25], (0.25, 1)),
    ],
)
def test_the_last_tenth_of_training_counts(
    steps: list[int], values: list[float], expected: tuple[float, int]
) -> None:
    found = final_performance(np.array(steps), np.array(values), total_env_steps=1000)
    assert isinstance(found, FinalPerformance)
    assert (found.value, found.n_tests) == (pytest.approx(expected[0]), expected[1])
