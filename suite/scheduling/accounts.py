"""What is written of every run, and how runs and trials end.

Nothing here waits: every entry goes to the bookkeeper, in the order in which things happened.
"""

from __future__ import annotations

import math
import queue
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from suite.records.layout import reason_line
from suite.records.store import RecordStore
from suite.records.writer import Point, RecordWriter
from suite.runs.directory import RunsDirectory
from suite.runs.metrics import WIN_RATE, test_key
from suite.runs.modes import DECENTRALISED
from suite.runs.performance import final_performance
from suite.runs.spec import RunSpec
from suite.scheduling.bookkeeping import Bookkeeper
from suite.scheduling.cohorts import Cohort, ids_of
from suite.scheduling.display import Display
from suite.scheduling.ledger import TrialLedger
from suite.scheduling.recovery import FinishedRuns
from suite.scheduling.tracking import RunProgress, Tracker
from suite.study.plan import Plan, Trial
from suite.training.events import Failed, Finished

_NONE = np.empty(0)
# What a trial's value is taken from: every arm has this mode.
_VALUED = test_key(WIN_RATE, DECENTRALISED.name)


@dataclass(frozen=True)
class FailedRun:
    """A run that failed in this invocation; `reason` is the last line of its traceback.

    exit_code: 2 where the user can mend the cause (a damaged checkpoint, say), else 1.
    """

    spec: RunSpec
    reason: str
    exit_code: int = 1


@dataclass
class Outcome:
    """What an invocation did: run ids finished now and earlier, and the failures.

    incomplete: recorded as finished, but without metrics or weights: trained again.
    """

    finished: list[str] = field(default_factory=list)
    finished_before: list[str] = field(default_factory=list)
    incomplete: list[str] = field(default_factory=list)
    failed: list[FailedRun] = field(default_factory=list)


