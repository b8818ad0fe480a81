"""A study on another backend than that of its file: `--backend`."""

from __future__ import annotations

from pathlib import Path

import pytest

from suite.errors import InputError, MissingDependencyError
from suite.study.load import load_study
from suite.study.plan import Plan, expand

STUDIES = Path(__file__).parents[2] / "studies"
SMAC = STUDIES / "reproduce_smac.toml"
# By the commit before studies could be moved, as of version 1 of skirmish's rules.
FIRST_RUNS = {
    "smoke": {"qmix": "2ecf3a4917e4092f", "cadp_qmix": "04a534cfd1ab52a6"},
    "quick": {
        "cadp_qmix": "bc2e58a40d762b7c",
        "qmix": "5e1cf09dd2cae22f",
        "vdn": "feae34a5a35ae653",
        "qplex": "881d38e00c8222f0",
        "iql": "59c34c30598f9fc4",
    },
}

SCENARIOS = 'scenarios = ["skirmish/3m"]'
RIGHT = 'right = "qmix/decentralised"'
DEFAULT = 'default_profile = "tiny"\n'
OTHER_PROFILE = """
[profiles.other]
description = "on a map that twin lacks"
scenarios = ["skirmish/corridor"]
arms = ["qmix"]
seeds = [1]
"""
CTDS = """
[arms.ctds]
framework = "ctds"
backbone = "qmix"
"""
CTDS_ON_TWIN = """
[backend_arms.twin.ctds]
framework = "ctds"
backbone = "qmix"
privileged = "observation_and_state"
"""


def moved(path: Path, backend: str | None = "twin", profile: str | None = None) -> Plan:
    return expand(load_study(path, backend, profile), profile)


def add(path: Path, *texts: str) -> Path:
    path.write_text("\n".join([path.read_text(), *texts]))
    return path


def test_every_scenario_name_is_that_of_the_other_backend(make_study, twin: None) -> None:
    """And everything that hangs on it is kept."""
    path = make_study(
        (SCENARIOS, 'scenarios = ["skirmish/3m", "skirmish/8m"]'),
        (RIGHT, f'{RIGHT}\nscenarios = ["skirmish/8m"]'),
    )
    add(path, '[profiles.tiny.scenario_settings."skirmish/8m".training]', "total_env_steps = 700")
    plan = moved(path)
    assert plan.backends == ("twin",)
    steps = {run.scenario: run.training.total_env_steps for run in plan.runs}
    assert steps == {"twin/3m": 1000, "twin/8m": 700}
    assert plan.profile.missing_scenarios == {"twin/corridor": "not built yet"}
    assert plan.study.claims[0].scenarios == ("twin/8m",)
    before = {(run.arm, run.seed): run for run in moved(path, None).runs}
    assert len(before) == 4
    for run in plan.runs:
        if run.scenario == "twin/8m":
            same = before[run.arm, run.seed]
            assert same.scenario == "skirmish/8m"
            assert run.model_copy(update={"scenario": same.scenario}) == same
            assert run.run_id != same.run_id


def test_the_study_is_called_by_both(make_study, twin: None) -> None:
    """So that ledger and report are others."""
    assert moved(make_study()).study.name == "example_twin"
    assert moved(make_study(), None).study.name == "example"


def test_the_backend_of_the_study_itself_changes_nothing(make_study) -> None:
    path = make_study()
    assert load_study(path, "skirmish") == load_study(path)
    add(path, OTHER_PROFILE.replace("skirmish/corridor", "matrix/two_step"))
    assert load_study(path, "skirmish") == load_study(path)
    assert moved(path, "matrix", "other").study == load_study(path)


def test_profiles_of_other_maps_are_no_hindrance(make_study, twin: None) -> None:
    path = add(make_study(), OTHER_PROFILE)
    assert {run.scenario for run in moved(path).runs} == {"twin/3m"}
    assert {run.scenario for run in moved(path, profile="tiny").runs} == {"twin/3m"}
    with pytest.raises(InputError, match=r"study\.toml: profiles\.other\.scenarios: twin has no"):
        moved(path, profile="other")


