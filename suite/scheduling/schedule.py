"""The schedule of a study × profile: every run that was proposed, as one trial of an Optuna study.

A run waits, goes on, or has ended. Who asks what is next (`suite.scheduling.proposers`) is told
elsewhere; here it is written, so that a kill loses nothing and others can look.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from suite.algorithms.registry import hyperparameters_of
from suite.records import layout
from suite.records.schedule import ScheduleStore
from suite.runs.directory import RunsDirectory
from suite.runs.spec import RunSpec
from suite.scheduling.storage import ScheduleStorage

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial, TrialState

VALUE_NAME = "final test win rate (return where nothing is won)"


@dataclass
class _Entry:
    trial_id: int
    attempt: int
    is_open: bool
    is_complete: bool


class Schedule:
    """What was proposed. Every method can be given again after a BusyError."""

    def __init__(self, directory: RunsDirectory, storage: ScheduleStorage, name: str) -> None:
        from optuna.study import StudyDirection

        self._storage = storage
        self._study = storage.study_id(name, [StudyDirection.MAXIMIZE], {})
        storage.name_metrics(self._study, [VALUE_NAME])
        self._entries: dict[str, _Entry] = {}
        reader = ScheduleStore(directory.root)
        for run in reader.runs(name):
            is_open = run.state in ("waiting", "running")
            entry = _Entry(run.trial_id, run.attempt, is_open, run.state == "complete")
            self._entries[run.run_id] = entry
        for trial_id in reader.without_run(name):
            storage.end(trial_id, "FAIL")

    def is_complete(self, run_id: str) -> bool:
        """Whether its last attempt is recorded as complete."""
        return run_id in self._entries and self._entries[run_id].is_complete

    def propose(self, runs: Iterable[RunSpec]) -> None:
        """Have these runs waiting, those that are open already stay as they are."""
        from optuna.trial import TrialState

        for run in runs:
            entry = self._entries.get(run.run_id)
            if entry is None or not entry.is_open:
                attempt = 1 if entry is None else entry.attempt + 1
                self._add(run, attempt, TrialState.WAITING)

    def begin(self, run_id: str) -> None:
        """A worker takes it up."""
        from optuna.trial import TrialState

        trial_id = self._entries[run_id].trial_id
        with self._storage.boundary():
            self._storage.optuna.set_trial_state_values(trial_id, TrialState.RUNNING)

    def complete(self, run: RunSpec, value: float) -> None:
        """It is finished, now or before it was ever proposed here."""
        from optuna.trial import TrialState

        entry = self._entries.get(run.run_id)
        if entry is not None and entry.is_complete:
            return
        if entry is None or not entry.is_open:
            attempt = 1 if entry is None else entry.attempt + 1
            self._add(run, attempt, TrialState.COMPLETE, value)
            return
        self.begin(run.run_id)
        self._storage.end(entry.trial_id, "COMPLETE", values=[value])
        entry.is_open, entry.is_complete = False, True

    def fail(self, run_id: str, reason: str) -> None:
        """It has failed; a later attempt is another trial."""
        self._close(run_id, "FAIL", reason)

    def prune(self, run_id: str, reason: str) -> None:
        """It was ended because its point is hopeless."""
        self._close(run_id, "PRUNED", reason)

    def withdraw(self, still_wanted: Collection[str]) -> None:
        """End what is open and that nobody will take up: the study no longer has it."""
        for run_id, entry in self._entries.items():
            if entry.is_open and run_id not in still_wanted:
                self._close(run_id, "FAIL", "the study no longer has it")

    def _close(self, run_id: str, state: str, reason: str) -> None:
        entry = self._entries[run_id]
        if entry.is_open:
            self.begin(run_id)  # Optuna ends only what has begun
            self._storage.end(entry.trial_id, state, reason=reason)
            entry.is_open = False

    def _add(
        self, run: RunSpec, attempt: int, state: TrialState, value: float | None = None
    ) -> None:
        """In one transaction: a run is never seen without what it is."""
        trial_id = self._storage.add(self._study, _trial(run, attempt, state, value))
        is_complete = value is not None
        self._entries[run.run_id] = _Entry(trial_id, attempt, not is_complete, is_complete)


def _trial(run: RunSpec, attempt: int, state: TrialState, value: float | None) -> FrozenTrial:
    """Scenario and arm are no Optuna parameters: a study may gain arms, choices may not."""
    from optuna.trial import create_trial

    return create_trial(
        state=state,
        value=value,
        params=dict(run.hyperparameters),
        distributions=_distributions(run),
        user_attrs={
            layout.SCHEDULED_ID: run.run_id,
            "scenario": run.scenario,
            "arm": run.arm,
            "seed": run.seed,
            layout.ATTEMPT: attempt,
            layout.SCHEDULED_RUN: run.model_dump_json(),
        },
    )


def _distributions(run: RunSpec) -> dict[str, BaseDistribution]:
    """The ranges that the run's method declares."""
    from optuna.distributions import FloatDistribution, IntDistribution

    return {
        one.name: IntDistribution(int(one.low), int(one.high))
        if one.is_whole
        else FloatDistribution(one.low, one.high)
        for one in hyperparameters_of(run.algorithm)
        if one.name in run.hyperparameters
    }
