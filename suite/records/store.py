"""Reading records, without MLflow.

MLflow's client answers one query per run and metric and takes seconds to import; a report over
hundreds of runs needs every point at once. So the database is read directly, with one query per
table. The tables and columns used have been the same since MLflow 1.
"""

from __future__ import annotations

import itertools
import json
import math
import re
import sqlite3
from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from suite.errors import InputError, StoredDataError
from suite.records import layout
from suite.records.database import address, boundary
from suite.runs.directory import RunsDirectory
from suite.runs.spec import RunSpec
from suite.text import visible

Status = Literal["running", "finished", "failed", "pruned"]
History = tuple[NDArray[np.int64], NDArray[np.float64]]

# MLflow's statuses; what has not ended was begun and may be continued.
_STATUS: dict[str, Status] = {
    "FINISHED": "finished",
    "FAILED": "failed",
    "RUNNING": "running",
    "SCHEDULED": "running",
    "KILLED": "pruned",
}
# What MLflow stores for infinities.
_LARGEST = 1.79e308
# Earlier versions stored the step in the place of the time.
_TIMES = """SELECT run_uuid, step, max(timestamp) AS measured FROM metrics
    WHERE timestamp != step GROUP BY run_uuid, step"""
RUN_CURE = "restore the file from a backup, or delete this run in MLflow: it is trained again"
_BUSY_SECONDS = 10
_RUN_ID = re.compile(r"[0-9a-f]{16}")
_CURE = "restore it from a backup, or move it away to start anew"


@dataclass(frozen=True)
class Origin:
    """The pack that a run came in: its file's name and `Pack.sha256`.

    imported: when, UTC, ISO 8601; None where the pack itself was read.
    with_weights: whether the run's weights came too. Without, it counts as finished all the same.
    """

    pack: str
    sha256: str
    imported: str | None
    with_weights: bool

    @property
    def told(self) -> str:
        """For people: `results.pack (SHA-256 0123456789ab…)`."""
        return visible(f"{self.pack} (SHA-256 {self.sha256[:12]}…)")


