"""What a search looks for, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from suite.study.objectives import OBJECTIVES, Ended

STEPS = np.array([10, 50, 95, 100])


def run(centralised: list[float], alone: list[float], seconds: float = 1_800.0) -> Ended:
    histories = {
        "test/win_rate/centralised": (STEPS, np.array(centralised)),
        "test/win_rate/decentralised": (STEPS, np.array(alone)),
    }
    return Ended(histories, 100, seconds)


# Tests after step 90 are final: alone 0.5 and 0.7, with advice 0.9 and 0.8.
ONE = run([0.1, 0.2, 0.9, 0.8], [0.0, 0.1, 0.5, 0.7])
OTHER = run([0.0, 0.0, 0.4, 0.4], [1.0, 1.0, 0.2, 0.4], 5_400.0)


@pytest.mark.parametrize(
    ("name", "value", "mean"),
    [
        ("final_win_rate", 0.6, 0.45),
        ("mode_gap", 0.25, 0.175),
        ("core_hours", 0.5, 1.0),
    ],
)
def test_a_trial_has_the_mean_over_its_runs(name: str, value: float, mean: float) -> None:
    objective = OBJECTIVES[name]  # type: ignore[index]
    assert objective.of_run(ONE) == pytest.approx(value)
    assert objective.mean([ONE, OTHER]) == pytest.approx(mean)


@pytest.mark.parametrize(
    ("name", "at_tests"),
    [("final_win_rate", [0.0, 0.1, 0.5, 0.7]), ("mode_gap", [0.1, 0.1, 0.4, 0.1])],
)
def test_pruners_see_the_objective_at_every_test(name: str, at_tests: list[float]) -> None:
    at = OBJECTIVES[name].at  # type: ignore[index]
    assert at is not None
    assert at(ONE.histories).tolist() == pytest.approx(at_tests)


def test_no_test_tells_the_time() -> None:
    assert OBJECTIVES["core_hours"].at is None
