"""SMAC's own code and pysc2, on a stand-in for the program of the game (`stand_in.py`).

Both are used as they are installed; nothing here is a battle of StarCraft II.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from suite.environments import describe, make
from suite.environments.engines.batch import EngineBatch
from suite.environments.engines.interface import Patience
from suite.environments.starcraft.backend import BACKEND
from suite.environments.starcraft.installation import find_packages
from suite.errors import MissingDependencyError

try:
    find_packages()
except MissingDependencyError as error:
    pytest.skip(f"{error.what}: {error.cure}", allow_module_level=True)

STAND_IN = Path(__file__).with_name("stand_in.py")


@pytest.fixture
def game(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, install_game) -> Path:
    """The folder of a game whose program is the stand-in."""
    folder = install_game(tmp_path / "StarCraft II")
    program = folder / "Versions" / "Base75689" / "SC2_x64"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{STAND_IN}" "$@"\n')
    monkeypatch.setenv("SC2PATH", str(folder))
    return folder


def batch(scenario: str = "3m", n: int = 1, **patience: float) -> tuple[EngineBatch, list[str]]:
    """Games, and what is told of their breakdowns."""
    told: list[str] = []
    made = EngineBatch(
        describe(f"starcraft/{scenario}"),
        BACKEND.blueprint(scenario),
        n,
        0,
        patience=Patience(**patience),
        n_processes=n,
        replays_exactly=False,
        tell=told.append,
    )
    return made, told


def idle(environment: EngineBatch) -> np.ndarray:
    """Stop for the living, no-op for the dead."""
    return np.where(environment.available_actions[:, :, 0], 0, 1)


def fight(environment: EngineBatch) -> np.ndarray:
    """Attack whom one can, else walk east."""
    can = environment.available_actions
    east = np.where(can[:, :, 4], 4, idle(environment))
    return np.where(can[:, :, 6:].any(-1), 6 + can[:, :, 6:].argmax(-1), east)


def episode(
    environment: EngineBatch, choose: Callable[[EngineBatch], np.ndarray]
) -> tuple[int, float, str]:
    """Length, return and end of an episode in slot 0 that has begun."""
    length, total = 0, 0.0
    while True:
        step = environment.step(choose(environment))
        length, total = length + 1, total + float(step.reward[0])
        assert step.lost is not None
        flags = {
            name: getattr(step, name)[0] for name in ("won", "terminated", "truncated", "lost")
        }
        if any(flags.values()):
            return length, total, " ".join(name for name, is_so in flags.items() if is_so)


def started(game: Path) -> dict[int, list[str]]:
    """Process → seeds, ports and temporary folders of its games."""
    return {int(path.name): path.read_text().splitlines() for path in (game / "games").iterdir()}


def has_ended(pid: int) -> bool:
    for _ in range(200):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.05)
    return False


def test_sizes_are_those_that_smac_itself_says(game: Path) -> None:
    code = (
        "import json, sys\n"
        "from suite.environments.starcraft.engine import _new_environment\n"
        "print(json.dumps({name: _new_environment(name, None).get_env_info()"
        " for name in sys.argv[1:]}))"
    )
    command = [sys.executable, "-c", code, *BACKEND.scenarios()]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    for scenario, said in json.loads(done.stdout.splitlines()[-1]).items():
        info = describe(f"starcraft/{scenario}")
        assert said["n_agents"] == info.n_agents == len(BACKEND.agent_kinds(scenario))
        assert said["n_actions"] == info.n_actions
        assert said["obs_shape"] == info.observation_size
        assert said["state_shape"] == info.state_size
        assert said["episode_limit"] == info.episode_limit
        assert len(said["agent_features"]) == info.ally_state_size


def test_battles_end_as_smac_says(game: Path) -> None:
    """Won for a return of 20, lost, at the limit, and again; all within one game."""
    environment, told = batch()
    length, total, end = episode(environment, fight)
    assert (end, total) == ("won terminated", pytest.approx(20))
    assert length < 60
    environment.reset()
    assert episode(environment, idle)[2] == "terminated"
    (game / "orders" / "peace").touch()
    environment.reset()
    assert episode(environment, idle) == (60, 0, "truncated")
    environment.reset()
    assert episode(environment, fight)[1:] == (pytest.approx(20), "won terminated")
    assert [len(games) for games in started(game).values()] == [1]
    assert (environment.n_breakdowns, told) == (0, [])
    environment.close()


def test_rewards_are_scaled_alike_however_often_episodes_are_started(game: Path) -> None:
    """SMAC counts the enemies' life at every start before its first episode has ended."""
    environment, _ = batch()
    environment.reset()
    environment.step(idle(environment))
    for _ in range(2):
        environment.reset()
        assert episode(environment, fight)[1:] == (pytest.approx(20), "won terminated")
    environment.close()