@dataclass(frozen=True)
class RunRecord:
    """One run as stored.

    status: "running" also for a run that was interrupted and not continued yet.
    arm: the label it was first recorded under; a plan decides the label in its own study.
    sittings: the provenance of every sitting that trained the run, in order; a run that was
        resumed has several. provenance: that of the last.
    histories: metric key → (steps int64, values float64), ascending, one value per step.
    failure: traceback, for a failed run; why a pruned one was ended.
    weights_sha256: what `suite.training.weights` wrote for a finished run.
    origin: of a run that was not trained in this directory.
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
    weights_sha256: str | None = None
    origin: Origin | None = None

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


@dataclass(frozen=True)
class RunSummary:
    """What `status` shows of a run. latest: metric key → (step, value) of its last point."""

    status: Status
    failure: str | None
    elapsed_seconds: float | None
    latest: dict[str, tuple[int, float]]
    origin: Origin | None = None


class RecordStore:
    """The records of one runs directory, read only; a coordinator may be writing meanwhile.

    Every method raises StoredDataError for a damaged or altered database, and BusyError while
    another program holds it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @classmethod
    def open(cls, runs_dir: Path) -> RecordStore:
        """The store of a directory.

        Raises InputError if nothing was ever run there.
        """
        path = RunsDirectory(runs_dir).records_path
        if path.exists() and not path.is_file():
            raise StoredDataError("not a database", where=str(path), cure="move it away")
        if not path.is_file():
            cure = "run a study first: cadp-suite run STUDY --runs-dir " + str(runs_dir)
            raise InputError("nothing has been run here", where=str(runs_dir), cure=cure)
        store = cls(path)
        with store._boundary():
            store._refuse_deleted_experiment()
        return store

    def statuses(self) -> dict[str, Status]:
        """Run id → status of every run."""
        with self._boundary():
            return {row["run_id"]: status_of(row["status"]) for row in self._runs()}

    def mlflow_ids(self, run_ids: Collection[str] | None = None) -> dict[str, str]:
        """Run id → MLflow's own id, of every run or of these."""
        with self._boundary():
            ids = {row["run_id"]: row["run_uuid"] for row in self._runs()}
            return {run_id: ids[run_id] for run_id in ids if run_ids is None or run_id in run_ids}

    def experiment_id(self) -> str | None:
        """MLflow's id of the experiment that holds our runs; it may have been renamed."""
        with self._boundary():
            active = self._rows("SELECT experiment_id FROM experiments")
            known = {row["experiment_id"] for row in active}
            ids = [row["experiment_id"] for row in self._runs() if row["experiment_id"] in known]
            return str(ids[-1]) if ids else None

    def without_metrics(self) -> set[str]:
        """Ids of runs that have no metric at all."""
        with self._boundary():
            measured = "SELECT 1 FROM metrics WHERE metrics.run_uuid = runs.run_uuid"
            rows = self._rows(f"SELECT run_uuid FROM runs WHERE NOT EXISTS ({measured})")
            empty = {row["run_uuid"] for row in rows}
            return {row["run_id"] for row in self._runs() if row["run_uuid"] in empty}

    def histories(self, run_id: str) -> dict[str, History]:
        """Metric key → history of one run; nothing of a run that has no record."""
        with self._boundary():
            ids = {row["run_uuid"] for row in self._runs() if row["run_id"] == run_id}
            return self._histories(ids).get(next(iter(ids)), {}) if ids else {}

    def times(self, run_ids: Collection[str] | None = None) -> dict[str, dict[int, int]]:
        """Run id → step → when it was measured, in milliseconds since 1970 (UTC).

        Earlier versions recorded no times: steps of theirs are left out.
        """
        with self._boundary():
            ids = {row["run_uuid"]: row["run_id"] for row in self._runs()}
            times: dict[str, dict[int, int]] = {}
            for row in self._rows(_TIMES):
                run_id = ids.get(row["run_uuid"])
                if run_id is not None and (run_ids is None or run_id in run_ids):
                    if not (isinstance(row["step"], int) and isinstance(row["measured"], int)):
                        raise ValueError("metrics have steps or times that are no numbers")
                    times.setdefault(run_id, {})[row["step"]] = row["measured"]
            return times

    def summaries(self) -> dict[str, RunSummary]:
        """Run id → summary of every run: of ten thousand in a fraction of a second."""
        with self._boundary():
            latest: dict[str, dict[str, tuple[int, float]]] = {}
            query = "SELECT run_uuid, key, step, value, is_nan FROM latest_metrics"
            for uuid, key, step, value, is_nan in self._rows(query, as_tuples=True):
                latest.setdefault(uuid, {})[key] = (int(step), math.nan if is_nan else float(value))
            tags: dict[str, dict[str, str]] = {}
            query = "SELECT run_uuid, key, value FROM tags WHERE key IN (?, ?, ?)"
            shown = (layout.FAILURE_TAG, layout.ELAPSED_TAG, layout.IMPORT_TAG)
            for uuid, key, value in self._rows(query, shown, as_tuples=True):
                tags.setdefault(uuid, {})[key] = value
            return {
                row["run_id"]: summary_of(
                    row["status"], tags.get(row["run_uuid"], {}), latest.get(row["run_uuid"], {})
                )
                for row in self._runs()
            }

    def imported_without_weights(self) -> set[str]:
        """Ids of runs that came in a pack that had not their weights."""
        with self._boundary():
            query = "SELECT run_uuid, value FROM tags WHERE key = ?"
            rows = self._rows(query, (layout.IMPORT_TAG,))
            found = {row["run_uuid"] for row in rows if not _origin(row["value"]).with_weights}
            return {row["run_id"] for row in self._runs() if row["run_uuid"] in found}

    def half_imported(self) -> list[str]:
        """MLflow's ids of what killed imports left: they get a run id when all else is stored."""
        with self._boundary():
            rows = self._rows(
                """SELECT run_uuid FROM runs JOIN tags USING (run_uuid)
                WHERE key = ? AND lifecycle_stage = 'active' AND run_uuid NOT IN
                (SELECT run_uuid FROM tags WHERE key = ?)""",
                (layout.IMPORT_TAG, layout.RUN_ID_TAG),
            )
            return [row["run_uuid"] for row in rows]

    def load(
        self, run_ids: Collection[str] | None = None, *, with_histories: bool = True
    ) -> list[RunRecord]:
        """The records of `run_ids` (of all runs when None), in order of their start.

        Ids without a record are left out.
        """
        with self._boundary():
            rows = [row for row in self._runs() if run_ids is None or row["run_id"] in run_ids]
            wanted = {row["run_uuid"] for row in rows}
            tags = self._tags(wanted)
            histories = self._histories(wanted) if with_histories else {}
            records = []
            for row in rows:
                uuid = row["run_uuid"]
                # Absent if a kill came while the run was begun, before version 0.1.
                if layout.SPEC_TAG in tags[uuid] or status_of(row["status"]) != "running":
                    with self._boundary(f"record of run {row['run_id']}", RUN_CURE):
                        facts = (tags[uuid], histories.get(uuid, {}), str(self._path))
                        records.append(record_of(row, *facts))
            return records

    def _boundary(
        self, what: str = "record database", cure: str = _CURE
    ) -> AbstractContextManager[None]:
        return boundary(self._path, f"the {what} cannot be read", cure)

    def _refuse_deleted_experiment(self) -> None:
        """Runs deleted with their experiment would all be trained again, without a word."""
        ours = "SELECT runs.experiment_id FROM runs JOIN tags USING (run_uuid) WHERE key = ?"
        active = "SELECT experiment_id FROM experiments WHERE lifecycle_stage = 'active'"
        deleted = self._rows(
            f"""SELECT name, experiment_id FROM experiments WHERE lifecycle_stage = 'deleted'
            AND (name = ? OR experiment_id IN ({ours}))
            AND NOT EXISTS (
                {ours} AND lifecycle_stage = 'active' AND runs.experiment_id IN ({active})
            )""",
            (layout.EXPERIMENT, layout.RUN_ID_TAG, layout.RUN_ID_TAG),
        )
        if deleted:
            restore = f"python -m mlflow experiments restore -x {deleted[-1]['experiment_id']}"
            raise StoredDataError(
                f"the experiment {deleted[-1]['name']} was deleted in MLflow, with its runs",
                where=str(self._path),
                cure=f"restore it (MLFLOW_TRACKING_URI={address(self._path)} {restore}), "
                "or move this file away to start anew",
            )
        self._rows("SELECT count(*) FROM metrics WHERE 0")

    def _runs(self) -> list[sqlite3.Row]:
        """One row per run id; should it have been recorded twice, a finished one, else the last.

        In whatever experiment: somebody may have renamed ours.
        """
        rows = self._rows(
            """SELECT tags.value AS run_id, runs.run_uuid, status, start_time, end_time,
            experiment_id
            FROM runs JOIN tags ON tags.run_uuid = runs.run_uuid AND tags.key = ?
            WHERE runs.lifecycle_stage = 'active'
            ORDER BY status = 'FINISHED', start_time, runs.rowid""",
            (layout.RUN_ID_TAG,),
        )
        for row in rows:
            refuse_odd_id(row["run_id"])
        best = {row["run_id"]: row for row in rows}
        return sorted(best.values(), key=lambda row: (row["start_time"], row["run_id"]))

    def _tags(self, wanted: set[str]) -> dict[str, dict[str, str]]:
        tags: dict[str, dict[str, str]] = {uuid: {} for uuid in wanted}
        for row in self._rows("SELECT run_uuid, key, value FROM tags WHERE key LIKE 'cadp.%'"):
            if row["run_uuid"] in wanted:
                if not isinstance(row["value"], str):
                    raise ValueError(f"tag {row['key']} is no text")
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
                points = list(group)
                steps = [row[2] for row in points]
                values = [math.nan if row[4] else row[3] for row in points]
                histories.setdefault(uuid, {})[key] = history_of(key, steps, values)
        return histories

    def _rows(
        self, query: str, values: tuple[object, ...] = (), *, as_tuples: bool = False
    ) -> list[Any]:
        # Not mode=ro: a writer killed in mid-transaction leaves a journal that the next reader
        # has to roll back. Nothing else is written, and a read-only file opens all the same.
        uri = self._path.resolve().as_uri() + "?mode=rw"
        with closing(sqlite3.connect(uri, uri=True, timeout=_BUSY_SECONDS)) as connection:
            if not as_tuples:
                connection.row_factory = sqlite3.Row
            return connection.execute(query, values).fetchall()


