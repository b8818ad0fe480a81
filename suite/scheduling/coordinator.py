"""The coordinator: hands runs to worker processes and alone writes what they report.

Everything a run reports goes through one queue and one thread, so SQLite has a single writer. A
run that fails is recorded and the rest goes on; a worker that dies is replaced.
"""

from __future__ import annotations

import math
import queue
import signal
from collections import deque
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from suite.disk import disk_full_error, is_disk_full
from suite.records.layout import database_path
from suite.records.provenance import provenance
from suite.records.store import RecordStore
from suite.records.writer import RecordWriter
from suite.scheduling.display import Display, SilentDisplay
from suite.scheduling.ledger import TrialLedger
from suite.scheduling.lock import coordinator_lock
from suite.scheduling.processes import (
    DEFAULT_TRAINER,
    WORKER_ENVIRONMENT,
    WorkerOptions,
    WorkerProcess,
)
from suite.scheduling.tracking import Tracker
from suite.study.cost import measured_flops_per_second, run_seconds
from suite.study.plan import Plan, Trial
from suite.study.run import RunSpec

_TICK_SECONDS = 0.25
# A trial's value averages this last part of its tests (docs: the papers' usual summary).
FINAL_FRACTION = 0.1


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
    """What an invocation did: run ids finished now and earlier, and the failures."""

    finished: list[str] = field(default_factory=list)
    finished_before: list[str] = field(default_factory=list)
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
) -> Outcome:
    """Train every run of the plan that is not finished yet; returns when all have ended.

    announce: called once with the run ids finished earlier, after the directory has proved usable
    and before anything is trained.

    Raises
    ------
    InputError: another coordinator is at work in `runs_dir`, its databases are damaged, or the
        disk is full. Everything finished until then is stored.
    KeyboardInterrupt: on Ctrl-C or SIGTERM, after the workers have been stopped.
    """
    runs_dir = runs_dir.absolute()
    display = display or SilentDisplay()
    with coordinator_lock(runs_dir), _terminable():
        coordinator = _Coordinator(plan, WorkerOptions(runs_dir, device, trainer), display)
        if announce is not None:
            announce(coordinator.outcome.finished_before)
        try:
            return coordinator.run(n_workers)
        except Exception as error:
            if is_disk_full(error, runs_dir):
                raise disk_full_error(runs_dir) from error
            raise
        finally:
            display.end()


