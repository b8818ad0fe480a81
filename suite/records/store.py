"""Reading records, without MLflow.

MLflow's client answers one query per run and metric and takes seconds to import; a report over
hundreds of runs needs every point at once. So the database is read directly, with one query per
table. The tables and columns used have been the same since MLflow 1.
"""

from __future__ import annotations

import itertools
import json
import sqlite3
from collections.abc import Collection
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from suite.errors import InputError, StoredDataError
from suite.records import layout
from suite.study.run import RunSpec

Status = Literal["running", "finished", "failed"]
History = tuple[NDArray[np.int64], NDArray[np.float64]]

_STATUS: dict[str, Status] = {"FINISHED": "finished", "FAILED": "failed"}
# What MLflow stores for infinities.
_LARGEST = 1.79e308
_BUSY_SECONDS = 30


@dataclass(frozen=True)
class RunRecord:
    """One run as stored.

    status: "running" also for a run that was interrupted and not continued yet.
    arm: the label it was first recorded under; a plan decides the label in its own study.
    sittings: the provenance of every sitting that trained the run, in order; a run that was
        resumed has several. provenance: that of the last.
    histories: metric key → (steps int64, values float64), ascending, one value per step.
    failure: traceback, for a failed run.
    """

    run_id: str
    status: Status
    spec: RunSpec
    sittings: tuple[dict[str, str], ...] = field(repr=False)
    histories: dict[str, History] = field(repr=False)
    failure: str | None
    elapsed_seconds: float | None
    started: datetime
    ended: datetime | None

    @property
    def provenance(self) -> dict[str, str]:
        """Where the last sitting took place, and with what; empty where nothing was recorded."""
        return self.sittings[-1] if self.sittings else {}

    @property
    def scenario(self) -> str:
        """Full scenario name."""
        return self.spec.scenario

    @property
    def arm(self) -> str:
        """The arm's label when the run was recorded."""
        return self.spec.arm


