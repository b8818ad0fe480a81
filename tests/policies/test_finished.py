"""Finished runs are evaluated as their own training tested them, in every execution mode."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from suite.algorithms.registry import method_of
from suite.errors import InputError
from suite.policies import find_policy
from suite.policies.evaluation import estimates, play_episodes
from suite.runs.metrics import EPISODE_LENGTH, RETURN, WIN_RATE, test_key
from suite.runs.seeding import Stream, episode_seeds

Call = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize(
    ("fixture", "mode"),
    [
        ("cadp_on_3m", "decentralised"),
        ("cadp_on_3m", "centralised"),
        ("vdn_on_two_step", "decentralised"),
    ],
)
def test_an_evaluation_is_the_last_test_of_training(
    request: pytest.FixtureRequest, fixture: str, mode: str
) -> None:
    """On its episodes; weights did not change after it."""
    trained: Any = request.getfixturevalue(fixture)
    spec, n = trained.spec, trained.spec.training.n_test_episodes
    seeds = episode_seeds(spec.seed, Stream.TEST_EPISODES, (trained.n_tests - 1) * n, n)
    policy = find_policy(spec.run_id, spec.scenario, trained.runs_dir, seed=0, mode=mode)
    outcomes = play_episodes(spec.scenario, policy, seeds, lambda done: None)
    found = estimates(spec.scenario, outcomes)
    for quantity in (WIN_RATE, RETURN, EPISODE_LENGTH):
        assert found[quantity].mean == trained.last[test_key(quantity, mode)]


def test_modes_play_differently(cadp_on_3m: Any) -> None:
    """Or the test above could not tell them apart."""
    last = cadp_on_3m.last
    assert last[test_key(RETURN, "centralised")] != last[test_key(RETURN, "decentralised")]


def test_the_default_is_that_each_agent_acts_alone(cadp_on_3m: Any) -> None:
    run_id, directory = cadp_on_3m.spec.run_id, cadp_on_3m.runs_dir
    default = find_policy(run_id, "skirmish/3m", directory, seed=0)
    assert default.name == run_id
    told = "cadp_vdn α=0.5 T=200 trained for 800 steps with seed 1, greedy, decentralised"
    assert default.description == told
    central = find_policy(run_id, "skirmish/3m", directory, seed=0, mode="centralised")
    assert central.name == f"{run_id}-centralised"


def test_what_a_method_sees_besides_is_asked_for(
    cadp_on_3m: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = cadp_on_3m.spec
    seeing_more = SimpleNamespace(
        build=method_of(spec.algorithm).build,
        extra_observations=lambda settings, sizes: ["a_wide_view"],
    )
    monkeypatch.setattr("suite.policies.finished.method_of", lambda algorithm: seeing_more)
    policy = find_policy(spec.run_id, "skirmish/3m", cadp_on_3m.runs_dir, seed=0)
    assert policy.extra == ("a_wide_view",)


@pytest.mark.parametrize(
    ("name", "mode", "words"),
    [
        (None, "teacher", "cadp_vdn has no such execution mode (got 'teacher'); use "),
        (None, "", "cadp_vdn has no such execution mode (got '')"),
        ("nearest", "centralised", "only runs have execution modes (got 'centralised')"),
        ("agent.th", "decentralised", "only runs have execution modes"),
    ],
)
def test_other_modes_are_refused(cadp_on_3m: Any, name: str | None, mode: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        find_policy(
            name or cadp_on_3m.spec.run_id, "skirmish/3m", cadp_on_3m.runs_dir, seed=0, mode=mode
        )
    assert f"--mode: {words}" in str(caught.value)


def test_watch_shows_a_mode_in_a_page_of_its_own(call: Call, cadp_on_3m: Any) -> None:
    run_id, at = cadp_on_3m.spec.run_id, ("--runs-dir", str(cadp_on_3m.runs_dir))
    pages = []
    for mode in ("decentralised", "centralised"):
        code, out, err = call("watch", "3m", "--policy", run_id, "--mode", mode, *at)
        assert (code, err) == (0, "")
        pages.append(Path(out.rstrip("\n")))
        assert f"greedy, {mode}" in pages[-1].read_text()
    assert pages[0].name == f"3m-{run_id}-seed0.html"
    assert pages[1].name == f"3m-{run_id}-centralised-seed0.html"
