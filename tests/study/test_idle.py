"""Values of a profile that no run would have are refused, each at its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from suite.errors import InputError
from suite.study.load import load_study

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
[arms.alone]
framework = "cadp"
backbone = "qmix"
attends_to = "self"
[arms.ramp]
framework = "cadp"
backbone = "qmix"
pruning_schedule = "cosine"
[arms.mappo]
framework = "ctde"
backbone = "mappo"
[profiles.p]
description = ""
scenarios = ["skirmish/3m", "skirmish/8m"]
arms = {arms}
seeds = [1]
[profiles.p.training]
total_env_steps = 1_000
{training}
[profiles.p.hyperparameters]
{hyperparameters}
"""
OWN = '[profiles.p.scenario_settings."skirmish/{}"]\n{}\n'
UNUSED, REPLACED = "no arm of this profile has a use for it", "every scenario of this profile has"


def load(
    tmp_path: Path,
    arms: str,
    hyperparameters: str = "",
    training: str = "",
    own: dict[str, str] | None = None,
) -> None:
    names = str(arms.split()).replace("'", '"')
    text = STUDY.format(arms=names, training=training, hyperparameters=hyperparameters)
    path = tmp_path / "s.toml"
    path.write_text(text + "".join(OWN.format(*item) for item in (own or {}).items()))
    load_study(path)


START, FIVE = "pruning_start_fraction = [0.5]\n", "pruning_start_env_steps = [5]\n"


@pytest.mark.parametrize(
    ("arms", "user", "common", "key", "value"),
    [
        ("qmix", "cadp", START, "alpha", "[0.5]"),
        ("qmix mappo", "cadp", "", "pruning_start_env_steps", "[5]"),
        ("qmix alone", "cadp", "", "pruning_start_fraction", "[0.5]"),
        ("cadp", "ramp", START, "pruning_ramp_end_fraction", "[1.0]"),
        ("cadp alone", "ramp", FIVE, "pruning_ramp_end_env_steps", "[900]"),
    ],
)
def test_hyperparameters_without_an_arm(
    tmp_path: Path, arms: str, user: str, common: str, key: str, value: str
) -> None:
    """With an arm that declares them they are welcome."""
    of_arms = common if "cadp" in arms else ""
    with pytest.raises(InputError, match=UNUSED) as caught:
        load(tmp_path, arms, f"{of_arms}{key} = {value}")
    assert caught.value.where.endswith(f"p.hyperparameters.{key}")
    load(tmp_path, f"{arms} {user}", f"{common}{key} = {value}")


@pytest.mark.parametrize("value", ["alpha = [0.5]", FIVE.strip(), START.strip()])
def test_hyperparameters_of_a_scenario_without_an_arm(tmp_path: Path, value: str) -> None:
    own = {"8m": f"hyperparameters = {{ {value} }}"}
    with pytest.raises(InputError, match=UNUSED) as caught:
        load(tmp_path, "qmix", own=own)
    key = value.partition(" ")[0]
    assert caught.value.where.endswith(f'"skirmish/8m".hyperparameters.{key}')
    load(tmp_path, "qmix cadp", START, own=own)


def test_training_settings_of_a_scenario_without_an_arm(tmp_path: Path) -> None:
    own = {"8m": "training = { batch_size_episodes = 8 }"}
    with pytest.raises(InputError, match=UNUSED) as caught:
        load(tmp_path, "mappo", own=own)
    assert caught.value.where.endswith('"skirmish/8m".training.batch_size_episodes')
    load(tmp_path, "mappo qmix", own=own)


@pytest.mark.parametrize(
    ("given", "own", "place"),
    [
        (
            {"training": "n_test_episodes = 8"},
            "training = { n_test_episodes = 4 }",
            "p.training.n_test_episodes",
        ),
        (
            {"hyperparameters": f"{START}alpha = [1.0]"},
            "hyperparameters = { alpha = [2.0] }",
            "p.hyperparameters.alpha",
        ),
        (
            {"hyperparameters": START},
            "hyperparameters = { pruning_start_env_steps = [5] }",
            "p.hyperparameters.pruning_start_fraction",
        ),
    ],
)
def test_what_every_scenario_replaces(
    tmp_path: Path, given: dict[str, str], own: str, place: str
) -> None:
    start = {"hyperparameters": START} if "training" in given else {}
    load(tmp_path, "cadp", **start, **given, own={"8m": own})
    with pytest.raises(InputError, match=REPLACED) as caught:
        load(tmp_path, "cadp", **start, **given, own={"3m": own, "8m": own})
    assert caught.value.where.endswith(place)


def test_faults_of_an_arm_are_told_first(tmp_path: Path) -> None:
    """An arm that has no advice by mistake would leave α without one, too."""
    text = STUDY.replace('attends_to = "self"', 'attends_to = "self"\nmasks_dead = true')
    path = tmp_path / "s.toml"
    path.write_text(text.format(arms='["alone"]', training="", hyperparameters=START))
    with pytest.raises(InputError, match=r"arms\.alone\.masks_dead"):
        load_study(path)
