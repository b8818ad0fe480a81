"""The coordinator: hands runs to worker processes and alone writes what they report.

Everything a run reports goes through one queue, and all writing through one thread of bookkeeping,
so SQLite has a single writer. A run that fails is recorded and the rest goes on; a worker that dies
is replaced, one that gives no sign of life is ended and its run taken up once more.
"""

from __future__ import annotations

import math
import queue
import time
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import assert_never

import numpy as np

from suite.disk import disk_full_error, is_disk_full
from suite.records.layout import reason_line
from suite.records.provenance import numerics, provenance
from suite.records.store import RecordStore
from suite.records.writer import RecordWriter
from suite.runs.directory import RunsDirectory
from suite.runs.performance import final_performance
from suite.runs.spec import RunSpec
from suite.scheduling.bookkeeping import Bookkeeper
from suite.scheduling.display import Display, SilentDisplay
from suite.scheduling.ledger import TrialLedger
from suite.scheduling.lock import coordinator_lock
from suite.scheduling.processes import (
    DEFAULT_TRAINER,
    WORKER_ENVIRONMENT,
    Events,
    Exited,
    WorkerOptions,
    WorkerProcess,
)
from suite.scheduling.recovery import (
    IfChanged,
    clear_leftovers,
    finished_runs,
    settle_changed_code,
)
from suite.scheduling.signals import terminable
from suite.scheduling.tracking import RunProgress, Tracker
from suite.study.cost import measured_flops_per_second, run_seconds, silence_limit_seconds
from suite.study.plan import Plan, Trial
from suite.text import duration_text, plural, visible
from suite.training.events import (
    Alive,
    CohortFailed,
    DiskFull,
    Event,
    Failed,
    Finished,
    Idle,
    Measured,
    Progress,
    RunEvent,
    Sittings,
)

_TICK_SECONDS = 0.25
# A worker's silence is counted in ticks of at most this: while the coordinator itself was stopped
# (Ctrl-Z, a sleeping laptop), nobody was listening.
_LONGEST_TICK_SECONDS = 1.0
# After an error or Ctrl-C the books get this long; checkpoints hold whatever they miss.
_LAST_ENTRIES_SECONDS = 5.0
_NONE = np.empty(0)


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


def run_plan(
    plan: Plan,
    runs_dir: Path,
    n_workers: int,
    display: Display | None = None,
    *,
    device: str = "cpu",
    trainer: str = DEFAULT_TRAINER,
    announce: Callable[[Collection[str]], None] | None = None,
    if_changed: IfChanged = "refuse",
) -> Outcome:
    """Train every run of the plan that is not finished yet; returns when all have ended.

    announce: called once with the run ids finished earlier, after the directory has proved usable
    and before anything is trained. if_changed: what becomes of interrupted runs that other code or
    library versions began.

    Raises
    ------
    InputError: another coordinator is at work in `runs_dir`, its databases are damaged or held by
        another program for long, interrupted runs are of other code (see `if_changed`), or the
        disk is full. Everything finished until then is stored.
    KeyboardInterrupt: on Ctrl-C or SIGTERM, after the workers have been stopped.
    """
    directory = RunsDirectory(runs_dir.absolute())
    numerics()  # now: the code that is here when workers start, not when they are given work
    display = display or SilentDisplay()
    with coordinator_lock(directory), terminable():
        options = WorkerOptions(directory, device, trainer, if_changed == "continue")
        coordinator = _Coordinator(plan, options, display)
        try:
            coordinator.take_stock(if_changed)
            if announce is not None:
                announce(coordinator.outcome.finished_before)
            return coordinator.run(n_workers)
        except Exception as error:
            if is_disk_full(error, directory.root):
                raise disk_full_error(directory.root) from error
            raise
        finally:
            coordinator.books.close(lambda: None, 0)
            display.end()


