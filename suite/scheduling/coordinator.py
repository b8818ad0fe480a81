"""The coordinator: hands runs to worker processes and alone writes what they report.

What is to be trained a proposer says (`suite.scheduling.proposers`), who is told how runs end.
Everything a run reports goes through one queue, and all writing through one thread of bookkeeping,
so SQLite has a single writer. A run that fails is recorded and the rest goes on; a worker that dies
is replaced, one that gives no sign of life is ended and its run taken up once more.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection
from pathlib import Path
from typing import assert_never

from suite.disk import disk_full_error, is_disk_full, private_files
from suite.records.provenance import numerics, provenance
from suite.runs.directory import RunsDirectory
from suite.scheduling.accounts import Accounts, Outcome
from suite.scheduling.bookkeeping import Bookkeeper
from suite.scheduling.capacity import engine_processes
from suite.scheduling.cohorts import Cohort, ids_of
from suite.scheduling.display import Display, SilentDisplay
from suite.scheduling.lock import coordinator_lock
from suite.scheduling.processes import (
    DEFAULT_TRAINER,
    WORKER_ENVIRONMENT,
    Exited,
    WorkerOptions,
    WorkerProcess,
)
from suite.scheduling.proposers import proposer_for
from suite.scheduling.proposers.proposer import Proposer
from suite.scheduling.proposers.sequential import Judge
from suite.scheduling.recovery import IfChanged, finished_runs
from suite.scheduling.signals import terminable
from suite.scheduling.staff import Staff
from suite.scheduling.stock import Stock
from suite.scheduling.tracking import Tracker
from suite.study.cost import measured_flops_per_second, run_seconds
from suite.study.plan import Plan
from suite.text import plural, visible
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
# After an error or Ctrl-C the books get this long; checkpoints hold whatever they miss.
_LAST_ENTRIES_SECONDS = 5.0


def run_plan(
    plan: Plan,
    runs_dir: Path,
    n_workers: int,
    display: Display | None = None,
    *,
    judge: Judge | None = None,
    device: str = "cpu",
    trainer: str = DEFAULT_TRAINER,
    announce: Callable[[Collection[str]], None] | None = None,
    if_changed: IfChanged = "refuse",
    cohort_size: int = 1,
) -> Outcome:
    """Train every run of the plan that is not finished yet; returns when all have ended.

    judge: what is said of the claims between looks, for profiles that add seeds. announce:
    called once with the run ids finished earlier, after the directory has proved usable and before
    anything is trained. if_changed: what becomes of interrupted runs that other code or library
    versions began. cohort_size: most runs that a worker trains together; what was interrupted goes
    on in the cohorts in which it was begun.

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
    with private_files(), coordinator_lock(directory), terminable():
        options = WorkerOptions(
            directory,
            device,
            trainer,
            accepts_changed_code=if_changed == "continue",
            engine_processes=engine_processes(plan, n_workers),
        )
        coordinator = _Coordinator(plan, proposer_for(plan, judge), options, display)
        try:
            coordinator.take_stock(if_changed, cohort_size)
            if announce is not None:
                announce(coordinator.accounts.outcome.finished_before)
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

    def __init__(
        self, plan: Plan, proposer: Proposer, options: WorkerOptions, display: Display
    ) -> None:
        self.plan = plan
        self.proposer = proposer
        self.options = options
        self.display = display
        self.books = Bookkeeper()
        self.accounts = Accounts(plan, proposer, options.directory, self.books, display)
        self.staff = Staff(options, plan.environments)
        self.pending: deque[Cohort] = deque()
        self.taken_up_again: set[str] = set()
        self.proposed: set[str] = set()
        self.is_all_proposed = False
        self.tracker: Tracker
        self.stock: Stock

    def take_stock(self, if_changed: IfChanged, cohort_size: int) -> None:
        """What is finished; what an interrupted ending left is mended."""
        directory, plan = self.options.directory, self.plan
        finished = self.books.now(lambda: finished_runs(directory), self._show_notices)
        self.accounts.take_over(finished)
        self.stock = Stock(directory, plan.runs, finished, if_changed, cohort_size)

    def run(self, n_workers: int) -> Outcome:
        """Train what is to do."""
        try:
            # Before the databases: workers import the trainer meanwhile.
            n_left = self.proposer.to_come - len(self.accounts.outcome.finished_before)
            for _ in range(min(n_workers, n_left)):
                self.staff.hire()
            self.books.now(self.accounts.open, self._show_notices)
            self.accounts.ask()
            self.books.now(lambda: None, self._show_notices)  # the answer is there
            self._begin_tracking(n_workers)
            while not self._is_complete:
                self._handle_next_event()
            self.staff.stop(at_once=False)
            self.books.close(self._show_notices)
            self.books.check()
            self._show_notices()
            return self.accounts.outcome
        except BaseException:
            self.staff.stop(at_once=True)
            self.books.close(lambda: None, _LAST_ENTRIES_SECONDS)
            raise

    @property
    def _is_complete(self) -> bool:
        return self.is_all_proposed and self.proposed <= self.accounts.settled

    def _begin_tracking(self, n_workers: int) -> None:
        before = self.accounts.outcome.finished_before
        self.n_workers = n_workers
        self.tracker = Tracker(n_before=len(before), n_workers=max(1, len(self.staff.workers)))
        self.accounts.watch(self.tracker)
        self._take_proposals()
        self.display.begin(self.tracker)
        self._employ()

    def _take_proposals(self) -> None:
        """Have what was proposed waiting for workers."""
        while not self.accounts.proposals.empty():
            told = self.accounts.proposals.get()
            self.is_all_proposed = told.is_over
            new = [run for run in told.runs if run.run_id not in self.proposed]
            self.proposed.update(run.run_id for run in new)
            left = [run for run in new if run.run_id not in self.accounts.settled]
            self.tracker.n_before += self.accounts.note_finished_before(new)
            cohorts = self.stock.cohorts(new)
            self.pending.extend(cohorts)
            for line in self.stock.notices:
                self.display.notice(line)
            self.stock.notices.clear()
            speed, environments = measured_flops_per_second(), self.plan.environments
            seconds = {
                run.run_id: run_seconds(run, environments[run.scenario], speed) for run in left
            }
            self.tracker.expect(seconds, n_to_come=told.to_come)
            resumed = [cohort for cohort in cohorts if self._checkpoint(cohort).exists()]
            n_resumed = sum(run.run_id in seconds for cohort in resumed for run in cohort)
            if n_resumed:
                self.display.notice(f"{plural(n_resumed, 'run')} to resume from a checkpoint")

    def _end_hopeless(self) -> None:
        """End what a pruner has given up, with its worker where that has nothing else to train."""
        while not self.accounts.hopeless.empty():
            run_id, reason = self.accounts.hopeless.get()
            for worker in self.staff.workers:
                if run_id in ids_of(worker.runs) and run_id not in self.accounts.settled:
                    self.accounts.prune(run_id, reason, worker.runs)
                    if self.accounts.settled.issuperset(ids_of(worker.runs)):
                        worker.end()

    def _employ(self) -> None:
        """Give idle workers what waits, and start more where there are too few."""
        for worker in self.staff.workers:
            if not worker.runs:
                self._assign(worker)
        while self.pending and len(self.staff.workers) < self.n_workers:
            self._assign(self.staff.hire())

    def _assign(self, worker: WorkerProcess) -> None:
        """Give an idle worker the next cohort, if one is left."""
        if worker.is_ended or not self.pending:
            return
        cohort = self.pending.popleft()
        is_resumed = self._checkpoint(cohort).exists()
        recorded = self.accounts.settled.intersection(ids_of(cohort))
        sittings = {}
        for run in cohort:
            if run.run_id not in recorded:
                facts = provenance(run, self.options.device, WORKER_ENVIRONMENT)
                sittings[run.run_id] = facts
                self.accounts.begin(run, facts, resuming=is_resumed)
                self.tracker.start(run, worker.number)
        worker.train(cohort, sittings, recorded)

    def _handle_next_event(self) -> None:
        told = self.staff.next_event(_TICK_SECONDS)
        if told is not None:
            self._handle(*told)
        self._end_hopeless()
        self._take_proposals()
        self._employ()
        self.staff.look_after()
        self.books.check()
        self._show_notices()
        self.display.refresh()

    def _show_notices(self) -> None:
        """What the books have to say."""
        self.books.look_at_the_clock()
        while not self.books.notices.empty():
            self.display.notice(self.books.notices.get())
        self.accounts.show_recorded()

    def _handle(self, worker: WorkerProcess, event: Event | Exited) -> None:
        if isinstance(event, RunEvent):
            if event.run_id not in ids_of(worker.runs):
                worker.refuse(f"news of run {visible(event.run_id)}, which it does not have")
                return
            if event.run_id in self.accounts.settled:
                return
        match event:
            case Alive():
                pass
            case Progress():
                self.tracker.update(event)
            case Measured(run_id, points):
                self.tracker.update(event)
                self.accounts.log(run_id, points)
            case Sittings(run_id, sittings):
                self.accounts.note_sittings(run_id, sittings)
            case Finished():
                self.accounts.finish(event, worker.runs)
            case Failed():
                self.accounts.fail_in_training(event, worker.runs)
            case CohortFailed(traceback, exit_code):
                for run in worker.runs:
                    self.accounts.fail(run.run_id, traceback, exit_code)
            case DiskFull():
                raise disk_full_error(self.options.directory.root)
            case Idle():
                for run in worker.runs:
                    what = "the trainer returned without finishing this run"
                    self.accounts.fail(run.run_id, what)
                worker.runs = ()
            case Exited():
                self._replace(worker)
            case _:
                assert_never(event)

    def _replace(self, worker: WorkerProcess) -> None:
        """A worker has exited unasked: its runs failed; another is started if work is left.

        One that was given up for its silence may have met a passing trouble: its cohort is resumed
        once.
        """
        cause = worker.cause_of_death()
        cohort = worker.runs
        lost = tuple(run for run in cohort if run.run_id not in self.accounts.settled)
        is_second_time = not self.taken_up_again.isdisjoint(ids_of(lost))
        if lost and worker.is_given_up and not is_second_time:
            self.taken_up_again.update(ids_of(lost))
            for run in lost:
                label = self.tracker.interrupt(run.run_id).label
                self.display.notice(f"{label}: {cause}; the run is resumed, this once")
            self.pending.appendleft(cohort if self._checkpoint(cohort).exists() else lost)
        else:
            for run in lost:
                again = ", for the second time" if is_second_time else ""
                self.accounts.fail(run.run_id, cause + again)
        self.staff.dismiss(worker)

    def _checkpoint(self, cohort: Cohort) -> Path:
        return self.options.directory.checkpoint_path(ids_of(cohort))
