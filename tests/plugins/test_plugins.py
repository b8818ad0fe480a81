"""From outside: a mixer, a method with its own learner and a backend, trained and reported."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from installed import ENTRY_POINTS, OUTSIDE, ROOT, call, install, python

from suite.algorithms.declaration import Members
from suite.algorithms.interface import Counters
from suite.runs.protocol import TrainingProtocol

STUDY = """
format = 1
name = "from_outside"
question = "Does what comes from outside fit in?"
default_profile = "small"
[arms.weighted]
framework = "ctde"
backbone = "weighted"
scale = 1.5
[arms.advised]
framework = "cadp"
backbone = "weighted"
[arms.counting]
framework = "counting"
backbone = "alone"
[profiles.small]
description = "small"
scenarios = ["agreeing/pair", "matrix/climbing"]
arms = ["weighted", "advised", "counting"]
seeds = [1, 2]
[profiles.small.training]
total_env_steps = 150
test_interval_env_steps = 50
n_test_episodes = 2
batch_size_episodes = 8
buffer_size_episodes = 64
epsilon_anneal_env_steps = 50
[profiles.small.hyperparameters]
alpha = [1.0]
pruning_start_env_steps = [75]
boldness = [0.25, 1.0]
[[claims]]
name = "counting_wins"
text = "Counting beats the weighted sum."
kind = "greater"
left = "counting/decentralised"
right = "advised/centralised"
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The distribution of `outside/toys.py` as an installer leaves it, and a study."""
    directory = tmp_path_factory.mktemp("outside")
    site = directory / "site"
    about = site / "toys-1.2.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: toys\nVersion: 1.2\n")
    (about / "entry_points.txt").write_text(ENTRY_POINTS)
    for source in OUTSIDE.glob("*.py"):
        (site / source.name).write_bytes(source.read_bytes())
    (directory / "study.toml").write_text(STUDY)
    return directory


@pytest.fixture(scope="module")
def trained(place: Path) -> Path:
    done = call(place, "suite", "run", "study.toml", "--workers", "2")
    assert done.returncode == 0, done.stderr
    return place


def test_they_are_trained_from_a_study(trained: Path) -> None:
    done = call(trained, "suite", "status", "study.toml", "--json")
    runs = json.loads(done.stdout)["runs"]
    assert {run["state"] for run in runs} == {"finished"}
    assert {run["point"] for run in runs if run["arm"] == "counting"} == {"b=0.25", "b=1"}
    counting = [r for r in runs if r["arm"] == "counting" and r["scenario"] == "agreeing/pair"]
    assert {run["last_win_rate"]["decentralised"] for run in counting} == {1.0}


def test_they_are_in_the_report(trained: Path) -> None:
    done = call(trained, "reports", "build", "study.toml", "--output", "report.html")
    assert done.returncode == 0, done.stderr
    page = (trained / "report.html").read_text()
    for expected in ("agreeing (a toy)", "Nothing here is a battle.", "weighted", "advised (C)"):
        assert expected in page
    assert "counting [b=0.25]" in page
    assert "toys 1.2" in page  # where the runs' code came from


def test_plans_and_doctor_name_them(trained: Path) -> None:
    plan = call(trained, "suite", "plan", "study.toml").stdout
    assert "agreeing (a toy from outside), rules version 7" in plan
    assert "agreeing/pair" in call(trained, "suite", "doctor").stdout


def test_planning_with_them_imports_no_torch(place: Path) -> None:
    code = (
        "import sys; sys.argv = ['cadp-suite', 'plan', 'study.toml']\n"
        "from suite.cli import main\n"
        "try: main()\n"
        "except SystemExit as left: assert not left.code\n"
        "assert 'toys' in sys.modules\n"
        "print(sorted({'torch', 'numba', 'toys_learner'} & sys.modules.keys()), file=sys.stderr)"
    )
    done = python(place, "-c", code)
    assert "agreeing/pair" in done.stdout
    assert done.stderr == "[]\n"


def test_the_backend_passes_the_contract(place: Path) -> None:
    """As docs/extending.md says; environments brought from outside are among `available()`."""
    contract = str(ROOT / "tests" / "environments" / "test_contract.py")
    options = ("-k", "agreeing", "-rs", "-p", "no:cacheprovider")
    done = python(place, "-m", "pytest", contract, *options)
    assert done.returncode == 0, done.stdout
    assert re.search(r"\b\d+ passed", done.stdout), done.stdout
    skipped = [line for line in done.stdout.splitlines() if line.startswith("SKIPPED")]
    assert all("nothing of it can break down" in line for line in skipped), skipped


def test_the_learner_continues_from_its_state(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that decides how training goes on is in the state, random streams too."""
    monkeypatch.syspath_prepend(str(OUTSIDE))
    import toys

    def built(seed: int) -> Any:
        members = Members([seed], hyperparameters={"boldness": [0.9]})
        sizes, (method,) = toys.BACKEND.describe("pair").sizes, toys.methods()
        return method.build(toys.CountingSettings, sizes, TrainingProtocol(), members)

    def play(algorithm: Any, n_episodes: int) -> list[list[int]]:
        batch, slots = toys.BACKEND.make("pair", 1, 0, ()), np.array([0])
        counters = Counters(env_steps=np.zeros(1, np.int64), n_episodes=np.zeros(1, np.int64))
        played = []
        for _ in range(n_episodes):
            batch.reset()
            writer = algorithm.memory.writer(np.array([0]), slots, slots)
            actions = algorithm.actor(batch, "decentralised", exploring=counters)(0, slots)
            step = batch.step(actions)
            writer.act(0, slots, actions, step.reward, step.terminated)
            algorithm.update(counters, np.array([True]))
            played.append(actions[0].tolist())
        return played

    first, second = built(1), built(2)
    play(first, 20)
    second.load_state_dict(first.state_dict())
    second.memory.load_state_dict(first.memory.state_dict(replays_exactly=True), lambda *_: None)
    assert play(first, 20) == play(second, 20)
    assert np.array_equal(first.memory.n_added, second.memory.n_added)
    assert first.member_weights(0)["value"].equal(second.member_weights(0)["value"])


