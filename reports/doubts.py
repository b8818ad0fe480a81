"""What makes the records of a finished run doubtful, taken by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from reports.data import Doubt, History, RunView
from reports.measures import WIN_RATE, possible_range
from suite.runs.metrics import TEST, TRAIN, tested_mode
from suite.runs.modes import DECENTRALISED
from suite.text import plural

N_EPISODES, N_UPDATES = f"{TRAIN}/n_episodes", f"{TRAIN}/n_updates"
# Recorded by every run.
ALONE = WIN_RATE.key(DECENTRALISED)
# Means of single-precision values may pass their bound by as much.
ROUNDING = 1e-5
INCOMPLETE = "incomplete records"


def doubts(run: RunView) -> list[Doubt]:
    """Of a finished run, in the order of `CHECKS`; none where its records are sound."""
    if damaged := _damaged(run):  # no check could read it
        return [Doubt(INCOMPLETE, damaged)]
    return [Doubt(kind, detail) for kind, check in CHECKS if (detail := check(run))]


def _damaged(run: RunView) -> str:
    odd = [key for key, h in run.histories.items() if len(h.steps) != len(h.values)]
    return f"{', '.join(sorted(odd))}: not as many values as steps" if odd else ""


def _no_tests(run: RunView) -> str:
    """Every mode is tested at the same steps; a record that lacks some was damaged."""
    absent = [mode.name for mode in run.modes if not _n_points(run, WIN_RATE.key(mode))]
    if absent:
        return f"no test win rate acting {' and '.join(absent)}"
    tests = {key: h.steps for key, h in _measured(run) if key.startswith(f"{TEST}/")}
    steps = tests[ALONE]
    other = sorted(key for key, own in tests.items() if not np.array_equal(own, steps))
    return f"{', '.join(other)}: tested at other steps than the win rate" if other else ""


def _not_finite(run: RunView) -> str:
    """Training metrics count too: networks that became NaN may still be tested, at 0 %."""
    counts = {key: int(np.sum(~np.isfinite(history.values))) for key, history in _measured(run)}
    return "; ".join(f"{plural(n, 'value')} of {key}" for key, n in counts.items() if n)


def _out_of_range(run: RunView) -> str:
    found = []
    declared = {f"{TRAIN}/{one.name}": one for one in run.method.metrics}
    for key, history in _measured(run):
        own = declared.get(key)
        low, high = (own.low, own.high) if own else _range(key, run)
        slack = ROUNDING if own and own.kind == "mean" else 0.0
        outside = history.values[(history.values < low - slack) | (history.values > high + slack)]
        if len(outside):
            bounds = f"at least {low:g}" if np.isinf(high) else f"{low:g} to {high:g}"
            bounds = f"at most {high:g}" if np.isinf(low) else bounds
            found.append(f"{key} is {outside[0]:g}, possible is {bounds}")
    return "; ".join(found)


def _range(key: str, run: RunView) -> tuple[float, float]:
    """Possible values of what the training loop records, in training or in a test."""
    counts = {N_EPISODES: (1.0, np.inf), N_UPDATES: (0.0, np.inf)}
    return counts.get(key) or possible_range(key.split("/")[1], run)


def _impossible_steps(run: RunView) -> str:
    """Training ends with the first collection past its budget, so less than one past it."""
    latest = run.total_env_steps + _longest_collection(run)
    for key, history in _measured(run):
        steps = history.steps
        if not np.all(np.diff(steps) > 0):
            return f"{key}: steps do not ascend"
        outside = steps[~((steps >= 0) & (steps <= latest))]
        if len(outside):
            return f"{key}: step {outside[0]:,.0f}, possible are 0 to {latest:,}"
    return ""


def _missing_tests(run: RunView) -> str:
    """A test follows the first collection past each interval; the last one ends the training."""
    steps = _test_steps(run)
    if not len(steps):
        return ""  # told by `_no_tests`
    if steps[-1] < run.total_env_steps:
        return f"the last at step {steps[-1]:,.0f} of {run.total_env_steps:,}"
    longest = run.test_interval_env_steps + _longest_collection(run)
    before = np.concatenate([[0.0], steps[:-1]])
    gaps = np.flatnonzero(steps - before > longest)
    if not len(gaps):
        return ""
    first = gaps[0]
    return (
        f"none between steps {before[first]:,.0f} and {steps[first]:,.0f}, though due every "
        f"{run.test_interval_env_steps:,}"
    )


def _surplus_tests(run: RunView) -> str:
    """A test falls due an interval after the one before; training ends with one more."""
    steps = _test_steps(run)
    early = np.flatnonzero(np.diff(steps[:-1]) < run.test_interval_env_steps)
    if len(early):
        first = early[0]
        return (
            f"at steps {steps[first]:,.0f} and {steps[first + 1]:,.0f}, though due every "
            f"{run.test_interval_env_steps:,}"
        )
    if len(steps) > 1 and steps[-2] > run.total_env_steps:
        return f"after step {steps[-2]:,.0f} of {run.total_env_steps:,}, which ended the training"
    return ""


def _uneven_win_rates(run: RunView) -> str:
    """A win rate is a number of won episodes out of those of a test."""
    for key, history in _measured(run):
        if tested_mode(key, WIN_RATE.quantity) is not None:
            rates = history.values[np.isfinite(history.values)]
            won = rates * run.n_test_episodes
            odd = rates[np.abs(won - np.rint(won)) > ROUNDING]
            if len(odd):
                return f"{key} is {odd[0]:g}, of {plural(run.n_test_episodes, 'episode')} a test"
    return ""


def _miscounted(run: RunView) -> str:
    """Counters and facts are recorded at every test; an episode has a step at least, a collection
    of episodes no more updates than the protocol says."""
    tests = _test_steps(run)
    for key in (N_EPISODES, N_UPDATES, *_named(run, "fact")):
        if key in run.histories and not np.array_equal(run.histories[key].steps, tests):
            return f"{key} not recorded at every test"
    n_episodes, n_updates = run.histories.get(N_EPISODES), run.histories.get(N_UPDATES)
    if n_episodes is not None:
        if np.any(np.diff(n_episodes.values) < 1):
            return f"{N_EPISODES} does not ascend"
        if np.any(n_episodes.values > tests):
            return f"{N_EPISODES} is more than steps were taken"
        if run.episode_limit is not None and np.any(n_episodes.values * run.episode_limit < tests):
            return f"{N_EPISODES} is too few for the steps taken"
    if n_updates is not None:
        if np.any(np.diff(n_updates.values) < 0):
            return f"{N_UPDATES} falls"
        each, n_side_by_side = run.updates_per_collection, run.episodes_per_collection
        if n_episodes is not None and np.any(
            n_updates.values * n_side_by_side > n_episodes.values * each
        ):
            of_each = "" if each == n_side_by_side else f" × {each:,} ÷ {n_side_by_side:,}"
            return f"{N_UPDATES} is more than {N_EPISODES}{of_each}"
    return ""


def _missing_losses(run: RunView) -> str:
    """Whatever was updated since the test before has every loss of its method.

    Without `train/n_updates`: every test from the first loss on.
    """
    tests, updates = _test_steps(run), run.histories.get(N_UPDATES)
    for key in _named(run, "loss"):
        loss = run.histories[key].steps if key in run.histories else np.empty(0)
        if updates is not None:
            due = updates.steps[np.diff(updates.values, prepend=0.0) > 0]
        else:
            due = tests[tests >= loss[0]] if len(loss) else tests[:0]
        missing = due[~np.isin(due, loss)]
        if len(missing):
            return f"no {key} at step {missing[0]:,.0f}, though updated before"
    return ""


def _no_update(run: RunView) -> str:
    """Records from before `train/n_updates` was measured tell by whether there was a loss."""
    updates = run.histories.get(N_UPDATES)
    if updates is not None and len(updates.values):
        return "" if updates.values[-1] >= 1 else f"{N_UPDATES} stays {updates.values[-1]:g}"
    if any(np.any(np.isfinite(loss.values)) for loss in losses(run)):
        return ""
    wanted = " or ".join(_named(run, "loss")) or "loss"
    return f"neither {N_UPDATES} nor a finite {wanted} was recorded"


def losses(run: RunView) -> list[History]:
    """Those that every update of its method leaves, as far as they are recorded."""
    return [run.histories[key] for key in _named(run, "loss") if key in run.histories]


def _named(run: RunView, kind: Literal["loss", "fact"]) -> list[str]:
    """Keys of the training metrics of one kind that the run's method declares."""
    return [f"{TRAIN}/{one.name}" for one in run.method.metrics if one.kind == kind]


