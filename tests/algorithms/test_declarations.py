"""What arms say of themselves without torch, against what is then built."""

from __future__ import annotations

import subprocess
import sys

import pytest
from episodes import ARMS, JOINT_ARMS, SMALL, arm
from pydantic import ValidationError

from suite.algorithms import build_learner
from suite.algorithms.registry import algorithm_spec, method_of, settings_of
from suite.algorithms.value.method import QMethod
from suite.runs.protocol import TrainingProtocol
from suite.runs.spec import RunSpec

EVERY_ARM = ARMS + JOINT_ARMS
PLANNING = """
import sys
from suite.algorithms.registry import arm_settings, methods
from suite.runs.protocol import TrainingProtocol
from suite.runs.sizes import Sizes
sizes = Sizes(3, 4, 6, 11, 3)
plain = {key: method for key, method in methods().items() if key[0] in ("ctde", "cadp")}
for key, method in plain.items():
    settings = arm_settings(*key)
    assert method.n_parameters(settings, sizes) > 0
    assert method.work(settings, TrainingProtocol(), sizes, 10.0).update_flops > 0
assert "torch" not in sys.modules
"""


def test_planning_comes_without_torch() -> None:
    subprocess.run([sys.executable, "-c", PLANNING], check=True)


@pytest.mark.parametrize(("framework", "backbone", "form"), EVERY_ARM)
def test_declared_networks_are_those_trained(framework: str, backbone: str, form: str) -> None:
    settings = arm(framework, backbone, form)
    method = method_of(settings)
    assert isinstance(method, QMethod)
    weights = build_learner(settings, SMALL, seeds=[0]).member_weights(0)
    n_trained = sum(weight.numel() for weight in weights.values())
    assert method.n_parameters(settings, SMALL) == n_trained


def flops(returns: str, backbone: str) -> float:
    settings = arm("ctde", backbone, returns=returns)
    return method_of(settings).work(settings, TrainingProtocol(), SMALL, 10.0).update_flops


@pytest.mark.parametrize("backbone", ["qmix", "qtran", "ow_qmix"])
def test_corrected_returns_ask_the_target_once_more(backbone: str) -> None:
    assert flops("td_lambda", backbone) == flops("one_step", backbone)
    assert flops("q_lambda", backbone) > flops("one_step", backbone)


def test_cost_of_qtran_by_hand() -> None:
    """Multiply-adds of a step: N = 3, A = 4, S = 11, D = 6 + 4 + 3; H = 64, codes of 68."""
    trunk_in, trunk = 13 * 64, 64 * 192 * 2
    agents = 3 * (2 * (trunk_in + trunk) + (trunk_in + 2 * trunk) + 3 * 64 * 4 + 4 * 64 * 68)
    first = (11 + 68) * 64
    joint = 68 * 68 + first + 64 * 64 + 64
    value = 11 * 64 + 64 * 64 + 64
    steps = 3 * joint + 2 * joint - 11 * 64 + value + 2 * value - 11 * 64
    assert flops("one_step", "qtran") == 2 * 32 * 11 * (agents + steps)


def run_of(**settings: object) -> RunSpec:
    return RunSpec(
        scenario="skirmish/3m",
        arm="a",
        algorithm=algorithm_spec(arm("ctde", "qmix", **settings)),
        training=TrainingProtocol(),
        seed=1,
        environment_version="1",
    )


def test_runs_with_one_step_returns_say_nothing_of_them() -> None:
    """So their ids are those of runs recorded before there were others."""
    run = run_of()
    assert not run.algorithm.model_dump().keys() & {"returns", "trace_decay"}
    assert settings_of(run.algorithm).returns == "one_step"
    others = [run_of(returns="td_lambda"), run_of(returns="q_lambda")]
    others.append(run_of(returns="q_lambda", trace_decay=0.8))
    assert len({one.run_id for one in (run, *others)}) == 4
    assert settings_of(others[2].algorithm).trace_decay == 0.8


@pytest.mark.parametrize(
    ("backbone", "key", "value"),
    [
        ("qmix", "returns", "n_step"),
        ("qmix", "trace_decay", 1.1),
        ("qtran", "optimal_weight", -1.0),
        ("qtran", "joint_embedding", 0),
        ("ow_qmix", "weighting_alpha", 1.5),
        ("qtran", "hypernet_layers", 2),
    ],
)
def test_settings_that_cannot_be(backbone: str, key: str, value: object) -> None:
    with pytest.raises(ValidationError, match=key):
        arm("ctde", backbone, **{key: value})


def test_published_defaults() -> None:
    assert arm("ctde", "ow_qmix").weighting_alpha == 0.5
    assert arm("ctde", "cw_qmix").weighting_alpha == 0.75
    assert arm("ctde", "cw_qmix").hypernet_layers == 2
    qtran = arm("ctde", "qtran")
    assert (qtran.optimal_weight, qtran.non_optimal_weight) == (1.0, 0.1)
