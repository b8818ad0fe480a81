"""What the display shows: how far each run is, how fast, how much is left. No output here."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from suite.algorithms.registry import modes_of, run_point
from suite.environments import counts_wins
from suite.runs.metrics import WIN_RATE, tested_mode
from suite.runs.spec import RunSpec
from suite.training.events import Measured, Progress

# The estimate counts as this much time at the pace it predicts: the first seconds of a run are
# imports and compilation, no measure of speed.
_TRUST_IN_ESTIMATE_SECONDS = 60.0


@dataclass
class RunProgress:
    """One run being trained; `first_env_steps` is where this sitting took it up."""

    spec: RunSpec
    worker: int
    started: float
    env_steps: int = 0
    first_env_steps: int | None = None
    win_rates: dict[str, float] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """For people: scenario, arm, hyperparameters and seed."""
        spec = self.spec
        parts = (spec.scenario, spec.arm, run_point(spec), f"seed {spec.seed}")
        return " ".join(part for part in parts if part)

    @property
    def win_rate_text(self) -> str:
        """Latest test: `C 0.62 D 0.45`, in the order of the modes; empty before the first."""
        modes = modes_of(self.spec.algorithm)
        tested = [(mode.letter, self.win_rates.get(mode.name)) for mode in modes]
        return " ".join(f"{letter} {rate:.2f}" for letter, rate in tested if rate is not None)


class Tracker:
    """Progress of all runs of one invocation.

    n_before: runs of the plan that were finished earlier. n_to_come: most runs that may still be
    proposed. `now` is a clock in seconds.
    """

    def __init__(
        self, *, n_before: int, n_workers: int, now: Callable[[], float] = time.monotonic
    ) -> None:
        self.n_before = n_before
        self.n_to_come = 0
        self.n_finished = 0
        self.n_failed = 0
        self.current: dict[str, RunProgress] = {}
        self._cost: dict[str, float] = {}
        self._settled_cost = 0.0
        self._worked_cost = 0.0
        self._n_workers = n_workers
        self._now = now
        self._start = now()

    @property
    def n_total(self) -> int:
        """Runs of the plan, at most."""
        return self.n_before + len(self._cost) + self.n_to_come

    def expect(self, seconds_by_run: Mapping[str, float], *, n_to_come: int) -> None:
        """Runs are to be trained. seconds_by_run: id → estimated cost, of which only the ratios
        matter once runs make progress. Those to come are taken to cost as much as the known."""
        self._cost.update(seconds_by_run)
        self.n_to_come = n_to_come

    @property
    def elapsed_seconds(self) -> float:
        """Since this invocation began."""
        return self._now() - self._start

    @property
    def fraction(self) -> float:
        """Done part of this invocation's work, 0 to 1, weighted by estimated cost."""
        total = self._total_cost
        going = sum(self._done_cost(run, since=0) for run in self.current.values())
        return min(1.0, (self._settled_cost + going) / total) if total else 1.0

    @property
    def remaining_seconds(self) -> float:
        """Wall time to the end: the estimate at first, more and more the speed seen so far."""
        left = self._total_cost * (1 - self.fraction)
        worked = self._worked_cost + sum(
            self._done_cost(run, since=run.first_env_steps or 0) for run in self.current.values()
        )
        elapsed = self.elapsed_seconds + _TRUST_IN_ESTIMATE_SECONDS
        return left * elapsed / (worked + self._n_workers * _TRUST_IN_ESTIMATE_SECONDS)

    def steps_per_second(self, run: RunProgress) -> float:
        """Training steps per second of this sitting."""
        elapsed = self._now() - run.started
        done = run.env_steps - (run.first_env_steps or 0)
        return done / elapsed if elapsed > 0 else 0.0

    def start(self, spec: RunSpec, worker: int) -> RunProgress:
        """A worker takes a run up."""
        run = self.current[spec.run_id] = RunProgress(spec, worker, self._now())
        return run

    def update(self, event: Progress | Measured) -> None:
        """Take in what a run reports; of a run that has ended nothing is shown."""
        run = self.current.get(event.run_id)
        if run is None:
            return
        match event:
            case Progress():
                run.env_steps = event.env_steps
                if run.first_env_steps is None:
                    # Speed counts from the first report on: what lies before may be a checkpoint's.
                    run.first_env_steps, run.started = run.env_steps, self._now()
            case Measured() if counts_wins(run.spec.scenario):
                for key, _, value, _ in event.points:
                    if (mode := tested_mode(key, WIN_RATE)) is not None:
                        run.win_rates[mode] = value

    def interrupt(self, run_id: str) -> RunProgress:
        """A run goes back to those that wait."""
        return self.current.pop(run_id)

    def settle(self, run_id: str, *, failed: bool) -> RunProgress:
        """A run has ended, one way or the other."""
        run = self.current.pop(run_id)
        self.n_failed += failed
        self.n_finished += not failed
        self._settled_cost += self._cost[run_id]
        done = 0.0 if failed else self._cost[run_id]
        self._worked_cost += done * (1 - self._part(run, run.first_env_steps or 0))
        return run

    @property
    def _total_cost(self) -> float:
        known = sum(self._cost.values())
        return known + self.n_to_come * known / len(self._cost) if self._cost else 0.0

    def _part(self, run: RunProgress, env_steps: int) -> float:
        return min(1.0, env_steps / run.spec.training.total_env_steps)

    def _done_cost(self, run: RunProgress, since: int) -> float:
        part = self._part(run, run.env_steps) - self._part(run, since)
        return self._cost[run.spec.run_id] * max(0.0, part)
