"""What a careful reader would look for in the records before believing them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reports.data import ReportData, RunView


@dataclass(frozen=True)
class ProvenanceEntry:
    """One provenance key over all runs that have records: value → run ids that have it.

    Runs without the key are listed under "(not recorded)".
    """

    key: str
    runs_by_value: dict[str, tuple[str, ...]]

    @property
    def differs(self) -> bool:
        return len(self.runs_by_value) > 1


def duplicates(data: ReportData) -> list[tuple[RunView, ...]]:
    """Groups of different runs with identical histories: a seed that never varied."""
    groups: dict[str, dict[str, RunView]] = {}
    for run in data.finished():
        if run.histories:
            groups.setdefault(_fingerprint(run), {})[run.run_id] = run
    return [tuple(group.values()) for group in groups.values() if len(group) > 1]


def _fingerprint(run: RunView) -> str:
    digest = hashlib.sha256()
    for key, history in sorted(run.histories.items()):
        digest.update(key.encode() + history.steps.tobytes() + history.values.tobytes())
    return digest.hexdigest()


def not_finite(data: ReportData) -> list[tuple[RunView, str, int]]:
    """(run, metric, number of values) for every metric with NaN or infinite values."""
    return [
        (run, key, count)
        for run in data.runs
        for key, history in sorted(run.histories.items())
        if (count := int(np.sum(~np.isfinite(history.values))))
    ]


def provenance(runs: Sequence[RunView]) -> list[ProvenanceEntry]:
    """Provenance keys in alphabetical order, with the runs behind each value."""
    recorded = {run.run_id: run for run in runs if run.provenance}
    keys = sorted({key for run in recorded.values() for key in run.provenance})
    entries = []
    for key in keys:
        by_value: dict[str, list[str]] = {}
        for run_id, run in recorded.items():
            by_value.setdefault(run.provenance.get(key, "(not recorded)"), []).append(run_id)
        entries.append(ProvenanceEntry(key, {value: tuple(ids) for value, ids in by_value.items()}))
    return entries


def short_runs(data: ReportData) -> list[RunView]:
    """Finished runs whose records stop more than one test interval before their budget."""
    return [
        run
        for run in data.finished()
        if run.histories
        and max(float(h.steps[-1]) for h in run.histories.values() if len(h.steps))
        < run.total_env_steps - run.test_interval_env_steps
    ]
