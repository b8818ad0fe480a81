"""What a study expands to."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suite.algorithms import arm_settings
from suite.algorithms.cadp.method import ALPHA, PRUNING_START
from suite.errors import InputError
from suite.runs.protocol import TrainingProtocol
from suite.study.definition import Hyperparameters, Profile, StudyDefinition
from suite.study.load import load_study
from suite.study.plan import Trial, expand

STUDIES = Path(__file__).parents[2] / "studies"


def study_with(profile: Profile) -> StudyDefinition:
    arms = {
        "vdn": arm_settings(framework="ctde", backbone="vdn"),
        "cadp_vdn": arm_settings(framework="cadp", backbone="vdn"),
        "cadp_qmix": arm_settings(framework="cadp", backbone="qmix"),
    }
    return StudyDefinition(
        format=1,
        name="s",
        question="?",
        default_profile="p",
        arms=arms,
        profiles={"p": profile},
    )


def alpha_of(trial: Trial) -> float | None:
    return trial.hyperparameters.get(ALPHA)


def profile_with(**changes: object) -> Profile:
    values = {
        "description": "",
        "scenarios": ("skirmish/3m",),
        "arms": ("vdn", "cadp_vdn", "cadp_qmix"),
        "seeds": (3, 1),
        "hyperparameters": Hyperparameters(pruning_start_fraction=(0.7,)),
    }
    return Profile.model_validate({**values, **changes})


def test_plain_arms_have_neither_alpha_nor_pruning_start() -> None:
    trial = expand(study_with(profile_with())).trials[0]
    assert (trial.arm, dict(trial.hyperparameters)) == ("vdn", {})
    assert trial.runs[0].hyperparameters == {}


def test_alpha_defaults_to_the_published_value_of_the_backbone() -> None:
    trials = expand(study_with(profile_with())).trials
    assert {trial.arm: alpha_of(trial) for trial in trials[1:]} == {
        "cadp_vdn": 1.0,
        "cadp_qmix": 0.5,
    }


def test_pruning_start_fraction_is_of_the_scenarios_budget() -> None:
    own = {"skirmish/8m": {"training": {"total_env_steps": 2_000}}}
    profile = profile_with(
        scenarios=("skirmish/3m", "skirmish/8m"),
        training=TrainingProtocol(total_env_steps=1_000, n_test_episodes=7),
        scenario_settings=own,
    )
    trials = [trial for trial in expand(study_with(profile)).trials if trial.arm == "cadp_vdn"]
    assert [trial.hyperparameters[PRUNING_START] for trial in trials] == [700, 1_400]
    assert trials[1].runs[0].training.n_test_episodes == 7


def test_scenario_overrides_replace_the_pruning_start_in_either_spelling() -> None:
    own = {"skirmish/3m": {"hyperparameters": {"pruning_start_env_steps": (5,)}}}
    trials = expand(study_with(profile_with(scenario_settings=own))).trials
    assert trials[1].hyperparameters[PRUNING_START] == 5


def test_first_seed_of_every_trial_comes_first() -> None:
    runs = expand(study_with(profile_with())).runs
    assert [(run.seed, run.arm) for run in runs] == [
        *((3, "vdn"), (3, "cadp_vdn"), (3, "cadp_qmix")),
        *((1, "vdn"), (1, "cadp_vdn"), (1, "cadp_qmix")),
    ]


def test_run_ids_do_not_depend_on_the_arms_label() -> None:
    study = study_with(profile_with(arms=("vdn",)))
    renamed = study.model_copy(
        update={
            "arms": {"other": study.arms["vdn"]},
            "profiles": {"p": profile_with(arms=("other",))},
        }
    )
    first, second = expand(study), expand(renamed)
    assert [run.run_id for run in first.runs] == [run.run_id for run in second.runs]
    assert first.trials[0].key == second.trials[0].key
    assert set(second.arm_of_run.values()) == {"other"}


def test_unknown_profile_names_the_nearest() -> None:
    study = load_study(STUDIES / "reproduce_smac.toml")
    with pytest.raises(InputError, match="did you mean 'quick'"):
        expand(study, "quik")


def test_the_shipped_study_follows_the_paper() -> None:
    """algorithms: steps and T in millions 1/0.7 and 4/3, ε 50k and 500k, α per backbone."""
    plan = expand(load_study(STUDIES / "reproduce_smac.toml"), "paper")
    assert {(trial.arm, alpha_of(trial)) for trial in plan.trials if alpha_of(trial)} == {
        ("cadp_vdn", 1.0),
        ("cadp_qmix", 0.5),
        ("cadp_qplex", 1.0),
    }
    runs = {run.scenario: run for trial in plan.trials for run in trial.runs if alpha_of(trial)}
    budgets = {
        name: (
            run.training.total_env_steps,
            run.hyperparameters[PRUNING_START],
            run.training.epsilon_anneal_env_steps,
        )
        for name, run in runs.items()
    }
    assert budgets == {
        "skirmish/5m_vs_6m": (1_000_000, 700_000, 50_000),
        "skirmish/corridor": (4_000_000, 3_000_000, 500_000),
        "skirmish/3s5z_vs_3s6z": (4_000_000, 3_000_000, 500_000),
    }
    assert {run.training.test_interval_env_steps for run in runs.values()} == {10_000}
    assert not plan.profile.missing_scenarios


@settings(max_examples=40, deadline=None)
@given(
    arms=st.lists(st.sampled_from(["vdn", "cadp_vdn", "cadp_qmix"]), min_size=1, unique=True),
    seeds=st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=5, unique=True),
    alphas=st.lists(st.floats(0, 10), min_size=1, max_size=3, unique=True),
    starts=st.lists(st.integers(0, 1000), min_size=1, max_size=3, unique=True),
)
def test_expansion_is_a_full_grid_without_repeats(
    arms: list[str], seeds: list[int], alphas: list[float], starts: list[int]
) -> None:
    profile = profile_with(
        arms=tuple(arms),
        seeds=tuple(seeds),
        hyperparameters=Hyperparameters(alpha=tuple(alphas), pruning_start_env_steps=tuple(starts)),
    )
    plan = expand(study_with(profile))
    n_plain = arms.count("vdn")
    assert len(plan.trials) == n_plain + (len(arms) - n_plain) * len(alphas) * len(starts)
    assert len({run.run_id for run in plan.runs}) == len(plan.trials) * len(seeds)
    assert len({trial.key for trial in plan.trials}) == len(plan.trials)
    assert [run.seed for run in plan.runs] == [seed for seed in seeds for _ in plan.trials]
    assert plan == expand(study_with(profile))


def test_values_that_look_alike_are_told_apart(make_study) -> None:
    both = (
        "pruning_start_fraction = [0.5]",
        "pruning_start_fraction = [0.5]\nalpha = [0.1, 0.1000001]",
    )
    labels = [trial.label for trial in expand(load_study(make_study(both))).trials]
    assert labels[1:] == [
        "skirmish/3m cadp_qmix α=0.1 T=500",
        "skirmish/3m cadp_qmix α=0.1000001 T=500",
    ]