class _Coordinator:
    """State of one invocation."""

    def __init__(self, plan: Plan, options: WorkerOptions, display: Display) -> None:
        self.plan = plan
        self.options = options
        self.display = display
        self.outcome = Outcome()
        self.events: queue.SimpleQueue[tuple[WorkerProcess, dict[str, Any]]] = queue.SimpleQueue()
        self.workers: list[WorkerProcess] = []
        finished = finished_runs(options.runs_dir)
        self.outcome.finished_before = [r.run_id for r in plan.runs if r.run_id in finished]
        self.pending = deque(run for run in plan.runs if run.run_id not in finished)
        self.settled = set(self.outcome.finished_before)
        self.trial_of = {run.run_id: trial for trial in plan.trials for run in trial.runs}
        self.writer: RecordWriter
        self.ledger: TrialLedger
        self.tracker: Tracker

    def run(self, n_workers: int) -> Outcome:
        try:
            # Before the databases: workers import the trainer meanwhile.
            for number in range(1, min(n_workers, len(self.pending)) + 1):
                self.workers.append(WorkerProcess(number, self.options, self.events))
            self._open_databases()
            self._begin_tracking()
            for worker in self.workers:
                self._assign(worker)
            while len(self.settled) < len(self.trial_of):
                self._handle_next_event()
            self._stop_workers(at_once=False)
            return self.outcome
        except BaseException:
            self._stop_workers(at_once=True)
            raise

    def _open_databases(self) -> None:
        if self.pending:
            self.writer = RecordWriter(self.options.runs_dir)
        self.ledger = TrialLedger(self.plan, self.options.runs_dir)
        for trial in self.plan.trials:
            self._close_trial_if_settled(trial)

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

    def _assign(self, worker: WorkerProcess) -> None:
        """Give an idle worker the next run, if one is left."""
        worker.runs = ()
        if not self.pending:
            return
        run = self.pending.popleft()
        self.ledger.begin(self.trial_of[run.run_id])
        facts = provenance(run, self.options.device, WORKER_ENVIRONMENT)
        self.writer.begin(run, facts, resuming=self._checkpoint(run.run_id).exists())
        self.tracker.start(run, worker.number)
        worker.train([run])

    def _handle_next_event(self) -> None:
        try:
            worker, event = self.events.get(timeout=_TICK_SECONDS)
        except queue.Empty:
            pass
        else:
            self._handle(worker, event)
        self.display.refresh()

    def _handle(self, worker: WorkerProcess, event: dict[str, Any]) -> None:
        kind = event["event"]
        if kind == "progress":
            self.tracker.update(event)
        elif kind == "metrics":
            self.tracker.update(event)
            self.writer.log(event["run_id"], event["points"])
        elif kind == "finished":
            self._finish(event["run_id"], event["elapsed_seconds"])
        elif kind == "failed":
            for run_id in event["run_ids"]:
                self._fail(run_id, event["traceback"], event["exit_code"])
        elif kind == "disk_full":
            raise disk_full_error(self.options.runs_dir)
        elif kind == "idle":
            for run in worker.runs:
                self._fail(run.run_id, "the trainer returned without finishing this run")
            self._assign(worker)
        elif kind == "exited":
            self._replace(worker)

    def _finish(self, run_id: str, elapsed_seconds: float) -> None:
        if run_id in self.settled:
            return
        self.writer.finish(run_id, elapsed_seconds)
        self._checkpoint(run_id).unlink(missing_ok=True)
        self.settled.add(run_id)
        self.outcome.finished.append(run_id)
        self.display.finished(self.tracker.settle(run_id, failed=False), elapsed_seconds)
        self._close_trial_if_settled(self.trial_of[run_id])

    def _fail(self, run_id: str, traceback: str, exit_code: int = 1) -> None:
        """Record a failure, unless the run has ended already."""
        if run_id in self.settled:
            return
        self.writer.fail(run_id, traceback)
        self.settled.add(run_id)
        progress = self.tracker.settle(run_id, failed=True)
        reason = _reason(traceback)
        self.outcome.failed.append(FailedRun(progress.spec, reason, exit_code))
        self.display.failed(progress, reason)
        self._close_trial_if_settled(self.trial_of[run_id])

    def _replace(self, worker: WorkerProcess) -> None:
        """A worker has exited unasked: its run failed; another takes its place if work is left."""
        cause = worker.cause_of_death()
        for run in worker.runs:
            self._fail(run.run_id, cause)
        self.workers.remove(worker)
        if self.pending:
            successor = WorkerProcess(worker.number, self.options, self.events)
            self.workers.append(successor)
            self._assign(successor)

    def _close_trial_if_settled(self, trial: Trial) -> None:
        """Tell Optuna once every seed has ended."""
        run_ids = [run.run_id for run in trial.runs]
        if not self.settled.issuperset(run_ids) or self.ledger.is_complete(trial):
            return
        self.ledger.begin(trial)
        failed = {failure.spec.run_id for failure in self.outcome.failed}
        value = math.nan
        if failed.isdisjoint(run_ids):
            value = final_win_rate(RecordStore.open(self.options.runs_dir), run_ids)
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
        return self.options.runs_dir / "checkpoints" / f"{run_id}.ckpt"


def final_win_rate(store: RecordStore, run_ids: list[str]) -> float:
    """Mean over runs of the mean test win rate over the last `FINAL_FRACTION` of tests.

    Of the decentralised mode, which every arm has; NaN if a run was never tested.
    """
    finals = []
    for record in store.load(run_ids):
        _, values = record.histories.get("test/win_rate/decentralised", (None, np.empty(0)))
        if len(values) == 0:
            return math.nan
        finals.append(values[-math.ceil(FINAL_FRACTION * len(values)) :].mean())
    return float(np.mean(finals)) if len(finals) == len(run_ids) else math.nan


def finished_runs(runs_dir: Path) -> set[str]:
    """Run ids recorded as finished in a directory, by any study; none if nothing was run there."""
    if not database_path(runs_dir).is_file():
        return set()
    statuses = RecordStore.open(runs_dir).statuses()
    return {run_id for run_id, status in statuses.items() if status == "finished"}


def _reason(traceback: str) -> str:
    """The line that says most: a traceback's last, or the first of a plain message."""
    lines = traceback.strip().splitlines() or ["unknown"]
    return lines[-1] if lines[0].startswith("Traceback") else lines[0]


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM stops like Ctrl-C does (batch systems and containers send it)."""

    def interrupt(signum: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    try:
        previous = signal.signal(signal.SIGTERM, interrupt)
    except ValueError:  # not the main thread: whoever runs us there handles signals
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
