"""Writing records: one MLflow run per run, in SQLite, by one process at a time.

Metric timestamps are the step, so that logging a point twice leaves one point. NaN is stored as
MLflow stores it (a flag beside the value); infinities become ±1.8e308, MLflow's own rule, which
`suite.records.store` turns back.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from suite.errors import StoredDataError
from suite.records import layout
from suite.records.store import RecordStore
from suite.study.run import RunSpec

# MLflow refuses larger batches.
_LARGEST_BATCH = 1_000

Point = tuple[str, int, float] | Sequence[Any]


class RecordWriter:
    """The record database of a runs directory, created when absent.

    Not for several processes at once: SQLite would make them wait for one another, and the
    creation must happen once (the coordinator holds the directory's lock).
    """

    def __init__(self, runs_dir: Path) -> None:
        mlflow_client, self._error_types = _import_mlflow()
        self._path = layout.database_path(runs_dir)
        if self._path.exists():
            # MLflow would fill an empty or foreign database with its tables.
            RecordStore.open(runs_dir)
        else:
            self._create(mlflow_client)
        with self._translated():
            self._client = mlflow_client(tracking_uri=_uri(self._path))
            experiment = self._client.get_experiment_by_name(layout.EXPERIMENT)
            if experiment is None:
                self._experiment_id = self._client.create_experiment(layout.EXPERIMENT)
            else:
                self._experiment_id = experiment.experiment_id
        self._mlflow_ids = RecordStore.open(runs_dir).mlflow_ids()

    def begin(self, spec: RunSpec, provenance: Mapping[str, str], *, resuming: bool) -> None:
        """Record that a run is being trained.

        resuming: it continues from a checkpoint, so its earlier points stay. Otherwise what an
        earlier attempt left is set aside (MLflow keeps it as a deleted run).
        """
        from mlflow.entities import Param, RunTag

        run_id = spec.run_id
        tags = {layout.PROVENANCE_PREFIX + key: value for key, value in provenance.items()}
        tags |= {layout.SPEC_TAG: spec.model_dump_json(), layout.ARM_TAG: spec.arm}
        with self._translated():
            if run_id in self._mlflow_ids and not resuming:
                self._client.delete_run(self._mlflow_ids.pop(run_id))
            if run_id in self._mlflow_ids:
                self._client.update_run(self._mlflow_ids[run_id], status="RUNNING")
            else:
                self._mlflow_ids[run_id] = self._create_run(spec)
            self._client.log_batch(
                self._mlflow_ids[run_id],
                params=[Param(key, str(value)) for key, value in _flat(spec).items()],
                tags=[RunTag(key, value) for key, value in tags.items()],
            )

    def log(self, run_id: str, points: Sequence[Point]) -> None:
        """Store metric points `(key, step, value)`; storing a point again changes nothing."""
        from mlflow.entities import Metric

        metrics = [Metric(key, float(value), int(step), int(step)) for key, step, value in points]
        for first in range(0, len(metrics), _LARGEST_BATCH):
            batch = metrics[first : first + _LARGEST_BATCH]
            with self._translated():
                self._client.log_batch(self._mlflow_ids[run_id], metrics=batch)

    def finish(self, run_id: str, elapsed_seconds: float) -> None:
        """Record that a run is complete; it will not be trained again."""
        self._end(run_id, "FINISHED", layout.ELAPSED_TAG, f"{elapsed_seconds:.3f}")

    def fail(self, run_id: str, traceback: str) -> None:
        """Record that a run failed and why; the next invocation tries it again."""
        tail = traceback.strip()[-layout.LONGEST_TAG :]
        self._end(run_id, "FAILED", layout.FAILURE_TAG, tail)

    def _end(self, run_id: str, status: str, tag: str, value: str) -> None:
        """The tag first: a run is never seen ended without it."""
        with self._translated():
            self._client.set_tag(self._mlflow_ids[run_id], tag, value)
            self._client.set_terminated(self._mlflow_ids[run_id], status)

    def _create_run(self, spec: RunSpec) -> str:
        name = f"{spec.arm} {spec.scenario} seed {spec.seed}"
        tags = {layout.RUN_ID_TAG: spec.run_id}
        run = self._client.create_run(self._experiment_id, tags=tags, run_name=name)
        return str(run.info.run_id)

    def _create(self, mlflow_client: Any) -> None:
        """Build the database beside its place and move it there: no one ever sees half of one."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self._path.with_suffix(".creating")
        unfinished.unlink(missing_ok=True)
        with self._translated():
            mlflow_client(tracking_uri=_uri(unfinished)).create_experiment(layout.EXPERIMENT)
        unfinished.replace(self._path)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """MLflow's and SQLite's exceptions as one of ours."""
        try:
            yield
        except self._error_types as error:
            raise _unusable(self._path, error) from error


def _import_mlflow() -> tuple[Any, tuple[type[Exception], ...]]:
    """MLflow's client, telemetry and chatter off; imported late because it takes seconds."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("DO_NOT_TRACK", "true")
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    from mlflow.exceptions import MlflowException
    from mlflow.tracking import MlflowClient
    from sqlalchemy.exc import SQLAlchemyError

    # Importing MLflow configures its loggers anew. Its errors reach us as exceptions too.
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return MlflowClient, (MlflowException, SQLAlchemyError)


def _uri(path: Path) -> str:
    return f"sqlite:///{path.resolve()}"


def _unusable(path: Path, error: Exception) -> StoredDataError:
    """MLflow's and SQLite's complaints as one line."""
    reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
    if "upgrade" in str(error):
        cure = f"back the file up and run: mlflow db upgrade {_uri(path)}"
        return StoredDataError("made by another MLflow version", where=str(path), cure=cure)
    cure = "restore it from a backup, or move it away to start anew"
    if "locked" in reason:
        cure = "close other programs that use it and give the same command again"
    return StoredDataError(f"cannot be used: {reason}", where=str(path), cure=cure)


def _flat(spec: RunSpec) -> dict[str, Any]:
    """Parameters for MLflow: nested tables as dotted names, without the arm's label."""
    flat: dict[str, Any] = {}
    for key, value in spec.model_dump(mode="json", exclude={"arm"}).items():
        if isinstance(value, dict):
            flat |= {f"{key}.{inner}": item for inner, item in value.items()}
        else:
            flat[key] = value
    return flat
