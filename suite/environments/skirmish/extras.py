"""Observations beside SMAC's own, which only those who ask for them pay for. Imports no numba.

Some methods train with more than an agent may see when it acts. `unlimited_sight` is the ordinary
observation, row for row, but no living unit is too far to be seen. Relative places are divided by
the ordinary sight range all the same, so they may exceed 1; dead agents see zeros.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from suite.errors import InputError

if TYPE_CHECKING:
    from suite.environments.skirmish.scenario import Scenario

EXTRA_OBSERVATIONS: dict[str, Callable[[Scenario], int]] = {
    "unlimited_sight": lambda scenario: scenario.observation_size,
}
"""Their names, and the width of one agent's in a scenario."""


def extra_observation_size(scenario: Scenario, name: str) -> int:
    """Width of one agent's extra observation; InputError if there is none of that name."""
    check_extra([name])
    return EXTRA_OBSERVATIONS[name](scenario)


def check_extra(names: Sequence[str]) -> None:
    """Raise InputError unless all names are of extra observations."""
    for name in names:
        if name not in EXTRA_OBSERVATIONS:
            raise InputError(
                "unknown extra observation",
                where="skirmish: extra",
                value=name,
                cure=f"use one of {', '.join(EXTRA_OBSERVATIONS)}",
            )
