"""Battles of one's own: what cannot be one is said in a line."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from suite.environments.skirmish import fields as f
from suite.environments.skirmish.environment import SkirmishEnvironment
from suite.environments.skirmish.scenario import Placement, load_scenario
from suite.errors import InputError


@pytest.mark.parametrize(
    ("units", "said"),
    [
        ((), "nobody is there"),
        ((Placement("Marine", float("nan"), 16.0),), "outside the map"),
        ((Placement("Marine", 40.0, 16.0),), "outside the map"),
        ((Placement("Marine", 16.0, -3.0),), "outside the map"),
    ],
)
@pytest.mark.parametrize("side", ["allies", "enemies"])
def test_sides_have_units_on_the_map(side: str, units: tuple[Placement, ...], said: str) -> None:
    with pytest.raises(InputError, match=f"scenario 3m, {side}: .*{said}"):
        replace(load_scenario("3m"), **{side: units})


def test_a_healer_aims_at_no_agent_that_has_no_action(arena: Any) -> None:
    # five agents, one enemy: seven actions, of which the last aims at the first of either side
    agents = [("Medivac", 9, 16), *(("Marine", 9, 12 + k) for k in range(4))]
    environment = arena.battle(agents, [("Marine", 12, 16)])
    environment.units[0, 1:5, f.HEALTH] = 20.0
    environment.step(np.full((1, 5), f.STOP))
    available = environment.available_actions[0]
    assert available.shape == (5, 7)
    assert not available[0, f.FIRST_TARGET]  # itself
    assert available[1:, f.FIRST_TARGET].all()


def test_a_name_in_place_of_a_scenario_is_told_the_way_to_make() -> None:
    with pytest.raises(InputError, match=r"\(got '3m'\); call suite\.environments\.make\("):
        SkirmishEnvironment("3m", 1, 0)  # type: ignore[arg-type]