def record_of(
    row: Mapping[str, Any] | sqlite3.Row,
    tags: dict[str, str],
    histories: dict[str, History],
    where: str,
) -> RunRecord:
    """A record of what MLflow stores: run_id, status, start_time and end_time of `row`, our tags.

    Raises StoredDataError for settings of another run or version, and whatever else is not as we
    write it raises.
    """
    status = status_of(row["status"])
    is_open = status == "running" or not row["end_time"]
    return RunRecord(
        run_id=row["run_id"],
        status=status,
        spec=_spec(row["run_id"], tags[layout.SPEC_TAG], where),
        sittings=_sittings(tags),
        histories=histories,
        failure=_failure(status, tags),
        elapsed_seconds=_duration(tags.get(layout.ELAPSED_TAG)),
        started=_time(row["start_time"]),
        ended=None if is_open else _time(row["end_time"]),
        weights_sha256=tags.get(layout.WEIGHTS_TAG),
        origin=origin_of(tags),
    )


def summary_of(
    stored_status: str, tags: Mapping[str, str], latest: dict[str, tuple[int, float]]
) -> RunSummary:
    """A summary of what MLflow stores, from the tags named in it."""
    status = status_of(stored_status)
    seconds = _duration(tags.get(layout.ELAPSED_TAG))
    return RunSummary(status, _failure(status, tags), seconds, latest, origin_of(tags))


