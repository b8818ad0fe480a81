"""What earlier sittings left in a runs directory: what counts as finished, what is to be mended.

A finished run owes a record, its weights and no checkpoint. Only the holder of the directory's lock
may call the functions that delete.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from suite.disk import remove_leftovers, sync_directory
from suite.errors import InputError, StoredDataError
from suite.records.provenance import differences, numerics
from suite.records.store import RecordStore
from suite.runs.directory import RunsDirectory
from suite.runs.spec import RunSpec
from suite.training.checkpoint import CheckpointHeader, read_header

# What to do with the checkpoint of a run that other code or other library versions began.
IfChanged = Literal["refuse", "restart", "continue"]


@dataclass(frozen=True)
class FinishedRuns:
    """Run ids recorded as finished, by whether metrics and weights are there as well.

    unknown: ids of runs whose weights are there, and that no record knows at all.
    """

    whole: frozenset[str]
    incomplete: frozenset[str]
    unknown: frozenset[str]


def finished_runs(directory: RunsDirectory) -> FinishedRuns:
    """What is recorded as finished in a directory, by any study; none if nothing was run there."""
    stored = directory.ids_with_weights()
    if not directory.records_path.exists():
        return FinishedRuns(frozenset(), frozenset(), frozenset(stored))
    store = RecordStore.open(directory.root)
    statuses, unmeasured = store.statuses(), store.without_metrics()
    finished = frozenset(run_id for run_id, status in statuses.items() if status == "finished")
    with_weights = frozenset(run_id for run_id in finished if directory.has_weights(run_id))
    whole = with_weights - unmeasured
    return FinishedRuns(whole, finished - whole, frozenset(stored - statuses.keys()))


def clear_leftovers(directory: RunsDirectory, finished: Iterable[str]) -> None:
    """Delete half-written files, and checkpoints of finished runs (a kill came before that)."""
    for folder in (directory.checkpoints_folder, directory.weights_folder):
        remove_leftovers(folder)
    for run_id in finished:
        directory.checkpoint_path([run_id]).unlink(missing_ok=True)


def settle_changed_code(
    directory: RunsDirectory, runs: Iterable[RunSpec], choice: IfChanged
) -> None:
    """Refuse, or delete, checkpoints that other code or library versions wrote.

    "continue" leaves them; the record then tells of both sittings, and the report flags the run.
    Raises InputError for "refuse" if there are any. Damaged ones are left to the worker to report.
    """
    changed: dict[Path, CheckpointHeader] = {}
    for run in runs:
        path = directory.checkpoint_path([run.run_id])
        try:
            header = read_header(path) if path.exists() else None
        except StoredDataError:
            continue
        if header is not None and header.numerics != numerics():
            changed[path] = header
    if changed and choice == "refuse":
        n, last = len(changed), list(changed.values())[-1]
        raise InputError(
            f"{n} interrupted run{'s were' if n > 1 else ' was'} begun with other code or versions "
            f"({differences(last.numerics, numerics())}; written by commit {last.commit})",
            where=str(next(iter(changed)).parent),
            cure="go back to those, give --if-changed restart to train from the beginning, or "
            "--if-changed continue to go on knowingly (the report flags such runs)",
        )
    if changed and choice == "restart":
        for path in changed:
            path.unlink()
        sync_directory(path.parent)
