"""Which finished runs count as evidence. The only place that decides it.

What is wrong with a run's records is wrong with every number it enters, so a doubtful run is left
out whole. Whatever turns runs into numbers (series, claims, curves, aggregates, `compare`,
`export`) sees `weigh(data)`, in which such runs are no longer "finished".
"""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from reports.data import DECENTRALISED, Doubt, History, ReportData, RunView
from reports.measures import WIN_RATE
from reports.numbers import listed, one_line, plural

LOSS, N_UPDATES = "train/loss_td", "train/n_updates"
# Means of single-precision values may pass their bound by as much.
ROUNDING = 1e-5
LONGEST_LIST = 3


def weigh(data: ReportData) -> ReportData:
    """The same study; finished runs that are no evidence have status "left out" and their doubts.

    Weighing twice changes nothing.
    """
    finished = data.finished()
    identical, repeated = _identical(finished), _repeated_seeds(finished)
    return replace(
        data,
        runs=tuple(
            _weigh(run, identical.get(run.run_id, ""), repeated.get(_place(run), ()))
            for run in data.runs
        ),
    )


def left_out(data: ReportData) -> list[RunView]:
    """Runs that were left out, once each, in plan order."""
    found = {run.run_id: run for run in data.runs if run.status == "left out"}
    return list(found.values())


def told(run: RunView) -> str:
    """A left-out run with its reasons, in a line."""
    reasons = "; ".join(f"{doubt.kind}: {doubt.detail}" for doubt in run.doubts)
    return one_line(f"{run.name}, {run.scenario}: {reasons}")


def _weigh(run: RunView, identical_to: str, of_its_seed: Sequence[str]) -> RunView:
    if run.status != "finished":
        return run
    doubts = [Doubt(kind, detail) for kind, check in CHECKS if (detail := check(run))]
    if identical_to:
        doubts.append(Doubt(IDENTICAL, f"the same as {identical_to}"))
    if of_its_seed:
        others = [run_id for run_id in of_its_seed if run_id != run.run_id]
        doubts.append(Doubt(REPEATED, f"seed {run.seed} is also that of {listed(others)}"))
    return replace(run, status="left out", doubts=tuple(doubts)) if doubts else run


def _no_tests(run: RunView) -> str:
    """Every mode is tested at the same steps; a record that lacks some was damaged."""
    odd = [key for key, h in run.histories.items() if len(h.steps) != len(h.values)]
    if odd:
        return f"{', '.join(sorted(odd))}: not as many values as steps"
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
        "gradient_norm": (0.0, np.inf),
        "n_episodes": (0.0, np.inf),
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


def _no_update(run: RunView) -> str:
    """Records from before `train/n_updates` was measured tell by whether there was a loss."""
    updates = run.histories.get(N_UPDATES)
    if updates is not None and len(updates.values):
        return "" if updates.values[-1] >= 1 else f"{N_UPDATES} stays {updates.values[-1]:g}"
    loss = run.histories.get(LOSS)
    if loss is not None and np.any(np.isfinite(loss.values)):
        return ""
    return f"neither {N_UPDATES} nor a finite {LOSS} was recorded"


# A check returns what it found, as a clause, or "" if nothing.
CHECKS: tuple[tuple[str, Callable[[RunView], str]], ...] = (
    ("incomplete records", _no_tests),
    ("values that are not finite", _not_finite),
    ("values out of range", _out_of_range),
    ("impossible steps", _impossible_steps),
    ("missing tests", _missing_tests),
    ("no update of the networks", _no_update),
)
IDENTICAL = "a history identical to another run's"
REPEATED = "a seed that its series has twice"


def _identical(runs: Iterable[RunView]) -> dict[str, str]:
    """Run id → which others have one and the same history though they should differ, in words.

    Nothing tells which of a group trained what its record says, so none of them counts: a seed
    that never varied, or one record under several names. Tests alone may agree (a matrix game
    solved in every test), the loss of other initial weights cannot. Points of one arm and seed may
    be the same throughout: α changes nothing where pruning never starts.
    """
    groups: dict[str, dict[str, RunView]] = {}
    for run in runs:
        if any(len(history.steps) for _, history in _measured(run)):
            groups.setdefault(_fingerprint(run), {})[run.run_id] = run
    found = {}
    for group in groups.values():
        sizes = Counter(_experiment(run) for run in group.values())
        for run_id, run in group.items():
            n_others = len(group) - sizes[_experiment(run)]
            if n_others:
                found[run_id] = _others(run, group.values(), n_others)
    return found


def _repeated_seeds(runs: Iterable[RunView]) -> dict[tuple[str, str, str, int], list[str]]:
    """Places in a series that several runs claim, and their run ids: none of them counts twice."""
    found: dict[tuple[str, str, str, int], dict[str, None]] = {}
    for run in runs:
        found.setdefault(_place(run), {})[run.run_id] = None
    return {place: list(run_ids) for place, run_ids in found.items() if len(run_ids) > 1}


def _place(run: RunView) -> tuple[str, str, str, int]:
    return run.scenario, run.arm, run.point, run.seed


def _others(run: RunView, group: Iterable[RunView], count: int) -> str:
    """The first few of a group that are no point of the run's own arm and seed, and how many."""
    others = (other.name for other in group if _experiment(other) != _experiment(run))
    named = list(itertools.islice(others, LONGEST_LIST))
    more = f" and {plural(count - len(named), 'more run')}" if count > len(named) else ""
    return ", ".join(named) + more


def _experiment(run: RunView) -> tuple[str, str, int]:
    return run.scenario, run.arm, run.seed


def _fingerprint(run: RunView) -> str:
    """Of what runs of all arms have: tests acting decentralised, and the loss.

    Without a recorded loss, of every training metric.
    """
    has_loss = _n_points(run, LOSS) > 0
    digest = hashlib.sha256()
    for key, history in _measured(run):
        is_test = key.startswith("test/") and key.endswith(f"/{DECENTRALISED}")
        if is_test or (key == LOSS if has_loss else key.startswith("train/")):
            digest.update(key.encode() + b"\0")
            digest.update(history.steps.tobytes() + history.values.tobytes())
    return digest.hexdigest()


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
