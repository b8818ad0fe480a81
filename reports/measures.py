"""What is measured, how it is shown, and in which scenarios."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from reports.data import History, RunView
from suite.environments import backend_of, short_name
from suite.environments.backend import Backend
from suite.runs import metrics
from suite.runs.metrics import test_key
from suite.runs.modes import ExecutionMode


@dataclass(frozen=True)
class Measure:
    """A tested quantity.

    quantity: its name in metric keys. scale: stored value × scale = shown value.
    unit, difference_unit: as written after a number.
    """

    quantity: str
    label: str
    scale: float = 1.0
    unit: str = ""
    difference_unit: str = ""

    def key(self, mode: ExecutionMode) -> str:
        """Its metric key in one execution mode."""
        return test_key(self.quantity, mode.name)

    def history(self, run: RunView, mode: ExecutionMode) -> History | None:
        """The run's tests in the shown unit; None where it has none in this mode."""
        stored = run.histories.get(self.key(mode))
        if stored is None or len(stored.steps) == 0:
            return None
        return History(stored.steps, stored.values * self.scale)

    def bounds(self, run: RunView) -> tuple[float, float]:
        """Possible range of the shown value; the same for every run of a scenario."""
        low, high = possible_range(self.quantity, run)
        return low * self.scale, high * self.scale


def possible_range(quantity: str, run: RunView) -> tuple[float, float]:
    """Possible stored values of a quantity that training and tests record."""
    limit = np.inf if run.episode_limit is None else float(run.episode_limit)
    ranges = {
        metrics.WIN_RATE: (0.0, 1.0),
        metrics.RETURN: run.return_bounds,
        metrics.EPISODE_LENGTH: (1.0, limit),
    }
    return ranges.get(quantity, (-np.inf, np.inf))


WIN_RATE = Measure(metrics.WIN_RATE, "test win rate (%)", 100.0, "%", "points")
RETURN = Measure(metrics.RETURN, "test return")
EPISODE_LENGTH = Measure(metrics.EPISODE_LENGTH, "steps of a test episode")
_KNOWN = {one.quantity: one for one in (WIN_RATE, RETURN, EPISODE_LENGTH)}


@cache
def backend(scenario: str) -> Backend:
    """The program behind a scenario."""
    return backend_of(scenario)


def counts_wins(scenario: str) -> bool:
    """Whether a win rate means something there."""
    return backend(scenario).counts_wins(short_name(scenario))


@cache
def measures(scenario: str) -> tuple[Measure, ...]:
    """What its backend wants tabulated; the first is what to draw."""
    return tuple(
        _KNOWN.get(quantity) or Measure(quantity, f"test {quantity}")
        for quantity in backend(scenario).measures
        if quantity != metrics.WIN_RATE or counts_wins(scenario)
    )
