"""How far a plan has got in a runs directory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from rich.console import Console

from suite.algorithms.registry import modes_of, run_point
from suite.environments import counts_wins
from suite.printing import make_table, print_table, say
from suite.records.layout import reason_line
from suite.records.store import RecordStore, RunRecord
from suite.runs.directory import RunsDirectory
from suite.runs.metrics import WIN_RATE, tested_mode
from suite.runs.modes import DECENTRALISED
from suite.runs.spec import RunSpec
from suite.scheduling.lock import coordinator_pid
from suite.study.plan import Plan
from suite.text import plural

State = Literal["finished", "failed", "running", "interrupted", "waiting"]
STATES: tuple[State, ...] = ("finished", "failed", "running", "interrupted", "waiting")


def status_document(plan: Plan, runs_dir: Path) -> dict[str, Any]:
    """State of every run of the plan, as plain containers.

    Nothing run yet is an answer, not an error. Raises StoredDataError for damaged records.
    """
    directory = RunsDirectory(runs_dir)
    directory.refuse_file()
    records: dict[str, RunRecord] = {}
    if directory.records_path.exists():
        store = RecordStore.open(runs_dir)
        loaded = store.load([run.run_id for run in plan.runs])
        records = {record.run_id: record for record in loaded}
    pid = coordinator_pid(directory)
    runs = []
    for run in plan.runs:
        has_weights = directory.has_weights(run.run_id)
        runs.append(_run_document(run, records.get(run.run_id), pid is not None, has_weights))
    counts = Counter(run["state"] for run in runs)
    return {
        "study": plan.study.name,
        "profile": plan.profile_name,
        "runs_dir": str(runs_dir),
        "has_records": directory.records_path.exists(),
        "modes": _modes(plan),
        "coordinator_pid": pid,
        "counts": {state: counts[state] for state in STATES},
        "runs": runs,
    }


def _run_document(
    run: RunSpec, record: RunRecord | None, is_active: bool, has_weights: bool
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
        is_incomplete = state == "finished" and not (is_whole and record.histories)
        if (state == "running" and not is_active) or is_incomplete:
            state = "interrupted"
        for key, (steps, values) in record.histories.items():
            env_steps = max(env_steps, int(steps[-1]))
            if (mode := tested_mode(key, WIN_RATE)) is not None and counts_wins(run.scenario):
                win_rate[mode] = float(values[-1])
    return {
        "run_id": run.run_id,
        "scenario": run.scenario,
        "arm": run.arm,
        "hyperparameters": dict(run.hyperparameters),
        "point": run_point(run),
        "seed": run.seed,
        "state": state,
        "env_steps": env_steps,
        "total_env_steps": run.training.total_env_steps,
        "last_win_rate": win_rate,
        "elapsed_seconds": record.elapsed_seconds if record else None,
        "failure": record.failure if record else None,
        "is_incomplete": is_incomplete,
        "has_weights": has_weights,
        "imported_from": record.origin.told if record and record.origin else None,
    }


def print_status(console: Console, document: dict[str, Any]) -> None:
    """One row per trial and a line per failure."""
    counts = document["counts"]
    total = ", ".join(f"{counts[state]} {state}" for state in STATES if counts[state])
    say(console, f"Study {document['study']}, profile {document['profile']}: {total}")
    if not document["has_records"]:
        where = f"in {document['runs_dir']}"
        say(console, f"Nothing has been run {where} yet; are runs elsewhere? Then give --runs-dir")
    if document["coordinator_pid"] is not None:
        say(console, f"A coordinator is at work (process {document['coordinator_pid']})")
    rates = [f"win rate {letter}" for letter in document["modes"].values()]
    titles, foldable = (
        ("scenario", "arm", "seed", "state", "steps", *rates),
        ("arm", "steps", *rates),
    )
    rows = (_row(run, document["modes"]) for run in document["runs"])
    print_table(console, make_table(console, titles, rows, foldable=foldable))
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
        if run["failure"]:
            reason = reason_line(run["failure"])
            say(console, f"failed: {run['scenario']} {run['arm']} seed {run['seed']}: {reason}")


def _row(run: dict[str, Any], modes: Iterable[str]) -> tuple[str, ...]:
    arm = " ".join(part for part in (run["arm"], run["point"]) if part)
    steps = f"{run['env_steps']:,} of {run['total_env_steps']:,}"
    rates = [run["last_win_rate"].get(mode) for mode in modes]
    shown = ("-" if rate is None else f"{rate:.2f}" for rate in rates)
    return (run["scenario"], arm, str(run["seed"]), run["state"], steps, *shown)


def _modes(plan: Plan) -> dict[str, str]:
    """Name → letter of every mode in which the plan tests, acting alone first."""
    letters = {DECENTRALISED.name: DECENTRALISED.letter}
    for trial in plan.trials:
        letters |= {mode.name: mode.letter for mode in modes_of(trial.runs[0].algorithm)}
    return letters
