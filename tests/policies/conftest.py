"""The command line, and runs that were really trained; `pymarl_agent` is imported by name."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from suite.algorithms import arm_settings
from suite.cli import main
from suite.environments import describe
from suite.records.writer import RecordWriter
from suite.runs.protocol import TrainingProtocol
from suite.runs.spec import RunSpec
from suite.training.events import Finished, Measured
from suite.training.train import train_cohort

sys.path.insert(0, str(Path(__file__).parent))

Call = Callable[..., tuple[int, str, str]]
N_TEST_EPISODES = 6


@pytest.fixture
def call(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Call:
    """Run a command of `cadp-suite` in an empty directory: exit code, standard output, error."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["cadp-suite", *arguments])
        with pytest.raises(SystemExit) as exit_:
            main()
        captured = capsys.readouterr()
        return int(exit_.value.code or 0), captured.out, captured.err

    return run


@dataclass
class Trained:
    """A finished run: where it is, the last value of each metric, and how often it was tested."""

    runs_dir: Path
    spec: RunSpec
    last: dict[str, float]
    n_tests: int


def _trained(directory: Path, databases: Path, scenario: str, framework: str) -> Trained:
    shutil.copytree(databases, directory)
    spec = RunSpec(
        scenario=scenario,
        arm=f"{framework}_vdn",
        # Fast enough that what it has learned shows in its play, and differs between modes.
        algorithm=arm_settings(framework=framework, backbone="vdn", learning_rate=5e-3),
        training=TrainingProtocol(
            total_env_steps=800,
            test_interval_env_steps=400,
            n_test_episodes=N_TEST_EPISODES,
            batch_size_episodes=4,
        ),
        hyperparameters={"alpha": 0.5, "pruning_start_env_steps": 200}
        if framework == "cadp"
        else {},
        seed=1,
        environment_version=describe(scenario).backend_version,
    )
    events: list[object] = []
    train_cohort([spec], directory, events.append)
    points = [p for event in events if isinstance(event, Measured) for p in event.points]
    last = {key: value for key, _, value, _ in points}
    (ending,) = [event for event in events if isinstance(event, Finished)]
    writer = RecordWriter(directory)
    writer.begin(spec, {}, resuming=False)
    writer.finish(spec.run_id, 1.0, ending.weights_sha256)
    n_tests = len({step for key, step, *_ in points if key.startswith("test/")})
    return Trained(directory, spec, last, n_tests)


@pytest.fixture(scope="session")
def cadp_on_3m(tmp_path_factory: pytest.TempPathFactory, empty_databases: Path) -> Trained:
    directory = tmp_path_factory.mktemp("cadp") / "runs"
    return _trained(directory, empty_databases, "skirmish/3m", "cadp")


@pytest.fixture(scope="session")
def vdn_on_two_step(tmp_path_factory: pytest.TempPathFactory, empty_databases: Path) -> Trained:
    directory = tmp_path_factory.mktemp("vdn") / "runs"
    return _trained(directory, empty_databases, "matrix/two_step", "ctde")
