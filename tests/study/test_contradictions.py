"""Settings that do nothing, contradict each other or train the same runs twice are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from suite.errors import InputError
from suite.study.load import load_study
from suite.study.plan import expand

STUDY = """
format = 1
name = "s"
question = "?"
default_profile = "p"
[arms.qmix]
framework = "ctde"
backbone = "qmix"
[arms.cadp]
framework = "cadp"
backbone = "qmix"
[arms.mappo]
framework = "ctde"
backbone = "mappo"
[profiles.p]
description = ""
scenarios = ["skirmish/3m"]
arms = ["qmix", "cadp", "mappo"]
seeds = [1]
[profiles.p.training]
total_env_steps = 1_000
buffer_size_episodes = 40
[profiles.p.hyperparameters]
pruning_start_env_steps = [400]
"""
QMIX, CADP, LAST = "[arms.cadp]\n", "[arms.mappo]\n", "pruning_start_env_steps = [400]"
TWO_OF_MAPPO = '[arms.said]\nframework = "ctde"\nbackbone = "mappo"\nn_epochs = {}\n[arms.mappo]\n'
ALL = 'arms = ["qmix", "cadp", "mappo"]'


def load(tmp_path: Path, *changes: tuple[str, str]) -> int:
    """Writes and loads the study; how many runs it has."""
    text = STUDY
    for old, new in changes:
        assert text.count(old) == 1
        text = text.replace(old, new)
    path = tmp_path / "s.toml"
    path.write_text(text)
    return len(expand(load_study(path)).runs)


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ([(QMIX, f"trace_decay = 0.3\n{QMIX}")], "arms.qmix.trace_decay"),
        ([(CADP, f"gap_target = 0.3\n{CADP}")], "arms.cadp.gap_target"),
        ([(CADP, f"alpha_highest = 3.0\n{CADP}")], "arms.cadp.alpha_highest"),
        ([(CADP, f"adviser_counts = [1, 3]\n{CADP}")], "arms.cadp.adviser_counts"),
        (
            [("[profiles.p]\n", "n_minibatches = 9\n[profiles.p]\n")],
            "arms.mappo.n_minibatches",
        ),
        (
            [(CADP, f'attends_to = "self"\npruning_normalisation = "agents"\n{CADP}')],
            "arms.cadp.pruning_normalisation",
        ),
        (
            [
                (CADP, f'pruning_schedule = "linear"\n{CADP}'),
                (LAST, f"{LAST}\npruning_ramp_end_env_steps = [399]"),
            ],
            "hyperparameters.pruning_ramp_end_env_steps",
        ),
        (
            [(CADP, f'pruning_schedule = "gap"\n{CADP}'), (LAST, f"{LAST}\nalpha = [0.0]")],
            "hyperparameters.alpha",
        ),
        (
            [
                (
                    "buffer_size_episodes = 40",
                    "buffer_size_episodes = 40\nepisodes_per_collection=41",
                )
            ],
            "training.episodes_per_collection",
        ),
        (
            [(ALL, 'arms = ["mappo"]'), (LAST, "")],
            "training.buffer_size_episodes",
        ),
        (
            [(CADP, TWO_OF_MAPPO.format(15)), (ALL, 'arms = ["said", "mappo", "cadp"]')],
            "arms.mappo",
        ),
    ],
)
def test_refused_in_one_line(tmp_path: Path, changes: list[tuple[str, str]], where: str) -> None:
    with pytest.raises(InputError) as caught:
        load(tmp_path, *changes)
    assert where in caught.value.where


def test_a_default_that_is_said_is_no_twin_where_the_release_has_another(tmp_path: Path) -> None:
    changes = [(CADP, TWO_OF_MAPPO.format(5)), (ALL, 'arms = ["said", "mappo", "cadp"]')]
    assert load(tmp_path, *changes) == 3


def test_a_ramp_may_end_where_it_starts_and_a_buffer_hold_one_collection(tmp_path: Path) -> None:
    changes = [
        (CADP, f'pruning_schedule = "linear"\n{CADP}'),
        (LAST, f"{LAST}\npruning_ramp_end_env_steps = [400]"),
        ("buffer_size_episodes = 40", "buffer_size_episodes = 40\nepisodes_per_collection=40"),
    ]
    assert load(tmp_path, *changes) == 3


@pytest.mark.parametrize(
    ("ends", "where", "value"),
    [
        (
            "pruning_ramp_end_fraction = [0.9, 0.3]",
            "p.hyperparameters.pruning_ramp_end_fraction",
            0.3,
        ),
        (
            '[profiles.p.scenario_settings."skirmish/3m"]\n'
            "hyperparameters.pruning_ramp_end_fraction = [0.1]",
            'p.scenario_settings."skirmish/3m".hyperparameters.pruning_ramp_end_fraction',
            0.1,
        ),
        (
            "pruning_ramp_end_fraction = [0.9, 0.9001]",
            "p.hyperparameters.pruning_ramp_end_fraction",
            0.9,
        ),
    ],
)
def test_a_value_is_named_as_it_is_written(
    tmp_path: Path, ends: str, where: str, value: float
) -> None:
    ramp = (CADP, f'pruning_schedule = "linear"\n{CADP}')
    with pytest.raises(InputError) as caught:
        load(tmp_path, ramp, (LAST, f"{LAST}\n{ends}"))
    assert caught.value.where.endswith(f"profiles.{where}")
    assert caught.value.value == value


def test_one_other_is_one(tmp_path: Path) -> None:
    pair = ('"skirmish/3m"', '"matrix/climbing"')
    with pytest.raises(InputError, match="an agent has 1 other to listen to"):
        load(tmp_path, pair, (CADP, f"adviser_counts = [2]\n{CADP}"))
