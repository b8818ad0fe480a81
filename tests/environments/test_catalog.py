"""Names of scenarios, their descriptions, and what a wrong name is told."""

from __future__ import annotations

import subprocess
import sys

import pytest

from suite.environments import EnvironmentInfo, available, describe, make
from suite.environments.skirmish.scenario import names_not_simulated_yet
from suite.errors import InputError


def test_available() -> None:
    assert available() == [
        "matrix/climbing", "matrix/two_step", "skirmish/3m", "skirmish/5m_vs_6m", "skirmish/8m",
    ]  # fmt: skip


def test_describe_5m_vs_6m() -> None:
    assert describe("skirmish/5m_vs_6m") == EnvironmentInfo(
        name="skirmish/5m_vs_6m",
        backend="skirmish",
        backend_version="1",
        n_agents=5,
        n_actions=12,
        observation_size=55,
        state_size=98,
        episode_limit=70,
        ally_state_size=4,
        is_deterministic=True,
    )


@pytest.mark.parametrize(("name", "near"), [
    ("skirmish/5m_vs_5m", "skirmish/5m_vs_6m"),
    ("5m_vs_6m", "skirmish/5m_vs_6m"),
    ("matrix/two_steps", "matrix/two_step"),
    ("matrix/climb", "matrix/climbing"),
    ("", "skirmish/3m"),
])  # fmt: skip
def test_unknown_name_names_the_nearest(name: str, near: str) -> None:
    for call in (describe, lambda n: make(n, 1, 0)):
        with pytest.raises(InputError, match="unknown scenario") as caught:
            call(name)
        assert near in str(caught.value)


def test_smac_maps_to_come_are_told_apart() -> None:
    assert len(names_not_simulated_yet()) == 20
    for name in names_not_simulated_yet():
        with pytest.raises(InputError, match="skirmish does not have this SMAC map yet"):
            make(f"skirmish/{name}", 1, 0)


def test_describing_loads_no_simulator() -> None:
    code = (
        "import sys, suite.environments as e; [e.describe(n) for n in e.available()]; "
        "assert not {'numba', 'torch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
