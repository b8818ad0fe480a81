"""What a run was worth, as numbers that a proposer and Optuna are told."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from suite.algorithms.registry import modes_of
from suite.environments import counts_wins
from suite.records.store import History
from suite.runs.metrics import RETURN, WIN_RATE, test_key
from suite.runs.modes import DECENTRALISED
from suite.runs.performance import final_performance
from suite.runs.spec import RunSpec

FINAL, MODE_GAP, CORE_HOURS = "final_win_rate", "mode_gap", "core_hours"


def objectives(
    run: RunSpec, histories: Mapping[str, History], elapsed_seconds: float | None
) -> dict[str, float]:
    """Every objective of one finished run, NaN where it cannot be told.

    final_win_rate: final test win rate (return where the scenario has none to win) of agents that
    act alone. mode_gap: that of the mode of training minus that. core_hours: time on one core.
    """
    values = [_final(run, histories, mode.name) for mode in (modes_of(run.algorithm)[0],)]
    alone = _final(run, histories, DECENTRALISED.name)
    return {
        FINAL: alone,
        MODE_GAP: values[0] - alone,
        CORE_HOURS: math.nan if elapsed_seconds is None else elapsed_seconds / 3600,
    }


def mean(results: Sequence[Mapping[str, float]], name: str) -> float:
    """An objective's mean over seeds. results: of one point, one per seed."""
    return float(np.mean([result[name] for result in results]))


def _final(run: RunSpec, histories: Mapping[str, History], mode: str) -> float:
    measure = WIN_RATE if counts_wins(run.scenario) else RETURN
    steps, values = histories.get(test_key(measure, mode), (np.empty(0), np.empty(0)))
    if len(values) == 0:
        return math.nan
    return final_performance(steps, values, run.training.total_env_steps).value
