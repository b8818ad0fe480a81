"""Names of scenarios, their descriptions, and what a wrong name is told."""

from __future__ import annotations

import subprocess
import sys

import pytest

from suite.environments import EnvironmentInfo, available, describe, full_name, make
from suite.environments.skirmish import SKIRMISH_VERSION
from suite.errors import InputError


def test_available() -> None:
    maps = [
        "10m_vs_11m", "1c3s5z", "25m", "27m_vs_30m", "2c_vs_64zg", "2m_vs_1z", "2s3z", "2s_vs_1sc",
        "3m", "3s5z", "3s5z_vs_3s6z", "3s_vs_3z", "3s_vs_4z", "3s_vs_5z", "5m_vs_6m", "6h_vs_8z",
        "8m", "8m_vs_9m", "MMM", "MMM2", "bane_vs_bane", "corridor", "so_many_baneling",
    ]  # fmt: skip
    smax = [
        "10m_vs_11m", "25m", "27m_vs_30m", "2s3z", "3m", "3s5z", "3s5z_vs_3s6z", "3s_vs_5z",
        "5m_vs_6m", "6h_vs_8z", "8m", "smacv2_10_units", "smacv2_20_units", "smacv2_5_units",
    ]  # fmt: skip
    levels = ["3_vs_1_with_keeper", "counterattack_easy", "counterattack_hard"]
    assert available() == [
        *(f"football/academy_{level}" for level in levels),
        "matrix/climbing", "matrix/two_step",
        *(f"skirmish/{name}" for name in maps),
        *(f"smax/{name}" for name in smax),
        *(f"starcraft/{name}" for name in maps),
    ]  # fmt: skip


def test_describe_5m_vs_6m() -> None:
    assert describe("skirmish/5m_vs_6m") == EnvironmentInfo(
        name="skirmish/5m_vs_6m",
        backend="skirmish",
        backend_version=SKIRMISH_VERSION,
        n_agents=5,
        n_actions=12,
        observation_size=55,
        state_size=98,
        episode_limit=70,
        ally_state_size=4,
        extra_observations={"unlimited_sight": 55},
        observation_names=("sight_9",),
    )


def test_a_short_name_is_of_the_first_backend_that_has_it() -> None:
    assert full_name("5m_vs_6m", where="here") == "skirmish/5m_vs_6m"
    assert full_name("climbing", where="here") == "matrix/climbing"


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


def test_a_short_name_is_of_what_needs_nothing_else() -> None:
    """Where several backends have it."""
    assert full_name("3m", where="here") == "skirmish/3m"
    assert full_name("smacv2_5_units", where="here") == "smax/smacv2_5_units"


def test_describing_loads_no_simulator() -> None:
    code = (
        "import sys, suite.environments as e; [e.describe(n) for n in e.usable()]; "
        "assert not {'numba', 'torch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
