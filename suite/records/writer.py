"""Writing records: one MLflow run per run, in a runs directory or on a tracking server.

A point is stored with the time at which it was measured. Told again it is one point: with the same
time MLflow itself stores it once; measured again, by a run that resumes from before it, it is left
out. NaN is stored as MLflow stores it (a flag beside the value); infinities become ±1.8e308,
MLflow's own rule, which `suite.records.store` turns back. Every method can be given again after a
BusyError: what a first attempt has done already is not done twice.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from suite.algorithms.registry import run_point
from suite.records import layout
from suite.records.homes import FolderHome, Home, ServerHome
from suite.records.parents import parent_name, parent_tags
from suite.records.store import History
from suite.records.tracking import TrackingServer
from suite.runs.spec import RunSpec
from suite.study.plan import Plan
from suite.text import redacted

# MLflow refuses larger batches.
_LARGEST_BATCH, _MOST_TAGS = 1_000, 100
_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")

# Key, step, value and, where that is known, when it was measured: milliseconds since 1970 (UTC).
Point = tuple[str, int, float] | tuple[str, int, float, int] | Sequence[Any]


class RecordWriter:
    """The records of a runs directory or a tracking server, made where there are none.

    place: a runs directory, for one process at a time: SQLite would make several wait for one
    another, and its database must be made once (the coordinator holds the directory's lock). Or a
    server, for any number of processes, each with runs of its own.
    plan: the study and profile whose runs are recorded; they get a parent run in MLflow.

    Raises StoredDataError for records that are damaged, of another MLflow, or whose experiment was
    deleted; BusyError while another program holds the database or the server is away.
    """

    def __init__(self, place: Path | TrackingServer, plan: Plan | None = None) -> None:
        self._home: Home
        if isinstance(place, TrackingServer):
            self._home = ServerHome(place)
        else:
            self._home = FolderHome(place)
        self._client, self._store, self._experiment_id = self._home.open()
        # Of a folder we are the only writer; on a server others may begin and end runs meanwhile.
        self._mlflow_ids: dict[str, str] = {} if self._home.is_shared else self._store.mlflow_ids()
        self._known: dict[str, dict[str, History]] = {}  # what a resumed run had measured before
        self._parent_id = None if plan is None else self._parent(plan)

    def begin(self, spec: RunSpec, provenance: Mapping[str, str], *, resuming: bool) -> None:
        """Record that a run is being trained, from now on with this provenance: a sitting.

        resuming: it continues from a checkpoint, so its earlier points and sittings stay.
        Otherwise what an earlier attempt left is set aside (MLflow keeps it as a deleted run).
        """
        from mlflow.entities import Param, RunTag

        run_id = spec.run_id
        tags = {
            layout.PROVENANCE_PREFIX + key: redacted(value) for key, value in provenance.items()
        }
        tags |= {layout.SPEC_TAG: spec.model_dump_json(), layout.ARM_TAG: spec.arm}
        tags |= self._tags_for_pages(provenance)
        self._known[run_id] = self._store.histories(run_id) if resuming else {}
        self._look_up(run_id)
        with self._home.boundary():
            if run_id in self._mlflow_ids and not resuming:
                self._client.delete_run(self._mlflow_ids[run_id])
                del self._mlflow_ids[run_id]
            if run_id in self._mlflow_ids:
                self._client.update_run(self._mlflow_ids[run_id], status="RUNNING")
            else:
                self._mlflow_ids[run_id] = self._create_run(spec, tags)
            sitting = _as_json(provenance)
            tags[self._next_sitting(run_id, sitting)] = sitting
            self._client.log_batch(
                self._mlflow_ids[run_id],
                params=[Param(key, str(value)) for key, value in flat_parameters(spec).items()],
                tags=[RunTag(key, value) for key, value in tags.items()],
            )

    def sittings(self, run_id: str, known: Sequence[Mapping[str, str]]) -> None:
        """Record all sittings that took part in a run, as its checkpoint knows them, in order.

        Records may lack some: they lag behind a checkpoint, and may be lost while it stays.
        """
        from mlflow.entities import RunTag

        tags = [
            RunTag(f"{layout.SITTING_PREFIX}{n:05d}", _as_json(sitting))
            for n, sitting in enumerate(known)
        ]
        with self._home.boundary():
            stored = self._client.get_run(self._mlflow_ids[run_id]).data.tags
            # A sitting that ended before its first checkpoint left nothing in the run.
            for key in stored:
                if key.startswith(layout.SITTING_PREFIX) and key not in {tag.key for tag in tags}:
                    self._client.delete_tag(self._mlflow_ids[run_id], key)
            for first in range(0, len(tags), _MOST_TAGS):
                some = tags[first : first + _MOST_TAGS]
                self._client.log_batch(self._mlflow_ids[run_id], tags=some)

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
            with self._home.boundary():
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
        tail = redacted(traceback.strip())[-layout.LONGEST_TAG :]
        self._end(run_id, "FAILED", {layout.FAILURE_TAG: tail})

    def prune(self, run_id: str, reason: str) -> None:
        """Record that a run was ended before its time, and why."""
        self._end(run_id, "KILLED", {layout.FAILURE_TAG: redacted(reason)})

    def _end(self, run_id: str, status: str, tags: Mapping[str, str]) -> None:
        """The tags first: a run is never seen ended without them."""
        from mlflow.entities import RunTag

        with self._home.boundary():
            ending = [RunTag(key, value) for key, value in tags.items()]
            self._client.log_batch(self._mlflow_ids[run_id], tags=ending)
            self._client.set_terminated(self._mlflow_ids[run_id], status)
        self._known.pop(run_id, None)

    def _parent(self, plan: Plan) -> str:
        """MLflow's id of the parent of a plan's runs, which is made where there is none yet."""
        from mlflow.entities import RunTag

        own = (layout.STUDY_TAG, plan.study.name), (layout.PROFILE_TAG, plan.profile_name)
        wanted = " and ".join(f"tags.`{tag}` = '{name}'" for tag, name in own)
        tags = parent_tags(plan)
        with self._home.boundary():
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
        tags = {layout.RUN_ID_TAG: spec.run_id, **tags}
        run = self._client.create_run(self._experiment_id, tags=tags, run_name=run_name(spec))
        return str(run.info.run_id)

    def _look_up(self, run_id: str) -> None:
        """Find a run that others, or an attempt whose answer was lost, may have begun."""
        if self._home.is_shared:
            self._mlflow_ids.pop(run_id, None)
            self._mlflow_ids |= self._store.mlflow_ids([run_id])

    def _next_sitting(self, run_id: str, sitting: str) -> str:
        """The tag for one more sitting; the last one's, should this have been stored already."""
        stored = self._client.get_run(self._mlflow_ids[run_id]).data.tags
        keys = sorted(key for key in stored if key.startswith(layout.SITTING_PREFIX))
        if keys and stored[keys[-1]] == sitting:
            return str(keys[-1])
        return f"{layout.SITTING_PREFIX}{len(keys):05d}"


def _as_json(sitting: Mapping[str, str]) -> str:
    """Provenance as it is stored: without passwords that its addresses may have."""
    plain = {key: redacted(value) for key, value in sitting.items()}
    return json.dumps(plain, sort_keys=True)


def _is_known(history: History | None, step: int, value: float) -> bool:
    """Whether a history has this very value at this step."""
    if history is None:
        return False
    steps, values = history
    place = int(np.searchsorted(steps, step))
    if place == len(steps) or steps[place] != step:
        return False
    return bool(values[place] == value or (np.isnan(values[place]) and math.isnan(value)))


def run_name(spec: RunSpec) -> str:
    """`cadp_qmix skirmish/3m α=0.5 T=70,000 seed 1`."""
    parts = (spec.arm, spec.scenario, run_point(spec), f"seed {spec.seed}")
    return " ".join(part for part in parts if part)


def flat_parameters(spec: RunSpec) -> dict[str, Any]:
    """Parameters for MLflow: nested tables as dotted names, without the arm's label."""
    flat: dict[str, Any] = {}
    for key, value in spec.model_dump(mode="json", exclude={"arm"}).items():
        if isinstance(value, dict):
            flat |= {f"{key}.{inner}": item for inner, item in value.items()}
        else:
            flat[key] = value
    return flat
