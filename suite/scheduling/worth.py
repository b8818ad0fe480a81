"""What a finished run was worth, in numbers that the schedule and proposers are told."""

from __future__ import annotations

import math
from collections.abc import Mapping

from suite.environments import counts_wins
from suite.records.store import History
from suite.runs.metrics import RETURN, WIN_RATE, test_key
from suite.runs.modes import DECENTRALISED
from suite.runs.performance import final_performance
from suite.runs.spec import RunSpec
from suite.study.objectives import OBJECTIVES, Ended


def final_value(run: RunSpec, histories: Mapping[str, History]) -> float:
    """Final test win rate of agents that act alone, or return where nothing is won.

    As reports define it; NaN for a run that was never tested.
    """
    measure = WIN_RATE if counts_wins(run.scenario) else RETURN
    key = test_key(measure, DECENTRALISED.name)
    if key not in histories:
        return math.nan
    return final_performance(*histories[key], run.training.total_env_steps).value


def objective_values(
    run: RunSpec, histories: Mapping[str, History], elapsed_seconds: float | None
) -> dict[str, float]:
    """Every objective of a search for this run, NaN where it has none."""
    seconds = math.nan if elapsed_seconds is None else elapsed_seconds
    ended = Ended(histories, run.training.total_env_steps, seconds)
    values: dict[str, float] = {}
    for name, objective in OBJECTIVES.items():
        try:
            values[name] = objective.of_run(ended)
        except KeyError:  # not tested in a mode that it compares
            values[name] = math.nan
    return values
