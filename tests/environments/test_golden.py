"""Observations, state, availability and reward against what SMAC's own code computed.

`tests/data/golden/*.npz` hold unit tables and what oxwhirl/smac (commit d6aab33, default flags)
returned for them. Units jump about between rows: this tests the encoding, not the battle.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from suite.environments.skirmish import encode_episode
from suite.errors import InputError

GOLDEN = Path(__file__).parents[1] / "data" / "golden"
MAPS = [
    "3m", "8m", "25m", "5m_vs_6m", "27m_vs_30m", "MMM", "2s3z", "3s5z", "3s5z_vs_3s6z", "3s_vs_3z",
    "3s_vs_5z", "2m_vs_1z", "corridor", "2s_vs_1sc", "bane_vs_bane",
]  # fmt: skip


@pytest.mark.parametrize("scenario", MAPS)
def test_equal_to_smac(scenario: str) -> None:
    golden = np.load(GOLDEN / f"{scenario}.npz")
    assert len(golden["units"]) == len(golden["episode"]) > 0
    for episode in np.unique(golden["episode"]):
        rows = golden["episode"] == episode
        encoded = encode_episode(scenario, golden["units"][rows], golden["actions"][rows])
        np.testing.assert_allclose(encoded.obs, golden["obs"][rows], rtol=0, atol=1e-6)
        np.testing.assert_allclose(encoded.state, golden["state"][rows], rtol=0, atol=1e-6)
        np.testing.assert_array_equal(encoded.available_actions, golden["avail"][rows])
        np.testing.assert_array_equal(encoded.reward, golden["reward"][rows])
        np.testing.assert_array_equal(encoded.terminated, golden["terminated"][rows])
        np.testing.assert_array_equal(encoded.battle_won, golden["battle_won"][rows])


def test_full_name_is_accepted_and_unknown_is_not() -> None:
    golden = np.load(GOLDEN / "3m.npz")
    assert encode_episode("skirmish/3m", golden["units"][:7], golden["actions"][:7]).obs.any()
    with pytest.raises(InputError, match=r"unknown scenario.*3m"):
        encode_episode("4m", golden["units"], golden["actions"])


def break_units(units: Any, actions: Any) -> tuple[Any, Any]:
    return units[:, :-1], actions


def break_actions(units: Any, actions: Any) -> tuple[Any, Any]:
    return units, actions[:-1]


def break_owner(units: Any, actions: Any) -> tuple[Any, Any]:
    units[:, 0, 2] = 2
    return units, actions


def break_tags(units: Any, actions: Any) -> tuple[Any, Any]:
    units[2, :, 0] = units[2, ::-1, 0]
    return units, actions


def break_type(units: Any, actions: Any) -> tuple[Any, Any]:
    units[:, -1, 1] = 73
    return units, actions


def break_range(units: Any, actions: Any) -> tuple[Any, Any]:
    actions[1, 0] = 99
    return units, actions


@pytest.mark.parametrize(
    "spoil", [break_units, break_actions, break_owner, break_tags, break_type, break_range]
)
def test_tables_that_do_not_fit_are_refused(spoil: Any) -> None:
    golden = np.load(GOLDEN / "3m.npz")
    units, actions = spoil(golden["units"][:7].copy(), golden["actions"][:7].copy())
    with pytest.raises(InputError, match="encode_episode: 3m"):
        encode_episode("3m", units, actions)