class _Coordinator:
    """State of one invocation."""

    def __init__(self, plan: Plan, options: WorkerOptions, display: Display) -> None:
        self.plan = plan
        self.options = options
        self.display = display
        self.outcome = Outcome()
        self.events: Events = queue.SimpleQueue()
        self.workers: list[WorkerProcess] = []
        self.books = Bookkeeper()
        self.recorded: queue.SimpleQueue[tuple[RunProgress, float]] = queue.SimpleQueue()
        self.pending: deque[RunSpec] = deque()
        self.settled: set[str] = set()
        self.taken_up_again: set[str] = set()
        self.trial_of = {run.run_id: trial for trial in plan.trials for run in trial.runs}
        self.last_look = time.monotonic()
        self.writer: RecordWriter
        self.ledger: TrialLedger
        self.tracker: Tracker

    def take_stock(self, if_changed: IfChanged) -> None:
        """What is finished, what is to do; what an interrupted ending left is mended."""
        directory = self.options.directory
        finished = self.books.now(lambda: finished_runs(directory), self._show_notices)
        outcome = self.outcome
        for run in self.plan.runs:
            if run.run_id in finished.whole:
                outcome.finished_before.append(run.run_id)
            else:
                self.pending.append(run)
                if run.run_id in finished.incomplete:
                    outcome.incomplete.append(run.run_id)
        self.settled = set(outcome.finished_before)
        settle_changed_code(directory, self.pending, if_changed)
        clear_leftovers(directory, outcome.finished_before)
        place = directory.weights_folder
        if n := len(outcome.incomplete):
            self.display.notice(
                f"{plural(n, 'run')} recorded as finished, but without metrics, or without weights "
                f"in {place}: trained again (put the files back to avoid that)"
            )
        unknown = [run for run in self.pending if run.run_id in finished.unknown]
        unknown = [run for run in unknown if not self._checkpoint(run.run_id).exists()]
        if unknown:
            self.display.notice(
                f"{plural(len(unknown), 'run')} with weights in {place} and no record: trained "
                f"again (was {directory.records_path.name} moved away, or were they deleted in "
                "MLflow?)"
            )

    def run(self, n_workers: int) -> Outcome:
        try:
            # Before the databases: workers import the trainer meanwhile.
            for number in range(1, min(n_workers, len(self.pending)) + 1):
                self.workers.append(WorkerProcess(number, self.options, self.events))
            self.books.now(self._open_databases, self._show_notices)
            self._begin_tracking()
            for worker in self.workers:
                self._assign(worker)
            while len(self.settled) < len(self.trial_of):
                self._handle_next_event()
            self._stop_workers(at_once=False)
            self.books.close(self._show_notices)
            self.books.check()
            self._show_notices()
            return self.outcome
        except BaseException:
            self._stop_workers(at_once=True)
            self.books.close(lambda: None, _LAST_ENTRIES_SECONDS)
            raise

    def _open_databases(self) -> None:
        if self.pending:
            self.writer = RecordWriter(self.options.directory.root)
        self.ledger = TrialLedger(self.plan, self.options.directory)
        for trial in self.plan.trials:
            if self._is_settled(trial):
                self._close_trial(trial, has_failed=False)

    def _begin_tracking(self) -> None:
        speed = measured_flops_per_second()
        seconds = {
            run.run_id: run_seconds(run, self.plan.environments[run.scenario], speed)
            for run in self.pending
        }
        self.tracker = Tracker(
            self.pending,
            seconds,
            n_before=len(self.outcome.finished_before),
            n_workers=max(1, len(self.workers)),
        )
        self.display.begin(self.tracker)
        n_resumed = sum(self._checkpoint(run.run_id).exists() for run in self.pending)
        if n_resumed:
            self.display.notice(f"{plural(n_resumed, 'run')} to resume from a checkpoint")

    def _assign(self, worker: WorkerProcess) -> None:
        """Give an idle worker the next run, if one is left."""
        worker.runs = ()
        if worker.is_ended or not self.pending:
            return
        run = self.pending.popleft()
        trial = self.trial_of[run.run_id]
        facts = provenance(run, self.options.device, WORKER_ENVIRONMENT)
        is_resumed = self._checkpoint(run.run_id).exists()
        self.books.later(lambda: self.ledger.begin(trial))
        self.books.later(lambda: self.writer.begin(run, facts, resuming=is_resumed))
        self.tracker.start(run, worker.number)
        worker.train([run], {run.run_id: facts})

    def _handle_next_event(self) -> None:
        try:
            worker, event = self.events.get(timeout=_TICK_SECONDS)
        except queue.Empty:
            pass
        else:
            if not isinstance(event, Exited):  # its end is no sign of life
                worker.silent_seconds, worker.has_begun = 0.0, True
            self._handle(worker, event)
        self._look_after_workers()
        self.books.check()
        self._show_notices()
        self.display.refresh()

    def _show_notices(self) -> None:
        """What the books have to say: a run is called finished when its record is."""
        self.books.look_at_the_clock()
        while not self.books.notices.empty():
            self.display.notice(self.books.notices.get())
        while not self.recorded.empty():
            self.display.finished(*self.recorded.get())

    def _handle(self, worker: WorkerProcess, event: Event | Exited) -> None:
        if isinstance(event, RunEvent) and event.run_id not in {run.run_id for run in worker.runs}:
            worker.refuse(f"news of run {visible(event.run_id)}, which it does not have")
            return
        match event:
            case Alive():
                pass
            case Progress():
                self.tracker.update(event)
            case Measured(run_id, points):
                self.tracker.update(event)
                self.books.later(lambda: self.writer.log(run_id, points))
            case Sittings(run_id, sittings):
                self.books.later(lambda: self.writer.sittings(run_id, sittings))
            case Finished():
                self._finish(event)
            case Failed(run_id, reason):
                self._fail(run_id, reason)
            case CohortFailed(traceback, exit_code):
                for run in worker.runs:
                    self._fail(run.run_id, traceback, exit_code)
            case DiskFull():
                raise disk_full_error(self.options.directory.root)
            case Idle():
                for run in worker.runs:
                    self._fail(run.run_id, "the trainer returned without finishing this run")
                self._assign(worker)
            case Exited():
                self._replace(worker)
            case _:
                assert_never(event)

    def _finish(self, event: Finished) -> None:
        run_id, elapsed_seconds = event.run_id, event.elapsed_seconds
        if run_id in self.settled:
            return
        if not self.options.directory.has_weights(run_id):
            self._fail(run_id, "the trainer said that it had finished, and left no weights")
            return

        def record() -> None:
            self.writer.finish(run_id, elapsed_seconds, event.weights_sha256)
            self._checkpoint(run_id).unlink(missing_ok=True)

        progress = self.tracker.settle(run_id, failed=False)
        self.books.later(record)
        self.books.later(lambda: self.recorded.put((progress, elapsed_seconds)))
        self.settled.add(run_id)
        self.outcome.finished.append(run_id)
        self._close_trial_if_settled(self.trial_of[run_id])

    def _fail(self, run_id: str, traceback: str, exit_code: int = 1) -> None:
        """Record a failure, unless the run has ended already."""
        if run_id in self.settled:
            return
        self.books.later(lambda: self.writer.fail(run_id, traceback))
        self.settled.add(run_id)
        progress = self.tracker.settle(run_id, failed=True)
        reason = reason_line(traceback)
        self.outcome.failed.append(FailedRun(progress.spec, reason, exit_code))
        self.display.failed(progress, reason)
        self._close_trial_if_settled(self.trial_of[run_id])

    def _look_after_workers(self) -> None:
        """Count how long each has been silent, and give up those whose limit is over."""
        now = time.monotonic()
        passed = min(now - self.last_look, _LONGEST_TICK_SECONDS)
        self.last_look = now
        for worker in self.workers:
            if worker.runs and not worker.is_given_up:
                worker.silent_seconds += passed
                if worker.silent_seconds > self._silence_limit_seconds(worker):
                    worker.give_up()

    def _silence_limit_seconds(self, worker: WorkerProcess) -> float:
        speed = measured_flops_per_second()
        return max(
            silence_limit_seconds(
                run, self.plan.environments[run.scenario], speed, has_begun=worker.has_begun
            )
            for run in worker.runs
        )

    def _replace(self, worker: WorkerProcess) -> None:
        """A worker has exited unasked: its run failed; another takes its place if work is left.

        One that was given up for its silence may have met a passing trouble: its run is resumed
        once.
        """
        cause = worker.cause_of_death()
        if worker.is_given_up:
            silence = duration_text(worker.silent_seconds)
            cause = f"the worker gave no sign of life for {silence} and was ended"
        for run in worker.runs:
            if run.run_id in self.settled:
                continue
            if worker.is_given_up and run.run_id not in self.taken_up_again:
                self.taken_up_again.add(run.run_id)
                label = self.tracker.interrupt(run.run_id).label
                self.pending.appendleft(run)
                self.display.notice(f"{label}: {cause}; the run is resumed, this once")
            else:
                again = ", for the second time" if run.run_id in self.taken_up_again else ""
                self._fail(run.run_id, cause + again)
        worker.join()
        self.workers.remove(worker)
        if self.pending:
            successor = WorkerProcess(worker.number, self.options, self.events)
            self.workers.append(successor)
            self._assign(successor)

    def _is_settled(self, trial: Trial) -> bool:
        return self.settled.issuperset(run.run_id for run in trial.runs)

    def _close_trial_if_settled(self, trial: Trial) -> None:
        """Tell Optuna once every seed has ended."""
        if self._is_settled(trial):
            failed = {failure.spec.run_id for failure in self.outcome.failed}
            has_failed = not failed.isdisjoint(run.run_id for run in trial.runs)
            self.books.later(lambda: self._close_trial(trial, has_failed))

    def _close_trial(self, trial: Trial, has_failed: bool) -> None:
        if self.ledger.is_complete(trial):
            return
        self.ledger.begin(trial)
        value = math.nan
        if not has_failed:
            run_ids = [run.run_id for run in trial.runs]
            value = final_win_rate(RecordStore.open(self.options.directory.root), run_ids)
        if math.isfinite(value):
            self.ledger.complete(trial, value)
        else:
            self.ledger.fail(trial)

    def _stop_workers(self, *, at_once: bool) -> None:
        for worker in self.workers:
            worker.ask_to_stop(at_once=at_once)
        for worker in self.workers:
            worker.join()

    def _checkpoint(self, run_id: str) -> Path:
        return self.options.directory.checkpoint_path([run_id])


def final_win_rate(store: RecordStore, run_ids: list[str]) -> float:
    """Mean over runs of the final test win rate, as reports define it.

    Of the decentralised mode, which every arm has; NaN if a run was never tested.
    """
    finals = []
    for record in store.load(run_ids):
        steps, values = record.histories.get("test/win_rate/decentralised", (_NONE, _NONE))
        if len(values) == 0:
            return math.nan
        total = record.spec.training.total_env_steps
        finals.append(final_performance(steps, values, total).value)
    return float(np.mean(finals)) if len(finals) == len(run_ids) else math.nan
