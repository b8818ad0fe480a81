"""Jumps of learning curves: what is chance and what is learning."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from learning_jumps import jumps, rows_of

from suite.runs.metrics import WIN_RATE, test_key


def test_a_policy_that_stays_as_it_is_jumps_by_its_battles_alone() -> None:
    rng = np.random.default_rng(0)
    curve = jumps(rng.binomial(320, 0.6, 20_000) / 320, 320)
    by_chance = 100 * np.sqrt(2 * 0.6 * 0.4 / 32)
    assert curve["battles"] == pytest.approx(by_chance, rel=0.01)
    assert curve["jump"] == pytest.approx(by_chance, rel=0.01)
    assert curve["learner"] < 1.0
    assert curve["mixed"] == 1.0


def test_policies_that_win_all_or_nothing_jump_by_themselves() -> None:
    curve = jumps(np.array([1.0, 0.0, 1.0, 0.0]), 320)
    assert curve == {"jump": 100.0, "battles": 0.0, "learner": 100.0, "mixed": 0.0}


def test_both_parts_are_told_apart() -> None:
    rng = np.random.default_rng(1)
    p = np.tile([0.3, 0.5], 20_000)
    curve = jumps(rng.binomial(320, p) / 320, 320)
    assert curve["learner"] == pytest.approx(20.0, rel=0.01)
    battles = 100 * np.sqrt((0.3 * 0.7 + 0.5 * 0.5) / 32)
    assert curve["battles"] == pytest.approx(battles, rel=0.01)
    assert curve["jump"] == pytest.approx(np.hypot(20.0, battles), rel=0.01)


def test_tests_count_from_the_first_battle_won_in_every_mode() -> None:
    values = np.array([0.0, 0.0, 0.5, 0.0, 1.0])
    record: Any = SimpleNamespace(
        spec=SimpleNamespace(training=SimpleNamespace(n_test_episodes=320), seed=4),
        provenance={"environment_version": "4"},
        scenario="skirmish/3m",
        arm="cadp_qmix",
        histories={
            test_key(WIN_RATE, "centralised"): (np.arange(5), values),
            test_key(WIN_RATE, "decentralised"): (np.arange(5), 0 * values),  # never won
            "loss": (np.arange(5), values),
        },
    )
    (row,) = rows_of(record)
    assert row.items() >= {"mode": "centralised", "seed": 4, "tests": 3, "version": "4"}.items()
    assert row.items() >= jumps(values[2:], 320).items()


def test_a_folder_without_runs_is_said_to_be_one(call: Any, tmp_path: Path) -> None:
    code, _, said = call("learning_jumps", tmp_path)
    assert code == 2
    assert "nothing has been run here" in said
