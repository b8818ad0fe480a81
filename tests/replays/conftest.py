"""The command `cadp-suite watch`, and a runs directory with a finished run that it can play."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from suite.algorithms import arm_settings
from suite.cli import main
from suite.environments import describe
from suite.records.writer import RecordWriter
from suite.runs.directory import RunsDirectory
from suite.runs.protocol import TrainingProtocol
from suite.runs.spec import RunSpec
from suite.training.weights import write_weights

if TYPE_CHECKING:
    from suite.algorithms.value.base import QLearner

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(
    monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes], tmp_path: Path
) -> Call:
    """Run `cadp-suite watch` in an empty directory: exit code, standard output, standard error."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["cadp-suite", "watch", *arguments])
        with pytest.raises(SystemExit) as exit_:
            main()
        sys.stdout.flush()
        out, err = capfdbinary.readouterr()
        code = int(exit_.value.code or 0)
        return code, out.decode("utf-8", "surrogateescape"), err.decode("utf-8", "surrogateescape")

    return run


@pytest.fixture(scope="session")
def make_spec() -> Callable[..., RunSpec]:
    """A run of CADP on 3m, or of something else."""

    def make(scenario: str = "skirmish/3m", seed: int = 1, **changes: object) -> RunSpec:
        values = {
            "scenario": scenario,
            "arm": "cadp_qmix",
            "algorithm": arm_settings(framework="cadp", backbone="qmix"),
            "training": TrainingProtocol(),
            "alpha": 0.5,
            "pruning_start_env_steps": 400,
            "seed": seed,
            "environment_version": describe(scenario).backend_version,
        }
        return RunSpec(**(values | changes))

    return make


@pytest.fixture
def learner(make_spec: Callable[..., RunSpec]) -> QLearner:
    """Networks as they were initialised, for the run that `make_spec` gives."""
    from suite.algorithms import build_learner
    from suite.algorithms.registry import settings_of

    settings = settings_of(make_spec().algorithm)
    return build_learner(settings, describe("skirmish/3m").sizes, seeds=[77])


@pytest.fixture(scope="session")
def one_finished_run(
    empty_databases: Path,
    tmp_path_factory: pytest.TempPathFactory,
    make_spec: Callable[..., RunSpec],
) -> Path:
    """A directory whose database has one finished run, without weights; made once."""
    directory = tmp_path_factory.mktemp("finished") / "runs"
    shutil.copytree(empty_databases, directory)
    writer = RecordWriter(directory)
    writer.begin(make_spec(), {}, resuming=False)
    writer.finish(make_spec().run_id, 1.0, "")
    return directory


@pytest.fixture
def finished_dir(
    one_finished_run: Path, tmp_path: Path, learner: QLearner, make_spec: Callable[..., RunSpec]
) -> Path:
    """A runs directory with one finished run and the weights of `learner`."""
    directory = tmp_path / "runs"
    shutil.copytree(one_finished_run, directory)
    write_weights(RunsDirectory(directory), make_spec(), learner.member_weights(0))
    return directory
