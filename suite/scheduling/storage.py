"""Optuna's storage of a runs directory: opened, made where it is absent, its errors ours."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from suite.records import layout
from suite.records.database import address, boundary, created_aside
from suite.records.schedule import CURE
from suite.runs.directory import RunsDirectory

if TYPE_CHECKING:
    from optuna.storages import RDBStorage
    from optuna.study import StudyDirection
    from optuna.trial import FrozenTrial


class ScheduleStorage:
    """Optuna's database. One process asks and tells (several on SQLite are handed one trial twice).

    Raises StoredDataError for a database that is damaged or of another Optuna; it can be moved
    away: all that matters in it follows from the records.
    """

    def __init__(self, directory: RunsDirectory) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.CRITICAL)
        logging.getLogger("alembic").setLevel(logging.WARNING)
        self._path = directory.schedule_path
        with self.boundary():
            if not self._path.exists():
                with created_aside(self._path) as unfinished:
                    _open(unfinished).engine.dispose()
            _refuse_foreign(self._path)
            self.optuna = _open(self._path)

    def study_id(
        self, name: str, directions: list[StudyDirection], attributes: dict[str, Any]
    ) -> int:
        """Optuna's id of a study, which is made if absent. attributes: what is said of it."""
        from optuna.exceptions import DuplicatedStudyError

        with self.boundary():
            try:
                study_id = self.optuna.create_new_study(directions, name)
            except DuplicatedStudyError:
                study_id = self.optuna.get_study_id_from_name(name)
            known = self.optuna.get_study_user_attrs(study_id)
            for key, value in attributes.items():
                if known.get(key) != value:
                    self.optuna.set_study_user_attr(study_id, key, value)
            return study_id

    def name_metrics(self, study_id: int, names: list[str]) -> None:
        """Say what the values are."""
        key = "study:metric_names"  # where `optuna.Study.set_metric_names` keeps them
        with self.boundary():
            if self.optuna.get_study_system_attrs(study_id).get(key) != names:
                self.optuna.set_study_system_attr(study_id, key, names)

    def attributes(self, name: str) -> dict[str, Any] | None:
        """What is said of a study; None where there is no such study."""
        with self.boundary():
            try:
                study_id = self.optuna.get_study_id_from_name(name)
            except KeyError:
                return None
            return self.optuna.get_study_user_attrs(study_id)

    def trials(self, study_id: int) -> list[FrozenTrial]:
        """Copies of all trials of a study, in order."""
        with self.boundary():
            return self.optuna.get_all_trials(study_id)

    def trial_id(self, study_id: int, number: int) -> int:
        """Optuna's id of a trial of a study."""
        with self.boundary():
            return self.optuna.get_trial_id_from_study_id_trial_number(study_id, number)

    def add(self, study_id: int, trial: FrozenTrial) -> int:
        """Keep a trial, in one transaction; returns its id."""
        with self.boundary():
            return self.optuna.create_new_trial(study_id, trial)

    def tell_step(self, trial_id: int, step: int, value: float) -> None:
        """Keep an intermediate value."""
        with self.boundary():
            self.optuna.set_trial_intermediate_value(trial_id, step, value)

    def note(self, trial_id: int, notes: Mapping[str, Any]) -> None:
        """Keep what a pruner has noted of a trial."""
        with self.boundary():
            for key, value in notes.items():
                self.optuna.set_trial_system_attr(trial_id, key, value)

    def end(
        self, trial_id: int, state: str, *, values: Sequence[float] | None = None, reason: str = ""
    ) -> None:
        """End a trial that goes on. reason: in a line, kept with it."""
        from optuna.trial import TrialState

        with self.boundary():
            if reason:
                self.optuna.set_trial_user_attr(trial_id, layout.REASON, reason)
            self.optuna.set_trial_state_values(trial_id, TrialState[state], values)

    def boundary(self) -> AbstractContextManager[None]:
        """Whatever goes wrong with the database, as one line."""
        return boundary(self._path, "the schedule cannot be used", CURE)


def _open(path: Path) -> RDBStorage:
    import optuna

    return optuna.storages.RDBStorage(address(path))


def _refuse_foreign(path: Path) -> None:
    """Optuna would fill an empty or foreign database with its tables."""
    uri = path.resolve().as_uri() + "?mode=rw"
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        connection.execute("SELECT count(*) FROM studies, trials, version_info WHERE 0")