def _failure(status: Status, tags: Mapping[str, str]) -> str | None:
    return tags.get(layout.FAILURE_TAG) if status in ("failed", "pruned") else None


def _spec(run_id: str, text: str, where: str) -> RunSpec:
    where = f"{where}: run {run_id}"
    cure = f"read it with the version that wrote it, or {RUN_CURE}"
    try:
        spec = RunSpec.model_validate_json(text)
    except ValidationError as error:
        what = f"a stored run does not fit this version: {error.errors()[0]['msg']}"
        raise StoredDataError(what, where=where, cure=cure) from None
    if spec.run_id != run_id:
        what = "a stored run's settings have another id: altered, or of another version"
        raise StoredDataError(what, where=where, value=spec.run_id, cure=cure)
    return spec


def _sittings(tags: dict[str, str]) -> tuple[dict[str, str], ...]:
    """Every sitting's provenance; records of the first version have the last one's only."""
    stored = [key for key in sorted(tags) if key.startswith(layout.SITTING_PREFIX)]
    if stored:
        return tuple(_facts(json.loads(tags[key])) for key in stored)
    prefix = layout.PROVENANCE_PREFIX
    last = {
        key.removeprefix(prefix): value
        for key, value in sorted(tags.items())
        if key.startswith(prefix)
    }
    return (last,) if last else ()


def origin_of(tags: Mapping[str, str]) -> Origin | None:
    """The pack that a run came in; None if it was trained here."""
    return _origin(tags[layout.IMPORT_TAG]) if layout.IMPORT_TAG in tags else None


def _origin(tag: str) -> Origin:
    return Origin(**json.loads(tag))


def refuse_odd_id(run_id: object) -> None:
    """Raise ValueError for what is no id of a run of ours; ids become file names."""
    if not is_run_id(run_id):
        raise ValueError(f"{run_id!r:.40} is no run id")


def is_run_id(run_id: object) -> bool:
    """Whether this may be the id of a run of ours."""
    return isinstance(run_id, str) and _RUN_ID.fullmatch(run_id) is not None


def _facts(stored: dict[str, object]) -> dict[str, str]:
    return {str(key): str(value) for key, value in stored.items()}


def status_of(stored: str) -> Status:
    return _STATUS[stored]


def _time(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, tz=UTC)


def _duration(stored: str | None) -> float | None:
    if stored is None:
        return None
    seconds = float(stored)
    if not 0 <= seconds < math.inf:
        raise ValueError(f"a run took {stored} seconds")
    return seconds


def history_of(key: Any, stored_steps: list[Any], stored_values: list[Any]) -> History:
    """A history of what MLflow stores, by step; the last value of a step counts.

    Raises ValueError for a name that is no text, and entries that are no numbers.
    """
    if not isinstance(key, str):
        raise ValueError("a metric's name is no text")
    stored, values = np.array(stored_steps), np.array(stored_values)
    if stored.dtype.kind != "i" or values.dtype.kind not in "if":
        raise ValueError(f"metric {key} has entries that are no numbers")
    steps, values = stored.astype(np.int64), values.astype(np.float64)
    infinite = np.abs(values) > _LARGEST
    values[infinite] = np.copysign(np.inf, values[infinite])
    is_last_of_step = np.append(steps[1:] != steps[:-1], True)
    return steps[is_last_of_step], values[is_last_of_step]
