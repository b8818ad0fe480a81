"""Arms of one method that declare different hyperparameters and modes, in one study."""

from __future__ import annotations

from pathlib import Path

import pytest

from reports.points import points
from suite.errors import InputError
from suite.study.load import load_study
from suite.study.plan import Plan, expand

STUDY = """
format = 1
name = "s"
question = "?"
default_profile = "p"

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
pruning_schedule = "linear"
adviser_counts = [1, 2]

[profiles.p]
description = ""
scenarios = ["skirmish/3m"]
arms = ["cadp", "alone", "ramp"]
seeds = [1, 2]

[profiles.p.training]
total_env_steps = 1_000

[profiles.p.hyperparameters]
alpha = [0.5, 2.0]
pruning_start_fraction = [0.5]
pruning_ramp_end_fraction = [0.75, 1.0]

[[claims]]
name = "few"
text = "one adviser is enough"
kind = "equivalent"
left = "ramp/advisers_1"
right = "ramp/centralised"
margin = 0.05
"""


def plan_of(text: str, tmp_path: Path) -> Plan:
    path = tmp_path / "s.toml"
    path.write_text(text)
    return expand(load_study(path))


def test_every_arm_has_the_trials_of_its_own_hyperparameters(tmp_path: Path) -> None:
    plan = plan_of(STUDY, tmp_path)
    assert [trial.label.removeprefix("skirmish/3m ") for trial in plan.trials] == [
        "cadp α=0.5 T=500",
        "cadp α=2 T=500",
        "alone",
        "ramp α=0.5 T=500 T₁=750",
        "ramp α=0.5 T=500 T₁=1,000",
        "ramp α=2 T=500 T₁=750",
        "ramp α=2 T=500 T₁=1,000",
    ]
    assert plan.trials[2].runs[0].hyperparameters == {}
    assert [here for here, _ in points(plan)][2:4] == ["", "α=0.5, T₁=750"]


def test_no_arm_is_asked_for_what_it_does_not_have(tmp_path: Path) -> None:
    """A study of the arm without advice says nothing of α and T; one with a ramp has to say all."""
    lines = [line for line in STUDY.splitlines() if not line.startswith("pruning_ramp")]
    with pytest.raises(InputError, match=r"no pruning_ramp_end_env_steps .* for arm ramp"):
        plan_of("\n".join(lines), tmp_path)
    alone = STUDY.partition("[profiles.p.hyperparameters]")[0].replace(
        '["cadp", "alone", "ramp"]', '["alone"]'
    )
    assert [trial.label for trial in plan_of(alone, tmp_path).trials] == ["skirmish/3m alone"]


def test_claims_name_modes_of_their_arm(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="write 'cadp/centralised' or 'cadp/decentralised'"):
        plan_of(STUDY.replace("ramp/advisers_1", "cadp/advisers_1"), tmp_path)


def test_contradictory_settings_are_refused_with_the_study(tmp_path: Path) -> None:
    text = STUDY.replace('attends_to = "self"', 'attends_to = "self"\nmasks_dead = true')
    with pytest.raises(InputError, match=r"arms\.alone\.masks_dead"):
        plan_of(text, tmp_path)
    with pytest.raises(InputError, match=r"arms\.ramp\.adviser_counts\[0\]"):
        plan_of(STUDY.replace("[1, 2]\n\n[profiles", "[0, 2]\n\n[profiles"), tmp_path)
