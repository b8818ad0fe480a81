"""Trials in Optuna: the only module that knows it.

Optuna's Study holds one study × profile; each of our trials is one Optuna trial with fixed
parameters, found again by the key in its user attributes. One process asks and tells (several on
SQLite are handed the same trial twice). Terms: here "study" and "trial" are Optuna's.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from suite.errors import StoredDataError
from suite.study.plan import Plan, Trial

if TYPE_CHECKING:
    import optuna

DATABASE_NAME = "optuna.db"
_KEY = "cadp.key"


class TrialLedger:
    """Which trials of a plan are begun, complete or failed, in `runs_dir/optuna.db`."""

    def __init__(self, plan: Plan, runs_dir: Path) -> None:
        import optuna
        from sqlalchemy.exc import SQLAlchemyError

        optuna.logging.set_verbosity(optuna.logging.CRITICAL)
        logging.getLogger("alembic").setLevel(logging.WARNING)
        self._path = runs_dir / DATABASE_NAME
        self._error_types = (SQLAlchemyError, RuntimeError)
        with self._translated():
            storage = optuna.storages.RDBStorage(f"sqlite:///{self._path.resolve()}")
            self._study = optuna.create_study(
                storage=storage,
                study_name=f"{plan.study.name}/{plan.profile_name}",
                direction="maximize",
                sampler=optuna.samplers.RandomSampler(seed=0),  # every parameter is fixed
                load_if_exists=True,
            )
            self._stored: dict[str, optuna.trial.FrozenTrial] = {}
            for trial in self._study.get_trials(deepcopy=False):
                if _KEY in trial.user_attrs:
                    self._stored[trial.user_attrs[_KEY]] = trial  # the latest of each key
        self._numbers = {
            key: trial.number
            for key, trial in self._stored.items()
            if trial.state == optuna.trial.TrialState.RUNNING
        }

    def is_complete(self, trial: Trial) -> bool:
        """Whether the trial's value is stored."""
        stored = self._stored.get(trial.key)
        return stored is not None and stored.state.name == "COMPLETE"

    def begin(self, trial: Trial) -> None:
        """Have the trial running; one left running by a killed coordinator is taken over."""
        with self._translated():
            while trial.key not in self._numbers:
                stored = self._stored.get(trial.key)
                if stored is None or stored.state.name != "WAITING":
                    attributes = _attributes(trial)
                    self._study.enqueue_trial(_parameters(trial), user_attrs=attributes)
                # Trials left waiting by a killed coordinator come first; they are ours as well.
                asked = self._study.ask()
                _fix_parameters(asked)
                self._numbers[asked.user_attrs[_KEY]] = asked.number

    def complete(self, trial: Trial, value: float) -> None:
        """Store the trial's value: the mean over its seeds of the final test win rate."""
        with self._translated():
            self._study.tell(self._numbers.pop(trial.key), value)

    def fail(self, trial: Trial) -> None:
        """Store that a run of the trial failed; a later attempt is a new Optuna trial."""
        import optuna

        with self._translated():
            self._study.tell(self._numbers.pop(trial.key), state=optuna.trial.TrialState.FAIL)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Optuna's and SQLite's exceptions as one of ours."""
        try:
            yield
        except self._error_types as error:
            reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
            cure = "move it away and give the same command again: it is built anew from the records"
            raise StoredDataError(
                f"the schedule cannot be used: {reason}", where=str(self._path), cure=cure
            ) from error


def _parameters(trial: Trial) -> dict[str, Any]:
    values = {"alpha": trial.alpha, "pruning_start_env_steps": trial.pruning_start_env_steps}
    return {key: value for key, value in values.items() if value is not None}


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


def _fix_parameters(asked: optuna.trial.Trial) -> None:
    """Enqueued values become parameters only when suggested; the ranges never bind."""
    if "alpha" in asked.user_attrs["parameters"]:
        asked.suggest_float("alpha", 0.0, 1e9)
    if "pruning_start_env_steps" in asked.user_attrs["parameters"]:
        asked.suggest_int("pruning_start_env_steps", 0, 10**15)
