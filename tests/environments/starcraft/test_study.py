"""The shipped study on StarCraft II by one option, on a stand-in for SMAC: from start to report."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from suite.study.load import load_study
from suite.study.plan import expand

ROOT = Path(__file__).parents[3]
STUDY = ROOT / "studies" / "reproduce_smac.toml"
FAKE = Path(__file__).parent / "fake"


@pytest.mark.parametrize("profile", ["smoke", "quick", "paper", "mappo", "tuned"])
def test_every_profile_is_one_of_starcraft(starcraft: Path, profile: str) -> None:
    here, there = (
        expand(load_study(STUDY, name, profile), profile) for name in (None, "starcraft")
    )
    assert there.study.name == "reproduce_smac_starcraft"
    assert [
        (run.arm, run.seed, run.scenario.replace("starcraft/", "skirmish/")) for run in there.runs
    ] == [(run.arm, run.seed, run.scenario) for run in here.runs]
    assert there.backends == ("starcraft",)
    assert not any("stands in" in line for line in there.deviations)
    changed = [line for line in there.deviations if line not in here.deviations]
    told = 'arm ctds_qmix on starcraft: privileged = "observation_and_state" in place of '
    assert changed == ([f'{told}"unlimited_sight"'] if profile == "paper" else [])


@pytest.fixture
def short(tmp_path: Path) -> Path:
    """The profile smoke, on a map of the paper and with less of everything."""
    text = STUDY.read_text()
    head, mark, tail = text.partition("[profiles.smoke]")
    for old, new in (
        ("skirmish/3m", "skirmish/5m_vs_6m"),
        ("2_500", "150"),
        ("= 1_000", "= 100\nn_test_episodes = 2\nbatch_size_episodes = 2"),
    ):
        assert old in tail
        tail = tail.replace(old, new, 1)
    path = tmp_path / "short.toml"
    path.write_text(head + mark + tail)
    return path


def test_from_start_to_report(short: Path, runs_dir: Path, starcraft: Path) -> None:
    options = [str(short), "--profile", "smoke", "--backend", "starcraft"]
    options += ["--runs-dir", str(runs_dir)]

    def call(module: str, command: str, *more: str) -> str:
        done = subprocess.run(
            [sys.executable, "-P", "-m", module, command, *options, *more],
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(FAKE)])},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    call("suite", "run", "--workers", "1")
    document = json.loads(call("suite", "status", "--json"))
    assert document["counts"]["finished"] == 2
    assert {run["scenario"] for run in document["runs"]} == {"starcraft/5m_vs_6m"}
    page = Path(call("reports", "build").strip())
    assert page.name == "reproduce_smac_starcraft-smoke.html"
    text = page.read_text()
    assert "Environment: StarCraft II" in text
    assert "StarCraft II 4.10 (paper, digitised)" in text
    assert "stands in for StarCraft II" not in text
    assert "skirmish" not in text.partition("<svg")[0]
