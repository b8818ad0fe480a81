"""The workers of one invocation: started, listened to, watched for silence, ended."""

from __future__ import annotations

import itertools
import queue
import time
from collections.abc import Mapping

from suite.environments.interface import EnvironmentInfo
from suite.scheduling.processes import Events, Exited, WorkerOptions, WorkerProcess
from suite.study.cost import (
    measured_flops_per_second,
    silence_limit_seconds,
    time_limit_seconds,
)
from suite.training.events import Event

# A worker's silence is counted in ticks of at most this: while the coordinator itself was stopped
# (Ctrl-Z, a sleeping laptop), nobody was listening.
_LONGEST_TICK_SECONDS = 1.0


class Staff:
    """Worker processes and what they tell. environments: what each scenario is, by its name."""

    def __init__(self, options: WorkerOptions, environments: Mapping[str, EnvironmentInfo]) -> None:
        self.workers: list[WorkerProcess] = []
        self._options = options
        self._environments = environments
        self._events: Events = queue.SimpleQueue()
        self._last_look = time.monotonic()

    def hire(self) -> WorkerProcess:
        """Start a worker; it has no work yet. It gets the smallest number that is free."""
        taken = {worker.number for worker in self.workers}
        number = next(n for n in itertools.count(1) if n not in taken)
        worker = WorkerProcess(number, self._options, self._events)
        self.workers.append(worker)
        return worker

    def next_event(self, seconds: float) -> tuple[WorkerProcess, Event | Exited] | None:
        """What some worker has told; None if none does in that time."""
        try:
            worker, event = self._events.get(timeout=seconds)
        except queue.Empty:
            return None
        if not isinstance(event, Exited):  # its end is no sign of life
            worker.silent_seconds, worker.has_begun = 0.0, True
        return worker, event

    def look_after(self) -> None:
        """Count how long each is silent and at work, and end those whose limit is over."""
        now = time.monotonic()
        passed = min(now - self._last_look, _LONGEST_TICK_SECONDS)
        self._last_look = now
        for worker in self.workers:
            if worker.runs and not worker.is_ended:
                worker.silent_seconds += passed
                worker.working_seconds += passed
                if worker.silent_seconds > self._silence_limit_seconds(worker):
                    worker.give_up()
                elif worker.working_seconds > (limit := self._time_limit_seconds(worker)):
                    worker.time_out(limit)

    def dismiss(self, worker: WorkerProcess) -> None:
        """See a worker off that has exited."""
        worker.join()
        self.workers.remove(worker)

    def stop(self, *, at_once: bool) -> None:
        """End all: when they are idle, or now."""
        for worker in self.workers:
            worker.ask_to_stop(at_once=at_once)
        for worker in self.workers:
            worker.join()

    def _silence_limit_seconds(self, worker: WorkerProcess) -> float:
        """All members of a cohort are tested and updated between two signs."""
        speed = measured_flops_per_second()
        return sum(
            silence_limit_seconds(
                run, self._environments[run.scenario], speed, has_begun=worker.has_begun
            )
            for run in worker.runs
        )

    def _time_limit_seconds(self, worker: WorkerProcess) -> float:
        speed = measured_flops_per_second()
        return sum(
            time_limit_seconds(run, self._environments[run.scenario], speed) for run in worker.runs
        )
