"""How far a plan has got in a runs directory."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from statistics import fmean
from typing import Any, Literal, get_args

from rich.console import Console

from suite.algorithms.registry import modes_of, run_point
from suite.environments import counts_wins
from suite.printing import make_table, print_table, say
from suite.records.layout import reason_line, schedule_name
from suite.records.schedule import ScheduleStore
from suite.records.store import RecordStore, RunSummary
from suite.runs.directory import RunsDirectory
from suite.runs.metrics import WIN_RATE, tested_mode
from suite.runs.modes import DECENTRALISED
from suite.runs.spec import RunSpec
from suite.scheduling.lock import coordinator_pid
from suite.study.plan import Plan
from suite.text import plural

State = Literal["finished", "failed", "pruned", "running", "interrupted", "waiting"]
# A table of more rows is not read.
_MOST_ROWS = 200
_FOLLOW_SECONDS = 2.0
STATES: tuple[State, ...] = get_args(State)


def status_document(plan: Plan, runs_dir: Path) -> dict[str, Any]:
    """State of every run of the plan that was asked for, as plain containers.

    Nothing run yet is an answer, not an error. Raises StoredDataError for damaged records.
    """
    directory = RunsDirectory(runs_dir)
    directory.refuse_file()
    records: dict[str, RunSummary] = {}
    if directory.records_path.exists():
        records = RecordStore.open(runs_dir).summaries()
    pid, with_weights = coordinator_pid(directory), directory.ids_with_weights()
    attempts = _attempts(plan, runs_dir)
    asked = {run.run_id for run in (plan.runs if len(plan.looks) == 1 else plan.runs_of_look(1))}
    asked.update(attempts, records)
    points = {run.run_id: point for point, run in _with_points(plan)}
    runs = [
        _run_document(
            run,
            records.get(run.run_id),
            point=points[run.run_id],
            is_active=pid is not None,
            has_weights=run.run_id in with_weights,
            n_attempts=attempts[run.run_id],
        )
        for run in plan.runs
        if run.run_id in asked
    ]
    counts = Counter(run["state"] for run in runs)
    return {
        "study": plan.study.name,
        "profile": plan.profile_name,
        "runs_dir": str(runs_dir),
        "has_records": directory.records_path.exists(),
        "modes": _modes(plan),
        "coordinator_pid": pid,
        "n_runs_at_most": plan.n_runs,
        "counts": {state: counts[state] for state in STATES},
        "runs": runs,
    }


def _attempts(plan: Plan, runs_dir: Path) -> Counter[str]:
    """Run id → how often it was begun anew or tried again, as far as the schedule tells."""
    name = schedule_name(plan.study.name, plan.profile_name)
    return Counter(run.run_id for run in ScheduleStore(runs_dir).runs(name))


def _with_points(plan: Plan) -> Iterator[tuple[str, RunSpec]]:
    """Every run with its point for people, which all runs of a trial share."""
    for trial in plan.trials:
        point = run_point(trial.runs[0])
        yield from ((point, run) for run in trial.runs)


def _run_document(
    run: RunSpec,
    record: RunSummary | None,
    *,
    point: str,
    is_active: bool,
    has_weights: bool,
    n_attempts: int,
) -> dict[str, Any]:
    """A run recorded as finished whose weights are gone will be trained again: interrupted.

    Not so if it came in a pack without them.
    """
    state: State = "waiting"
    env_steps, win_rate, is_incomplete = 0, {}, False
    if record is not None:
        state = record.status
        owes_weights = record.origin is None or record.origin.with_weights
        is_whole = has_weights or not owes_weights
        is_incomplete = state == "finished" and not (is_whole and record.latest)
        if (state == "running" and not is_active) or is_incomplete:
            state = "interrupted"
        for key, (step, value) in record.latest.items():
            env_steps = max(env_steps, step)
            if (mode := tested_mode(key, WIN_RATE)) is not None and counts_wins(run.scenario):
                win_rate[mode] = value
    return {
        "run_id": run.run_id,
        "scenario": run.scenario,
        "arm": run.arm,
        "hyperparameters": dict(run.hyperparameters),
        "point": point,
        "seed": run.seed,
        "state": state,
        "env_steps": env_steps,
        "total_env_steps": run.training.total_env_steps,
        "last_win_rate": win_rate,
        "elapsed_seconds": record.elapsed_seconds if record else None,
        "failure": record.failure if record else None,
        "is_incomplete": is_incomplete,
        "attempts": n_attempts,
        "has_weights": has_weights,
        "imported_from": record.origin.told if record and record.origin else None,
    }


def follow(
    look: Callable[[], dict[str, Any]],
    show: Callable[[dict[str, Any]], None],
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Show the state again whenever it has changed, as long as a coordinator is at work."""
    shown: dict[str, Any] | None = None
    while True:
        document = look()
        if document != shown:
            show(document)
            shown = document
        if document["coordinator_pid"] is None:
            return
        sleep(_FOLLOW_SECONDS)


