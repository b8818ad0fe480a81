"""A backend with some maps of another, for studies that are moved to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from suite.environments import EnvironmentInfo
from suite.environments.skirmish.backend import SkirmishBackend


class TwinBackend(SkirmishBackend):
    """Skirmish under another name, with fewer maps and no further observations."""

    name = "twin"
    title = description = "a twin of skirmish"
    disclaimer = ""

    def scenarios(self) -> Sequence[str]:
        return ["3m", "5m_vs_6m", "8m"]

    def describe(self, scenario: str) -> EnvironmentInfo:
        other = super().describe(scenario)
        return replace(other, name=f"twin/{scenario}", backend="twin", extra_observations={})


TWIN = TwinBackend()
