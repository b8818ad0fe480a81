"""What earlier sittings left in a runs directory: what counts as finished, what is to be mended.

A finished run owes a record, its weights and no checkpoint; one that came in a pack without its
weights owes none. Only the holder of the directory's lock
may call the functions that delete.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from suite.disk import remove_leftovers, sync_directory
from suite.errors import InputError, StoredDataError
from suite.records.provenance import differences, numerics
from suite.records.store import RecordStore
from suite.runs.cohorts import cohort_id
from suite.runs.directory import RunsDirectory
from suite.text import plural
from suite.training.checkpoint import CheckpointHeader, read_header

# What to do with the checkpoint of a run that other code or other library versions began.
IfChanged = Literal["refuse", "restart", "continue"]


@dataclass(frozen=True)
class FinishedRuns:
    """Run ids recorded as finished, by whether metrics and weights are there as well.

    unknown: ids of runs whose weights are there, and that no record knows at all.
    recorded: ids of all runs that have a record, whatever it says.
    """

    whole: frozenset[str]
    incomplete: frozenset[str]
    unknown: frozenset[str]
    recorded: frozenset[str]


def finished_runs(directory: RunsDirectory) -> FinishedRuns:
    """What is recorded as finished in a directory, by any study; none if nothing was run there.

    Raises InputError if it is no directory.
    """
    directory.refuse_file()
    stored = directory.ids_with_weights()
    if not directory.records_path.exists():
        return FinishedRuns(frozenset(), frozenset(), frozenset(stored), frozenset())
    store = RecordStore.open(directory.root)
    statuses, unmeasured = store.statuses(), store.without_metrics()
    finished = frozenset(run_id for run_id, status in statuses.items() if status == "finished")
    here = stored | store.imported_without_weights()
    whole = finished.intersection(here) - unmeasured
    recorded = frozenset(statuses)
    return FinishedRuns(whole, finished - whole, frozenset(stored - recorded), recorded)


@dataclass(frozen=True)
class FoundCheckpoint:
    """A checkpoint, and whose it is: its header says so.

    header: None for one that is damaged, or was renamed. Its name is all there is then, which for a
    cohort of one run is the run's id; the worker that is told to resume it says what is wrong.
    """

    path: Path
    run_ids: tuple[str, ...]
    header: CheckpointHeader | None


def find_checkpoints(directory: RunsDirectory) -> list[FoundCheckpoint]:
    """All checkpoints of a directory, of whatever study."""
    return [_found(path) for path in directory.checkpoint_paths()]


def _found(path: Path) -> FoundCheckpoint:
    try:
        header = read_header(path)
    except StoredDataError:
        header = None
    if header is None or not header.run_ids or cohort_id(header.run_ids) != path.stem:
        return FoundCheckpoint(path, (path.stem,), None)
    return FoundCheckpoint(path, header.run_ids, header)


def clear_leftovers(
    directory: RunsDirectory, checkpoints: Iterable[FoundCheckpoint], finished: Collection[str]
) -> list[FoundCheckpoint]:
    """Delete half-written files, and checkpoints whose runs are all `finished`.

    A kill came before that. Returns the checkpoints that stay.
    """
    for folder in (directory.checkpoints_folder, directory.weights_folder):
        remove_leftovers(folder)
    stay = []
    for checkpoint in checkpoints:
        if set(checkpoint.run_ids).issubset(finished):
            checkpoint.path.unlink(missing_ok=True)
        else:
            stay.append(checkpoint)
    return stay


def settle_changed_code(
    checkpoints: Sequence[FoundCheckpoint], finished: Collection[str], choice: IfChanged
) -> list[FoundCheckpoint]:
    """Refuse, or delete, checkpoints that other code or library versions wrote.

    "continue" leaves them; the record then tells of both sittings, and the report flags the run.
    Returns the checkpoints that stay, damaged ones among them.
    Raises InputError for "refuse" if there are any of other code.
    """
    changed = [one for one in checkpoints if one.header and one.header.numerics != numerics()]
    if not changed or choice == "continue":
        return list(checkpoints)
    folder, last = changed[0].path.parent, changed[-1].header
    if choice == "refuse":
        assert last is not None
        runs = {run_id for one in changed for run_id in one.run_ids}.difference(finished)
        were = "was" if len(runs) == 1 else "were"
        raise InputError(
            f"{plural(len(runs), 'interrupted run')} {were} begun with other code or versions "
            f"({differences(last.numerics, numerics())}; written by commit {last.commit})",
            where=str(folder),
            cure="go back to those, give --if-changed restart to train from the beginning, or "
            "--if-changed continue to go on knowingly (the report flags such runs)",
        )
    for one in changed:
        one.path.unlink()
    sync_directory(folder)
    return [one for one in checkpoints if one not in changed]
