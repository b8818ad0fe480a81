"""Reading records from an MLflow tracking server, over its REST interface and without MLflow.

The same answers as `RecordStore`, of every run of ours that the server has: a server may be shared.
Runs come a thousand at a time, histories of a hundred runs at a time where the server knows how.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from suite.errors import CadpSuiteError, InputError, StoredDataError
from suite.records import layout
from suite.records.store import (
    History,
    RunRecord,
    RunSummary,
    Status,
    history_of,
    is_run_id,
    origin_of,
    record_of,
    refuse_odd_id,
    status_of,
    summary_of,
)
from suite.records.tracking import Connection, TrackingServer

_API, _PAGES_API = "/api/2.0/mlflow", "/ajax-api/2.0/mlflow"
_RUNS_A_PAGE = 1_000
# What one question for histories may name and gets at most; MLflow's limits.
_RUNS_AT_ONCE, _MOST_POINTS = 100, 25_000
# Up to so many runs are asked for one by one, instead of all that the server has.
_FEW_RUNS = 10
_MLFLOW_ID = re.compile(r"[0-9A-Za-z_-]{1,64}")
_RUN_CURE = "delete this run in MLflow: it is trained again"

# Step, value, time, as stored.
_Points = list[tuple[Any, Any, Any]]


class ServerStore:
    """The records of a tracking server, read only.

    Every method raises BusyError while the server is away, StoredDataError for answers and records
    that are not as they should be.
    """

    def __init__(self, server: TrackingServer) -> None:
        self._server = server
        self._connection = Connection(server)

    @classmethod
    def open(cls, server: TrackingServer) -> ServerStore:
        """The store of a server.

        Raises InputError if nothing was ever recorded there.
        """
        store = cls(server)
        if store.experiment_id() is None:
            cure = f"run a study first: cadp-suite run STUDY --tracking {server}"
            raise InputError("nothing has been recorded here", where=str(server), cure=cure)
        return store

    def experiment_id(self) -> str | None:
        """MLflow's id of the experiment that holds our runs; it may have been renamed.

        Raises StoredDataError if it was deleted: its runs would all be trained again.
        """
        named = (f"tags.`{layout.RECORDS_TAG}` = 'true'", f"name = '{layout.EXPERIMENT}'")
        for wanted in named:
            body = {"filter": wanted, "view_type": "ALL", "max_results": 100}
            answer = self._connection.post(f"{_API}/experiments/search", body)
            with self._boundary("list of experiments"):
                found = {
                    _mlflow_id(one["experiment_id"]): one["lifecycle_stage"] == "active"
                    for one in answer.get("experiments", [])
                }
            if active := [experiment for experiment, is_active in found.items() if is_active]:
                return min(active)
            if found:
                raise StoredDataError(
                    f"the experiment {layout.EXPERIMENT} was deleted in MLflow, with its runs",
                    where=str(self._server),
                    cure=f"restore it: mlflow experiments restore -x {min(found)}",
                )
        return None

    def statuses(self) -> dict[str, Status]:
        """Run id → status of every run."""
        return {row["run_id"]: status_of(row["status"]) for row in self._runs()}

    def mlflow_ids(self, run_ids: Collection[str] | None = None) -> dict[str, str]:
        """Run id → MLflow's own id, of every run or of these."""
        return {row["run_id"]: row["mlflow_id"] for row in self._runs(run_ids)}

    def tags(self, run_ids: Collection[str]) -> dict[str, dict[str, str]]:
        """Run id → all tags of the run, of those that have a record."""
        return {row["run_id"]: row["tags"] for row in self._runs(run_ids)}

    def without_metrics(self) -> set[str]:
        """Ids of runs that have no metric at all."""
        return {row["run_id"] for row in self._runs() if not row["latest"]}

    def histories(self, run_id: str) -> dict[str, History]:
        """Metric key → history of one run; nothing of a run that has no record."""
        (found,) = self._histories(self._runs([run_id])).values() or ({},)
        return found

    def times(self, run_ids: Collection[str] | None = None) -> dict[str, dict[int, int]]:
        """Run id → step → when it was measured, in milliseconds since 1970 (UTC)."""
        rows = self._runs(run_ids)
        ids = {row["mlflow_id"]: row["run_id"] for row in rows}
        times: dict[str, dict[int, int]] = {}
        for (mlflow_id, _), points in self._points(rows).items():
            for step, _, measured in points:
                if measured != step:
                    own = times.setdefault(ids[mlflow_id], {})
                    own[step] = max(measured, own.get(step, 0))
        return times

    def summaries(self) -> dict[str, RunSummary]:
        """Run id → summary of every run."""
        found = {}
        for row in self._runs():
            with self._boundary(f"record of run {row['run_id']}", _RUN_CURE):
                found[row["run_id"]] = summary_of(row["status"], row["tags"], row["latest"])
        return found

    def imported_without_weights(self) -> set[str]:
        """Ids of runs that came in a pack that had not their weights."""
        rows = self._runs()
        with self._boundary("list of runs"):
            origins = {row["run_id"]: origin_of(row["tags"]) for row in rows}
        return {run_id for run_id, one in origins.items() if one and not one.with_weights}

    def load(
        self, run_ids: Collection[str] | None = None, *, with_histories: bool = True
    ) -> list[RunRecord]:
        """The records of `run_ids` (of all runs when None), in order of their start.

        Ids without a record are left out.
        """
        rows = self._runs(run_ids)
        histories = self._histories(rows) if with_histories else {}
        records = []
        for row in rows:
            # Where a kill came while the run was begun.
            if layout.SPEC_TAG not in row["tags"] and status_of(row["status"]) == "running":
                continue
            with self._boundary(f"record of run {row['run_id']}", _RUN_CURE):
                own = histories.get(row["mlflow_id"], {})
                records.append(record_of(row, row["tags"], own, str(self._server)))
        return records

    def _runs(self, run_ids: Collection[str] | None = None) -> list[dict[str, Any]]:
        """One row per run id, in order of start; finished ones before others, then the last."""
        wanted = set() if run_ids is None else set(run_ids)
        filters = [f"tags.`{layout.RUN_ID_TAG}` != ''"]
        if run_ids is not None and len(wanted) <= _FEW_RUNS:
            ids = [run_id for run_id in sorted(wanted) if is_run_id(run_id)]
            filters = [f"tags.`{layout.RUN_ID_TAG}` = '{run_id}'" for run_id in ids]
        experiment = self.experiment_id()
        found = [row for one in filters if experiment for row in self._search(experiment, one)]
        found.sort(key=lambda row: (row["status"] == "FINISHED", row["start_time"]))
        best = {row["run_id"]: row for row in found}
        kept = (row for row in best.values() if run_ids is None or row["run_id"] in wanted)
        return sorted(kept, key=lambda row: (row["start_time"], row["run_id"]))

    def _search(self, experiment: str, wanted: str) -> Iterator[dict[str, Any]]:
        body = {"experiment_ids": [experiment], "filter": wanted, "max_results": _RUNS_A_PAGE}
        while True:
            answer = self._connection.post(f"{_API}/runs/search", body)
            with self._boundary("list of runs"):
                page = [_row(run) for run in answer.get("runs", [])]
            yield from page
            token = answer.get("next_page_token")
            if not token or not page:
                return
            body["page_token"] = token

    def _histories(self, rows: list[dict[str, Any]]) -> dict[str, dict[str, History]]:
        """MLflow's id → key → history."""
        histories: dict[str, dict[str, History]] = {row["mlflow_id"]: {} for row in rows}
        for (mlflow_id, key), points in self._points(rows).items():
            points.sort(key=lambda point: (point[0], point[2]))
            steps, values, _ = zip(*points, strict=True)
            with self._boundary("list of metrics"):
                histories[mlflow_id][key] = history_of(key, list(steps), list(values))
        return histories

    def _points(self, rows: list[dict[str, Any]]) -> dict[tuple[str, str], _Points]:
        """(MLflow's id, key) → every point that is stored of it."""
        points: dict[tuple[str, str], _Points] = {}
        for key in sorted({key for row in rows for key in row["latest"]}):
            with_key = [row["mlflow_id"] for row in rows if key in row["latest"]]
            for first in range(0, len(with_key), _RUNS_AT_ONCE):
                some = with_key[first : first + _RUNS_AT_ONCE]
                for mlflow_id, step, value, measured in self._points_of(key, some):
                    points.setdefault((mlflow_id, key), []).append((step, value, measured))
        return points

    def _points_of(self, key: str, mlflow_ids: list[str]) -> list[tuple[str, Any, Any, Any]]:
        """Of several runs at once; half of them at a time where an answer would not hold all."""
        parameters = [("run_id", one) for one in mlflow_ids] + [("metric_key", key)]
        parameters.append(("max_results", str(_MOST_POINTS)))
        answer = self._connection.get(f"{_PAGES_API}/metrics/get-history-bulk", parameters)
        with self._boundary("list of metrics"):
            stored = [_point(one, one["run_id"]) for one in answer.get("metrics", [])]
            if not {one[0] for one in stored} <= set(mlflow_ids):
                raise ValueError("points of other runs than were asked for")
        if len(stored) < _MOST_POINTS:
            return stored
        if len(mlflow_ids) == 1:
            return list(self._points_in_pages(key, mlflow_ids[0]))
        half = len(mlflow_ids) // 2
        return self._points_of(key, mlflow_ids[:half]) + self._points_of(key, mlflow_ids[half:])

    def _points_in_pages(self, key: str, mlflow_id: str) -> Iterable[tuple[str, Any, Any, Any]]:
        parameters = {"run_id": mlflow_id, "metric_key": key, "max_results": str(_MOST_POINTS)}
        while True:
            answer = self._connection.get(f"{_API}/metrics/get-history", parameters)
            with self._boundary("list of metrics"):
                page = [_point(one, mlflow_id) for one in answer.get("metrics", [])]
            yield from page
            token = answer.get("next_page_token")
            if not token or not page:
                return
            parameters["page_token"] = token

    @contextmanager
    def _boundary(
        self, what: str, cure: str = "see to the server and its version"
    ) -> Iterator[None]:
        """Whatever an answer lacks or has instead, as one line."""
        try:
            yield
        except CadpSuiteError:
            raise
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"[:200]
            what = f"the {what} cannot be read: {reason}"
            raise StoredDataError(what, where=str(self._server), cure=cure) from error


