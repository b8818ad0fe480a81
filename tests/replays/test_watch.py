"""The command: files, runs that play, and what goes wrong."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from suite.algorithms.settings import AlgorithmSettings
from suite.cli import main
from suite.environments import describe, make
from suite.environments.skirmish.scenario import load_scenario
from suite.records.writer import RecordWriter
from suite.replays.files import read_label
from suite.replays.recording import record
from suite.study.run import RunSpec
from suite.training.settings import TrainingSettings

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Call:
    """Run `cadp-suite watch` in an empty directory: exit code, standard output, standard error."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["cadp-suite", "watch", *arguments])
        with pytest.raises(SystemExit) as exit_:
            main()
        captured = capsys.readouterr()
        return int(exit_.value.code or 0), captured.out, captured.err

    return run


def run_spec(scenario: str = "skirmish/3m", seed: int = 1, **changes: object) -> RunSpec:
    values = {
        "scenario": scenario,
        "arm": "cadp_qmix",
        "algorithm": AlgorithmSettings(framework="cadp", backbone="qmix"),
        "training": TrainingSettings(),
        "alpha": 0.5,
        "pruning_start_env_steps": 400,
        "seed": seed,
        "environment_version": describe(scenario).backend_version,
    }
    return RunSpec(**(values | changes))


@pytest.fixture
def finished(runs_dir: Path) -> str:
    """The id of a finished run whose networks are as they were initialised."""
    import torch

    learner, spec = _learner(), run_spec()
    writer = RecordWriter(runs_dir)
    writer.begin(spec, {}, resuming=False)
    writer.finish(spec.run_id, 1.0, "")
    (runs_dir / "weights").mkdir()
    torch.save(learner.member_weights(0), runs_dir / "weights" / f"{spec.run_id}.pt")
    return spec.run_id


def _learner():
    from suite.algorithms import Learner, Sizes

    info = describe("skirmish/3m")
    sizes = Sizes(
        n_agents=info.n_agents,
        n_actions=info.n_actions,
        observation_size=info.observation_size,
        state_size=info.state_size,
        ally_state_size=info.ally_state_size,
    )
    return Learner(run_spec().algorithm, sizes, seeds=[77])


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


def test_a_run_plays_as_it_is_tested(finished: str, runs_dir: Path) -> None:
    """Greedily, each agent alone, with the weights that were stored."""
    from suite.training.rollout import Policy, play

    environment = make("skirmish/3m", 1, seed=0)
    policy = Policy(_learner(), environment, "decentralised")
    outcomes = play(environment, np.array([0]), np.array([9]), policy)
    recording = record(load_scenario("3m"), finished, 9, runs_dir)
    assert len(recording.actions) == outcomes.length[0]
    assert recording.rewards.sum() == pytest.approx(outcomes.total_reward[0], rel=1e-12)
    environment.reset(np.array([0]), np.array([9]))
    chosen = Policy(_learner(), environment, "decentralised")
    for t, actions in enumerate(recording.actions):
        expected = chosen(t, np.array([0]))
        np.testing.assert_array_equal(actions, expected[0])
        environment.step(expected)


def test_the_command_knows_runs(call: Call, finished: str, runs_dir: Path) -> None:
    code, out, err = call("3m", "--policy", finished, "--runs-dir", str(runs_dir))
    path = runs_dir / "replays" / f"3m-{finished}-seed0.html"
    assert (code, out, err) == (0, f"{path}\n", "")
    assert "cadp_qmix trained with seed 1, greedy, decentralised" in path.read_text()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["3n"], "unknown scenario (got 'skirmish/3n'); nearest: skirmish/3m"),
        (["matrix/climbing"], "only battles can be watched (got 'matrix/climbing')"),
        (["3m", "--policy", "best"], "no such policy or run (got 'best'); use random, nearest"),
        (["3m", "--seed", "-1"], "Invalid value for '--seed'"),
        (["3m", "--output", "."], "is a directory"),
        (["3m", "--output", "file/page.html"], "cannot write the file"),
        ([], "Missing argument 'SCENARIO'; see cadp-suite watch --help"),
    ],
)
def test_mistakes_are_one_line_and_exit_code_two(
    call: Call, tmp_path: Path, arguments: list[str], words: str
) -> None:
    (tmp_path / "file").write_text("not a directory")
    before = sorted(tmp_path.rglob("*"))
    code, out, err = call(*arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert words in err
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda path: path.unlink(), "the run's weights are missing"),
        (lambda path: path.write_bytes(b""), "the weights are not readable"),
        (lambda path: path.write_bytes(b"garbage" * 9), "the weights are not readable"),
        (lambda path: os.truncate(path, 1000), "the weights are not readable"),
    ],
    ids=["missing", "empty", "garbage", "truncated"],
)
def test_unusable_weights(
    call: Call, finished: str, runs_dir: Path, damage: Callable[[Path], object], words: str
) -> None:
    damage(runs_dir / "weights" / f"{finished}.pt")
    code, out, err = call("3m", "--policy", finished, "--runs-dir", str(runs_dir))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert words in err
    assert f"{finished}.pt" in err


def test_runs_that_cannot_play_here(call: Call, runs_dir: Path) -> None:
    writer = RecordWriter(runs_dir)
    other = run_spec("skirmish/8m")
    old = run_spec(environment_version="0")
    unfinished = run_spec(seed=3)
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
