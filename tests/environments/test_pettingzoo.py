"""Environments of others, through PettingZoo: what `test_contract` cannot know."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from suite.environments import ActionError, counts_wins, describe, full_name, is_scenario, make
from suite.environments.pettingzoo import backend as declared
from suite.environments.pettingzoo.naming import Source, parse
from suite.errors import InputError

EXAMPLES = Path(__file__).parent / "examples"
ROOT = Path(__file__).parents[2]


def example(name: str) -> str:
    return f"pettingzoo/parallel_examples:{name}"


def made(environment: Any, slot: int = 0) -> Any:
    """The PettingZoo environment of a slot."""
    return environment._made[slot]


def step(environment: Any, *actions: int) -> tuple[float, bool, bool, bool]:
    """What came of one step of slot 0: reward, terminated, truncated, won."""
    active = np.arange(environment.n_environments) == 0
    wanted = np.tile(np.array(actions), (environment.n_environments, 1))
    result = environment.step(wanted, active)
    flags = (result.terminated, result.truncated, result.won)
    return float(result.reward[0]), *(bool(flag[0]) for flag in flags)  # type: ignore[return-value]


@pytest.mark.parametrize(("name", "source"), [
    ("a.b:c", Source("a.b", "c", {})),
    ("a:B.c", Source("a", "B.c", {})),
    ("a:b?n=3&x=0.5&on=true&off=False&word=big&list=[1, 2]",
     Source("a", "b", {"n": 3, "x": 0.5, "on": True, "off": False, "word": "big", "list": [1, 2]})),
    ("a:b?path=c/d%231", Source("a", "b", {"path": "c/d#1"})),
    ("a:b#episode_limit=5&team_reward=mean&won=is_success",
     Source("a", "b", {}, 5, "mean", "is_success")),
    ("a:b?episode_limit=7#episode_limit=5", Source("a", "b", {"episode_limit": 7}, 5)),
])  # fmt: skip
def test_names(name: str, source: Source) -> None:
    assert parse(name) == source


@pytest.mark.parametrize(("name", "said"), [
    ("", "not the name of an environment"),
    ("numpy", "not the name of an environment"),
    ("a b:c", "not the name of an environment"),
    ("a:b?n", r"cannot be read after \?"),
    ("a:b?n=1&n=2", r"a name twice after \?"),
    ("a:b#", "nothing stands after #"),
    ("a:b#episode_limits=3", "unknown setting after #.*use episode_limit"),
    ("a:b#episode_limit=0", "not a number of steps"),
    ("a:b#episode_limit=true", "not a number of steps"),
    ("a:b#episode_limit=2.5", "not a number of steps"),
    ("a:b#team_reward=max", "unknown team_reward.*use sum or mean"),
    ("a:b#won=3", "not the name of an entry"),
    ("no_such_module_here:env", "no module no_such_module_here;.*install"),
    ("parallel_examples.more:env", r"no module parallel_examples\.more"),
    ("broken_example:env", "cannot be imported .RuntimeError: no licence found."),
    ("pettingzoo.utils:AECEnv.none", r"module pettingzoo\.utils has no AECEnv\.none"),
    ("parallel_examples:no_environments", "use one of .*no_environment"),
    ("parallel_examples:no_environment", "makes a int, no PettingZoo ParallelEnv"),
    ("parallel_examples:Turns", "agents move in turn; name its parallel form"),
    ("parallel_examples:Walk?m=3", "cannot be made .TypeError: .*'m'.*; give arguments"),
    ("parallel_examples:Endless", "no step limit.*#episode_limit=100"),
    ("parallel_examples:Continuous", "actions of walker_0 are a Box, not Discrete"),
    ("parallel_examples:Spaceless", "walker_0 has no observation_space"),
    ("parallel_examples:Agentless", "no possible_agents"),
    ("parallel_examples:Unseeded", "one seed does not give one episode"),
    ("parallel_examples:Forgetful", "one seed does not give one episode"),
    ("parallel_examples:Misshapen", "reset fails .ValueError: an observation has 1 .*not 2"),
    ("parallel_examples:Stuck", "walker_0 has no available action"),
])  # fmt: skip
def test_what_cannot_be_used_is_refused_in_one_line(name: str, said: str) -> None:
    for call in (describe, lambda n: make(n, 1, 0)):
        with pytest.raises(InputError, match=said) as caught:
            call(f"pettingzoo/{name}")
        assert caught.value.cure
        assert "\n" not in str(caught.value)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert declared.BACKEND.needs == ("pettingzoo", "gymnasium")
    needs = ("pettingzoo", "no-such-package")
    monkeypatch.setattr(declared.PettingZooBackend, "needs", needs)
    declared._tried.cache_clear()
    with pytest.raises(InputError, match="no-such-package is not installed; run: pip install no-"):
        describe(example("Walk"))


def test_names_of_scenarios() -> None:
    """Nothing is listed and any name is taken, but only of this backend."""
    assert full_name(example("Walk"), where="here") == example("Walk")
    assert not is_scenario("skirmish/parallel_examples:Walk")
    with pytest.raises(InputError, match="unknown scenario"):
        describe("parallel_examples:Walk")


def test_description() -> None:
    info = describe(example("Walk?n=3&max_cycles=9"))
    sizes = (info.n_agents, info.n_actions, info.observation_size, info.state_size)
    assert sizes == (3, 4, 3, 4)
    assert info.episode_limit == 9
    assert info.backend_version.startswith("parallel_examples of no distribution, sources ")
    assert describe(example("Race?n=3")).state_size == 1 + 2 + 3
    assert describe(example("Race")).backend_version.endswith("observations as state")
    assert describe(example("Endless#episode_limit=8")).episode_limit == 8


def test_version_is_the_distributions() -> None:
    from suite.environments.pettingzoo.making import version_of

    assert version_of("numpy.linalg") == f"numpy {np.__version__}"


def test_version_follows_the_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from suite.environments.pettingzoo.making import version_of

    monkeypatch.syspath_prepend(tmp_path)
    home = tmp_path / "odd_world.py"
    home.write_text("A = 1")
    first = version_of("odd_world")
    home.write_text("A = 2")
    assert version_of("odd_world") != first


def test_smaller_agents_are_filled_up() -> None:
    environment = make(example("Walk"), 2, 0)
    where = made(environment).where
    assert np.allclose(environment.observations[0], [[where[0], 0], [where[1], where[1]]])
    assert environment.available_actions[0].tolist() == [[True, True, False], [True] * 3]
    assert np.allclose(environment.state[0], [*where, 0])
    assert step(environment, 1, 2)[0] == 3.0
    assert made(environment).received == [{"walker_0": 1, "walker_1": 7}]


def test_team_reward_may_be_the_mean() -> None:
    assert step(make(example("Walk#team_reward=mean"), 1, 0), 1, 2)[0] == 1.5


def test_seeds_below_31_bits_are_those_of_the_environment() -> None:
    environment = make(example("Walk"), 3, 0)
    environment.reset(np.array([2, 0]), np.array([7, 2**31 + 8]))
    assert (made(environment, 2).seed, made(environment, 0).seed) == (7, 8)


def test_who_ends_early_is_out_and_rewards_of_the_others_count() -> None:
    """Masks of observations hold; who has ended sees zeros and may only choose action 0."""
    environment = make(example("Race?n=3#won=won"), 1, 0)
    assert environment.available_actions[0].tolist() == [
        [False, True, False, False],
        [False, True, True, False],
        [False, True, True, True],
    ]
    assert step(environment, 1, 1, 1) == (3.0, False, False, False)
    assert not environment.observations[0, 0].any()
    assert environment.observations[0, 1:].any(-1).all()
    assert environment.available_actions[0, 0].tolist() == [True, False, False, False]
    assert np.array_equal(
        environment.state[0],
        [0, *environment.observations[0, 1, :2], *environment.observations[0, 2]],
    )
    assert step(environment, 0, 0, 0) == (2.0, False, False, False)
    assert made(environment).received[-1] == {"walker_1": 5, "walker_2": 10}
    assert step(environment, 0, 0, 0) == (1.0, True, False, True)
    assert environment.observations[0, 2].any()
    assert not environment.observations[0, :2].any()


def test_nobody_wins_where_nothing_says_so() -> None:
    environment = make(example("Race"), 1, 0)
    step(environment, 1, 1)
    assert step(environment, 0, 0) == (1.0, True, False, False)
    assert not counts_wins(example("Race"))
    assert counts_wins(example("Race#won=won"))


def test_an_end_by_time_is_truncated() -> None:
    """By the environment's own limit: who is cut keeps observation and mask, to bootstrap from."""
    environment = make(example("Guarded"), 1, 0)
    last = [1, 2, 3]
    assert [np.flatnonzero(mask).tolist() for mask in environment.available_actions[0]] == [
        [n] for n in last
    ]
    assert step(environment, *last)[1:] == (False, False, False)
    assert environment.observations[0, 0].tolist() == [0, 1, 0, 0, 0, 0]
    assert step(environment, *last)[1:] == (False, False, False)
    assert step(environment, 0, 2, 3)[1:] == (False, False, False)
    assert step(environment, 0, 2, 3)[1:] == (False, True, False)
    assert environment.observations[0, :, :].argmax(-1).tolist() == [0, 2, 3]
    assert not environment.observations[0, 0].any()
    assert [np.flatnonzero(mask).tolist() for mask in environment.available_actions[0]] == [
        [0], [2], [3],
    ]  # fmt: skip


