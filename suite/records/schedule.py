"""What was proposed, read without Optuna: runs that wait, go on or have ended, points of searches.

Optuna's database is read directly, as `suite.records.store` reads MLflow's. One Optuna study per
study × profile holds its runs, a trial each; one per search holds its points.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from suite.errors import StoredDataError
from suite.records import layout
from suite.records.database import boundary
from suite.runs.directory import RunsDirectory
from suite.runs.spec import RunSpec

ProposalState = Literal["waiting", "running", "complete", "failed", "pruned"]
_STATE: dict[str, ProposalState] = {
    "WAITING": "waiting",
    "RUNNING": "running",
    "COMPLETE": "complete",
    "FAIL": "failed",
    "PRUNED": "pruned",
}
CURE = "move it away and give the same command again: it is built anew from the records"
_BUSY_SECONDS = 10


@dataclass(frozen=True)
class ScheduledRun:
    """One attempt at a run. trial_id, number: Optuna's. reason: why it failed, or was given up."""

    trial_id: int
    number: int
    state: ProposalState
    run_id: str
    attempt: int
    reason: str | None
    _stored: str = field(repr=False)

    @property
    def document(self) -> dict[str, Any]:
        """The run's specification as plain containers."""
        return dict(json.loads(self._stored))

    @property
    def spec(self) -> RunSpec:
        """The run."""
        return RunSpec.model_validate_json(self._stored)


@dataclass(frozen=True)
class SearchPoint:
    """One point of a search, as Optuna numbers them.

    parameters: name → value as sampled. values: one per objective, empty until it is complete.
    run_ids: its runs, in the order of the seeds. intermediate: step → value, told to a pruner.
    """

    trial_id: int
    number: int
    state: ProposalState
    values: tuple[float, ...]
    parameters: Mapping[str, Any]
    run_ids: tuple[str, ...]
    intermediate: Mapping[int, float]
    reason: str | None
    started: datetime | None
    ended: datetime | None


@dataclass(frozen=True)
class StoredSearch:
    """One search: scenario × arm. key: of its `SearchSpace`.

    attributes: what was recorded of it, as plain containers.
    """

    name: str
    key: str
    scenario: str
    arm: str
    attributes: Mapping[str, Any]
    points: tuple[SearchPoint, ...]


class ScheduleStore:
    """The schedule of a runs directory, read only; empty where nothing was proposed.

    Every method raises StoredDataError for a damaged database, and BusyError while another program
    holds it.
    """

    def __init__(self, runs_dir: Path) -> None:
        self._path = RunsDirectory(runs_dir).schedule_path

    def runs(self, schedule: str) -> list[ScheduledRun]:
        """Every attempt at a run of a study × profile (`layout.schedule_name`), in order."""
        if not self._path.exists():
            return []
        with self._boundary(), closing(self._connect()) as connection:
            found = []
            for trial_id, number, state, attributes in _trials(connection, schedule):
                if layout.SCHEDULED_ID not in attributes:
                    continue  # of a version that had none
                found.append(
                    ScheduledRun(
                        trial_id=trial_id,
                        number=number,
                        state=_STATE[state],
                        run_id=str(json.loads(attributes[layout.SCHEDULED_ID])),
                        attempt=int(json.loads(attributes.get(layout.ATTEMPT, "1"))),
                        reason=_text(attributes.get(layout.REASON)),
                        _stored=str(json.loads(attributes[layout.SCHEDULED_RUN])),
                    )
                )
            return found

    def without_run(self, schedule: str) -> list[int]:
        """Optuna's ids of open trials that stand for no run: an older version left them."""
        if not self._path.exists():
            return []
        with self._boundary(), closing(self._connect()) as connection:
            return [
                trial_id
                for trial_id, _, state, attributes in _trials(connection, schedule)
                if layout.SCHEDULED_ID not in attributes and _STATE[state] in ("waiting", "running")
            ]

    def searches(self, schedule: str) -> list[StoredSearch]:
        """Every search of a study × profile, in the order in which they were begun."""
        if not self._path.exists():
            return []
        with self._boundary(), closing(self._connect()) as connection:
            query = """SELECT study_name, study_id FROM studies JOIN study_user_attributes
                USING (study_id) WHERE key = ? AND value_json = ? ORDER BY study_id"""
            named = connection.execute(query, (layout.SEARCH_OF, json.dumps(schedule))).fetchall()
            return [_search(connection, name, study_id) for name, study_id in named]

    def _connect(self) -> sqlite3.Connection:
        uri = self._path.resolve().as_uri() + "?mode=rw"
        return sqlite3.connect(uri, uri=True, timeout=_BUSY_SECONDS)

    def _boundary(self) -> AbstractContextManager[None]:
        return boundary(self._path, "the schedule cannot be used", CURE)