def _measured(run: RunView) -> list[tuple[str, History]]:
    """Histories of the suite's own metrics, by name."""
    own = (f"{TEST}/", f"{TRAIN}/")
    return [(key, h) for key, h in sorted(run.histories.items()) if key.startswith(own)]


def _n_points(run: RunView, key: str) -> int:
    return len(run.histories[key].steps) if key in run.histories else 0


def _test_steps(run: RunView) -> NDArray[np.float64]:
    history = run.histories.get(ALONE)
    return np.empty(0) if history is None else history.steps


def _longest_collection(run: RunView) -> int:
    """Most steps of the episodes that are played side by side; where no limit of an episode is
    known, a test interval stands in."""
    if run.episode_limit is None:
        return run.test_interval_env_steps
    return run.episode_limit * run.episodes_per_collection


# A check returns what it found, as a clause, or "" if nothing.
CHECKS: tuple[tuple[str, Callable[[RunView], str]], ...] = (
    (INCOMPLETE, _no_tests),
    ("values that are not finite", _not_finite),
    ("values out of range", _out_of_range),
    ("impossible steps", _impossible_steps),
    ("missing tests", _missing_tests),
    ("surplus tests", _surplus_tests),
    ("impossible win rates", _uneven_win_rates),
    ("impossible counts", _miscounted),
    ("missing losses", _missing_losses),
    ("no update of the networks", _no_update),
)
