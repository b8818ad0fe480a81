"""The command: files, runs that play, and what goes wrong."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from suite.environments import make
from suite.environments.skirmish.scenario import load_scenario
from suite.records.writer import RecordWriter
from suite.replays.files import find_replays, read_label
from suite.replays.recording import record
from suite.runs.spec import RunSpec
from suite.text import visible

if TYPE_CHECKING:
    from suite.algorithms.value.base import QLearner

Call = Callable[..., tuple[int, str, str]]
MakeSpec = Callable[..., RunSpec]


def test_a_page_is_written_and_its_path_printed(call: Call, tmp_path: Path) -> None:
    code, out, err = call("3m")
    path = tmp_path / "runs" / "replays" / "3m-nearest-seed0.html"
    assert (code, out, err) == (0, f"{path}\n", "")
    label = read_label(path.read_text())
    assert label is not None
    assert (label.scenario, label.policy, label.seed) == ("skirmish/3m", "nearest", 0)
    code, out, _ = call("skirmish/3m", "--policy", "random", "--seed", "7", "--output", "a/b.html")
    assert (code, out) == (0, f"{tmp_path / 'a' / 'b.html'}\n")
    label = read_label((tmp_path / "a" / "b.html").read_text())
    assert label is not None
    assert (label.policy, label.seed) == ("random", 7)
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b.html"]


def test_a_run_plays_as_it_is_tested(
    finished_dir: Path, make_spec: MakeSpec, learner: QLearner
) -> None:
    """Greedily, each agent alone, with the weights that were stored."""
    from suite.algorithms.value.off_policy import EpsilonGreedy
    from suite.training.rollout import play

    environment = make("skirmish/3m", 1, seed=0)
    policy = EpsilonGreedy(learner, environment, "decentralised")
    outcomes = play(environment, np.array([0]), np.array([9]), lambda: policy)
    recording = record(load_scenario("3m"), make_spec().run_id, 9, finished_dir)
    assert len(recording.actions) == outcomes.length[0]
    assert recording.rewards.sum() == pytest.approx(outcomes.total_reward[0], rel=1e-12)
    environment.reset(np.array([0]), np.array([9]))
    chosen = EpsilonGreedy(learner, environment, "decentralised")
    for t, actions in enumerate(recording.actions):
        expected = chosen(t, np.array([0]))
        np.testing.assert_array_equal(actions, expected[0])
        environment.step(expected)


def test_the_command_knows_runs(call: Call, finished_dir: Path, make_spec: MakeSpec) -> None:
    run_id = make_spec().run_id
    code, out, err = call("3m", "--policy", run_id, "--runs-dir", str(finished_dir))
    path = finished_dir / "replays" / f"3m-{run_id}-seed0.html"
    assert (code, out, err) == (0, f"{path}\n", "")
    told = "cadp_qmix α=0.5 T=400 trained for 1,050,000 steps with seed 1, greedy, decentralised"
    assert told in path.read_text()


ODD_NAMES = [
    b"runs?1",
    b"x%41y",
    b"{x}",
    b"a b",
    b"a#b",
    b"a\nb",
    b"caf\xc3\xa9",
    b"\xff\xfe",
    b"%2e%2e",
    b"a&b=c;d",
    b"[bold]",
    b"file:x",
    b"-runs",
    b"a\\b",
    b"a'\"b",
    b"*",
    b"~",
    b"$HOME",
]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_directory_may_have_any_name(
    call: Call, finished_dir: Path, make_spec: MakeSpec, tmp_path: Path, name: bytes
) -> None:
    """The right folder is read and written, and nothing appears beside it."""
    runs_dir, run_id = tmp_path / os.fsdecode(name), make_spec().run_id
    finished_dir.rename(runs_dir)
    option = f"--runs-dir={os.fsdecode(name)}"
    for policy in (run_id, "nearest"):
        code, out, err = call("3m", "--policy", policy, option)
        page = runs_dir / "replays" / f"3m-{policy}-seed0.html"
        assert (code, out, err) == (0, f"{visible(str(page))}\n", "")
    assert [replay.label.policy for replay in find_replays(runs_dir)] == [run_id, "nearest"]
    assert list(tmp_path.iterdir()) == [runs_dir]
    assert len(list((runs_dir / "replays").iterdir())) == 2
    shutil.rmtree(runs_dir / "weights")
    code, out, err = call("3m", "--policy", run_id, option)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "the run's weights are missing" in err


@pytest.mark.parametrize(
    "policy",
    [
        "../../x",
        "/etc/passwd",
        "..",
        "",
        "a" * 5000,
        "../weights/0123456789abcdef",
        "0123456789ABCDEF",
        "0123456789abcdef\n",
        "0123456789abcdef/",
        "nearest\0",
        "x\0y",
        "{x}%41?",
        "\x1b[31mred",
        "\udcff",
        "0" * 16,
    ],
)
def test_a_policy_is_never_part_of_a_path(
    call: Call, finished_dir: Path, tmp_path: Path, policy: str
) -> None:
    before = sorted(tmp_path.rglob("*"))
    code, out, err = call("3m", f"--policy={policy}", "--runs-dir", str(finished_dir))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "--policy: no such policy or run" in err
    assert "\x1b" not in err
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", ["../x", "x", "0123456789ABCDEF", "{x}"])
def test_nor_is_a_name_from_an_altered_database(
    call: Call, finished_dir: Path, make_spec: MakeSpec, tmp_path: Path, name: str
) -> None:
    with closing(sqlite3.connect(finished_dir / "mlflow.db")) as database, database:
        change = "UPDATE tags SET value = ? WHERE key = 'cadp.run_id'"
        assert database.execute(change, (name,)).rowcount == 1
    weights = finished_dir / "weights" / f"{make_spec().run_id}.safetensors"
    weights.rename(weights.parent / f"{name}.safetensors")
    before = sorted(tmp_path.rglob("*"))
    code, out, err = call("3m", f"--policy={name}", "--runs-dir", str(finished_dir))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "--policy: no such policy or run" in err
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["3n"], "unknown scenario (got '3n'); nearest: skirmish/3m"),
        (
            ["matrix/climbing"],
            "only battles can be watched (got 'matrix/climbing'); choose a scenario of skirmish, "
            "e.g. skirmish/",
        ),
        (["3m", "--policy", "best"], "no such policy or run (got 'best'); use random, heuristic"),
        (["3m", "--seed", "-1"], "Invalid value for '--seed'"),
        (["3m", "--output", "."], "is a directory"),
        (["3m", "--output", "pipe.html"], "is no plain file, and would be replaced"),
        (["3m", "--output", "study.toml"], "not the name of a .html file (got 'study.toml')"),
        (["3m", "--output", "a" * 300 + ".html"], "File name too long"),
        (["3m", "--runs-dir", "file"], "cannot write the file"),
        (["3m", "--output", "file/page.html"], "cannot write the file"),
        ([], "Missing argument 'SCENARIO'; see cadp-suite watch --help"),
    ],
)
def test_mistakes_are_one_line_and_exit_code_two(
    call: Call, tmp_path: Path, arguments: list[str], words: str
) -> None:
    (tmp_path / "file").write_text("not a directory")
    os.mkfifo(tmp_path / "pipe.html")
    before = sorted(tmp_path.rglob("*"))
    code, out, err = call(*arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert words in err
    assert sorted(tmp_path.rglob("*")) == before


def test_runs_that_cannot_play_here(call: Call, runs_dir: Path, make_spec: MakeSpec) -> None:
    writer = RecordWriter(runs_dir)
    other = make_spec("skirmish/8m")
    old = make_spec(environment_version="0")
    unfinished = make_spec(seed=3)
    for spec in (other, old, unfinished):
        writer.begin(spec, {}, resuming=False)
    for spec in (other, old):
        writer.finish(spec.run_id, 1.0, "")
    for spec, words in (
        (other, "was not trained on skirmish/3m (got 'skirmish/8m')"),
        (old, "trained under other rules than version"),
        (unfinished, "the run is not finished (got 'running')"),
    ):
        code, out, err = call("3m", "--policy", spec.run_id, "--runs-dir", str(runs_dir))
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert words in err
        assert spec.run_id in err


def test_help_has_an_example(call: Call) -> None:
    code, out, _ = call("--help")
    assert code == 0
    assert "Example: cadp-suite watch" in " ".join(out.split())
