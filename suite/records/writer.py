"""Writing records: one MLflow run per run, in SQLite, by one process at a time.

A point is stored with the time at which it was measured. Told again it is one point: with the same
time MLflow itself stores it once; measured again, by a run that resumes from before it, it is left
out. NaN is stored as MLflow stores it (a flag beside the value); infinities become ±1.8e308,
MLflow's own rule, which `suite.records.store` turns back. Every method can be given again after a
BusyError: what a first attempt has done already is not done twice.
"""

from __future__ import annotations

import json
import logging
import math
import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from suite.algorithms.registry import run_point
from suite.errors import StoredDataError
from suite.records import layout
from suite.records.database import address, boundary, created_aside
from suite.records.parents import parent_name, parent_tags
from suite.records.store import History, RecordStore
from suite.runs.directory import RunsDirectory
from suite.runs.spec import RunSpec
from suite.study.plan import Plan

# MLflow refuses larger batches.
_LARGEST_BATCH = 1_000
_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_CURE = "restore it from a backup, or move it away to start anew"

# Key, step, value and, where that is known, when it was measured: milliseconds since 1970 (UTC).
Point = tuple[str, int, float] | tuple[str, int, float, int] | Sequence[Any]


class RecordWriter:
    """The record database of a runs directory, created when absent.

    plan: the study and profile whose runs are recorded; they get a parent run in MLflow.

    Not for several processes at once: SQLite would make them wait for one another, and the
    creation must happen once (the coordinator holds the directory's lock).

    Raises StoredDataError for a database that is damaged, of another MLflow, or whose experiment
    was deleted; BusyError while another program holds it.
    """

    def __init__(self, runs_dir: Path, plan: Plan | None = None) -> None:
        mlflow_client = _import_mlflow()
        self._path = RunsDirectory(runs_dir).records_path
        if not self._path.exists():
            self._create(mlflow_client)
        # First: MLflow would fill an empty or foreign database with its tables.
        store = RecordStore.open(runs_dir)
        with self._boundary():
            self._client = mlflow_client(tracking_uri=address(self._path))
            self._experiment_id = store.experiment_id() or self._experiment_by_name()
        self._mlflow_ids = store.mlflow_ids()
        self._store = store
        self._known: dict[str, dict[str, History]] = {}  # what a resumed run had measured before
        self._parent_id = None if plan is None else self._parent(plan)

    def begin(self, spec: RunSpec, provenance: Mapping[str, str], *, resuming: bool) -> None:
        """Record that a run is being trained, from now on with this provenance: a sitting.

        resuming: it continues from a checkpoint, so its earlier points and sittings stay.
        Otherwise what an earlier attempt left is set aside (MLflow keeps it as a deleted run).
        """
        from mlflow.entities import Param, RunTag

        run_id = spec.run_id
        tags = {layout.PROVENANCE_PREFIX + key: value for key, value in provenance.items()}
        tags |= {layout.SPEC_TAG: spec.model_dump_json(), layout.ARM_TAG: spec.arm}
        tags |= self._tags_for_pages(provenance)
        self._known[run_id] = self._store.histories(run_id) if resuming else {}
        with self._boundary():
            if run_id in self._mlflow_ids and not resuming:
                self._client.delete_run(self._mlflow_ids[run_id])
                del self._mlflow_ids[run_id]
            if run_id in self._mlflow_ids:
                self._client.update_run(self._mlflow_ids[run_id], status="RUNNING")
            else:
                self._mlflow_ids[run_id] = self._create_run(spec, tags)
            tags[self._next_sitting(run_id)] = json.dumps(dict(provenance), sort_keys=True)
            self._client.log_batch(
                self._mlflow_ids[run_id],
                params=[Param(key, str(value)) for key, value in _flat(spec).items()],
                tags=[RunTag(key, value) for key, value in tags.items()],
            )

    def sittings(self, run_id: str, known: Sequence[Mapping[str, str]]) -> None:
        """Record all sittings that took part in a run, as its checkpoint knows them, in order.

        Records may lack some: they lag behind a checkpoint, and may be lost while it stays.
        """
        from mlflow.entities import RunTag

        tags = [
            RunTag(f"{layout.SITTING_PREFIX}{n:05d}", json.dumps(dict(sitting), sort_keys=True))
            for n, sitting in enumerate(known)
        ]
        with self._boundary():
            stored = self._client.get_run(self._mlflow_ids[run_id]).data.tags
            # A sitting that ended before its first checkpoint left nothing in the run.
            for key in stored:
                if key.startswith(layout.SITTING_PREFIX) and key not in {tag.key for tag in tags}:
                    self._client.delete_tag(self._mlflow_ids[run_id], key)
            self._client.log_batch(self._mlflow_ids[run_id], tags=tags)

    def log(self, run_id: str, points: Sequence[Point]) -> None:
        """Store metric points; storing a point again changes nothing.

        A point without its time gets its step instead, as all had in earlier versions.
        """
        from mlflow.entities import Metric

        known = self._known.get(run_id, {})
        metrics = [
            Metric(key, float(value), int(measured[0] if measured else step), int(step))
            for key, step, value, *measured in points
            if not _is_known(known.get(key), step, value)
        ]
        for first in range(0, len(metrics), _LARGEST_BATCH):
            batch = metrics[first : first + _LARGEST_BATCH]
            with self._boundary():
                self._client.log_batch(self._mlflow_ids[run_id], metrics=batch)

    def finish(self, run_id: str, elapsed_seconds: float, weights_sha256: str) -> None:
        """Record that a run is complete; it will not be trained again."""
        tags = {
            layout.ELAPSED_TAG: f"{elapsed_seconds:.3f}",
            layout.WEIGHTS_TAG: weights_sha256,
        }
        self._end(run_id, "FINISHED", tags)

    def fail(self, run_id: str, traceback: str) -> None:
        """Record that a run failed and why; the next invocation tries it again."""
        tail = traceback.strip()[-layout.LONGEST_TAG :]
        self._end(run_id, "FAILED", {layout.FAILURE_TAG: tail})

    def prune(self, run_id: str, reason: str) -> None:
        """Record that a run was ended before its time, and why."""
        self._end(run_id, "KILLED", {layout.FAILURE_TAG: reason})

    def _end(self, run_id: str, status: str, tags: Mapping[str, str]) -> None:
        """The tags first: a run is never seen ended without them."""
        with self._boundary():
            for tag, value in tags.items():
                self._client.set_tag(self._mlflow_ids[run_id], tag, value)
            self._client.set_terminated(self._mlflow_ids[run_id], status)
        self._known.pop(run_id, None)

    def _parent(self, plan: Plan) -> str:
        """MLflow's id of the parent of a plan's runs, which is made where there is none yet."""
        from mlflow.entities import RunTag

        own = (layout.STUDY_TAG, plan.study.name), (layout.PROFILE_TAG, plan.profile_name)
        wanted = " and ".join(f"tags.`{tag}` = '{name}'" for tag, name in own)
        tags = parent_tags(plan)
        with self._boundary():
            found = self._client.search_runs([self._experiment_id], wanted, max_results=1)
            if found:
                parent_id = str(found[0].info.run_id)
                changed = [RunTag(key, value) for key, value in tags.items()]
                self._client.log_batch(parent_id, tags=changed)
                return parent_id
            name = parent_name(plan)
            run = self._client.create_run(self._experiment_id, tags=tags, run_name=name)
            # A heading is never at work: no kill leaves it running.
            self._client.set_terminated(run.info.run_id)
            return str(run.info.run_id)

    def _tags_for_pages(self, provenance: Mapping[str, str]) -> dict[str, str]:
        """What MLflow's own pages show: parent, program, commit."""
        tags = {layout.SOURCE_TAG: layout.SOURCE}
        if self._parent_id is not None:
            tags[layout.PARENT_TAG] = self._parent_id
        commit = provenance.get("git_commit", "")
        return {**tags, layout.COMMIT_TAG: commit} if _COMMIT.fullmatch(commit) else tags

    def _create_run(self, spec: RunSpec, tags: Mapping[str, str]) -> str:
        """Called `cadp_qmix skirmish/3m α=0.5 T=70,000 seed 1`."""
        parts = (spec.arm, spec.scenario, run_point(spec), f"seed {spec.seed}")
        name = " ".join(part for part in parts if part)
        tags = {layout.RUN_ID_TAG: spec.run_id, **tags}
        run = self._client.create_run(self._experiment_id, tags=tags, run_name=name)
        return str(run.info.run_id)

    def _next_sitting(self, run_id: str) -> str:
        stored = self._client.get_run(self._mlflow_ids[run_id]).data.tags
        n_sittings = sum(key.startswith(layout.SITTING_PREFIX) for key in stored)
        return f"{layout.SITTING_PREFIX}{n_sittings:05d}"

    def _experiment_by_name(self) -> str:
        """Of a database that holds no run of ours yet."""
        experiment = self._client.get_experiment_by_name(layout.EXPERIMENT)
        if experiment is None:
            return _create_experiment(self._client)
        return str(experiment.experiment_id)

    def _create(self, mlflow_client: Any) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._boundary(), created_aside(self._path) as unfinished:
            _create_experiment(mlflow_client(tracking_uri=address(unfinished)))

    @contextmanager
    def _boundary(self) -> Iterator[None]:
        """MLflow's and SQLite's exceptions as one of ours."""
        with boundary(self._path, "cannot be used", _CURE):
            try:
                yield
            except Exception as error:
                if "out-of-date database schema" in str(error):
                    raise _other_schema(self._path, str(error)) from error
                if "must be in the 'active' state" in str(error):
                    cure = "restore the experiment there and give the same command again"
                    what = "the experiment was deleted in MLflow"
                    raise StoredDataError(what, where=str(self._path), cure=cure) from error
                raise


