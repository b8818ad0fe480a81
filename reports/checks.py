"""Where runs come from: what differs between them, and what changed within one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from reports.data import RunView
from reports.measures import backend

NOT_RECORDED = "not recorded"
STARTED = "started"
SOURCE = "read from"
# What makes a run a mixture if it changes from one of its sittings to the next.
CODE = ("git_commit", "git_dirty", "training_code")
VERSIONS = ("cadp-suite", "python", "torch", "numpy", "numba", "llvmlite")
MACHINE = ("processor", "platform", "device")
# What differs between runs of any study, by its nature; and what only one backend's runs share.
EXPECTED_TO_DIFFER = frozenset({"seed", "protocol", "environment"})
OF_A_BACKEND = frozenset({"environment_version"})


@dataclass(frozen=True)
class ProvenanceEntry:
    """One provenance key over all runs that have records: value → run ids that have it.

    A run is listed under the value of each of its sittings; those without the key under
    "(not recorded)". is_odd: whether runs differ that should share it. names_runs: whether a reader
    is told which runs have which value.
    """

    key: str
    runs_by_value: dict[str, tuple[str, ...]]
    is_odd: bool
    names_runs: bool

    @property
    def differs(self) -> bool:
        return len(self.runs_by_value) > 1


def provenance(runs: Sequence[RunView]) -> list[ProvenanceEntry]:
    """Where records were read, then provenance keys in alphabetical order; each with its runs.

    When each sitting started is no fact that runs could share.
    """
    recorded = {run.run_id: run for run in runs if any(run.sittings)}
    keys = sorted({key for run in recorded.values() for one in run.sittings for key in one})
    keys = [key for key in keys if key != STARTED]
    entries = []
    for key in keys:
        by_value: dict[str, dict[str, None]] = {}
        shared: dict[str, set[str]] = {}
        for run_id, run in recorded.items():
            sharing = _sharing(run) if key in OF_A_BACKEND else ""
            for sitting in run.sittings:
                value = sitting.get(key, f"({NOT_RECORDED})")
                by_value.setdefault(value, {})[run_id] = None
                shared.setdefault(sharing, set()).add(value)
        is_odd = key not in EXPECTED_TO_DIFFER and any(len(v) > 1 for v in shared.values())
        ids_by_value = {value: tuple(ids) for value, ids in by_value.items()}
        entries.append(ProvenanceEntry(key, ids_by_value, is_odd, names_runs=is_odd))
    return [*_sources(runs), *entries]


def _sources(runs: Iterable[RunView]) -> list[ProvenanceEntry]:
    """Where the records were read, if anywhere."""
    by_source: dict[str, dict[str, None]] = {}
    for run in runs:
        for source in run.sources:
            by_source.setdefault(source, {})[run.run_id] = None
    ids = {source: tuple(ids) for source, ids in by_source.items()}
    return [ProvenanceEntry(SOURCE, ids, is_odd=False, names_runs=True)] if ids else []


def _sharing(run: RunView) -> str:
    """Which runs share a version: those of a backend, or of a scenario that is a program itself."""
    return run.scenario if backend(run.scenario).takes_any_name else run.backend


def changes(run: RunView) -> Mapping[str, tuple[str, ...]]:
    """Code, versions and machine that changed between a run's sittings: key → values, in order.

    Empty for a run of one piece. A key that some sittings lack has changed: nothing tells that it
    has not.
    """
    found = {}
    for key in CODE + VERSIONS + MACHINE:
        values = [sitting.get(key, NOT_RECORDED) for sitting in run.sittings]
        if len(set(values)) > 1:
            found[key] = tuple(
                value for i, value in enumerate(values) if i == 0 or value != values[i - 1]
            )
    return found


def mixed(runs: Iterable[RunView]) -> list[RunView]:
    """Runs that were continued with other code, other versions or on another machine, once each."""
    return list({run.run_id: run for run in runs if changes(run)}.values())


def told_changes(run: RunView) -> str:
    """What changed between a mixed run's sittings, as a clause."""
    told = [f"{key} {' → '.join(values)}" for key, values in changes(run).items()]
    codes = {sitting.get("training_code") for sitting in run.sittings}
    if len(codes) == 1 and None not in codes and "git_commit" in changes(run):
        told.append("the code that can change a result stayed the same")
    return "; ".join(told)
