"""Episodes side by side, their estimates, and how the command shows them."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

import suite.evaluation as shown
import suite.policies.evaluation as evaluation
from suite.environments import backend_of
from suite.environments.skirmish import SKIRMISH_VERSION
from suite.policies import Policy, find_policy
from suite.policies.evaluation import estimates, evaluation_seeds, play_episodes
from suite.runs.intervals import t_half_width, wilson_interval
from suite.runs.metrics import EPISODE_LENGTH, RETURN, WIN_RATE
from suite.runs.seeding import Stream, episode_seeds
from suite.training.rollout import Outcomes

Call = Callable[..., tuple[int, str, str]]
NOWHERE = Path("no-runs")


def silent(done: int) -> None:
    pass


def test_wilsons_interval_is_his_formula() -> None:
    z, n, p = 1.959963984540054, 200, 0.115
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    assert wilson_interval(23, 200) == pytest.approx((middle - half, middle + half), rel=1e-12)
    assert wilson_interval(0, 10)[0] == 0
    assert wilson_interval(10, 10)[1] == 1
    assert wilson_interval(0, 10)[1] == pytest.approx(z**2 / (10 + z**2), rel=1e-12)


def test_students_interval_by_hand() -> None:
    """t of 3 degrees of freedom is 3.1824; s of 1, 2, 3, 6 is the root of 14/3."""
    half = t_half_width(np.array([1.0, 2.0, 3.0, 6.0]), 0.95)
    assert half == pytest.approx(3.182446305284263 * math.sqrt(14 / 3) / 2, rel=1e-12)


def test_estimates_of_episodes() -> None:
    outcomes = Outcomes(
        total_reward=np.array([0.5, 0.0, 5.0, 0.0]),
        length=np.array([10, 60, 1, 60]),
        won=np.array([False, False, True, False]),
    )
    found = estimates("skirmish/3m", outcomes)
    assert found[WIN_RATE].mean == 0.25
    assert (found[WIN_RATE].low, found[WIN_RATE].high) == wilson_interval(1, 4)
    assert found[WIN_RATE].method == "Wilson; 1 of 4"
    values = outcomes.total_reward
    assert found[RETURN].mean == 1.375
    assert found[RETURN].low == 0.0  # a return is not below that
    assert found[RETURN].high == 1.375 + float(t_half_width(values, 0.95))
    assert (found[EPISODE_LENGTH].low, found[EPISODE_LENGTH].high) == (1, 60)


@pytest.mark.parametrize(("n", "why"), [(1, "one episode"), (3, "all episodes equal")])
def test_no_spread_gives_no_interval(n: int, why: str) -> None:
    outcomes = Outcomes(np.full(n, 8.0), np.full(n, 2), np.full(n, True))
    found = estimates("matrix/two_step", outcomes)[RETURN]
    assert (found.mean, found.low, found.high) == (8.0, None, None)
    assert found.method == f"{why}: no interval"


def test_every_episode_has_its_seed_however_they_are_dealt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    policy, seeds = (
        find_policy("nearest", "skirmish/5m_vs_6m", NOWHERE, seed=0),
        evaluation_seeds(4, 11),
    )
    whole = play_episodes("skirmish/5m_vs_6m", policy, seeds, silent)
    monkeypatch.setattr(evaluation, "_SIDE_BY_SIDE", 4)
    told: list[int] = []
    dealt = play_episodes("skirmish/5m_vs_6m", policy, seeds, told.append)
    assert told == [4, 8, 11]
    np.testing.assert_array_equal(dealt.total_reward, whole.total_reward)
    np.testing.assert_array_equal(dealt.length, whole.length)
    np.testing.assert_array_equal(dealt.won, whole.won)
    assert len(set(whole.total_reward.tolist())) > 3


def test_no_more_copies_than_a_backend_runs_and_all_are_given_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    backend = backend_of("matrix/climbing")
    monkeypatch.setattr(backend, "most_copies", 2, raising=False)
    sizes, closed, make = [], [], backend.make

    def made(*arguments: Any) -> Any:
        environment = make(*arguments)
        sizes.append(environment.n_environments)
        monkeypatch.setattr(environment, "close", lambda: closed.append(True))
        return environment

    monkeypatch.setattr(backend, "make", made, raising=False)
    policy = find_policy("random", "matrix/climbing", NOWHERE, seed=0)
    assert len(play_episodes("matrix/climbing", policy, evaluation_seeds(0, 5), silent).won) == 5
    assert (sizes, closed) == ([2], [True])

    def fails(environment: Any) -> Any:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        play_episodes("matrix/climbing", Policy("", "", fails), evaluation_seeds(0, 5), silent)
    assert closed == [True, True]


def test_extra_observations_are_asked_for() -> None:
    policy = Policy("", "", lambda environment: None, ("a_wide_view",))  # type: ignore[arg-type,return-value]
    with pytest.raises(Exception, match="offers no such observation"):
        play_episodes("matrix/climbing", policy, evaluation_seeds(0, 1), silent)


def test_the_episodes_are_nobodys_training_or_tests() -> None:
    seeds = set(evaluation_seeds(0, 50).tolist())
    assert len(seeds) == 50
    for stream in (Stream.TRAINING_EPISODES, Stream.TEST_EPISODES):
        assert seeds.isdisjoint(episode_seeds(0, stream, 0, 500).tolist())
    assert seeds.isdisjoint(evaluation_seeds(1, 50).tolist())


def test_the_command_says_what_was_played_where_and_by_whom(call: Call) -> None:
    code, out, err = call("evaluate", "climbing", "--policy", "random", "--episodes", "50")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].startswith("matrix/climbing: matrix games (embedded), rules version 1.")
    assert lines[1:3] == ["random: any available action", "50 episodes, seed 0"]
    assert "95 % interval" in lines[3]
    assert re.match(r"win rate +\d+\.\d % +\d+\.\d % to \d+\.\d % +Wilson; \d+ of 50", lines[4])
    assert re.match(r"return +-?\d+\.\d\d +-?\d+\.\d\d to -?\d+\.\d\d +t", lines[5])
    assert re.match(r"episode length +1\.00 +- +all episodes equal: no interval", lines[6])
    _, out, _ = call("evaluate", "3m", "--policy", "random", "--episodes", "2")
    assert "skirmish (embedded simulator), rules version" in out
    assert "No number measured here is from StarCraft II." in out


@pytest.mark.parametrize("policy", ["random", "nearest"])
def test_the_same_seed_gives_the_same_output(call: Call, policy: str) -> None:
    arguments = ("evaluate", "3m", "--policy", policy, "--episodes", "70", "--json")
    first = call(*arguments)
    assert first[0] == 0
    assert call(*arguments) == first
    other = json.loads(call(*arguments, "--seed", "1")[1])
    document = json.loads(first[1])
    assert document["results"]["return"] != other["results"]["return"]
    assert (document["n_episodes"], document["seed"], document["confidence"]) == (70, 0, 0.95)
    assert document["policy"]["name"] == policy
    assert document["environment"]["version"] == SKIRMISH_VERSION


def test_random_play_goes_on_with_its_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second batch of the same episodes is played differently."""
    monkeypatch.setattr(evaluation, "_SIDE_BY_SIDE", 8)
    policy = find_policy("random", "skirmish/3m", NOWHERE, seed=0)
    seeds = np.concatenate([evaluation_seeds(0, 8)] * 2)
    outcomes = play_episodes("skirmish/3m", policy, seeds, silent)
    assert outcomes.total_reward[:8].tolist() != outcomes.total_reward[8:].tolist()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["3n", "--policy", "random"], "unknown scenario (got '3n'); nearest: skirmish/3m"),
        (["3m"], "Missing option '--policy'; see cadp-suite evaluate --help"),
        (["3m", "--policy", "best"], "--policy: no such policy or run (got 'best'); use random"),
        (["climbing", "--policy", "nearest"], "--policy nearest: not a scenario of skirmish"),
        (["3m", "--policy", "random", "--episodes", "0"], "not a whole number from 1 to 1000000"),
        (["3m", "--policy", "random", "--episodes", "1e3"], "(got '1e3')"),
        (["3m", "--policy", "random", "--seed", "-1"], "Invalid value for '--seed'"),
        (["3m", "--policy", "0" * 16], "--policy: no such policy or run (got '0000000000000000')"),
        (["3m", "--policy", "a\0.th"], "a\\x00.th: the weights are damaged"),
        (["3m", "--policy", "random", "--runs-dir", ""], "--runs-dir: not a path"),
    ],
)
def test_mistakes_are_one_line_and_exit_code_two(
    call: Call, arguments: list[str], words: str
) -> None:
    code, out, err = call("evaluate", *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert words in err


def test_help_has_an_example(call: Call) -> None:
    code, out, _ = call("evaluate", "--help")
    assert code == 0
    assert "Example: cadp-suite evaluate" in " ".join(out.split())


def test_an_interruption_leaves_with_130(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(evaluation, "play_episodes", interrupted)
    code, out, _ = call("evaluate", "3m", "--policy", "random")
    assert (code, out) == (130, "")


def test_a_terminal_shows_a_bar_and_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(float(second) for second in range(100))
    monkeypatch.setattr(shown.time, "monotonic", lambda: next(clock))
    file = StringIO()
    console = Console(file=file, force_terminal=True, width=80, color_system=None)
    with shown.progress_shown(console, 200) as tell:
        tell(50)
    assert "0/200 episodes" in file.getvalue()
    assert re.search(r"50/200 episodes, about \d+ s left", file.getvalue())


def test_a_file_gets_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(shown.time, "monotonic", lambda: now)
    file = StringIO()
    with shown.progress_shown(Console(file=file), 200) as tell:
        for done in range(10, 210, 10):
            now += 4.0
            tell(done)
    assert file.getvalue().splitlines() == [
        "80/200 episodes, about 48 s left",
        "160/200 episodes, about 16 s left",
    ]