def _create_experiment(client: Any) -> str:
    return str(client.create_experiment(layout.EXPERIMENT, tags=layout.EXPERIMENT_TAGS))


def _import_mlflow() -> Any:
    """MLflow's client, telemetry and chatter off; imported late because it takes seconds."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("DO_NOT_TRACK", "true")
    try:
        Path.home()
    except RuntimeError:  # a container's user without a name; MLflow asks at import
        os.environ["HOME"] = tempfile.gettempdir()
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    from mlflow.tracking import MlflowClient

    # Importing MLflow configures its loggers anew. Its errors reach us as exceptions too.
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return MlflowClient


def _other_schema(path: Path, message: str) -> StoredDataError:
    """MLflow calls every schema but its own out of date; a newer one it does not know at all."""
    found = message.partition("found version ")[2].partition(",")[0].strip()
    if found == "None":
        return StoredDataError("has no schema version", where=str(path), cure=_CURE)
    known = files("mlflow.store.db_migrations").joinpath("versions").iterdir()
    if any(script.name.startswith(f"{found}_") for script in known):
        cure = f"back the file up and run: mlflow db upgrade {address(path)}"
        return StoredDataError("made by an older MLflow", where=str(path), cure=cure)
    cure = (
        "install the MLflow that wrote it (pip install --upgrade mlflow-skinny), or use another "
        "--runs-dir"
    )
    what = "made by a newer MLflow than is installed"
    return StoredDataError(what, where=str(path), value=found, cure=cure)


def _is_known(history: History | None, step: int, value: float) -> bool:
    """Whether a history has this very value at this step."""
    if history is None:
        return False
    steps, values = history
    place = int(np.searchsorted(steps, step))
    if place == len(steps) or steps[place] != step:
        return False
    return bool(values[place] == value or (np.isnan(values[place]) and math.isnan(value)))


def _flat(spec: RunSpec) -> dict[str, Any]:
    """Parameters for MLflow: nested tables as dotted names, without the arm's label."""
    flat: dict[str, Any] = {}
    for key, value in spec.model_dump(mode="json", exclude={"arm"}).items():
        if isinstance(value, dict):
            flat |= {f"{key}.{inner}": item for inner, item in value.items()}
        else:
            flat[key] = value
    return flat
