"""What a teacher sees is a choice of the study: recorded, and refused where it is not offered."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from suite.algorithms.registry import algorithm_spec, arm_settings, method_of
from suite.environments import describe, make
from suite.errors import InputError
from suite.study.load import load_study
from suite.study.plan import expand

MakeStudy = Callable[..., Path]
ARM = '[arms.qmix]\nframework = "ctde"\nbackbone = "qmix"'
TEACHERS = ["ctds", "igm_da"]


def study(make_study: MakeStudy, framework: str, more: str, *others: tuple[str, str]) -> Path:
    """The example study with an arm of CTDS or IGM-DA for QMIX."""
    return make_study(
        (ARM, f'[arms.qmix]\nframework = "{framework}"\nbackbone = "qmix"{more}'), *others
    )


@pytest.mark.parametrize("framework", TEACHERS)
@pytest.mark.parametrize("scenario", ["matrix/two_step", "matrix/climbing"])
@pytest.mark.parametrize("privileged", ["unlimited_sight", "sight_9"])
def test_a_plan_refuses_what_a_scenario_does_not_offer(
    framework: str, scenario: str, privileged: str, make_study: MakeStudy
) -> None:
    path = study(make_study, framework, f'\nprivileged = "{privileged}"', ("skirmish/3m", scenario))
    with pytest.raises(InputError) as caught:
        load_study(path)
    line = str(caught.value)
    assert f"arm qmix cannot run on {scenario}" in line
    assert "arms.qmix.privileged" in line
    assert privileged in line
    assert "use 'observation_and_state'" in line


@pytest.mark.parametrize("framework", TEACHERS)
def test_an_unknown_choice_is_refused(framework: str, make_study: MakeStudy) -> None:
    with pytest.raises(InputError, match=r"arms\.qmix\.privileged.*'state'"):
        load_study(study(make_study, framework, '\nprivileged = "state"'))


@pytest.mark.parametrize("framework", TEACHERS)
def test_the_choice_is_recorded_with_each_run(framework: str, make_study: MakeStudy) -> None:
    for privileged in ("observation_and_state", "sight_9"):
        path = study(make_study, framework, f'\nprivileged = "{privileged}"')
        run = next(run for run in expand(load_study(path)).runs if run.arm == "qmix")
        assert run.algorithm.model_dump()["privileged"] == privileged
    default = arm_settings(framework, "qmix")
    assert algorithm_spec(default).model_dump()["privileged"] == default.privileged


def test_skirmish_offers_every_choice() -> None:
    """Its ordinary sight range is 9."""
    info = describe("skirmish/3m")
    for privileged in ("unlimited_sight", "observation_and_state", "sight_9"):
        for framework in TEACHERS:
            settings = arm_settings(framework, "qmix", privileged=privileged)
            method = method_of(settings)
            assert method.refusal(settings, info.sizes) is None
            extra = method.extra_observations(settings, info.sizes)
            assert extra == (("unlimited_sight",) if privileged == "unlimited_sight" else ())
            assert make("skirmish/3m", 2, 0, extra).extra_observations.keys() == set(extra)


def test_what_is_remembered_besides_counts_for_memory(make_study: MakeStudy) -> None:
    """25m's observation and the same again for its teacher: half as many episodes fit."""
    steps = "total_env_steps = 1000"
    changes = [
        ("skirmish/3m", "skirmish/25m"),
        (steps, f"{steps}\nbuffer_size_episodes = 200000"),
    ]
    load_study(study(make_study, "igm_da", "", *changes))
    with pytest.raises(InputError, match="a terabyte holds 145,630 of skirmish/25m"):
        load_study(study(make_study, "ctds", "", *changes))
