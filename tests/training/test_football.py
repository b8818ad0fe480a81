"""A few hundred steps of training on football itself, whole, and killed and resumed."""

from __future__ import annotations

from pathlib import Path

import pytest

from suite.algorithms import arm_settings
from suite.environments import describe
from suite.environments.football import install
from suite.runs.protocol import TrainingProtocol
from suite.runs.spec import RunSpec
from suite.training import train as train_module
from suite.training.events import Event, Finished, Measured
from suite.training.train import train_cohort

FAULT = install.fault_of_installed()
pytestmark = pytest.mark.skipif(FAULT is not None, reason=f"gfootball cannot be used: {FAULT}")

SMALL = TrainingProtocol(
    total_env_steps=300,
    test_interval_env_steps=100,
    n_test_episodes=2,
    batch_size_episodes=2,
    buffer_size_episodes=10,
    epsilon_anneal_env_steps=200,
)


def train(spec: RunSpec, directory: Path, at: int | None = None) -> list[Event]:
    """Events; with `at`, up to that many measurements, then killed."""
    events: list[Event] = []

    def emit(event: Event) -> None:
        events.append(event)
        if at is not None and sum(isinstance(e, Measured) for e in events) == at:
            raise KeyboardInterrupt

    try:
        train_cohort([spec], directory, emit)
    except KeyboardInterrupt:
        assert at is not None
    return events


def test_training_resumes_bit_identically(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_module, "CHECKPOINT_INTERVAL_SECONDS", 0.0)
    scenario = "football/academy_3_vs_1_with_keeper"
    spec = RunSpec(
        scenario=scenario,
        arm="cadp_qmix",
        algorithm=arm_settings(framework="cadp", backbone="qmix", optimiser="rmsprop"),
        training=SMALL,
        alpha=0.5,
        pruning_start_env_steps=150,
        seed=1,
        environment_version=describe(scenario).backend_version,
    )

    def history(events: list[Event]) -> dict[tuple[str, int], float]:
        told = [event.points for event in events if isinstance(event, Measured)]
        return {(key, step): value for points in told for key, step, value in points}

    whole = train(spec, tmp_path / "whole")
    assert isinstance(whole[-1], Finished)
    last = max(step for _, step in history(whole))
    assert last > SMALL.total_env_steps
    assert history(whole)["train/n_updates", last] >= 2
    train(spec, tmp_path / "killed", at=2)
    assert history(train(spec, tmp_path / "killed")) == history(whole)