@pytest.mark.parametrize("scenario", ["MMM", "2c_vs_64zg", "bane_vs_bane", "1c3s5z"])
def test_what_is_seen_is_what_smac_gives(game: Path, scenario: str) -> None:
    environment, _ = batch(scenario)
    for _ in range(8):
        assert np.isfinite(environment.observations).all()
        assert environment.available_actions.any(-1).all()
        if environment.step(fight(environment)).terminated[0]:
            break
        assert environment.observations.any()
        assert environment.state.any()
    environment.close()


def test_a_game_that_dies_loses_its_episode_and_another_goes_on(game: Path) -> None:
    """SMAC starts one by itself; what plays on is a new game in a new process of ours."""
    (game / "orders" / "peace").touch()
    environment, told = batch(n=2)
    (game / "orders" / "die-3").touch()
    for number in range(3):
        step = environment.step(idle(environment))
        assert step.lost.sum() == (number == 2)
    assert "broke down in an episode after step 2" in told[0]
    environment.reset(np.flatnonzero(step.lost))
    for _ in range(3):
        assert not environment.step(idle(environment)).lost.any()
    pids = list(started(game))
    assert len(pids) == 4  # two, SMAC's own, ours
    environment.close()
    assert all(map(has_ended, pids))


def test_a_game_that_dies_between_episodes_is_started_anew(game: Path) -> None:
    environment, told = batch()
    episode(environment, idle)
    (pid,) = started(game)
    os.kill(pid, signal.SIGKILL)
    environment.reset()
    assert "broke down at the start of an episode at a reset" in told[0]
    assert episode(environment, fight)[1:] == (pytest.approx(20), "won terminated")
    environment.close()


def test_a_game_that_does_not_start_is_started_again(game: Path) -> None:
    (game / "orders" / "die-0").touch()
    environment, told = batch()
    assert len(told) == environment.n_breakdowns == 1
    assert episode(environment, fight)[2] == "won terminated"
    environment.close()


def test_a_game_that_hangs_is_ended(game: Path) -> None:
    environment, told = batch(step=1.0)
    (game / "orders" / "hang-2").touch()
    assert episode(environment, idle)[2] == "lost"
    assert "gave no answer within 1 s" in told[0]
    (first,) = started(game)
    assert has_ended(first)
    environment.close()


def test_games_end_with_their_engine(game: Path) -> None:
    environment, told = batch()
    (pid,) = started(game)
    engine = int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
    os.kill(engine, signal.SIGKILL)
    assert episode(environment, idle)[2] == "lost"
    assert "died with signal 9" in told[0]
    assert has_ended(pid)
    environment.close()


def test_games_have_ports_and_folders_of_their_own(
    game: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CADP_SUITE_ENGINE_PROCESSES", "4")
    environment = make("starcraft/3m", 4, 0)
    lines = [line.rsplit(maxsplit=2) for games in started(game).values() for line in games]
    assert len(lines) == len({port for _, port, _ in lines}) == 4
    folders = {Path(folder) for *_, folder in lines}
    assert len({folder.parent for folder in folders}) == 4
    assert all(folder.is_dir() for folder in folders)
    environment.close()
    assert not any(folder.parent.exists() for folder in folders)