def test_an_end_by_our_limit_is_truncated_unless_the_rules_end_it_too() -> None:
    environment = make(example("Race?n=3#episode_limit=2"), 1, 0)
    step(environment, 1, 1, 1)
    assert step(environment, 0, 0, 0)[1:] == (False, True, False)
    assert environment.observations[0].any(-1).tolist() == [False, False, True]
    environment = make(example("Race#episode_limit=2"), 1, 0)
    step(environment, 1, 1)
    assert step(environment, 0, 0)[1:] == (True, False, False)


@pytest.mark.parametrize(("ends", "flags", "is_seen"), [
    ("over=[0]&cut=[1]", (False, True, False), [False, True]),
    ("over=[0]&cut=[0,1]", (False, True, False), [False, True]),
    ("over=[0,1]&cut=[0,1]", (True, False, True), [True, True]),
    ("over=[0,1]&cut=[]&shows=false", (True, False, True), [False, False]),
])  # fmt: skip
def test_agents_may_end_together_in_different_ways(
    ends: str, flags: tuple[bool, ...], is_seen: list[bool]
) -> None:
    """Truncated if anyone is only cut; to win is to end by the rules."""
    environment = make(example(f"Careless?{ends}#won=won"), 1, 0)
    assert step(environment, 0, 0)[1:] == (False, False, False)
    assert step(environment, 0, 0)[1:] == flags
    assert environment.observations[0].any(-1).tolist() == is_seen


