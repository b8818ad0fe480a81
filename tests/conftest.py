"""Fixtures that several folders of tests share: a small study, and databases made once."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

STUDY_TEXT = """\
format = 1
name = "example"
question = "does it work?"
default_profile = "tiny"

[arms.qmix]
framework = "ctde"
backbone = "qmix"

[arms.cadp_qmix]
framework = "cadp"
backbone = "qmix"

[profiles.tiny]
description = "for tests"
deviations = ["everything is smaller"]
scenarios = ["skirmish/3m"]
arms = ["qmix", "cadp_qmix"]
seeds = [1, 2]

[profiles.tiny.training]
total_env_steps = 1000
test_interval_env_steps = 100

[profiles.tiny.hyperparameters]
pruning_start_fraction = [0.5]

[profiles.tiny.missing_scenarios]
"skirmish/corridor" = "not built yet"

[[claims]]
name = "better"
text = "CADP is better."
kind = "greater"
left = "cadp_qmix/decentralised"
right = "qmix/decentralised"
"""

MakeStudy = Callable[..., Path]


@pytest.fixture
def make_study(tmp_path: Path) -> MakeStudy:
    """Write the example study with pieces of its text replaced; returns its path."""

    def make(*replacements: tuple[str, str]) -> Path:
        text = STUDY_TEXT
        for old, new in replacements:
            assert old in text, old
            text = text.replace(old, new, 1)
        path = tmp_path / "study.toml"
        path.write_text(text)
        return path

    return make


@pytest.fixture(scope="session")
def empty_databases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with MLflow's and Optuna's databases and no runs; making them takes seconds."""
    import optuna

    from suite.records.writer import RecordWriter

    directory = tmp_path_factory.mktemp("databases")
    RecordWriter(directory)
    optuna.storages.RDBStorage(f"sqlite:///{directory / 'optuna.db'}")
    return directory


@pytest.fixture
def runs_dir(empty_databases: Path, tmp_path: Path) -> Path:
    """A runs directory in which nothing has been run."""
    directory = tmp_path / "runs"
    shutil.copytree(empty_databases, directory)
    return directory