def _row(run: dict[str, Any]) -> dict[str, Any]:
    """What a search tells of a run, as columns of `RecordStore` are called."""
    info, data = run["info"], run.get("data", {})
    tags = {_text(tag["key"]): _text(tag["value"]) for tag in data.get("tags", [])}
    refuse_odd_id(tags[layout.RUN_ID_TAG])
    status_of(info["status"])
    return {
        "run_id": tags[layout.RUN_ID_TAG],
        "mlflow_id": _mlflow_id(info["run_id"]),
        "status": _text(info["status"]),
        "start_time": _whole(info["start_time"]),
        "end_time": _whole(info.get("end_time", 0)),
        "tags": tags,
        "latest": {_text(metric["key"]): _last(metric) for metric in data.get("metrics", [])},
    }


def _last(metric: dict[str, Any]) -> tuple[int, float]:
    _, step, value, _ = _point(metric, "latest")
    return step, value


def _point(stored: dict[str, Any], mlflow_id: str) -> tuple[str, int, float, int]:
    value = stored.get("value", 0.0)
    if isinstance(value, str):
        value = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}[value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"a metric's value is {value!r:.40}")
    step, measured = _whole(stored.get("step", 0)), _whole(stored["timestamp"])
    return _mlflow_id(mlflow_id), step, float(value), measured


def _mlflow_id(stored: object) -> str:
    if not isinstance(stored, str) or not _MLFLOW_ID.fullmatch(stored):
        raise ValueError(f"{stored!r:.40} is no id of MLflow's")
    return stored


def _text(stored: object) -> str:
    if not isinstance(stored, str):
        raise ValueError(f"{stored!r:.40} is no text")
    return stored


def _whole(stored: object) -> int:
    """JSON of protocol buffers writes large numbers as text."""
    if isinstance(stored, str) and re.fullmatch(r"-?\d{1,19}", stored):
        stored = int(stored)
    if type(stored) is not int or abs(stored) >= 2**63:
        raise ValueError(f"{stored!r:.40} is no whole number")
    return stored
