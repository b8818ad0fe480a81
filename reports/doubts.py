"""What makes the records of a finished run doubtful, taken by itself."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from reports.data import DECENTRALISED, Doubt, History, RunView
from reports.measures import WIN_RATE
from suite.text import plural

LOSS, EPSILON = "train/loss_td", "train/epsilon"
N_EPISODES, N_UPDATES = "train/n_episodes", "train/n_updates"
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
    absent = [mode for mode in run.modes if not _n_points(run, f"{WIN_RATE.key}/{mode}")]
    if absent:
        return f"no test win rate acting {' and '.join(absent)}"
    tests = {key: h.steps for key, h in _measured(run) if key.startswith("test/")}
    steps = tests[f"{WIN_RATE.key}/{DECENTRALISED}"]
    other = sorted(key for key, own in tests.items() if not np.array_equal(own, steps))
    return f"{', '.join(other)}: tested at other steps than the win rate" if other else ""


def _not_finite(run: RunView) -> str:
    """Training metrics count too: networks that became NaN may still be tested, at 0 %."""
    counts = {key: int(np.sum(~np.isfinite(history.values))) for key, history in _measured(run)}
    return "; ".join(f"{plural(n, 'value')} of {key}" for key, n in counts.items() if n)


def _out_of_range(run: RunView) -> str:
    found = []
    for key, history in _measured(run):
        low, high = _range(key, run)
        outside = history.values[(history.values < low) | (history.values > high)]
        if len(outside):
            bounds = f"at least {low:g}" if np.isinf(high) else f"{low:g} to {high:g}"
            found.append(f"{key} is {outside[0]:g}, possible is {bounds}")
    return "; ".join(found)


def _range(key: str, run: RunView) -> tuple[float, float]:
    """Possible values of a metric, after its name without phase and mode."""
    limit = np.inf if run.episode_limit is None else float(run.episode_limit)
    ranges = {
        "win_rate": (0.0, 1.0),
        "return": run.return_bounds,
        "episode_length": (1.0, limit),
        "self_attention": (-ROUNDING, 1 + ROUNDING),
        "loss_td": (0.0, np.inf),
        "loss_pruning": (-ROUNDING, np.inf),
        "epsilon": (0.0, 1.0),
        "gradient_norm": (0.0, np.inf),
        "n_episodes": (1.0, np.inf),
        "n_updates": (0.0, np.inf),
    }
    return ranges.get(key.split("/")[1], (-np.inf, np.inf))


def _impossible_steps(run: RunView) -> str:
    """Training ends with the first episode past its budget, so less than an episode past it."""
    latest = run.total_env_steps + _longest_episode(run)
    for key, history in _measured(run):
        steps = history.steps
        if not np.all(np.diff(steps) > 0):
            return f"{key}: steps do not ascend"
        outside = steps[~((steps >= 0) & (steps <= latest))]
        if len(outside):
            return f"{key}: step {outside[0]:,.0f}, possible are 0 to {latest:,}"
    return ""


def _missing_tests(run: RunView) -> str:
    """A test follows the first episode past each interval, and the last one ends the training."""
    steps = _test_steps(run)
    if not len(steps):
        return ""  # told by `_no_tests`
    if steps[-1] < run.total_env_steps:
        return f"the last at step {steps[-1]:,.0f} of {run.total_env_steps:,}"
    longest = run.test_interval_env_steps + _longest_episode(run)
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
        if key.startswith(WIN_RATE.key):
            rates = history.values[np.isfinite(history.values)]
            won = rates * run.n_test_episodes
            odd = rates[np.abs(won - np.rint(won)) > ROUNDING]
            if len(odd):
                return f"{key} is {odd[0]:g}, of {plural(run.n_test_episodes, 'episode')} a test"
    return ""


def _miscounted(run: RunView) -> str:
    """Counters are recorded at every test; an episode has a step and an update at most."""
    tests = _test_steps(run)
    for key in (N_EPISODES, N_UPDATES, EPSILON):
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
        if n_episodes is not None and np.any(n_updates.values > n_episodes.values):
            return f"{N_UPDATES} is more than {N_EPISODES}"
    return ""


def _missing_losses(run: RunView) -> str:
    """Whatever was updated since the test before has a loss.

    Without `train/n_updates`: every test from the first loss on.
    """
    tests, updates = _test_steps(run), run.histories.get(N_UPDATES)
    loss = run.histories[LOSS].steps if LOSS in run.histories else np.empty(0)
    if updates is not None:
        due = updates.steps[np.diff(updates.values, prepend=0.0) > 0]
    else:
        due = tests[tests >= loss[0]] if len(loss) else tests[:0]
    missing = due[~np.isin(due, loss)]
    return f"no {LOSS} at step {missing[0]:,.0f}, though updated before" if len(missing) else ""


def _no_update(run: RunView) -> str:
    """Records from before `train/n_updates` was measured tell by whether there was a loss."""
    updates = run.histories.get(N_UPDATES)
    if updates is not None and len(updates.values):
        return "" if updates.values[-1] >= 1 else f"{N_UPDATES} stays {updates.values[-1]:g}"
    loss = run.histories.get(LOSS)
    if loss is not None and np.any(np.isfinite(loss.values)):
        return ""
    return f"neither {N_UPDATES} nor a finite {LOSS} was recorded"


def _measured(run: RunView) -> list[tuple[str, History]]:
    """Histories of the suite's own metrics, by name."""
    own = ("test/", "train/")
    return [(key, h) for key, h in sorted(run.histories.items()) if key.startswith(own)]


def _n_points(run: RunView, key: str) -> int:
    return len(run.histories[key].steps) if key in run.histories else 0


def _test_steps(run: RunView) -> NDArray[np.float64]:
    history = run.histories.get(f"{WIN_RATE.key}/{DECENTRALISED}")
    return np.empty(0) if history is None else history.steps


def _longest_episode(run: RunView) -> int:
    """Most steps of an episode; where that is not known, a test interval stands in."""
    return run.test_interval_env_steps if run.episode_limit is None else run.episode_limit


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
