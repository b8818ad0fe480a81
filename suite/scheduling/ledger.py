"""Trials in Optuna: the only module that knows it.

Optuna's Study holds one study × profile; each of our trials is one Optuna trial with fixed
parameters, found again by the key in its user attributes. One process asks and tells (several on
SQLite are handed the same trial twice). Terms: here "study" and "trial" are Optuna's.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Mapping
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from suite.records.database import address, boundary, created_aside
from suite.runs.directory import RunsDirectory
from suite.study.plan import Plan, Trial

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution

_KEY = "cadp.key"


class TrialLedger:
    """Which trials of a plan are begun, complete or failed, in the directory's schedule.

    Every method can be given again after a BusyError. Raises StoredDataError for a database that is
    damaged or of another Optuna; it can be moved away: everything in it follows from the records.
    """

    def __init__(self, plan: Plan, directory: RunsDirectory) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.CRITICAL)
        logging.getLogger("alembic").setLevel(logging.WARNING)
        self._path = directory.schedule_path
        with self._boundary():
            if not self._path.exists():
                with created_aside(self._path) as unfinished:
                    _storage(unfinished).engine.dispose()
            self._refuse_foreign()
            self._study = optuna.create_study(
                storage=_storage(self._path),
                study_name=f"{plan.study.name}/{plan.profile_name}",
                direction="maximize",
                sampler=optuna.samplers.RandomSampler(seed=0),  # every parameter is fixed
                load_if_exists=True,
            )
            self._complete: set[str] = set()
            self._numbers: dict[str, int] = {}
            self._take_over({trial.key: trial for trial in plan.trials})

    def is_complete(self, trial: Trial) -> bool:
        """Whether the trial's value is stored."""
        return trial.key in self._complete

    def begin(self, trial: Trial) -> None:
        """Have the trial running; one left running by a killed coordinator is taken over."""
        import optuna

        if trial.key in self._numbers:
            return
        with self._boundary():
            # In one transaction: a trial is never seen running without its parameters.
            begun = optuna.trial.create_trial(
                state=optuna.trial.TrialState.RUNNING,
                params=_parameters(trial),
                distributions=_distributions(trial),
                user_attrs=_attributes(trial),
            )
            self._study.add_trial(begun)
            self._find_running()

    def complete(self, trial: Trial, value: float) -> None:
        """Store the trial's value: the mean over its seeds of the final test win rate."""
        with self._boundary():
            self._study.tell(self._numbers[trial.key], value, skip_if_finished=True)
            del self._numbers[trial.key]
            self._complete.add(trial.key)

    def fail(self, trial: Trial) -> None:
        """Store that a run of the trial failed; a later attempt is a new Optuna trial."""
        from optuna.trial import TrialState

        with self._boundary():
            number = self._numbers[trial.key]
            self._study.tell(number, state=TrialState.FAIL, skip_if_finished=True)
            del self._numbers[trial.key]

    def _take_over(self, wanted: Mapping[str, Trial]) -> None:
        """Of what killed coordinators left open, keep what this plan can go on with.

        Nobody else is at work in this directory. Open trials of other keys, and those of an older
        version that lack their parameters, will never be told: they have failed.
        """
        from optuna.trial import TrialState

        for stored in self._study.get_trials(deepcopy=False):
            key = str(stored.user_attrs.get(_KEY))
            trial = wanted.get(key)
            is_whole = trial is not None and stored.params == _parameters(trial)
            if stored.state == TrialState.COMPLETE:
                self._complete.add(key)
            elif stored.state == TrialState.WAITING:  # an older version enqueued its trials
                self._study.tell(self._study.ask(), state=TrialState.FAIL)
            elif stored.state == TrialState.RUNNING:
                if is_whole and key not in self._numbers:
                    self._numbers[key] = stored.number
                else:
                    self._study.tell(stored.number, state=TrialState.FAIL)

    def _find_running(self) -> None:
        for stored in self._study.get_trials(deepcopy=False):
            if stored.state.name == "RUNNING" and _KEY in stored.user_attrs:
                self._numbers[stored.user_attrs[_KEY]] = stored.number

    def _refuse_foreign(self) -> None:
        """Optuna would fill an empty or foreign database with its tables."""
        uri = self._path.resolve().as_uri() + "?mode=rw"
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            connection.execute("SELECT count(*) FROM studies, trials, version_info WHERE 0")

    def _boundary(self) -> AbstractContextManager[None]:
        cure = "move it away and give the same command again: it is built anew from the records"
        return boundary(self._path, "the schedule cannot be used", cure)


def _storage(path: Path) -> optuna.storages.RDBStorage:
    import optuna

    return optuna.storages.RDBStorage(address(path))


def _parameters(trial: Trial) -> dict[str, Any]:
    return dict(trial.hyperparameters)


def _attributes(trial: Trial) -> dict[str, Any]:
    """Scenario and arm are no Optuna parameters: a study file may gain arms, choices may not."""
    return {
        _KEY: trial.key,
        "scenario": trial.scenario,
        "arm": trial.arm,
        "seeds": [run.seed for run in trial.runs],
        "run_ids": [run.run_id for run in trial.runs],
        "parameters": sorted(_parameters(trial)),
    }


def _distributions(trial: Trial) -> dict[str, BaseDistribution]:
    """The ranges that the trial's method declares."""
    from optuna.distributions import FloatDistribution, IntDistribution

    return {
        one.name: IntDistribution(int(one.low), int(one.high))
        if one.is_whole
        else FloatDistribution(one.low, one.high)
        for one in trial.declared
        if one.name in trial.hyperparameters
    }