def test_a_missing_distribution_is_one_line(trained: Path, tmp_path: Path) -> None:
    """Without it its names are unknown; nothing else is hurt."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "suite", "plan", str(trained / "study.toml")],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "arms.weighted.backbone" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        (
            "[cadp_suite.mixers]\nx = nowhere:MIXER\n",
            "entry point x of cadp_suite.mixers (broken 1)",
        ),
        ("[cadp_suite.mixers]\nx = nowhere:MIXER\n", "cannot be loaded (ModuleNotFoundError"),
        (
            "[cadp_suite.mixers]\nx = toys:CLASH\n",
            "entry point x of cadp_suite.mixers (broken 1): qmix is there already, from cadp-suite",
        ),
        (
            "[cadp_suite.environments]\nx = toys:BACKEND\ny = toys:BACKEND\n",
            "(broken 1): agreeing is there already, from broken 1",
        ),
        (
            "[cadp_suite.methods]\nx = toys:methods\ny = toys:methods\n",
            "(broken 1): counting on alone is there already, from broken 1",
        ),
        ("[cadp_suite.environments]\nx = toys:methods\n", "it is no Backend"),
        ("[cadp_suite.environments]\nx = toys:NUMBERED\n", "its scenarios are no texts"),
        ("[cadp_suite.mixers]\nx = toys:methods\n", "it is no Backbone"),
        ("[cadp_suite.methods]\nx = toys:MIXER\n", "it is no function"),
        ("[cadp_suite.methods]\nx = toys:CountingSettings\n", "ValidationError"),
        ("[cadp_suite.methods]\nx = toys:dict\n", "AttributeError"),
    ],
)
def test_a_broken_one_is_one_line(place: Path, tmp_path: Path, points: str, expected: str) -> None:
    """Where studies are read; the doctor lists it among the others."""
    install(tmp_path / "site", "broken", points)
    toys = (place / "site" / "toys.py").read_text()
    numbered = "class Numbered(AgreeingBackend):\n    def scenarios(self): return [1]"
    (tmp_path / "site" / "toys.py").write_text(f"{toys}\n{numbered}\nNUMBERED = Numbered()\n")
    done = call(tmp_path, "suite", "plan", str(ROOT / "studies" / "reproduce_smac.toml"))
    assert done.returncode == 2, done.stderr
    assert expected in done.stderr
    assert len(done.stderr.splitlines()) == 1
    doctor = call(tmp_path, "suite", "doctor", "--json")
    assert doctor.returncode == 2
    report = json.loads(doctor.stdout)
    assert not report["is_usable"]
    (broken,) = [one for one in report["plugins"] if one["error"]]
    assert expected in broken["error"]
    assert broken["distribution"] == "broken 1"


def test_the_doctor_lists_all_and_says_which_are_broken(place: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    install(site, "broken", "[cadp_suite.methods]\nx = nowhere:methods\n")
    for source in (place / "site").glob("*.py"):
        (site / source.name).write_bytes(source.read_bytes())
    install(site, "toys", ENTRY_POINTS)
    done = call(tmp_path, "suite", "doctor")
    assert done.returncode == 2
    listed = done.stdout.partition("Plug-ins:\n")[2].partition("Compiled kernels")[0].splitlines()
    assert [line.split() for line in listed if "usable: " in line] == [
        ["toys", "1", "usable:", "mixers", "weighted"],
        ["toys", "1", "usable:", "methods", "counting", "on", "alone"],
        ["broken", "1", "not", "usable:", "methods", "x"],
        ["toys", "1", "usable:", "environments", "agreeing"],
    ]
    assert "cannot be loaded (ModuleNotFoundError: No module named 'nowhere')" in done.stdout
    assert "agreeing/pair" in done.stdout
    assert (
        "not ready: mend or uninstall what brings broken plug-ins" in done.stdout.splitlines()[-1]
    )


def fingerprint(place: Path) -> str:
    code = "from suite.records.provenance import training_code; print(training_code())"
    done = python(place, "-c", code)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("point", "files", "source"),
    [
        ("toys:MIXER", {}, "toys.py"),
        ("toys:MIXER", {"top_level.txt": "toys\nlearner\n"}, "learner.py"),
        ("toys:MIXER", {"RECORD": "toys.py,,\nlearner.py,,\n"}, "learner.py"),
        ("pack.toys:MIXER", {}, "pack/inner/learner.py"),
        ("pack.toys:MIXER", {}, "pack/sizes.json"),
        ("space.pack.toys:MIXER", {}, "space/pack/learner.py"),
    ],
)
def test_changed_sources_are_other_code(
    tmp_path: Path, point: str, files: dict[str, str], source: str
) -> None:
    """So that checkpoints written before are refused, and continued ones marked."""
    site = tmp_path / "site"
    install(site, "edited", f"[cadp_suite.mixers]\nx = {point}\n", **files)
    for package in ("pack", "space/pack"):
        (site / package).mkdir(parents=True)
        (site / package / "__init__.py").write_text("")
    path = site / source
    path.parent.mkdir(exist_ok=True)
    path.write_text("1")
    before = fingerprint(tmp_path)
    assert fingerprint(tmp_path) == before
    (site / "unrelated.py").write_text("1")
    assert fingerprint(tmp_path) == before
    path.write_text("2")
    assert fingerprint(tmp_path) != before