def _trials(
    connection: sqlite3.Connection, study: str
) -> list[tuple[int, int, str, dict[str, str]]]:
    """(Id, number, state, user attributes as JSON) of every trial of an Optuna study, in order."""
    where = "study_id IN (SELECT study_id FROM studies WHERE study_name = ?)"
    attributes: dict[int, dict[str, str]] = {}
    query = f"""SELECT trial_id, key, value_json FROM trial_user_attributes
        WHERE trial_id IN (SELECT trial_id FROM trials WHERE {where})"""
    for trial_id, key, value in connection.execute(query, (study,)):
        attributes.setdefault(trial_id, {})[key] = value
    query = f"SELECT trial_id, number, state FROM trials WHERE {where} ORDER BY number"
    rows = connection.execute(query, (study,)).fetchall()
    return [
        (int(trial_id), int(number), state, attributes.get(trial_id, {}))
        for trial_id, number, state in rows
    ]


def _search(connection: sqlite3.Connection, name: str, study_id: int) -> StoredSearch:
    query = "SELECT key, value_json FROM study_user_attributes WHERE study_id = ?"
    attributes = {key: json.loads(value) for key, value in connection.execute(query, (study_id,))}
    ours = "trial_id IN (SELECT trial_id FROM trials WHERE study_id = ?)"
    parameters: dict[int, dict[str, Any]] = {}
    query = f"""SELECT trial_id, param_name, param_value, distribution_json FROM trial_params
        WHERE {ours} ORDER BY param_id"""
    for trial_id, key, value, distribution in connection.execute(query, (study_id,)):
        parameters.setdefault(trial_id, {})[key] = _parameter(value, json.loads(distribution))
    values: dict[int, list[float]] = {}
    query = f"SELECT trial_id, value FROM trial_values WHERE {ours} ORDER BY objective"
    for trial_id, value in connection.execute(query, (study_id,)):
        values.setdefault(trial_id, []).append(float(value))
    told: dict[int, dict[int, float]] = {}
    query = f"""SELECT trial_id, step, intermediate_value FROM trial_intermediate_values
        WHERE {ours} ORDER BY step"""
    for trial_id, step, value in connection.execute(query, (study_id,)):
        if value is not None:
            told.setdefault(trial_id, {})[int(step)] = float(value)
    query = "SELECT trial_id, datetime_start, datetime_complete FROM trials WHERE study_id = ?"
    times = {
        one: (_time(begun), _time(ended))
        for one, begun, ended in connection.execute(query, (study_id,))
    }
    points = []
    for trial_id, number, state, of_trial in _trials(connection, name):
        points.append(
            SearchPoint(
                trial_id=trial_id,
                number=number,
                state=_STATE[state],
                values=tuple(values.get(trial_id, ())),
                parameters=parameters.get(trial_id, {}),
                run_ids=tuple(json.loads(of_trial.get(layout.POINT_RUNS, "[]"))),
                intermediate=told.get(trial_id, {}),
                reason=_text(of_trial.get(layout.REASON)),
                started=times[trial_id][0],
                ended=times[trial_id][1],
            )
        )
    return StoredSearch(
        name=name,
        key=str(attributes[layout.SEARCH_KEY]),
        scenario=str(attributes["scenario"]),
        arm=str(attributes["arm"]),
        attributes=attributes,
        points=tuple(points),
    )


def _parameter(stored: float, distribution: Mapping[str, Any]) -> Any:
    """A parameter from Optuna's inner representation: whole numbers are floats, choices indices."""
    kind, details = distribution["name"], distribution["attributes"]
    if kind == "CategoricalDistribution":
        return details["choices"][int(stored)]
    if kind == "IntDistribution":
        return int(stored)
    if kind == "FloatDistribution":
        return float(stored)
    raise StoredDataError("a parameter of unknown kind", where="schedule", value=kind, cure=CURE)


def _text(stored: str | None) -> str | None:
    return None if stored is None else str(json.loads(stored))


def _time(stored: str | None) -> datetime | None:
    return None if stored is None else datetime.fromisoformat(stored)
