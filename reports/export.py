"""Results as JSON, in our own format and in marl-eval's exchange shape; points as CSV."""

from __future__ import annotations

import csv
import io
import json
import math
from typing import Any

from reports.data import ReportData, RunView
from reports.evidence import weigh
from reports.measures import EPISODE_LENGTH, RETURN, WIN_RATE, backend
from reports.sweep import SearchResult, evaluate_searches
from suite.runs.metrics import TEST, test_key, tested_mode

# Raised when a reader of the old format would misread the new one.
RESULTS_FORMAT = 2
QUANTITIES = tuple(one.quantity for one in (WIN_RATE, RETURN, EPISODE_LENGTH))


def results_document(data: ReportData) -> dict[str, Any]:
    """Every planned run with its tests; see reference_results/ours/README.md."""
    data = weigh(data)
    document = {
        "format": RESULTS_FORMAT,
        "kind": "cadp-suite results",
        "study": data.study,
        "profile": data.profile,
        "question": data.question,
        "deviations": list(data.deviations),
        "backends": sorted({backend(scenario).name for scenario in data.scenarios}),
        "runs": [_run(run) for run in data.runs],
    }
    if data.searches:
        document["searches"] = [_search(search) for search in evaluate_searches(data)]
    return document


def marl_eval_document(data: ReportData) -> dict[str, Any]:
    """environment → task → algorithm → seed → step_N → metric → [value], of runs that are evidence.

    The shape marl-eval reads. Two modes of one run are two algorithms. It has no
    "absolute_metrics": no final evaluation of a best checkpoint is made.
    """
    document: dict[str, Any] = {}
    for run in weigh(data).finished():
        if run.is_tuning:  # other seeds are judged
            continue
        environment, _, task = run.scenario.partition("/")
        algorithms = document.setdefault(environment, {}).setdefault(task, {})
        for mode in _modes(run):
            name = f"{run.condition} ({mode})"
            algorithms.setdefault(name, {})[f"seed_{run.seed}"] = _marl_eval_run(run, mode)
    return document


def as_json(document: dict[str, Any]) -> str:
    """Deterministic JSON text; NaN and infinities were made null before.

    Half a surrogate pair, which no UTF-8 file can hold, is written as JSON's own escape.
    """
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1) + "\n"
    return text.encode("utf-8", "backslashreplace").decode()


def _run(run: RunView) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "scenario": run.scenario,
        "arm": run.arm,
        "hyperparameter_point": run.point,
        "seed": run.seed,
        "status": run.status,
        "left_out": [f"{doubt.kind}: {doubt.detail}" for doubt in run.doubts],
        "failure": run.failure,
        "elapsed_seconds": run.elapsed_seconds,
        "read_from": list(run.sources),
        "started": run.started or None,
        "ended": run.ended or None,
        "parameters": dict(run.parameters),
        "provenance": dict(run.provenance),
        "sittings": [dict(sitting) for sitting in run.sittings],
        "tests": {
            key: {
                "env_steps": [_whole(float(step)) for step in history.steps],
                "values": [_finite(float(value)) for value in history.values],
            }
            for key, history in sorted(run.histories.items())
            if key.startswith(tuple(f"{TEST}/{quantity}/" for quantity in QUANTITIES))
        },
    }


def points_table(data: ReportData) -> str:
    """Every point that the profile's searches asked for as CSV, a line for each of its runs.

    Dimensions and objectives have columns of their own, empty where they mean nothing; objectives
    are in their own units (a win rate from 0 to 1), of runs that are evidence.
    """
    searches = evaluate_searches(weigh(data))
    dimensions = dict.fromkeys(one.name for s in searches for one in s.view.dimensions)
    quantities = dict.fromkeys(one.objective.name for s in searches for one in s.quantities)
    columns = ["scenario", "arm", "point", "state", *dimensions, "seed", "run_id", *quantities]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    for search in searches:
        for point in search.points:
            of_point = {
                "scenario": search.view.scenario,
                "arm": search.view.arm,
                "point": point.view.number,
                "state": point.state,
                **point.view.parameters,
            }
            for run in point.runs:
                writer.writerow(
                    {**of_point, "seed": run.seed, "run_id": run.run_id, **_recorded(search, run)}
                )
            if not point.runs:
                writer.writerow(of_point)
    return text.getvalue()


def _search(search: SearchResult) -> dict[str, Any]:
    view = search.view
    return {
        "scenario": view.scenario,
        "arm": view.arm,
        "sampler": view.sampler,
        "sampler_seed": view.sampler_seed,
        "pruner": view.pruner,
        "n_trials": view.n_trials,
        "seeds": list(view.seeds),
        "objectives": [one.name for one in view.objectives],
        "ranges": {one.name: one.text for one in view.dimensions},
        "chosen": view.chosen,
        "points": [
            {
                "number": point.view.number,
                "state": point.state,
                "reason": point.view.reason or None,
                "parameters": dict(point.view.parameters),
                "runs": [
                    {"run_id": run.run_id, "seed": run.seed, **_recorded(search, run)}
                    for run in point.runs
                ],
            }
            for point in search.points
        ],
    }


def _recorded(search: SearchResult, run: RunView) -> dict[str, float | None]:
    """What is looked for and watched, of a run that is evidence."""
    return {
        one.objective.name: one.recorded(run) if run.status == "finished" else None
        for one in search.quantities
    }


def _modes(run: RunView) -> list[str]:
    found = (tested_mode(key, WIN_RATE.quantity) for key in run.histories)
    return sorted(mode for mode in found if mode is not None)


def _marl_eval_run(run: RunView, mode: str) -> dict[str, Any]:
    histories = {
        quantity: run.histories[key]
        for quantity in QUANTITIES
        if (key := test_key(quantity, mode)) in run.histories
    }
    entries: dict[int, dict[str, Any]] = {}
    for name, history in histories.items():
        for step, value in zip(history.steps, history.values, strict=True):
            entry = entries.setdefault(int(step), {"step_count": int(step)})
            entry[name] = [_finite(float(value))]
    return {f"step_{index}": entries[step] for index, step in enumerate(sorted(entries))}


def _whole(step: float) -> int | None:
    return int(step) if math.isfinite(step) else None


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