class Accounts:
    """Records and schedule of one invocation.

    settled: ids of the plan's runs that have ended, now or earlier, one way or the other.
    """

    def __init__(
        self, plan: Plan, directory: RunsDirectory, books: Bookkeeper, display: Display
    ) -> None:
        self.outcome = Outcome()
        self.settled: set[str] = set()
        self._finished: set[str] = set()
        self._trained: set[str] = set()  # finished, or failed at the end of what could be trained
        self._plan = plan
        self._directory = directory
        self._books = books
        self._display = display
        self._recorded: queue.SimpleQueue[tuple[RunProgress, float]] = queue.SimpleQueue()
        self._trial_of = {run.run_id: trial for trial in plan.trials for run in trial.runs}
        self._writer: RecordWriter
        self._ledger: TrialLedger
        self._tracker: Tracker

    @property
    def is_complete(self) -> bool:
        """Whether every run of the plan has ended."""
        return len(self.settled) == len(self._trial_of)

    def take_over(self, finished: FinishedRuns) -> None:
        """Settle what was finished earlier."""
        for run in self._plan.runs:
            if run.run_id in finished.whole:
                self.outcome.finished_before.append(run.run_id)
            elif run.run_id in finished.incomplete:
                self.outcome.incomplete.append(run.run_id)
        earlier = self.outcome.finished_before
        self.settled, self._finished, self._trained = set(earlier), set(earlier), set(earlier)

    def open(self) -> None:
        """Make or open the databases; work for the bookkeeper, it takes seconds."""
        if not self.is_complete:
            self._writer = RecordWriter(self._directory.root, self._plan)
        self._ledger = TrialLedger(self._plan, self._directory)
        for trial in self._plan.trials:
            if self._is_settled(trial):
                self._close(trial, has_failed=False)

    def watch(self, tracker: Tracker) -> None:
        """Have the tracker know of every ending from now on."""
        self._tracker = tracker

    def begin(self, run: RunSpec, facts: Mapping[str, str], *, resuming: bool) -> None:
        """A worker takes a run up, with this provenance."""
        trial = self._trial_of[run.run_id]
        self._books.later(lambda: self._ledger.begin(trial))
        self._books.later(lambda: self._writer.begin(run, facts, resuming=resuming))

    def log(self, run_id: str, points: Sequence[Point]) -> None:
        """Store metric points."""
        self._books.later(lambda: self._writer.log(run_id, points))

    def note_sittings(self, run_id: str, sittings: Sequence[Mapping[str, str]]) -> None:
        """Store every sitting that took part in a run."""
        self._books.later(lambda: self._writer.sittings(run_id, sittings))

    def finish(self, event: Finished, cohort: Cohort) -> None:
        """Record a run as finished; the last of its cohort takes the checkpoint with it."""
        run_id, elapsed_seconds = event.run_id, event.elapsed_seconds
        if not self._directory.has_weights(run_id):
            self.fail(run_id, "the trainer said that it had finished, and left no weights")
            return

        progress = self._tracker.settle(run_id, failed=False)
        self.settled.add(run_id)
        self._finished.add(run_id)
        self.outcome.finished.append(run_id)
        self._books.later(
            lambda: self._writer.finish(run_id, elapsed_seconds, event.weights_sha256)
        )
        self._end_training(run_id, cohort)
        self._books.later(lambda: self._recorded.put((progress, elapsed_seconds)))
        self._close_if_settled(self._trial_of[run_id])

    def fail_in_training(self, event: Failed, cohort: Cohort) -> None:
        """Record a failure that is the run's own, and in its cohort's checkpoint."""
        self.fail(event.run_id, event.reason)
        self._end_training(event.run_id, cohort)

    def fail(self, run_id: str, traceback: str, exit_code: int = 1) -> None:
        """Record a failure, unless the run has ended already."""
        if run_id in self.settled:
            return
        self._books.later(lambda: self._writer.fail(run_id, traceback))
        self.settled.add(run_id)
        progress = self._tracker.settle(run_id, failed=True)
        reason = reason_line(traceback)
        self.outcome.failed.append(FailedRun(progress.spec, reason, exit_code))
        self._display.failed(progress, reason)
        self._close_if_settled(self._trial_of[run_id])

    def _end_training(self, run_id: str, cohort: Cohort) -> None:
        """Delete a checkpoint that has nothing left to resume, once all before is in the books.

        Where every run has failed, it is from before that, and another attempt starts there.
        """
        self._trained.add(run_id)
        members = set(ids_of(cohort))
        if members <= self._trained and not members.isdisjoint(self._finished):
            path = self._directory.checkpoint_path(ids_of(cohort))
            self._books.later(lambda: path.unlink(missing_ok=True))

    def show_recorded(self) -> None:
        """Say which runs are finished: a run is called so when its record is."""
        while not self._recorded.empty():
            self._display.finished(*self._recorded.get())

    def _is_settled(self, trial: Trial) -> bool:
        return self.settled.issuperset(run.run_id for run in trial.runs)

    def _close_if_settled(self, trial: Trial) -> None:
        """Tell Optuna once every seed has ended."""
        if self._is_settled(trial):
            failed = {failure.spec.run_id for failure in self.outcome.failed}
            has_failed = not failed.isdisjoint(run.run_id for run in trial.runs)
            self._books.later(lambda: self._close(trial, has_failed))

    def _close(self, trial: Trial, has_failed: bool) -> None:
        if self._ledger.is_complete(trial):
            return
        self._ledger.begin(trial)
        value = math.nan
        if not has_failed:
            run_ids = [run.run_id for run in trial.runs]
            value = final_win_rate(RecordStore.open(self._directory.root), run_ids)
        if math.isfinite(value):
            self._ledger.complete(trial, value)
        else:
            self._ledger.fail(trial)


def final_win_rate(store: RecordStore, run_ids: list[str]) -> float:
    """Mean over runs of the final test win rate, as reports define it.

    Of agents that act alone; NaN if a run was never tested.
    """
    finals = []
    for record in store.load(run_ids):
        steps, values = record.histories.get(_VALUED, (_NONE, _NONE))
        if len(values) == 0:
            return math.nan
        total = record.spec.training.total_env_steps
        finals.append(final_performance(steps, values, total).value)
    return float(np.mean(finals)) if len(finals) == len(run_ids) else math.nan
