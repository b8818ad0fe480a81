"""Which finished runs count as evidence. The only place that decides it.

What is wrong with a run's records is wrong with every number it enters, so a doubtful run is left
out whole. Whatever turns runs into numbers (series, claims, curves, aggregates, `compare`,
`export`) sees `weigh(data)`, in which such runs are no longer "finished".
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from reports.data import DECENTRALISED, Doubt, History, ReportData, RunView
from reports.measures import RETURN, WIN_RATE, backend
from reports.numbers import listed, one_line, plural

LOSS, EPSILON = "train/loss_td", "train/epsilon"
N_EPISODES, N_UPDATES = "train/n_episodes", "train/n_updates"
EPISODE_LENGTH = "test/episode_length"
# Fewer different values may agree by chance.
FEWEST_TELLING = 3
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
    if damaged := _damaged(run):  # no check could read it
        return replace(run, status="left out", doubts=(Doubt(INCOMPLETE, damaged),))
    doubts = [Doubt(kind, detail) for kind, check in CHECKS if (detail := check(run))]
    if identical_to:
        doubts.append(Doubt(IDENTICAL, f"the same as {identical_to}"))
    if of_its_seed:
        others = [run_id for run_id in of_its_seed if run_id != run.run_id]
        doubts.append(Doubt(REPEATED, f"seed {run.seed} is also that of {listed(others)}"))
    return replace(run, status="left out", doubts=tuple(doubts)) if doubts else run


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
            won = history.values * run.n_test_episodes
            odd = history.values[np.abs(won - np.rint(won)) > ROUNDING]
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


INCOMPLETE = "incomplete records"
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
IDENTICAL = "a history identical to another run's"
REPEATED = "a seed that its series has twice"


def agreeing(data: ReportData) -> list[tuple[str, tuple[str, ...]]]:
    """(Scenario, conditions) whose evidence agrees seed by seed: what they differ in did nothing.

    Conditions of one framework and backbone; in plan order, each set once.
    """
    found: dict[tuple[str, tuple[str, ...]], None] = {}
    groups = _alike(data.finished(), _losses).values()
    for group in groups:
        conditions = tuple(dict.fromkeys(run.condition for run in group.values()))
        if len(conditions) > 1:
            found[next(iter(group.values())).scenario, conditions] = None
    return list(found)


def _identical(runs: Sequence[RunView]) -> dict[str, str]:
    """Run id → which others measured the same though they should differ, in words.

    Nothing tells which of a group trained what its record says, so none of them counts: a seed
    that never varied, or one record under several names. Runs of one scenario, seed, framework and
    backbone may agree throughout: α changes nothing where pruning never starts, γ nothing in a game
    of one step.
    """
    found: dict[str, str] = {}
    for fingerprint in (_losses, _tests):
        for group in _alike(runs, fingerprint).values():
            sizes = Counter(map(_experiment, group.values()))
            for run_id, run in group.items():
                n_others = len(group) - sizes[_experiment(run)]
                if n_others:
                    found.setdefault(run_id, _others(run, group.values(), n_others))
    return found


def _alike(
    runs: Iterable[RunView], fingerprint: Callable[[RunView], bytes]
) -> dict[bytes, dict[str, RunView]]:
    """Fingerprint → run id → runs that have it; runs without one are in no group."""
    groups: dict[bytes, dict[str, RunView]] = {}
    for run in runs:
        if found := fingerprint(run):
            groups.setdefault(found, {})[run.run_id] = run
    return groups


def _losses(run: RunView) -> bytes:
    """Fingerprint of the losses; few of them tell more with all their digits."""
    loss = run.histories.get(LOSS)
    if loss is None or not np.any(loss.values):
        return b""
    is_long = len(loss.values) >= FEWEST_TELLING
    return (_rounded(loss.values) if is_long else loss.values).tobytes()


def _tests(run: RunView) -> bytes:
    """Fingerprint of the tests acting decentralised, which runs of all arms have.

    Empty where tests of different runs may agree by chance: with few different returns, and in a
    matrix game, where few are possible.
    """
    keys = [f"{name}/{DECENTRALISED}" for name in (RETURN.key, WIN_RATE.key, EPISODE_LENGTH)]
    tests = [_rounded(run.histories[key].values) for key in keys if key in run.histories]
    if keys[0] not in run.histories or backend(run.scenario) == "matrix":
        return b""
    if len(np.unique(tests[0])) < FEWEST_TELLING:
        return b""
    return b"|".join(values.tobytes() for values in tests)


def _rounded(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """To six significant digits, so that a copy is known by what can be seen of it."""
    return np.array([float(f"{value:.5e}") for value in values])


def _repeated_seeds(runs: Iterable[RunView]) -> dict[tuple[str, str, str, int], list[str]]:
    """Places in a series that several runs claim, and their run ids: none of them counts twice."""
    found: dict[tuple[str, str, str, int], dict[str, None]] = {}
    for run in runs:
        found.setdefault(_place(run), {})[run.run_id] = None
    return {place: list(run_ids) for place, run_ids in found.items() if len(run_ids) > 1}


def _place(run: RunView) -> tuple[str, str, str, int]:
    return run.scenario, run.arm, run.point, run.seed


def _others(run: RunView, group: Iterable[RunView], count: int) -> str:
    """The first few of a group that should differ from the run, and how many."""
    others = (other.name for other in group if _experiment(other) != _experiment(run))
    named = list(itertools.islice(others, LONGEST_LIST))
    more = f" and {plural(count - len(named), 'more run')}" if count > len(named) else ""
    return ", ".join(named) + more


def _experiment(run: RunView) -> tuple[str, int, str, str]:
    return run.scenario, run.seed, run.framework, run.backbone


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
