"""Final, best and last test of a run, and the common grid of curves."""

from dataclasses import replace

import numpy as np
import pytest
import synthetic_study as made_up

from reports.data import History
from reports.figures.learning_curves import drawn_series
from reports.measures import EPISODE_LENGTH, RETURN, WIN_RATE
from reports.series import evaluate, series_keys
from reports.statistics.performance import align, mean_curve, summarise
from suite.runs.modes import DECENTRALISED


def history(steps: list[float], values: list[float]) -> History:
    return History(np.array(steps, dtype=float), np.array(values, dtype=float))


def test_final_is_the_mean_after_nine_tenths_of_training() -> None:
    steps = [100, 500, 900, 901, 1000]
    result = summarise(history(steps, [0, 90, 10, 20, 40]), total_env_steps=1000)
    assert (result.final, result.n_final_tests) == (30.0, 2)
    assert (result.last, result.best, result.best_step) == (40.0, 90.0, 500.0)


def test_without_late_tests_the_last_one_stands_in_and_is_counted_as_none() -> None:
    result = summarise(history([100, 200], [5, 7]), total_env_steps=1000)
    assert (result.final, result.n_final_tests) == (7.0, 0)


def test_tests_fall_on_the_nearest_multiple_of_the_interval() -> None:
    assert align(history([0, 104, 197, 290], [1, 2, 3, 4]), 100) == {0: 1, 1: 2, 2: 3, 3: 4}
    assert align(history([98, 103], [1, 2]), 100) == {1: 2}


def test_mean_curve_over_slightly_different_steps() -> None:
    one, two = history([3, 102, 205], [0, 10, 20]), history([0, 99, 201], [0, 20, 40])
    curve = mean_curve([one, two], 100, bounds=(0, 100))
    assert curve.steps.tolist() == [0, 100, 200]
    assert curve.mean.tolist() == [0, 15, 30]
    assert (curve.n_runs, curve.n_dropped) == (2, 0)
    # n = 2: half width t(.975, 1) · |a − b| / 2 = 12.7062 · 5, cut at the range
    assert curve.high.tolist() == pytest.approx([0, 78.531, 100], abs=1e-3)


def test_points_that_a_run_lacks_are_dropped_and_counted() -> None:
    curve = mean_curve([history([0, 100, 200], [1, 2, 3]), history([0, 100], [3, 4])], 100)
    assert curve.mean.tolist() == [2, 3]
    assert curve.n_dropped == 1


def test_a_mean_is_looked_up_by_its_test_time() -> None:
    curve = mean_curve([history([100, 200], [3, 4])], 100)
    assert (curve.at(200), curve.at(0)) == (4.0, None)


def test_one_run_has_a_curve_without_band_and_no_run_none() -> None:
    curve = mean_curve([history([0, 100], [1, 2])], 100)
    assert curve.low is None
    assert mean_curve([], 100) is None
    assert mean_curve([history([0], [1]), history([100], [1])], 100) is None


def test_intervals_and_bands_of_returns_end_where_their_scenario_does() -> None:
    """Two seeds, one at the worst return and one at the best: t intervals reach far beyond."""
    scenarios = {"matrix/two_step": (0.0, 8.0), "matrix/climbing": (-30.0, 11.0)}
    data = made_up.study(tuple(scenarios), arms=("qmix",), n_seeds=2, n_points=5)
    runs = []
    for run in data.runs:
        bounds, key = scenarios[run.scenario], RETURN.key(DECENTRALISED)
        steps = run.histories[key].steps
        tests = History(steps, np.full(len(steps), bounds[run.seed]))
        histories = {**run.histories, key: tests}
        runs.append(replace(run, return_bounds=bounds, histories=histories))
    data = made_up.with_runs(data, runs)
    ends = {}
    for scenario in scenarios:
        (key,) = series_keys(data, scenario)
        estimate = evaluate(data, key, RETURN).estimate
        curve = drawn_series(data, key, RETURN).curve
        assert (curve.low[0], curve.high[0]) == (estimate.low, estimate.high)
        ends[scenario] = (estimate.low, estimate.high)
    assert ends == scenarios


def test_lengths_of_episodes_end_at_the_limit() -> None:
    run = replace(made_up.run("skirmish/3m", "qmix", 0), episode_limit=60)
    assert EPISODE_LENGTH.bounds(run) == (1.0, 60.0)
    assert WIN_RATE.bounds(run) == (0.0, 100.0)