def test_who_has_ended_is_out_even_if_still_listed() -> None:
    environment = make(example("Careless?over=[0]&cut=[]"), 1, 0)
    for _ in range(3):
        assert step(environment, 0, 0)[1:] == (False, False, False)
    assert made(environment).received[-1] == {"walker_1": 5}


def test_an_engine_that_dies_says_so_and_can_be_reset() -> None:
    environment = make(example("Breaking?max_cycles=40"), 2, 0)
    for _ in range(30):
        step(environment, 0, 0)
    with pytest.raises(InputError, match=r"step fails .ZeroDivisionError: the engine is gone"):
        step(environment, 0, 0)
    with pytest.raises(ActionError, match="slot 0: its episode is over"):
        step(environment, 0, 0)
    environment.reset(np.array([0]))
    step(environment, 0, 0)


def test_close_reaches_every_environment() -> None:
    environment = make(example("Walk"), 2, 0)
    environment.close()
    assert [made(environment, slot).is_closed for slot in (0, 1)] == [True, True]


def test_what_it_prints_is_no_output_of_ours(capfd: pytest.CaptureFixture[str]) -> None:
    declared._tried.cache_clear()
    describe(example("talkative"))
    out, err = capfd.readouterr()
    assert out == ""
    assert "made with love" in err


