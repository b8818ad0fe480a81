"""What a method declares to record in training is what it records, within its range."""

from __future__ import annotations

from typing import Any

import pytest

from suite.algorithms.registry import algorithm_spec, arm_settings, hyperparameters_of, method_of
from suite.algorithms.registry import methods as all_methods
from suite.environments import describe
from suite.runs.protocol import TrainingProtocol
from suite.runs.spec import RunSpec
from suite.training.cohort import Cohort

SCENARIO = "skirmish/3m"
OF_THE_LOOP = {"win_rate", "return", "episode_length", "n_updates", "n_episodes"}
ARMS: list[dict[str, Any]] = [
    *({"framework": framework, "backbone": backbone} for framework, backbone in all_methods()),
    {"framework": "cadp", "backbone": "qmix", "attends_to": "self"},
    {"framework": "cadp", "backbone": "vdn", "pruning_schedule": "linear"},
    {"framework": "cadp", "backbone": "qmix", "pruning_schedule": "gap"},
]


@pytest.mark.parametrize("arm", ARMS, ids=lambda arm: " ".join(arm.values()))
def test_declared_metrics_are_recorded(arm: dict[str, Any]) -> None:
    settings = arm_settings(**arm)
    values = {one.name: 10 if one.is_whole else 1.0 for one in hyperparameters_of(settings)}
    protocol = TrainingProtocol(
        total_env_steps=1_000, n_test_episodes=1, batch_size_episodes=2, buffer_size_episodes=4
    )
    run = RunSpec(
        scenario=SCENARIO,
        arm="a",
        algorithm=algorithm_spec(settings),
        training=protocol,
        hyperparameters=values,
        seed=1,
        environment_version=describe(SCENARIO).backend_version,
    )
    cohort = Cohort([run])
    for _ in range(3):
        cohort.collect()
        cohort.update()
    cohort.test_if_due()
    recorded = {
        key.removeprefix("train/"): value
        for key, _, value, _ in cohort.progress[0].history
        if key.startswith("train/")
    }
    declared = {metric.name: metric for metric in method_of(settings).metrics(settings)}
    assert recorded.keys() - OF_THE_LOOP == declared.keys()
    for name, metric in declared.items():
        assert metric.low <= recorded[name] <= metric.high
