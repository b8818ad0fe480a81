"""What a search looks for, and what is watched beside it, in the units of the page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reports.data import RunView
from reports.measures import counts_wins
from reports.numbers import MISSING, number
from reports.statistics.intervals import Estimate
from suite.study.objectives import OBJECTIVES, Ended, Objective


@dataclass(frozen=True)
class Quantity:
    """An objective as it is shown: fractions in percent, and differences of them in points."""

    objective: Objective

    @property
    def _is_fraction(self) -> bool:
        return self.objective.unit == "fraction"

    @property
    def is_difference(self) -> bool:
        """Whether it compares two ways of acting."""
        return len(self.objective.modes) > 1

    @property
    def unit(self) -> str:
        """As written after its name."""
        if not self._is_fraction:
            return self.objective.unit
        return "points" if self.is_difference else "%"

    @property
    def label(self) -> str:
        """Name and unit."""
        return f"{self.objective.title} ({self.unit})"

    @property
    def short(self) -> str:
        """Its name as study files have it, in words."""
        return self.objective.name.replace("_", " ")

    @property
    def bounds(self) -> tuple[float, float]:
        """Possible range of the shown value."""
        if not self._is_fraction:
            return 0.0, math.inf
        return (-100.0, 100.0) if self.is_difference else (0.0, 100.0)

    @property
    def maximises(self) -> bool:
        """Whether more of it is better."""
        return self.objective.direction == "maximize"

    def better(self, value: float) -> float:
        """What is larger the better the value is."""
        return value if self.maximises else -value

    def of_run(self, run: RunView) -> float | None:
        """Its value of a run that is evidence, as shown; None where its records do not tell."""
        value = self.recorded(run)
        return None if value is None else value * (100.0 if self._is_fraction else 1.0)

    def recorded(self, run: RunView) -> float | None:
        """The same in the unit of the objective."""
        if not {mode.name for mode in run.modes}.issuperset(self.objective.modes):
            return None
        seconds = math.nan if run.elapsed_seconds is None else run.elapsed_seconds
        histories = {
            key: (one.steps.astype(np.int64), one.values) for key, one in run.histories.items()
        }
        value = self.objective.of_run(Ended(histories, run.total_env_steps, seconds))
        return value if math.isfinite(value) else None

    def write(self, value: float | None, digits: int = 1) -> str:
        """A value; digits: decimals of a percentage, others have three digits in all."""
        if value is None:
            return MISSING
        return number(value, digits) if self._is_fraction else f"{value:.3g}".replace("-", "−")

    def interval(self, estimate: Estimate | None, digits: int = 1) -> str:
        """`[low, high]`, or a dash where there is none."""
        if estimate is None or estimate.low is None or estimate.high is None:
            return MISSING
        return f"[{self.write(estimate.low, digits)}, {self.write(estimate.high, digits)}]"


def quantities(
    objectives: Sequence[Objective], scenario: str, modes: Sequence[str]
) -> tuple[Quantity, ...]:
    """The objectives of a search, and the gap between ways of acting where the arm has both.

    modes: names of those in which the arm is tested.
    """
    gap = OBJECTIVES["mode_gap"]
    shown = dict.fromkeys(objectives)
    if counts_wins(scenario) and set(gap.modes) <= set(modes):
        shown[gap] = None
    return tuple(map(Quantity, shown))
