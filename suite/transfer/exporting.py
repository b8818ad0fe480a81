"""Runs that leave: what `cadp-suite export` packs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from suite.disk import read_plain_file
from suite.errors import InputError
from suite.records.archive import reading
from suite.records.packs import LARGEST_DESCRIPTION, LARGEST_WEIGHTS, Weights, write_pack
from suite.records.store import RecordStore, RunRecord
from suite.runs.directory import RunsDirectory
from suite.text import plural
from suite.training.weights import load_torch, unpack_weights


@dataclass(frozen=True)
class Exported:
    """sha256: of the pack. n_with_weights: finished runs whose weights are in it."""

    sha256: str
    n_finished: int
    n_failed: int
    n_left_out: int
    n_with_weights: int

    def told(self, *, with_weights: bool) -> list[str]:
        """Lines for the user. with_weights: whether weights were asked for."""
        n = self.n_finished + self.n_failed
        lines = [f"{plural(n, 'run')}: {self.n_finished} finished, {self.n_failed} failed"]
        if with_weights:
            lines[0] += f"; {self.n_with_weights} with weights"
        if with_weights and self.n_with_weights < self.n_finished:
            n = self.n_finished - self.n_with_weights
            lines.append(f"{plural(n, 'finished run')} without: there are none here, or old ones")
        if self.n_left_out:
            lines.append(f"left out: {plural(self.n_left_out, 'run')} that did not end")
        return [*lines, f"SHA-256 of its manifest: {self.sha256}"]


def export_runs(
    runs_dir: Path, output: Path, run_ids: Collection[str] | None, *, with_weights: bool
) -> Exported:
    """Pack the finished and failed runs of a directory; of `run_ids` where given.

    Raises InputError where none has ended yet, StoredDataError for damaged records or weights.
    """
    directory = RunsDirectory(runs_dir)
    store = RecordStore.open(runs_dir)
    records = store.load(run_ids)
    ended = [one for one in records if one.status == "failed" or _is_result(one)]
    if not ended:
        cure = "finish some first: cadp-suite run STUDY"
        raise InputError("no run has ended that could be exported", where=str(runs_dir), cure=cure)
    packed: set[str] = set()

    def weights(record: RunRecord) -> Weights | None:
        if not with_weights or record.status != "finished":
            return None
        found = _stored_weights(directory, record)
        if found is not None:
            packed.add(record.run_id)
        return found

    times = store.times({record.run_id for record in ended})
    sha256 = write_pack(output, ended, weights, times=times)
    statuses = Counter(record.status for record in ended)
    n_left_out = len(records) - len(ended)
    return Exported(sha256, statuses["finished"], statuses["failed"], n_left_out, len(packed))


def _stored_weights(directory: RunsDirectory, record: RunRecord) -> Weights | None:
    """A run's weights file and its description, checked; None where they are not both here.

    Files of format 2 stay behind: they are pickles.
    """
    path = directory.weights_path(record.run_id)
    description = directory.description_path(record.run_id)
    if not path.is_file() or not description.is_file():
        return None
    load_torch()
    with reading(path):
        content = read_plain_file(path, LARGEST_WEIGHTS)
        unpack_weights(content, str(path), record.run_id, record.weights_sha256 or None)
    with reading(description):
        return content, read_plain_file(description, LARGEST_DESCRIPTION)


def _is_result(record: RunRecord) -> bool:
    return record.status == "finished" and bool(record.histories)