class RecordStore:
    """The records of one runs directory, read only; a coordinator may be writing meanwhile."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @classmethod
    def open(cls, runs_dir: Path) -> RecordStore:
        """The store of a directory.

        Raises
        ------
        InputError: nothing was ever run there.
        StoredDataError: the database is damaged.
        """
        path = layout.database_path(runs_dir)
        if not path.is_file():
            cure = "run a study first: cadp-suite run STUDY --runs-dir " + str(runs_dir)
            raise InputError("nothing has been run here", where=str(runs_dir), cure=cure)
        store = cls(path)
        store._rows("SELECT count(*) FROM runs, metrics, tags WHERE 0")
        return store

    def statuses(self) -> dict[str, Status]:
        """Run id → status of every run."""
        return {row["run_id"]: _status(row["status"]) for row in self._runs()}

    def mlflow_ids(self) -> dict[str, str]:
        """Run id → MLflow's own id of every run."""
        return {row["run_id"]: row["run_uuid"] for row in self._runs()}

    def load(
        self, run_ids: Collection[str] | None = None, *, with_histories: bool = True
    ) -> list[RunRecord]:
        """The records of `run_ids` (of all runs when None), in order of their start.

        Ids without a record are left out. Raises StoredDataError for a damaged database.
        """
        rows = [row for row in self._runs() if run_ids is None or row["run_id"] in run_ids]
        wanted = {row["run_uuid"] for row in rows}
        tags = self._tags(wanted)
        histories = self._histories(wanted) if with_histories else {}
        records = []
        for row in rows:
            uuid = row["run_uuid"]
            if layout.SPEC_TAG in tags[uuid]:  # absent only if killed while beginning the run
                records.append(self._record(row, tags[uuid], histories.get(uuid, {})))
        return records

    def _record(
        self, row: sqlite3.Row, tags: dict[str, str], histories: dict[str, History]
    ) -> RunRecord:
        elapsed = tags.get(layout.ELAPSED_TAG)
        status = _status(row["status"])
        return RunRecord(
            run_id=row["run_id"],
            status=status,
            spec=self._spec(row["run_id"], tags[layout.SPEC_TAG]),
            sittings=_sittings(tags),
            histories=histories,
            failure=tags.get(layout.FAILURE_TAG) if status == "failed" else None,
            elapsed_seconds=None if elapsed is None else float(elapsed),
            started=_time(row["start_time"]),
            ended=None if status == "running" or not row["end_time"] else _time(row["end_time"]),
        )

    def _spec(self, run_id: str, text: str) -> RunSpec:
        try:
            return RunSpec.model_validate_json(text)
        except ValidationError as error:
            where = f"{self._path}: run {run_id}"
            what = f"a stored run does not fit this version: {error.errors()[0]['msg']}"
            cure = "read it with the version that wrote it, or use another --runs-dir"
            raise StoredDataError(what, where=where, cure=cure) from None

    def _runs(self) -> list[sqlite3.Row]:
        """One row per run id; should it have been recorded twice, a finished one, else the last."""
        rows = self._rows(
            """SELECT tags.value AS run_id, runs.run_uuid, status, start_time, end_time
            FROM runs
            JOIN tags ON tags.run_uuid = runs.run_uuid AND tags.key = ?
            JOIN experiments ON experiments.experiment_id = runs.experiment_id
            WHERE runs.lifecycle_stage = 'active' AND experiments.name = ?
            ORDER BY status = 'FINISHED', start_time, runs.rowid""",
            (layout.RUN_ID_TAG, layout.EXPERIMENT),
        )
        best = {row["run_id"]: row for row in rows}
        return sorted(best.values(), key=lambda row: (row["start_time"], row["run_id"]))

    def _tags(self, wanted: set[str]) -> dict[str, dict[str, str]]:
        tags: dict[str, dict[str, str]] = {uuid: {} for uuid in wanted}
        for row in self._rows("SELECT run_uuid, key, value FROM tags"):
            if row["run_uuid"] in wanted:
                tags[row["run_uuid"]][row["key"]] = row["value"]
        return tags

    def _histories(self, wanted: set[str]) -> dict[str, dict[str, History]]:
        """MLflow id → key → history. The last of several values stored for a step counts."""
        marks = ",".join("?" * len(wanted))
        few = len(wanted) <= 500  # SQLite limits the number of marks
        rows = self._rows(
            "SELECT run_uuid, key, step, value, is_nan FROM metrics"
            + (f" WHERE run_uuid IN ({marks})" if few else "")
            + " ORDER BY run_uuid, key, step, rowid",
            tuple(wanted) if few else (),
            as_tuples=True,
        )
        histories: dict[str, dict[str, History]] = {}
        for (uuid, key), group in itertools.groupby(rows, key=lambda row: (row[0], row[1])):
            if uuid in wanted:
                histories.setdefault(uuid, {})[key] = _history(list(group))
        return histories

    def _rows(
        self, query: str, values: tuple[object, ...] = (), *, as_tuples: bool = False
    ) -> list[Any]:
        try:
            # Not mode=ro: a writer killed in mid-transaction leaves a journal that the next reader
            # has to roll back. Nothing else is written, and a read-only file opens all the same.
            uri = self._path.resolve().as_uri() + "?mode=rw"
            with closing(sqlite3.connect(uri, uri=True, timeout=_BUSY_SECONDS)) as connection:
                if not as_tuples:
                    connection.row_factory = sqlite3.Row
                return connection.execute(query, values).fetchall()
        except sqlite3.Error as error:
            cure = "restore it from a backup, or move it away to start anew"
            raise StoredDataError(
                f"the record database cannot be read: {error}", where=str(self._path), cure=cure
            ) from None


def _sittings(tags: dict[str, str]) -> tuple[dict[str, str], ...]:
    """Every sitting's provenance; records of the first version have the last one's only."""
    stored = [key for key in sorted(tags) if key.startswith(layout.SITTING_PREFIX)]
    if stored:
        return tuple(json.loads(tags[key]) for key in stored)
    prefix = layout.PROVENANCE_PREFIX
    last = {
        key.removeprefix(prefix): value
        for key, value in sorted(tags.items())
        if key.startswith(prefix)
    }
    return (last,) if last else ()


def _status(stored: str) -> Status:
    return _STATUS.get(stored, "running")


def _time(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, tz=UTC)


def _history(rows: list[tuple[str, str, int, float, int]]) -> History:
    steps = np.array([row[2] for row in rows], dtype=np.int64)
    values = np.array([np.nan if row[4] else row[3] for row in rows], dtype=np.float64)
    infinite = np.abs(values) > _LARGEST
    values[infinite] = np.copysign(np.inf, values[infinite])
    is_last_of_step = np.append(steps[1:] != steps[:-1], True)
    return steps[is_last_of_step], values[is_last_of_step]
