"""What is written of every run, and how runs end.

Nothing here waits: every entry goes to the bookkeeper, in the order in which things happened. So
do the questions what is trained next (`suite.scheduling.proposers`), as answers may take a database
or a search; they come back through `proposals`.
"""

from __future__ import annotations

import math
import queue
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from suite.records.layout import reason_line, schedule_name
from suite.records.store import History, RecordStore
from suite.records.writer import Point, RecordWriter
from suite.runs.directory import RunsDirectory
from suite.runs.metrics import TEST
from suite.runs.spec import RunSpec
from suite.scheduling.bookkeeping import Bookkeeper
from suite.scheduling.cohorts import Cohort, ids_of
from suite.scheduling.display import Display
from suite.scheduling.proposers.proposer import Proposer, Result
from suite.scheduling.recovery import FinishedRuns
from suite.scheduling.schedule import Schedule
from suite.scheduling.storage import ScheduleStorage
from suite.scheduling.tracking import RunProgress, Tracker
from suite.scheduling.worth import final_value, objective_values
from suite.study.plan import Plan
from suite.training.events import Failed, Finished


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

    incomplete: recorded as finished, but without metrics or weights: trained again. pruned: ids of
    runs that were ended because their point of a search is hopeless.
    """

    finished: list[str] = field(default_factory=list)
    finished_before: list[str] = field(default_factory=list)
    incomplete: list[str] = field(default_factory=list)
    failed: list[FailedRun] = field(default_factory=list)
    pruned: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Proposals:
    """An answer of the proposer. runs: to be trained now. to_come: most that may follow."""

    runs: tuple[RunSpec, ...]
    to_come: int
    is_over: bool


class Accounts:
    """Records and schedule of one invocation.

    settled: ids of runs that have ended, now or earlier, one way or the other.
    proposals: answers of the proposer that the coordinator has not taken yet; hopeless: ids of
    runs that are to be ended, and why.
    """

    def __init__(
        self,
        plan: Plan,
        proposer: Proposer,
        directory: RunsDirectory,
        books: Bookkeeper,
        display: Display,
    ) -> None:
        self.outcome = Outcome()
        self.settled: set[str] = set()
        self.proposals: queue.SimpleQueue[Proposals] = queue.SimpleQueue()
        self.hopeless: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()
        self._finished: set[str] = set()
        self._pruned: set[str] = set()
        self._trained: set[str] = set()  # finished, or failed at the end of what could be trained
        self._plan = plan
        self._proposer = proposer
        self._directory = directory
        self._books = books
        self._display = display
        self._recorded: queue.SimpleQueue[tuple[RunProgress, float]] = queue.SimpleQueue()
        self._tests: dict[str, dict[str, dict[int, float]]] = {}
        self._tracker: Tracker
        self._before: frozenset[str] = frozenset()
        # Of the bookkeeper's thread alone:
        self._asked: set[str] = set()
        self._writer: RecordWriter | None = None
        self._schedule: Schedule

    def take_over(self, finished: FinishedRuns) -> None:
        """Settle what was finished earlier."""
        self._before = finished.whole
        for run in self._plan.runs:
            if run.run_id in finished.whole:
                self.outcome.finished_before.append(run.run_id)
            elif run.run_id in finished.incomplete:
                self.outcome.incomplete.append(run.run_id)
        self.settled, self._finished = set(finished.whole), set(finished.whole)
        self._trained = set(finished.whole)

    def note_finished_before(self, proposed: Sequence[RunSpec]) -> int:
        """Take note of runs that were finished before they were proposed; returns how many more."""
        known = set(self.outcome.finished_before)
        more = [run.run_id for run in proposed if run.run_id in self._before - known]
        self.outcome.finished_before.extend(more)
        return len(more)

    def open(self) -> None:
        """Make or open the databases; work for the bookkeeper, it takes seconds."""
        name = schedule_name(self._plan.study.name, self._plan.profile_name)
        storage = ScheduleStorage(self._directory)
        self._schedule = Schedule(self._directory, storage, name)
        self._proposer.open(storage)

    def ask(self) -> None:
        """Have the proposer asked what is next; what it proposes is written down."""
        self._books.later(self._ask)

    def watch(self, tracker: Tracker) -> None:
        """Have the tracker know of every ending from now on."""
        self._tracker = tracker

    def begin(self, run: RunSpec, facts: Mapping[str, str], *, resuming: bool) -> None:
        """A worker takes a run up, with this provenance."""
        self._tests[run.run_id] = defaultdict(dict)
        self._books.later(lambda: self._schedule.begin(run.run_id))
        self._books.later(lambda: self._records.begin(run, facts, resuming=resuming))

    def log(self, run_id: str, points: Sequence[Point]) -> None:
        """Store metric points."""
        self._books.later(lambda: self._records.log(run_id, points))
        tests = [point for point in points if point[0].startswith(f"{TEST}/")]
        for key, step, value, *_ in tests:
            self._tests[run_id][key][step] = value
        if tests and self._proposer.watches_tests:
            histories = self._histories(run_id)
            self._books.later(lambda: self._measure(run_id, histories))

    def note_sittings(self, run_id: str, sittings: Sequence[Mapping[str, str]]) -> None:
        """Store every sitting that took part in a run."""
        self._books.later(lambda: self._records.sittings(run_id, sittings))

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
            lambda: self._records.finish(run_id, elapsed_seconds, event.weights_sha256)
        )
        self._end_training(run_id, cohort)
        self._books.later(lambda: self._recorded.put((progress, elapsed_seconds)))
        histories = self._histories(run_id)
        self._conclude(progress.spec, _finished(progress.spec, histories, elapsed_seconds))

    def fail_in_training(self, event: Failed, cohort: Cohort) -> None:
        """Record a failure that is the run's own, and in its cohort's checkpoint."""
        self.fail(event.run_id, event.reason)
        self._end_training(event.run_id, cohort)

    def fail(self, run_id: str, traceback: str, exit_code: int = 1) -> None:
        """Record a failure, unless the run has ended already."""
        if run_id in self.settled:
            return
        self._books.later(lambda: self._records.fail(run_id, traceback))
        self.settled.add(run_id)
        progress = self._tracker.settle(run_id, failed=True)
        reason = reason_line(traceback)
        self.outcome.failed.append(FailedRun(progress.spec, reason, exit_code))
        self._display.failed(progress, reason)
        self._conclude(progress.spec, Result("failed", reason=reason))

    def prune(self, run_id: str, reason: str, cohort: Cohort) -> None:
        """Record that a run was ended because its point is hopeless."""
        self._books.later(lambda: self._records.prune(run_id, reason))
        self.settled.add(run_id)
        progress = self._tracker.settle(run_id, failed=False)
        self.outcome.pruned.append(run_id)
        self._pruned.add(run_id)
        self._end_training(run_id, cohort)
        self._conclude(progress.spec, Result("pruned", reason=reason))

    def show_recorded(self) -> None:
        """Say which runs are finished: a run is called so when its record is."""
        while not self._recorded.empty():
            self._display.finished(*self._recorded.get())

    def _end_training(self, run_id: str, cohort: Cohort) -> None:
        """Delete a checkpoint that has nothing left to resume, once all before is in the books.

        Where every run has failed, it is from before that, and another attempt starts there.
        """
        self._trained.add(run_id)
        members = set(ids_of(cohort))
        if members <= self._trained and not members.isdisjoint(self._finished | self._pruned):
            path = self._directory.checkpoint_path(ids_of(cohort))
            self._books.later(lambda: path.unlink(missing_ok=True))

    def _histories(self, run_id: str) -> dict[str, History]:
        """The test metrics of a run so far, as readers of records have them."""
        return {key: _history(points) for key, points in self._tests[run_id].items()}

    def _conclude(self, run: RunSpec, result: Result) -> None:
        """Tell schedule and proposer how a run has ended, then ask what is next."""
        self._tests.pop(run.run_id, None)
        self._books.later(lambda: self._enter(run, result))
        self._books.later(lambda: self._proposer.tell(run.run_id, result))
        self.ask()

    # What follows is done by the bookkeeper's thread.

    @property
    def _records(self) -> RecordWriter:
        """Opened when something is to be written: importing MLflow takes seconds."""
        if self._writer is None:
            self._writer = RecordWriter(self._directory.root, self._plan)
        return self._writer

    def _ask(self) -> None:
        runs, is_over = tuple(self._proposer.ask()), self._proposer.is_over
        self._asked.update(run.run_id for run in runs)
        if runs or is_over:
            self.proposals.put(Proposals(runs, self._proposer.to_come, is_over))
        for line in self._proposer.notices():
            self._books.notices.put(line)
        if runs:
            self._books.later(lambda: self._write_down(runs))
        if is_over:
            self._books.later(lambda: self._schedule.withdraw(self._asked))

    def _measure(self, run_id: str, histories: Mapping[str, History]) -> None:
        if reason := self._proposer.measure(run_id, histories):
            self.hopeless.put((run_id, reason))

    def _write_down(self, runs: Sequence[RunSpec]) -> None:
        """Put proposals into the schedule; of those finished before the proposer is told."""
        self._schedule.propose(run for run in runs if run.run_id not in self._before)
        before = [run for run in runs if run.run_id in self._before]
        if not self._proposer.weighs_results:
            before = [run for run in before if not self._schedule.is_complete(run.run_id)]
        if not before:
            return
        results = _results(RecordStore.open(self._directory.root), before)
        for run in before:
            self._enter(run, results[run.run_id])
        self._books.later(lambda: self._tell(results))

    def _tell(self, results: Mapping[str, Result]) -> None:
        for run_id, result in results.items():
            self._proposer.tell(run_id, result)
        self.ask()

    def _enter(self, run: RunSpec, result: Result) -> None:
        if result.state == "finished" and math.isfinite(result.value):
            self._schedule.complete(run, result.value)
        elif result.state == "finished":
            self._schedule.fail(run.run_id, "its tests gave no value")
        elif result.state == "pruned":
            self._schedule.prune(run.run_id, result.reason)
        else:
            self._schedule.fail(run.run_id, result.reason)


def _results(store: RecordStore, runs: Collection[RunSpec]) -> dict[str, Result]:
    """How runs ended that were finished before this invocation."""
    return {
        record.run_id: _finished(record.spec, record.histories, record.elapsed_seconds)
        for record in store.load({run.run_id for run in runs})
    }


def _finished(
    run: RunSpec, histories: Mapping[str, History], elapsed_seconds: float | None
) -> Result:
    value = final_value(run, histories)
    return Result("finished", value, objective_values(run, histories, elapsed_seconds))


def _history(points: Mapping[int, float]) -> History:
    """A test metric as readers of records have it."""
    steps = sorted(points)
    return np.array(steps, dtype=np.int64), np.array([points[step] for step in steps])