def print_status(console: Console, document: dict[str, Any]) -> None:
    """One row per run, or per trial where runs are many, and a line per failure."""
    counts = document["counts"]
    total = ", ".join(f"{counts[state]} {state}" for state in STATES if counts[state])
    say(console, f"Study {document['study']}, profile {document['profile']}: {total}")
    if not document["has_records"]:
        where = f"in {document['runs_dir']}"
        say(console, f"Nothing has been run {where} yet; are runs elsewhere? Then give --runs-dir")
    if document["coordinator_pid"] is not None:
        say(console, f"A coordinator is at work (process {document['coordinator_pid']})")
    modes = document["modes"]
    rows: list[tuple[str, ...]]
    titles: tuple[str, ...]
    if len(document["runs"]) > _MOST_ROWS:
        rows = [_trial_row(runs, modes) for runs in _trials(document["runs"])]
        titles, state = ("scenario", "arm", "finished", "state"), "state"
    else:
        rows = [_row(run, modes) for run in document["runs"]]
        titles, state = ("scenario", "arm", "seed", "state", "steps"), "steps"
    rates = [f"win rate {letter}" for letter in modes.values()]
    shown = rows[:_MOST_ROWS]
    table = make_table(console, (*titles, *rates), shown, foldable=("arm", state, *rates))
    print_table(console, table)
    if len(shown) < len(rows):
        say(console, f"… and {len(rows) - len(shown):,} more trials; --json has all")
    lost = [run["run_id"] for run in document["runs"] if run["is_incomplete"]]
    if lost:
        say(console, f"finished, but their weights or metrics are gone: {', '.join(lost)}")
        say(console, "put the files back, or `run` trains them again")
    imported = [run for run in document["runs"] if run["imported_from"]]
    if imported:
        packs = ", ".join(dict.fromkeys(run["imported_from"] for run in imported))
        say(console, f"{plural(len(imported), 'run')} imported, not trained here: from {packs}")
    bare = [
        run["run_id"] for run in imported if run["state"] == "finished" and not run["has_weights"]
    ]
    if bare:
        say(console, f"imported without weights, for reports only: {', '.join(bare)}")
    for run in document["runs"]:
        if run["failure"] and run["state"] == "failed":
            reason = reason_line(run["failure"])
            say(console, f"failed: {run['scenario']} {run['arm']} seed {run['seed']}: {reason}")


def _row(run: dict[str, Any], modes: Iterable[str]) -> tuple[str, ...]:
    steps = f"{run['env_steps']:,} of {run['total_env_steps']:,}"
    rates = [run["last_win_rate"].get(mode) for mode in modes]
    state = run["state"] + (f", attempt {run['attempts']}" if run["attempts"] > 1 else "")
    return (run["scenario"], _arm(run), str(run["seed"]), state, steps, *map(_rate, rates))


def _trials(runs: Iterable[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Runs that differ in their seed only, in order of the first of each."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for run in runs:
        found.setdefault((run["scenario"], _arm(run)), []).append(run)
    return list(found.values())


def _trial_row(runs: list[dict[str, Any]], modes: Iterable[str]) -> tuple[str, ...]:
    """A trial: how many of its runs are in which state, win rates as means of those that tell."""
    counts = Counter(run["state"] for run in runs)
    states = ", ".join(f"{counts[one]} {one}" for one in STATES if counts[one])
    rates = []
    for mode in modes:
        told = [run["last_win_rate"][mode] for run in runs if mode in run["last_win_rate"]]
        rates.append(fmean(told) if told else None)
    done = f"{counts['finished']} of {len(runs)}"
    return (runs[0]["scenario"], _arm(runs[0]), done, states, *map(_rate, rates))


def _arm(run: dict[str, Any]) -> str:
    return " ".join(part for part in (run["arm"], run["point"]) if part)


def _rate(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _modes(plan: Plan) -> dict[str, str]:
    """Name → letter of every mode in which the plan tests, acting alone first."""
    letters = {DECENTRALISED.name: DECENTRALISED.letter}
    for trial in plan.trials:
        letters |= {mode.name: mode.letter for mode in modes_of(trial.runs[0].algorithm)}
    return letters
