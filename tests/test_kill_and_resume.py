"""The promise of the README: kill it at any moment, type the same command, get the same metrics."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from suite.records import RecordStore
from suite.records.store import RunRecord

STUDY = """
format = 1
name = "resume"
question = "Does a killed run continue bit-identically?"
default_profile = "tiny"

[arms.qmix]
framework = "ctde"
backbone = "qmix"

[arms.cadp_qmix]
framework = "cadp"
backbone = "qmix"

[profiles.tiny]
description = "real training, seconds"
scenarios = ["skirmish/3m"]
arms = ["qmix", "cadp_qmix"]
seeds = [1]

[profiles.tiny.training]
total_env_steps = 1_600
test_interval_env_steps = 200
n_test_episodes = 4
batch_size_episodes = 8
target_update_interval_episodes = 20
epsilon_anneal_env_steps = 1_000

[profiles.tiny.hyperparameters]
pruning_start_fraction = [0.5]
"""


def command(study: Path, runs_dir: Path) -> list[str]:
    run = ["run", str(study), "--runs-dir", str(runs_dir), "--workers", "1"]
    return [sys.executable, "-m", "suite.cli", *run]


def records(runs_dir: Path) -> dict[str, RunRecord]:
    return {record.run_id: record for record in RecordStore.open(runs_dir).load()}


def kill_when(process: subprocess.Popen[bytes], has_come: Callable[[], bool]) -> None:
    """SIGKILL the command and its workers once the moment has come."""
    deadline = time.monotonic() + 120
    while not has_come():
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline, "the moment did not come"
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def checkpoints_written(runs_dir: Path, n: int) -> Callable[[], bool]:
    """Whether `n` checkpoints have been seen, one that was there at the beginning included."""
    seen: set[tuple[str, int]] = set()

    def look() -> bool:
        for path in (runs_dir / "checkpoints").glob("*.ckpt"):
            try:
                seen.add((path.name, path.stat().st_mtime_ns))
            except FileNotFoundError:
                continue
        return len(seen) >= n

    return look


COHORT_OF_THREE = """
import sys
from pathlib import Path
from suite.scheduling.coordinator import run_plan
from suite.study.load import load_study
from suite.study.plan import expand

run_plan(expand(load_study(Path(sys.argv[1]))), Path(sys.argv[2]), 1, cohort_size=3)
"""


def in_cohorts(study: Path, runs_dir: Path) -> list[str]:
    return [sys.executable, "-c", COHORT_OF_THREE, str(study), str(runs_dir)]


def assert_equal_results(whole: Path, killed: Path) -> None:
    """Records and weights to the last bit, and nothing left behind."""
    expected, resumed = records(whole), records(killed)
    assert expected.keys() == resumed.keys()
    for run_id, record in expected.items():
        assert resumed[run_id].status == record.status == "finished"
        assert resumed[run_id].histories.keys() == record.histories.keys()
        for key, (steps, values) in record.histories.items():
            np.testing.assert_array_equal(resumed[run_id].histories[key][0], steps, key)
            np.testing.assert_array_equal(resumed[run_id].histories[key][1], values, key)
    assert_told_once(killed)
    weights = [sorted((d / "weights").iterdir()) for d in (whole, killed)]
    assert len(weights[0]) == 2 * len(expected)  # with their descriptions
    assert [p.read_bytes() for p in weights[0]] == [p.read_bytes() for p in weights[1]]
    assert {path.suffix for path in weights[1]} == {".json", ".safetensors"}
    assert list((killed / "checkpoints").iterdir()) == []


def assert_told_once(runs_dir: Path) -> None:
    """Of every point one row, with a time: also of those that were measured again after a kill."""
    with sqlite3.connect(runs_dir / "mlflow.db") as connection:
        points = "SELECT run_uuid, key, step, max(timestamp) FROM metrics GROUP BY 1, 2, 3"
        rows = connection.execute("SELECT count(*), min(timestamp) FROM metrics").fetchone()
        assert connection.execute(f"SELECT count(*) FROM ({points})").fetchone() == rows[:1]
        assert rows[1] > 1e12  # milliseconds; a step would be small


@pytest.mark.slow
def test_a_cohort_killed_again_and_again_gives_bit_identical_metrics(
    tmp_path: Path, empty_databases: Path
) -> None:
    """The last time when the first of three has stored its weights."""
    study = tmp_path / "study.toml"
    text = STUDY.replace("seeds = [1]", "seeds = [1, 2, 3]").replace(', "cadp_qmix"]', "]")
    text = text.partition("[profiles.tiny.hyperparameters]")[0]
    study.write_text(text.replace("= 1_600", "= 800"))
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for directory in (whole, killed):
        shutil.copytree(empty_databases, directory)
    subprocess.run(in_cohorts(study, whole), check=True, capture_output=True)
    for n_checkpoints in (1, 5, None):
        process = subprocess.Popen(
            in_cohorts(study, killed), start_new_session=True, stderr=subprocess.DEVNULL
        )
        if n_checkpoints is None:
            kill_when(process, lambda: any((killed / "weights").glob("*.safetensors")))
            continue
        kill_when(process, checkpoints_written(killed, n_checkpoints))
        (path,) = (killed / "checkpoints").glob("*.ckpt")
        assert path.stem not in records(killed)  # of three runs, so of none's name
    subprocess.run(in_cohorts(study, killed), check=True, capture_output=True)
    assert_equal_results(whole, killed)


@pytest.mark.slow
def test_killed_twice_and_resumed_gives_bit_identical_metrics(
    tmp_path: Path, empty_databases: Path
) -> None:
    study = tmp_path / "study.toml"
    study.write_text(STUDY)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for directory in (whole, killed):
        shutil.copytree(empty_databases, directory)
    subprocess.run(command(study, whole), check=True, capture_output=True)
    for n_checkpoints in (3, 5):
        process = subprocess.Popen(
            command(study, killed), start_new_session=True, stderr=subprocess.DEVNULL
        )
        kill_when(process, checkpoints_written(killed, n_checkpoints))
    subprocess.run(command(study, killed), check=True, capture_output=True)
    assert_equal_results(whole, killed)


@pytest.mark.slow
def test_what_a_run_leaves_is_the_users_alone(tmp_path: Path) -> None:
    """Everything but the report, which is there to be shared."""
    study, runs_dir = tmp_path / "study.toml", tmp_path / "runs"
    study.write_text(STUDY)
    process = subprocess.Popen(
        command(study, runs_dir), start_new_session=True, stderr=subprocess.DEVNULL
    )
    kill_when(process, checkpoints_written(runs_dir, 1))
    kinds = {path.suffix for path in runs_dir.rglob("*") if path.is_file()}
    assert {".db", ".lock", ".pid", ".log", ".ckpt"} <= kinds
    assert open_to_others(runs_dir) == []
    subprocess.run(command(study, runs_dir), check=True, capture_output=True)
    assert any((runs_dir / "weights").iterdir())
    assert open_to_others(runs_dir) == []
    report = [sys.executable, "-m", "reports", "build", str(study), "--runs-dir", str(runs_dir)]
    subprocess.run(report, check=True, capture_output=True)
    (page,) = (runs_dir / "reports").glob("*.html")
    assert page.stat().st_mode & 0o777 == 0o644


def open_to_others(runs_dir: Path) -> list[Path]:
    return [p for p in (runs_dir, *runs_dir.rglob("*")) if p.stat().st_mode & 0o077]
