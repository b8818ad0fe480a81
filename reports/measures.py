"""What is measured, how it is shown, and in which scenarios."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reports.data import History, RunView


@dataclass(frozen=True)
class Measure:
    """A tested quantity.

    key: metric key without the execution mode. scale: stored value × scale = shown value.
    bounds: possible range of the shown value. unit, difference_unit: as written after a number.
    """

    key: str
    label: str
    scale: float
    bounds: tuple[float, float]
    unit: str
    difference_unit: str

    def history(self, run: RunView, mode: str) -> History | None:
        """The run's tests in the shown unit; None where it has none in this mode."""
        stored = run.histories.get(f"{self.key}/{mode}")
        if stored is None or len(stored.steps) == 0:
            return None
        return History(stored.steps, stored.values * self.scale)


WIN_RATE = Measure("test/win_rate", "test win rate (%)", 100.0, (0.0, 100.0), "%", "points")
RETURN = Measure("test/return", "test return", 1.0, (-np.inf, np.inf), "", "")


def backend(scenario: str) -> str:
    """The program behind a scenario: `skirmish/3m` → `skirmish`."""
    return scenario.partition("/")[0]


def measures(scenario: str) -> tuple[Measure, ...]:
    """What to tabulate; the first is what to draw.

    In a matrix game the win rate only says whether the optimum was reached, so returns come first.
    """
    return (RETURN, WIN_RATE) if backend(scenario) == "matrix" else (WIN_RATE,)
