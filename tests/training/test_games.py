"""Runs on games that live in processes of their own, and break down."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from suite.algorithms import arm_settings
from suite.environments import describe
from suite.environments.engines.backend import PROCESSES
from suite.environments.engines.batch import EngineBatch
from suite.environments.football import install
from suite.errors import InputError
from suite.runs.directory import RunsDirectory
from suite.runs.protocol import TrainingProtocol
from suite.runs.spec import RunSpec
from suite.scheduling.cohorts import form_cohorts
from suite.study.cost import silence_limit_seconds
from suite.training import train as train_module
from suite.training.checkpoint import read_checkpoint
from suite.training.events import Event, Finished, Measured, Sittings
from suite.training.train import train_cohort

# More episodes than there are copies of the game (4): they are played in waves.
SMALL = TrainingProtocol(
    total_env_steps=400,
    test_interval_env_steps=100,
    n_test_episodes=6,
    batch_size_episodes=8,
    buffer_size_episodes=20,
    epsilon_anneal_env_steps=200,
    episodes_per_collection=5,
)

FOOTBALL = TrainingProtocol(
    total_env_steps=300,
    test_interval_env_steps=100,
    n_test_episodes=2,
    batch_size_episodes=2,
    buffer_size_episodes=10,
    epsilon_anneal_env_steps=200,
)
FAULT = install.fault_of_installed()


def run_spec(backend: str) -> RunSpec:
    scenario = f"{backend}/adding"
    return RunSpec(
        scenario=scenario,
        arm="vdn",
        algorithm=arm_settings(framework="ctde", backbone="vdn"),
        training=SMALL,
        alpha=None,
        pruning_start_env_steps=None,
        seed=1,
        environment_version=describe(scenario).backend_version,
    )


def train(spec: RunSpec, directory: Path, at: int | None = None) -> list[Event]:
    """Events; with `at`, up to that many measurements, then killed."""
    events: list[Event] = []

    def emit(event: Event) -> None:
        events.append(event)
        if at is not None and sum(isinstance(e, Measured) for e in events) == at:
            raise KeyboardInterrupt

    sittings = {spec.run_id: {"started": "now"}}
    if at is None:
        train_cohort([spec], directory, emit, sittings=sittings)
    else:
        with pytest.raises(KeyboardInterrupt):
            train_cohort([spec], directory, emit, sittings=sittings)
    return events


def history(events: list[Event]) -> dict[tuple[str, int], float]:
    told = [event.points for event in events if isinstance(event, Measured)]
    return {(key, step): value for points in told for key, step, value, _ in points}


def last_sitting(events: list[Event]) -> dict[str, str]:
    return [event for event in events if isinstance(event, Sittings)][-1].sittings[-1]


def test_breakdowns_and_processes_do_not_change_a_result(
    trouble: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = run_spec("exact")
    whole = train(spec, tmp_path / "whole")
    assert last_sitting(whole)["breakdowns"] == "0"
    assert history(whole)["train/n_updates", max(step for _, step in history(whole))] > 3
    monkeypatch.setenv(PROCESSES, "3")
    trouble.write_text("dies")
    disturbed = train(spec, tmp_path / "disturbed")
    assert last_sitting(disturbed)["breakdowns"] == "1"
    assert history(disturbed) == history(whole)
    assert isinstance(disturbed[-1], Finished)


@pytest.mark.parametrize("most_copies", [None, 4])
@pytest.mark.parametrize("is_cheap", [True, False])
def test_resumed_as_if_nothing_had_happened(
    games: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    is_cheap: bool,
    most_copies: int | None,
) -> None:
    """Episodes are played again where that is cheap and many fit side by side, or stored."""
    monkeypatch.setattr(games.EXACT, "replays_cheaply", is_cheap)
    monkeypatch.setattr(games.EXACT, "most_copies", most_copies)
    monkeypatch.setattr(train_module, "CHECKPOINT_INTERVAL_SECONDS", 0.0)
    spec = run_spec("exact")
    whole = history(train(spec, tmp_path / "whole"))
    train(spec, tmp_path / "killed", at=3)
    _, content = read_checkpoint(RunsDirectory(tmp_path / "killed").checkpoint_paths()[0])
    assert ("actions" in content["memory"]) == (is_cheap and most_copies is None)
    assert history(train(spec, tmp_path / "killed")) == whole


@pytest.mark.parametrize("kind", ["fails", "dies"])
def test_lost_episodes_are_played_anew(trouble: Path, tmp_path: Path, kind: str) -> None:
    trouble.write_text(kind)
    events = train(run_spec("loose"), tmp_path)
    assert not trouble.exists()
    assert last_sitting(events)["breakdowns"] == "1"
    told = history(events)
    last = max(step for _, step in told)
    n_episodes = told["train/n_episodes", last]
    assert n_episodes % SMALL.episodes_per_collection == 0
    assert last <= 12 * n_episodes
    assert isinstance(events[-1], Finished)


def test_an_episode_that_is_lost_again_and_again_ends_the_run(
    games: Any, trouble: Path, tmp_path: Path
) -> None:
    trouble.write_text("fails" + games.AGAIN)
    with pytest.raises(InputError, match="game behind loose/adding: an episode was lost 4 times"):
        train(run_spec("loose"), tmp_path)


def test_runs_do_not_share_few_copies(games: Any, tmp_path: Path) -> None:
    """How many slots a run has would change what it explores."""
    first = run_spec("exact")
    second = first.model_copy(update={"seed": 2})
    assert form_cohorts([first, second], (), (), 2) == [(first,), (second,)]
    with pytest.raises(ValueError, match="copies of a game are few"):
        train_cohort([first, second], tmp_path, lambda event: None)
    games.EXACT.most_copies = None
    try:
        assert form_cohorts([first, second], (), (), 2) == [(first, second)]
    finally:
        games.EXACT.most_copies = 4


def test_a_worker_is_not_given_up_while_a_game_is_waited_for(games: Any) -> None:
    """A process with all copies hangs, and so does the one in its place."""
    spec = run_spec("exact")
    limit = silence_limit_seconds(spec, describe(spec.scenario), 1e10, has_begun=True)
    patience = games.EXACT.patience
    assert limit > 2 * (patience.start + games.EXACT.most_copies * patience.step)


def test_environments_are_given_back(
    games: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[Any] = []
    make = type(games.EXACT).make

    def made(*arguments: Any) -> Any:
        batch = make(*arguments)
        close = batch.close
        monkeypatch.setattr(batch, "close", lambda: (closed.append(batch), close()))
        return batch

    monkeypatch.setattr(games.GameBackend, "make", made)
    train(run_spec("exact"), tmp_path)
    assert len(closed) == 1
    train(run_spec("exact"), tmp_path / "other", at=1)
    assert len(closed) == 2


def test_what_went_wrong_first_is_told(
    games: Any, trouble: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not that the game could not be ended either."""

    def fails(self: EngineBatch) -> None:
        raise RuntimeError("cannot be closed")

    monkeypatch.setattr(EngineBatch, "close", fails)
    trouble.write_text("fails" + games.AGAIN)
    with pytest.raises(InputError, match="an episode was lost"):
        train(run_spec("loose"), tmp_path)
    trouble.unlink()
    with pytest.raises(RuntimeError, match="cannot be closed"):
        train(run_spec("loose"), tmp_path / "other")


@pytest.mark.skipif(FAULT is not None, reason=f"gfootball cannot be used: {FAULT}")
def test_football_itself_resumes_bit_identically(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train_module, "CHECKPOINT_INTERVAL_SECONDS", 0.0)
    scenario = "football/academy_3_vs_1_with_keeper"
    spec = RunSpec(
        scenario=scenario,
        arm="cadp_qmix",
        algorithm=arm_settings(framework="cadp", backbone="qmix", optimiser="rmsprop"),
        training=FOOTBALL,
        alpha=0.5,
        pruning_start_env_steps=150,
        seed=1,
        environment_version=describe(scenario).backend_version,
    )
    whole = train(spec, tmp_path / "whole")
    assert isinstance(whole[-1], Finished)
    last = max(step for _, step in history(whole))
    assert last > FOOTBALL.total_env_steps
    assert history(whole)["train/n_updates", last] >= 2
    train(spec, tmp_path / "killed", at=2)
    assert history(train(spec, tmp_path / "killed")) == history(whole)
