"""StarCraft II as a backend, on a stand-in for SMAC: what is checked, told, lost and cleaned up."""

from __future__ import annotations

import hashlib
import importlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from suite.environments import describe, make
from suite.environments.engines.batch import EngineBatch
from suite.environments.engines.interface import Blueprint, Patience
from suite.environments.starcraft import installation
from suite.environments.starcraft.apart import hold_port
from suite.environments.starcraft.backend import BACKEND
from suite.errors import InputError, MissingDependencyError

FAKE = Path(__file__).parent / "fake"


def batch(n: int = 1, **patience: float) -> tuple[EngineBatch, list[str]]:
    """Games of 3m, and what is told of their breakdowns."""
    told: list[str] = []
    made = EngineBatch(
        describe("starcraft/3m"),
        BACKEND.blueprint("3m"),
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


def order(game: Path, *names: str) -> None:
    for name in names:
        (game / "orders" / name).touch()


def games(game: Path) -> list[list[str]]:
    """Seed, port and temporary folder of every game started, process by process."""
    files = [path for path in (game / "games").iterdir() if path.name.isdecimal()]
    files.sort(key=lambda path: path.stat().st_mtime)
    return [line.rsplit(maxsplit=2) for file in files for line in file.read_text().splitlines()]


def until(condition: Callable[[], bool]) -> bool:
    """Whether it comes to be true."""
    for _ in range(200):
        if condition():
            return True
        time.sleep(0.05)
    return False


def is_alive(pid: int) -> bool:
    """Neither gone nor only waiting to be buried."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_what_a_scenario_is(starcraft: Path) -> None:
    info = describe("starcraft/5m_vs_6m")
    assert (info.n_agents, info.n_actions, info.observation_size) == (5, 12, 55)
    assert (info.state_size, info.ally_state_size, info.episode_limit) == (98, 4, 70)
    assert (info.observation_names, info.extra_observations) == (("sight_9",), {})
    shape = r"game 4\.10 \(Base75689\), smac \S+ [0-9a-f]{8}, pysc2 \S+, map [0-9a-f]{8}, adapter 1"
    assert re.fullmatch(shape, info.backend_version)
    assert BACKEND.agent_kinds("2s3z") == ["stalker", "stalker", "zealot", "zealot", "zealot"]
    assert BACKEND.return_bounds("3m") == pytest.approx((0, 20))


def test_the_version_says_what_would_play(starcraft: Path) -> None:
    """The newest build, other maps than SMAC's, and a changed SMAC are told apart."""
    before = describe("starcraft/3m").backend_version
    assert "map " in before  # those of the fixture are not SMAC's
    (starcraft / "Versions" / "Base99999").mkdir()
    (starcraft / "Versions" / "Base99999" / "SC2_x64").touch(0o755)
    (starcraft / "Versions" / "BaseXYZ").mkdir()
    assert describe("starcraft/3m").backend_version == before.replace(
        "4.10 (Base75689)", "Base99999"
    )
    (starcraft / "Maps" / "SMAC_Maps" / "3m.SC2Map").write_text("another")
    assert describe("starcraft/3m").backend_version.count("map ") == 1
    assert describe("starcraft/3m").backend_version != before.replace(
        "4.10 (Base75689)", "Base99999"
    )


def test_known_maps_are_not_named(starcraft: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"3m": installation.MapFile(2, hashlib.sha256(b"3m").hexdigest())}
    monkeypatch.setattr(installation, "map_files", lambda: known)
    assert "map " not in describe("starcraft/3m").backend_version


def remove(path: Path) -> None:
    path.rename(path.with_name("away"))


MISSING = {
    "game": (
        remove,
        "the game is not installed in .*StarCraft II; .*starcraft.install, or set SC2",
    ),
    "versions": (lambda game: remove(game / "Versions"), "no program of the game"),
    "program": (
        lambda game: remove(game / "Versions" / "Base75689" / "SC2_x64"),
        "Base75689/SC2_x64 is missing",
    ),
    "right": (
        lambda game: (game / "Versions" / "Base75689" / "SC2_x64").chmod(0o644),
        'may not be started; chmod [+]x ".*SC2_x64"',
    ),
    "age": (
        lambda game: (game / "Versions" / "Base75689").rename(game / "Versions" / "Base50000"),
        r"too old \(build 50000; 3.16.1 is build 55958\)",
    ),
    "map": (
        lambda game: remove(game / "Maps" / "SMAC_Maps" / "3m.SC2Map"),
        "missing in .*SMAC_Maps: 3m.SC2Map; .*starcraft.install, which adds what is missing",
    ),
}


@pytest.mark.parametrize("what", MISSING)
def test_what_is_missing_is_said_before_anything_starts(starcraft: Path, what: str) -> None:
    assert BACKEND.problem() is None
    break_it, message = MISSING[what]
    break_it(starcraft)
    for call in (lambda: describe("starcraft/3m"), lambda: make("starcraft/3m", 1, 0)):
        with pytest.raises(MissingDependencyError, match=message) as caught:
            call()
        assert "\n" not in str(caught.value)
    problem = BACKEND.problem()
    assert problem is not None
    assert problem.what in str(caught.value)
    assert not list(starcraft.glob("games/*"))


def test_another_map_can_still_be_played(starcraft: Path) -> None:
    remove(starcraft / "Maps" / "SMAC_Maps" / "3m.SC2Map")
    assert describe("starcraft/8m").n_agents == 8


@pytest.mark.parametrize(
    ("lacks", "message", "cure"),
    [
        ("smac", "SMAC is not installed", "--no-deps pysc2 git.https://github.com/oxwhirl/smac"),
        ("smac/env", "SMAC3, a hyperparameter optimiser", "pip uninstall smac; pip install"),
        ("pysc2", "pysc2, which is not installed", r"pip install \"cadp-suite\[starcraft\]\""),
        ("websocket", "websocket, which is not installed", "pip install"),
    ],
)
def test_missing_packages(
    lacks: str, message: str, cure: str, starcraft: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PyPI's `smac` is told apart by what it lacks; a mere folder called smac is no package."""
    packages = starcraft.parent / "packages"
    (packages / "smac" / "env").mkdir(parents=True)
    for name in ("smac/__init__.py", "smac/env/__init__.py"):
        (packages / name).touch()
    for name in ("pysc2", "s2clientprotocol", "absl", "websocket", "portpicker"):
        (packages / f"{name}.py").touch()
    monkeypatch.setattr(sys, "path", [str(packages)])
    assert BACKEND.problem() is None
    if lacks == "smac":
        (packages / "smac" / "__init__.py").unlink()
    else:
        remove(packages / (lacks if "/" in lacks else f"{lacks}.py"))
    importlib.invalidate_caches()
    with pytest.raises(MissingDependencyError, match=f"{message}.*{cure}"):
        describe("starcraft/3m")


def test_another_smac_is_refused(starcraft: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One whose observations were changed, say: before a game is started."""
    plan = BACKEND.blueprint("3m")
    sizes = {**plan.arguments["sizes"], "obs_shape": 31}
    changed = Blueprint(plan.maker, {**plan.arguments, "sizes": sizes})
    monkeypatch.setattr(type(BACKEND), "blueprint", lambda self, scenario: changed)
    with pytest.raises(InputError, match=r"another SMAC than .*: obs_shape is 30, not 31"):
        make("starcraft/3m", 1, 0)
    assert games(starcraft) == []


def test_the_limit_is_no_defeat(starcraft: Path) -> None:
    """SMAC ends both with `terminated`; each time, in later episodes too."""
    environment, _ = batch()
    ends = []
    for peace in (True, False, True):
        (starcraft / "orders" / "peace").unlink(missing_ok=True)
        if peace:
            order(starcraft, "peace")
        environment.reset()
        n_steps, is_over = 0, False
        while not is_over:
            step = environment.step(idle(environment))
            n_steps, is_over = n_steps + 1, bool(step.terminated[0] | step.truncated[0])
        ends.append((bool(step.terminated[0]), bool(step.truncated[0]), bool(step.won[0])))
        assert (n_steps == 60) is peace
    assert ends == [(False, True, False), (True, False, False), (False, True, False)]
    environment.close()


def test_a_won_battle(starcraft: Path) -> None:
    order(starcraft, "peace")
    environment, _ = batch()
    total, is_over = 0.0, False
    while not is_over:
        can = environment.available_actions
        step = environment.step(np.where(can[:, :, 6:].any(-1), 6 + can[:, :, 6:].argmax(-1), 1))
        total, is_over = total + step.reward[0], bool(step.terminated[0])
    assert step.won[0]
    assert total == pytest.approx(20)
    environment.close()


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("crash-3", "failed with RuntimeError: StarCraft II broke down in an episode"),
        ("raise-3", "failed with ValueError: no port"),
        ("die-3", "ended with exit code 3"),
        ("hang-3", "gave no answer within 1 s"),
    ],
)
def test_a_game_that_breaks_down_loses_its_own_episode(
    fault: str, said: str, starcraft: Path
) -> None:
    order(starcraft, "peace")
    environment, told = batch(2, step=1.0)
    assert len(games(starcraft)) == 2
    for _ in range(2):
        step = environment.step(idle(environment))
        assert not step.lost.any()
    order(starcraft, fault)
    step = environment.step(idle(environment))
    assert sorted(step.lost) == [False, True]
    lost = int(step.lost.argmax())
    assert not (step.terminated | step.truncated)[lost]
    ending = f"a process of the game {said} after step 2 of its episode"
    assert [line.removeprefix("starcraft/3m: ") for line in told] == [ending]
    assert environment.n_breakdowns == 1
    environment.reset(np.array([lost]))
    assert len(games(starcraft)) == 3
    for _ in range(5):
        assert not environment.step(idle(environment)).lost.any()
    environment.close()


@pytest.mark.parametrize("fault", ["raise-0", "die-0", "crash-0"])
def test_a_game_that_does_not_start_is_started_again(fault: str, starcraft: Path) -> None:
    order(starcraft, fault)
    environment, told = batch()
    assert environment.n_breakdowns == len(told) == 1
    assert "at a reset" in told[0]
    environment.step(idle(environment))
    environment.close()


def test_a_game_that_never_starts_is_given_up(
    starcraft: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove(starcraft / "games")
    with pytest.raises(
        InputError, match=r"behind starcraft/3m: broke down 4 times in a row.*doctor"
    ):
        batch()


def test_games_are_seeded_and_started_as_seldom_as_can_be(starcraft: Path) -> None:
    """SMAC would start the game anew, and miscount, if told twice before an end."""
    order(starcraft, "peace")
    environment, _ = batch()
    environment.reset(episode_seeds=np.array([2**40 + 7]))  # nothing has happened yet
    assert len(games(starcraft)) == 1
    environment.step(idle(environment))
    environment.reset(episode_seeds=np.array([2**31 + 5]))  # in the first episode
    assert [seed for seed, *_ in games(starcraft)][1:] == ["5"]
    for _ in range(60):
        environment.step(idle(environment))
    environment.reset()
    environment.step(idle(environment))
    environment.reset()  # in a later one
    assert len(games(starcraft)) == 2
    environment.close()
    again, _ = batch()
    assert games(starcraft)[-1][0] == games(starcraft)[0][0]  # from the seed of the batch
    again.close()


def test_games_have_ports_and_folders_of_their_own(starcraft: Path) -> None:
    environment, _ = batch(4)
    started = games(starcraft)
    assert len({port for _, port, _ in started}) == len({folder for *_, folder in started}) == 4
    assert all(Path(folder).is_dir() for *_, folder in started)
    environment.close()
    assert len(list((starcraft / "games").glob("*-closed"))) == 4
    assert not any(Path(folder).exists() for *_, folder in started)


TRAINER = """
import sys, time
from suite.environments import make
environment = make("starcraft/3m", 2, 0)
print("ready", flush=True)
time.sleep(3600)
"""


def processes(game: Path) -> list[int]:
    return [int(path.name) for path in (game / "games").iterdir() if path.name.isdecimal()]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_games_end_with_their_trainer(how: signal.Signals, starcraft: Path) -> None:
    """And what they leave in the way of folders is removed by the next."""
    order(starcraft, "child")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(FAKE), *sys.path])}
    command = [sys.executable, "-c", TRAINER]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as trainer:
        assert trainer.stdout is not None
        assert trainer.stdout.readline() == "ready\n"
        children = [int(file.read_text()) for file in (starcraft / "games").glob("*.child")]
        pids = processes(starcraft) + children
        assert len(children) == 2
        assert all(map(is_alive, pids))
        trainer.send_signal(how)
    assert until(lambda: not any(map(is_alive, pids)))
    folders = [Path(folder) for *_, folder in games(starcraft)]
    assert all(folder.is_dir() for folder in folders)
    living, _ = batch()
    other, _ = batch()
    assert not any(folder.exists() for folder in folders)
    kept = [Path(folder) for *_, folder in games(starcraft)[-2:]]
    assert all(folder.is_dir() for folder in kept)
    living.close()
    other.close()


def test_a_game_ends_with_its_engine(starcraft: Path) -> None:
    order(starcraft, "child")
    environment, told = batch()
    (child,) = [int(file.read_text()) for file in (starcraft / "games").glob("*.child")]
    (engine,) = processes(starcraft)
    os.kill(engine, signal.SIGKILL)
    assert environment.step(idle(environment)).lost.all()
    assert "died with signal 9" in told[0]
    assert until(lambda: not is_alive(child))
    environment.close()


def test_a_game_ends_with_an_engine_that_nobody_speaks_to(starcraft: Path) -> None:
    """Whichever of its two connections it finds closed first."""
    order(starcraft, "child")
    environment, _ = batch()
    (child,) = [int(file.read_text()) for file in (starcraft / "games").glob("*.child")]
    (process,) = environment._processes
    process._connection.close()
    assert until(lambda: not is_alive(child))
    environment.close()


def test_a_port_is_held_by_one() -> None:
    ports: list[Any] = [hold_port() for _ in range(50)]
    assert len({port for port, _ in ports}) == 50
    for port, held in ports:
        with socket.socket(type=socket.SOCK_DGRAM) as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as portpicker tries
            with pytest.raises(OSError, match="in use"):
                other.bind(("", port))
        held.close()
