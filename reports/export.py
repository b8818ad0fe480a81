"""Results as JSON documents: our own format with provenance, and marl-eval's exchange shape."""

from __future__ import annotations

import json
import math
from typing import Any

from reports.data import ReportData, RunView
from reports.evidence import weigh
from reports.measures import EPISODE_LENGTH, RETURN, WIN_RATE, backend
from suite.runs.metrics import TEST, test_key, tested_mode

# Raised when a reader of the old format would misread the new one.
RESULTS_FORMAT = 2
QUANTITIES = tuple(one.quantity for one in (WIN_RATE, RETURN, EPISODE_LENGTH))


def results_document(data: ReportData) -> dict[str, Any]:
    """Every planned run with its tests; see reference_results/ours/README.md."""
    return {
        "format": RESULTS_FORMAT,
        "kind": "cadp-suite results",
        "study": data.study,
        "profile": data.profile,
        "question": data.question,
        "deviations": list(data.deviations),
        "backends": sorted({backend(scenario).name for scenario in data.scenarios}),
        "runs": [_run(run) for run in weigh(data).runs],
    }


def marl_eval_document(data: ReportData) -> dict[str, Any]:
    """environment → task → algorithm → seed → step_N → metric → [value], of runs that are evidence.

    The shape marl-eval reads. Two modes of one run are two algorithms. It has no
    "absolute_metrics": no final evaluation of a best checkpoint is made.
    """
    document: dict[str, Any] = {}
    for run in weigh(data).finished():
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
