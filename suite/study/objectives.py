"""What a search may look for: the one place that says what each objective is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from suite.runs.metrics import WIN_RATE, test_key
from suite.runs.modes import CENTRALISED, DECENTRALISED
from suite.runs.performance import final_performance

# Metric key → (ascending steps, values), as records have them.
Histories = Mapping[str, tuple[NDArray[np.int64], NDArray[np.float64]]]
ObjectiveName = Literal["final_win_rate", "mode_gap", "core_hours"]
Direction = Literal["maximize", "minimize"]


@dataclass(frozen=True)
class Ended:
    """A finished run, as far as objectives look at it."""

    histories: Histories
    total_env_steps: int
    elapsed_seconds: float


@dataclass(frozen=True)
class Objective:
    """A quantity of a run; a trial has its mean over the seeds.

    name: in study files. title, unit: for people. direction: as Optuna calls it. modes: execution
    modes that an arm must have. counts_wins: only where something says which episodes are won.
    of_run: its value for a finished run. at: its value at each test of a run, for pruning, in the
    order of the tests; None if tests do not tell it.
    """

    name: ObjectiveName
    title: str
    unit: str
    direction: Direction
    of_run: Callable[[Ended], float]
    at: Callable[[Histories], NDArray[np.float64]] | None = None
    modes: tuple[str, ...] = ()
    counts_wins: bool = False

    def mean(self, runs: list[Ended]) -> float:
        """Its value for a trial whose runs (one or more) have all finished."""
        return float(np.mean([self.of_run(run) for run in runs]))


def _win_rates(histories: Histories, mode: str) -> NDArray[np.float64]:
    return histories[test_key(WIN_RATE, mode)][1]


def _final_win_rate(run: Ended, mode: str = DECENTRALISED.name) -> float:
    steps, values = run.histories[test_key(WIN_RATE, mode)]
    return final_performance(steps, values, run.total_env_steps).value


def _mode_gap(run: Ended) -> float:
    return _final_win_rate(run, CENTRALISED.name) - _final_win_rate(run)


OBJECTIVES: Mapping[ObjectiveName, Objective] = {
    one.name: one
    for one in (
        Objective(
            "final_win_rate",
            "final test win rate of agents that act alone",
            "fraction",
            "maximize",
            _final_win_rate,
            lambda histories: _win_rates(histories, DECENTRALISED.name),
            modes=(DECENTRALISED.name,),
            counts_wins=True,
        ),
        Objective(
            "mode_gap",
            "final test win rate with advice, less that of agents that act alone",
            "fraction",
            "minimize",
            _mode_gap,
            lambda histories: (
                _win_rates(histories, CENTRALISED.name) - _win_rates(histories, DECENTRALISED.name)
            ),
            modes=(CENTRALISED.name, DECENTRALISED.name),
            counts_wins=True,
        ),
        Objective(
            "core_hours",
            "time that one core trains a run",
            "hours",
            "minimize",
            lambda run: run.elapsed_seconds / 3600,
        ),
    )
}
