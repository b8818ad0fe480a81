"""docs/sweeps.md: its examples are studies."""

from __future__ import annotations

from pathlib import Path

from pages import examples, page

from suite.study.load import load_study
from suite.study.plan import Plan, expand

WHOLE, RANGES, TUNED = examples(page("docs/sweeps.md"), "toml")


def plan_of(text: str, folder: Path, profile: str = "quick") -> Plan:
    path = folder / "pruning.toml"
    path.write_text(text)
    return expand(load_study(path), profile)


def test_the_example_explores_beside_a_reference(tmp_path: Path) -> None:
    plan = plan_of(WHOLE, tmp_path)
    assert plan.profile.is_exploratory
    assert [space.arm for space in plan.searches] == ["cadp_qmix"]
    assert [trial.arm for trial in plan.trials] == ["qmix"]


def test_further_ranges_fit_into_it(tmp_path: Path) -> None:
    plan = plan_of(WHOLE.partition("[profiles.quick.search.ranges]")[0] + RANGES, tmp_path)
    names = {space.arm: [one.name for one in space.dimensions] for space in plan.searches}
    assert names["qmix"] == ["learning_rate", "hidden_size", "backbone"]
    assert names["cadp_qmix"] == [*names["qmix"], "alpha", "pruning_start_fraction"]


def test_a_profile_that_tunes_fits_into_it(tmp_path: Path) -> None:
    plan = plan_of(f"{WHOLE}\n{TUNED}", tmp_path, "tuned")
    assert not plan.profile.is_exploratory
    assert {space.arm for space in plan.searches} == {"cadp_qmix", "qmix"}
    assert not plan.trials
