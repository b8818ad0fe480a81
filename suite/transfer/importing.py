"""Runs that arrive: what `cadp-suite import` takes over into a directory's records."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from suite.disk import disk_full_error, is_disk_full, write_atomically
from suite.errors import InputError, StoredDataError
from suite.records.archive import CURE
from suite.records.database import patiently
from suite.records.importer import RecordImporter
from suite.records.packs import Pack, open_pack
from suite.records.sources import Results, results
from suite.records.store import Origin, RecordStore, RunRecord
from suite.runs.directory import RunsDirectory
from suite.scheduling.lock import coordinator_lock
from suite.scheduling.recovery import finished_runs
from suite.scheduling.signals import terminable
from suite.text import plural
from suite.training.weights import load_torch, unpack_weights

# What to do with a finished run that is here with other results than in the pack.
IfDifferent = Literal["refuse", "keep"]
Say = Callable[[str], None]

_LONGEST_LIST = 3
_SAY_SECONDS = 30.0


@dataclass
class Imported:
    """What an import did. n_same: runs that were here already, with the same results.

    n_weights: runs whose weights came, those of runs that were here included. n_not_needed: failed
    runs of a pack that is here too, whatever has become of it. kept: ids of finished runs that stay
    as they are here, though a pack has other results.
    """

    n_finished: int = 0
    n_failed: int = 0
    n_same: int = 0
    n_weights: int = 0
    n_not_needed: int = 0
    kept: list[str] = field(default_factory=list)

    @property
    def told(self) -> list[str]:
        """Lines for the user."""
        n = self.n_finished + self.n_failed
        lines = [
            f"{plural(n, 'run')} imported ({self.n_finished} finished, {self.n_failed} failed), "
            f"{self.n_weights} with weights"
        ]
        if self.n_same:
            lines.append(f"{plural(self.n_same, 'run')} here already, with the same results")
        if self.n_not_needed:
            n = self.n_not_needed
            lines.append(f"left out: {plural(n, 'failed run')} of which there is a record here")
        if self.kept:
            lines.append(f"kept as here, with other results: {', '.join(self.kept)}")
        return lines


def import_packs(
    paths: Sequence[Path], runs_dir: Path, say: Say, *, if_different: IfDifferent = "refuse"
) -> Imported:
    """Take over the runs of packs into a directory's records; they are not trained again.

    Everything is checked before anything is written. A finished run that is here is never replaced:
    with the same results it is left out, with others the import is refused, as no one can say which
    of the two counts; "keep" leaves those out and takes the rest. What is here and did not finish
    makes way for a finished run.

    A kill leaves a directory to work with; the same import again does the rest.
    Raises InputError where results differ, or a coordinator is at work; StoredDataError for packs
    or records that are damaged.
    """
    directory = RunsDirectory(runs_dir.absolute())
    with ExitStack() as opened:
        packs = [opened.enter_context(open_pack(path)) for path in paths]
        opened.enter_context(coordinator_lock(directory))
        opened.enter_context(terminable())
        try:
            plan = _Plan(directory)
            for pack in packs:
                plan.add(pack)
            if plan.outcome.kept and if_different == "refuse":
                raise _other_results(plan.outcome.kept, paths)
            if plan.steps:
                _take(directory, plan.steps, say)
        except Exception as error:
            if is_disk_full(error, directory.root):
                raise disk_full_error(directory.root) from error
            raise
    return plan.outcome


@dataclass(frozen=True)
class _Step:
    """What is to be taken over from a pack: a run's record, its weights, or both.

    is_import: whether the run was not trained here.
    """

    pack: Pack
    run_id: str
    takes_record: bool
    takes_weights: bool
    is_import: bool


class _Plan:
    """What is to be done, in order, and what will then have been done."""

    def __init__(self, directory: RunsDirectory) -> None:
        self.steps: list[_Step] = []
        self.outcome = Imported()
        self._directory = directory
        self._whole = finished_runs(directory).whole
        self._here: dict[str, Results | None] = {}  # None: not finished
        self._imported: set[str] = set()
        self._coming_weights: set[str] = set()

    def add(self, pack: Pack) -> None:
        """Read and check a whole pack; what an earlier one brings is as if it were here."""
        self._look_up(set(pack.run_ids) - self._here.keys())
        for record in pack.load():
            has_weights = record.status == "finished" and record.run_id in pack.with_weights
            if has_weights:
                _check_weights(pack, record)
            self._add(pack, record, has_weights)

    def _look_up(self, run_ids: Collection[str]) -> None:
        if not self._directory.records_path.exists():
            return
        for record in RecordStore.open(self._directory.root).load(run_ids):
            is_whole = record.run_id in self._whole
            self._here[record.run_id] = results(record) if is_whole else None
            if record.origin is not None:
                self._imported.add(record.run_id)

    def _add(self, pack: Pack, record: RunRecord, has_weights: bool) -> None:
        run_id, outcome, found = record.run_id, self.outcome, results(record)
        is_finished = record.status == "finished"
        earlier = self._here.get(run_id)
        takes_record = run_id not in self._here or (is_finished and earlier is None)
        if takes_record:
            outcome.n_finished += is_finished
            outcome.n_failed += not is_finished
            self._here[run_id] = found if is_finished else None
            self._imported.add(run_id)
        elif not is_finished:
            outcome.n_not_needed += 1
            return
        elif earlier is not None and not earlier.agree(found):
            outcome.kept.append(run_id)
            return
        else:
            outcome.n_same += 1
        takes_weights = has_weights and (takes_record or not self._will_have_weights(run_id))
        if takes_weights:
            outcome.n_weights += 1
            self._coming_weights.add(run_id)
        if takes_record or takes_weights:
            is_import = run_id in self._imported
            self.steps.append(_Step(pack, run_id, takes_record, takes_weights, is_import))

    def _will_have_weights(self, run_id: str) -> bool:
        return run_id in self._coming_weights or self._directory.has_weights(run_id)


def _take(directory: RunsDirectory, steps: Sequence[_Step], say: Say) -> None:
    def open_records() -> RecordImporter:
        writer = RecordImporter(directory.root)
        writer.clear_half_imported()
        return writer

    imported = datetime.now(UTC).isoformat(timespec="seconds")
    writer = patiently(open_records, say)
    last = time.monotonic()
    for number, step in enumerate(steps):
        if time.monotonic() - last > _SAY_SECONDS:
            last = time.monotonic()
            say(f"{number:,} of {plural(len(steps), 'run')} taken over")
        _take_one(directory, writer, step, imported, say)


def _take_one(
    directory: RunsDirectory, writer: RecordImporter, step: _Step, imported: str, say: Say
) -> None:
    """The record first, as one without weights, which is whole; then they, and that they came."""
    pack, run_id = step.pack, step.run_id
    origin = Origin(pack.path.name, pack.sha256, imported, with_weights=False)
    if step.takes_record:
        (record,) = pack.load([run_id])
        times = pack.times(run_id)
        patiently(lambda: writer.take_over(record, origin, times), say)
    if step.takes_weights:
        weights, description = pack.weights(run_id)
        cure = "make the runs directory writable, or use another"
        write_atomically(directory.description_path(run_id), description, cure)
        write_atomically(directory.weights_path(run_id), weights, cure)
        if step.is_import:
            with_weights = replace(origin, with_weights=True)
            patiently(lambda: writer.note_origin(run_id, with_weights), say)


def _check_weights(pack: Pack, record: RunRecord) -> None:
    """Raise StoredDataError unless a pack's weights are this run's, and described as such."""
    load_torch()
    weights, description = pack.weights(record.run_id)
    try:
        unpack_weights(weights, str(pack.path), record.run_id, record.weights_sha256 or None)
        described = json.loads(description)
        if not isinstance(described, dict) or described.get("run_id") != record.run_id:
            raise ValueError("their description is another's")
    except (StoredDataError, ValueError, RecursionError) as error:
        reason = error.what if isinstance(error, StoredDataError) else str(error)
        what = f"weights of run {record.run_id}: {reason}"
        raise StoredDataError(what, where=str(pack.path), cure=CURE) from None


def _other_results(run_ids: Sequence[str], paths: Sequence[Path]) -> InputError:
    named = ", ".join(run_ids[:_LONGEST_LIST])
    more = f" and {len(run_ids) - _LONGEST_LIST} more" if len(run_ids) > _LONGEST_LIST else ""
    were = "is" if len(run_ids) == 1 else "are"
    earlier = ", or in a pack before" if len(paths) > 1 else ""
    return InputError(
        f"{plural(len(run_ids), 'run')} {were} finished here already{earlier}, with other results "
        f"({named}{more})",
        where=", ".join(map(str, paths)),
        cure="give --if-different keep to keep what is here and take the rest, or import into "
        "another --runs-dir; `cadp-report compare STUDY --against PACK` shows how they differ",
    )