def test_what_a_study_is_moved_from_need_not_be_here(make_study) -> None:
    """StarCraft II, say; nor what other profiles need."""
    path = make_study(("skirmish/3m", "elsewhere/3m"))
    add(path, OTHER_PROFILE.replace("skirmish", "elsewhere"))
    with pytest.raises(InputError, match="elsewhere/3m"):
        load_study(path)
    assert moved(path, "skirmish").backends == ("skirmish",)


WRONG = {
    "unknown backend": (
        "twine",
        (),
        "--backend: unknown backend (got 'twine'); did you mean 'twin'?",
    ),
    "no backend": ("", (), "--backend: unknown backend (got ''); valid backends: "),
    "a map that it lacks": (
        "twin",
        ((SCENARIOS, 'scenarios = ["skirmish/3m", "skirmish/MMM"]'),),
        "profiles.tiny.scenarios: twin has no scenario of that name (got 'skirmish/MMM')",
    ),
    "a claim on a map that it lacks": (
        "twin",
        ((RIGHT, f'{RIGHT}\nscenarios = ["skirmish/3m", "skirmish/MMM"]'),),
        "claims[0].scenarios: twin has no scenario of that name (got 'skirmish/MMM'); leave it",
    ),
    "two that would be one": (
        "twin",
        ((SCENARIOS, 'scenarios = ["skirmish/3m", "twin/3m"]'),),
        "profiles.tiny.scenarios: skirmish/3m and twin/3m would be the same scenario on twin; ch",
    ),
    "one that is run and one that is missing": (
        "twin",
        (('"skirmish/corridor" =', '"twin/3m" ='),),
        "profiles.tiny.scenarios: skirmish/3m and twin/3m would be the same scenario on twin; ch",
    ),
    "two of a claim": (
        "twin",
        ((RIGHT, f'{RIGHT}\nscenarios = ["skirmish/3m", "twin/3m"]'),),
        "claims[0].scenarios: skirmish/3m and twin/3m would be the same scenario on twin; ch",
    ),
    "no backend in the file": (
        "twin",
        ((SCENARIOS, 'scenarios = ["3m"]'),),
        "profiles.tiny.scenarios: unknown scenario (got '3m'); did you mean",
    ),
    "listed twice": (
        "twin",
        ((SCENARIOS, 'scenarios = ["skirmish/3m", "skirmish/3m"]'),),
        "profiles.tiny.scenarios: listed twice (got 'twin/3m'); remove one",
    ),
    "a backend of any names": (
        "pettingzoo",
        (),
        "profiles.tiny.scenarios: pettingzoo has no scenario of that name (got 'skirmish/3m')",
    ),
    "an arm that needs what it lacks": (
        "twin",
        (("[arms.qmix]", f"{CTDS}\n[arms.qmix]"), ('arms = ["qmix"', 'arms = ["ctds"')),
        "arms.ctds.privileged: arm ctds cannot run on twin/3m: the scenario offers no such",
    ),
    "a deviation of an unknown backend": (
        "twin",
        ((DEFAULT, DEFAULT + '[backend_deviations]\ntwine = "!"\n'),),
        "backend_deviations: unknown backend (got 'twine'); did you mean 'twin'?",
    ),
    "an arm of an unknown backend": (
        "skirmish",
        (("[arms.qmix]", f"{CTDS_ON_TWIN.replace('twin', 'skirmsih')}\n[arms.qmix]"),),
        "backend_arms: unknown backend (got 'skirmsih'); did you mean 'skirmish'?",
    ),
    "an unknown arm": (
        "skirmish",
        (("[arms.qmix]", f"{CTDS_ON_TWIN.replace('ctds]', 'qmx]')}\n[arms.qmix]"),),
        "backend_arms.twin: unknown arm (got 'qmx'); did you mean 'qmix'?",
    ),
    "a misspelt key of an arm": (
        "twin",
        (("[arms.qmix]", f"{CTDS_ON_TWIN}privilegd = 1\n[arms.qmix]"),),
        "backend_arms.twin.ctds: unknown key (got 'privilegd'); did you mean 'privileged'?",
    ),
    "two arms alike there": (
        "twin",
        (
            ("[arms.qmix]", f"{CTDS_ON_TWIN}{CTDS}[arms.qmix]"),
            (
                '[arms.cadp_qmix]\nframework = "cadp"',
                '[arms.cadp_qmix]\nprivileged = "observation_and_state"\nframework = "ctds"',
            ),
        ),
        "arms.cadp_qmix: two arms with the same settings",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_moved_is_one_line(case: str, make_study, twin: None) -> None:
    backend, changes, expected = WRONG[case]
    with pytest.raises(InputError) as caught:
        moved(make_study(*changes), backend)
    line = str(caught.value)
    assert expected in line
    assert "\n" not in line


def test_unknown_profiles_and_faults_of_the_file_are_told_as_ever(make_study, twin: None) -> None:
    with pytest.raises(InputError, match=r"unknown profile \(got 'tin'\); did you mean 'tiny'"):
        moved(make_study(), profile="tin")
    with pytest.raises(InputError, match=r"default_profile: unknown profile .*did you mean 'tiny'"):
        moved(make_study((DEFAULT, DEFAULT.replace("tiny", "tin"))))
    with pytest.raises(InputError, match="unknown key"):
        moved(make_study((DEFAULT, DEFAULT + "backend_deviation = {}\n")))


def test_a_game_that_is_not_here_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SC2PATH", str(tmp_path / "none"))
    with pytest.raises(MissingDependencyError, match="backend starcraft: "):
        moved(SMAC, "starcraft", "smoke")


def test_deviations_are_told_where_their_backend_plays(make_study, twin: None) -> None:
    said = '[backend_deviations]\nskirmish = "no game"\ntwin = "a twin"\nmatrix = "games"\n'
    path = make_study((DEFAULT, DEFAULT + said))
    assert moved(path, None).deviations == ("no game", "everything is smaller")
    assert moved(path).deviations == ("a twin", "everything is smaller")
    both = (SCENARIOS, 'scenarios = ["twin/3m", "skirmish/3m"]')
    assert moved(make_study((DEFAULT, DEFAULT + said), both), None).deviations == (
        "a twin",
        "no game",
        "everything is smaller",
    )


def test_an_arm_may_be_otherwise_on_another_backend(make_study, twin: None) -> None:
    """Which is a deviation of the profiles that have it."""
    path = make_study(
        ("[arms.qmix]", f"{CTDS}{CTDS_ON_TWIN}[arms.qmix]"),
        ('arms = ["qmix", "cadp_qmix"]', 'arms = ["ctds", "cadp_qmix"]'),
    )
    add(path, OTHER_PROFILE.replace("corridor", "8m"))
    for backend, privileged in ((None, "unlimited_sight"), ("twin", "observation_and_state")):
        run = moved(path, backend).runs[0]
        settings = run.algorithm.model_dump()
        assert (run.arm, settings["privileged"]) == ("ctds", privileged)
    told = 'arm ctds on twin: privileged = "observation_and_state" in place of "unlimited_sight"'
    assert moved(path).deviations == ("everything is smaller", told)
    assert moved(path, None).deviations == ("everything is smaller",)
    assert moved(path, "twin", "other").deviations == ()


@pytest.mark.parametrize("name", ["smoke", "quick"])
def test_recorded_runs_of_the_shipped_study_stay(name: str) -> None:
    plan = expand(load_study(SMAC), name)
    assert plan.deviations[0] == "the embedded simulator skirmish stands in for StarCraft II"
    of_version_1 = [run.model_copy(update={"environment_version": "1"}) for run in plan.runs]
    assert {run.arm: run.run_id for run in of_version_1 if run.seed == 1} == FIRST_RUNS[name]


def test_the_shipped_study_moves(twin: None) -> None:
    plan = moved(SMAC, "twin", "smoke")
    assert plan.study.name == "reproduce_smac_twin"
    assert {run.scenario for run in plan.runs} == {"twin/3m"}
    assert not any("stands in" in line for line in plan.deviations)