STUDY = """
format = 1
name = "others"
question = "Does it run?"
default_profile = "smoke"
[arms.iql]
framework = "ctde"
backbone = "iql"
[arms.qmix]
framework = "ctde"
backbone = "qmix"
[profiles.smoke]
description = "a few steps"
scenarios = ["{scenario}"]
arms = ["iql", "qmix"]
seeds = [1]
[profiles.smoke.training]
total_env_steps = 24
test_interval_env_steps = 12
n_test_episodes = 2
batch_size_episodes = 2
"""
CLAIM = """
[[claims]]
name = "better"
text = "It is better."
kind = "greater"
left = "qmix/decentralised"
right = "iql/decentralised"
"""


def run(command: str, *words: str, package: str = "suite") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", package, command, *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([*sys.path, str(EXAMPLES)])},
    )


def written(folder: Path, scenario: str, more: str = "") -> str:
    path = folder / "others.toml"
    path.write_text(STUDY.format(scenario=scenario) + more)
    return str(path)


@pytest.mark.parametrize(("scenario", "more", "said"), [
    ("parallel_examples:Continuous", "", "scenarios: the actions of walker_0 are a Box"),
    ("parallel_examples:Race", CLAIM, "claims[0].scenarios: no win rate to compare"),
])  # fmt: skip
def test_a_plan_refuses_in_one_line(tmp_path: Path, scenario: str, more: str, said: str) -> None:
    done = run("plan", written(tmp_path, f"pettingzoo/{scenario}", more))
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert said in line
    assert scenario in line


def test_a_plan_names_the_version_of_each(tmp_path: Path) -> None:
    done = run("plan", written(tmp_path, f'{example("Walk")}", "{example("Race")}'))
    (line,) = [one for one in done.stdout.splitlines() if one.startswith("Environment:")]
    assert re.search(r"version (.*), adapter 1; \1, adapter 1, observations as state$", line)


@pytest.mark.slow
def test_a_study_is_trained_and_reported(tmp_path: Path) -> None:
    """Without wins its report has returns and no win rate; what it is is recorded."""
    study, runs = written(tmp_path, example("Race?n=3")), str(tmp_path / "runs")
    done = run("run", study, "--runs-dir", runs, "--workers", "1")
    assert done.returncode == 0, done.stderr
    assert "win rate" not in done.stdout + done.stderr
    page = tmp_path / "report.html"
    done = run("build", study, "--runs-dir", runs, "--output", str(page), package="reports")
    assert done.returncode == 0, done.stderr
    text = page.read_text()
    assert "parallel_examples of no distribution" in text
    assert "test return" in text
    assert "test win rate (%)" not in text
    done = run("evaluate", example("Race?n=3"), "--policy", "random", "--episodes", "3")
    assert done.returncode == 0, done.stderr
    assert "return" in done.stdout
    assert "win rate" not in done.stdout


@pytest.mark.slow
def test_the_example_study_runs(tmp_path: Path) -> None:
    """Needs the package mpe2, from PyPI."""
    pytest.importorskip("mpe2", reason="the package mpe2 is not installed")
    study, runs = str(ROOT / "studies" / "pettingzoo_example.toml"), str(tmp_path / "runs")
    done = run("plan", study)
    assert done.returncode == 0, done.stderr
    version = importlib.metadata.version("mpe2")
    assert f"version mpe2 {version}, adapter {declared.ADAPTER_VERSION}" in done.stdout
    done = run("run", study, "--profile", "smoke", "--runs-dir", runs, "--workers", "1")
    assert done.returncode == 0, done.stderr
    shown = json.loads(run("status", study, "--runs-dir", runs, "--json").stdout)
    assert [one["state"] for one in shown["runs"]] == ["finished"] * 2
