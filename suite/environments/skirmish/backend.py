"""Skirmish as one backend among others. Cheap: the simulator is imported by `make`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from suite.environments.backend import Backend
from suite.environments.interface import BatchedEnvironment, EnvironmentInfo
from suite.environments.registry import backend_of, full_name, short_name
from suite.environments.skirmish.fields import HEALTH
from suite.environments.skirmish.scenario import (
    REWARD_SCALE_RATE,
    Scenario,
    load_scenario,
    scenario_names,
)
from suite.errors import InputError

# Sums of a battle's rewards may pass their bound by as much, relative.
_ROUNDING = 1e-9


class SkirmishBackend(Backend):
    """All 23 maps of SMAC."""

    name = "skirmish"
    title = "skirmish (embedded simulator)"
    description = "embedded simulator, not StarCraft II"
    disclaimer = "No number measured here is from StarCraft II."
    # As in SMAC, which the release (and PyMARL) run with `continuing_episode: False`.
    time_limit = "terminal"
    largest_observation = 1.0
    is_battle = True

    def scenarios(self) -> Sequence[str]:
        return scenario_names()

    def describe(self, scenario: str) -> EnvironmentInfo:
        return load_scenario(scenario).info()

    def make(
        self, scenario: str, n_environments: int, seed: int, extra: Sequence[str]
    ) -> BatchedEnvironment:
        from suite.environments.skirmish.environment import SkirmishEnvironment

        return SkirmishEnvironment(load_scenario(scenario), n_environments, seed, extra=extra)

    def return_bounds(self, scenario: str) -> tuple[float, float]:
        """Every change of the enemies' life is rewarded: 20 in all, but where it also grows."""
        loaded = load_scenario(scenario)
        enemies = [loaded.types[unit.type_name] for unit in loaded.enemies]
        grows = any(e.shield or e.health_regeneration_per_loop or e.heal for e in enemies)
        return 0.0, math.inf if grows else REWARD_SCALE_RATE * (1 + _ROUNDING)

    def agent_kinds(self, scenario: str) -> Sequence[str]:
        """Unit types, in lower case."""
        return [unit.type_name.lower() for unit in load_scenario(scenario).allies]

    def episode_info(self, environment: BatchedEnvironment, slot: int) -> dict[str, Any]:
        """dead_allies, dead_enemies: as in SMAC's info, the numbers of units dead by now."""
        is_dead = environment.units[slot, :, HEALTH] <= 0  # type: ignore[attr-defined]
        n_agents = environment.info.n_agents
        return {
            "dead_allies": int(is_dead[:n_agents].sum()),
            "dead_enemies": int(is_dead[n_agents:].sum()),
        }


BACKEND = SkirmishBackend()


def skirmish_scenario(name: str, *, where: str) -> Scenario:
    """The scenario called `name`, with or without `skirmish/`; InputError if there is none."""
    full = full_name(name, where=where)
    if backend_of(full) is not BACKEND:
        cure = "choose a scenario of skirmish, e.g. skirmish/3m"
        raise InputError("not a scenario of skirmish", where=where, value=name, cure=cure)
    return load_scenario(short_name(full))
