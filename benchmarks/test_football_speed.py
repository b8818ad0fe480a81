"""Football through the suite beside the bare engine: steps per second, and memory of a process.

    pytest benchmarks/test_football_speed.py

The floor is gfootball's own FootballEnv, as anyone would use it, in one or two processes that
nobody waits for; ours go in step, as a trainer needs them. Both hold the four copies that tests are
played with.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from suite.environments import make
from suite.environments.engines.backend import PROCESSES
from suite.environments.football import install
from suite.environments.football.naming import LEVELS

FAULT = install.fault_of_installed()
pytestmark = pytest.mark.skipif(FAULT is not None, reason=f"gfootball cannot be used: {FAULT}")
COPIES, STEPS, ROUNDS = 4, 100, 7
# Agents stand, and both sides play the same episodes.
STAND, SEED = 0, 1


def resident_bytes(pid: int) -> float:
    return float(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def serve_bare(level: str, n_games: int, connection: Connection) -> None:
    """A process with engines and nothing of ours: plays so many steps of each when told to."""
    import sys

    import gymnasium
    from gymnasium.envs import registration

    sys.modules |= {
        "gym": gymnasium,
        "gym.spaces": gymnasium.spaces,
        "gym.envs": gymnasium.envs,
        "gym.envs.registration": registration,
    }
    from gfootball.env.config import Config
    from gfootball.env.football_env import FootballEnv

    n_agents = LEVELS[level][0]
    players = [f"agent:left_players={n_agents}"]
    configs = [Config({"level": level, "players": players}) for _ in range(n_games)]
    games = [FootballEnv(config) for config in configs]
    lengths = [0] * n_games

    def begin(i: int) -> None:
        config = configs[i]
        config["game_engine_random_seed"], config["reverse_team_processing"] = SEED >> 1, True
        config["episode_number"] = 0
        games[i].reset()
        lengths[i] = 0

    for i in range(n_games):
        begin(i)
    connection.send(None)
    while (n_steps := connection.recv()) is not None:
        for _ in range(n_steps):
            for i, game in enumerate(games):
                _, _, has_ended, _ = game.step([STAND] * n_agents)
                lengths[i] += 1
                if has_ended or lengths[i] == 150:
                    begin(i)
        connection.send(None)


class Bare:
    """Bare engines in so many processes."""

    def __init__(self, level: str, n: int) -> None:
        spawn = multiprocessing.get_context("spawn")
        pipes = [spawn.Pipe() for _ in range(n)]
        self._ends = [ours for ours, _ in pipes]
        self.processes = [
            spawn.Process(target=serve_bare, args=(level, COPIES // n, end)) for _, end in pipes
        ]
        for process in self.processes:
            process.start()
        for end in self._ends:
            end.recv()

    def play(self, n_steps: int) -> None:
        for end in self._ends:
            end.send(n_steps)
        for end in self._ends:
            end.recv()

    def close(self) -> None:
        for end in self._ends:
            end.send(None)
        for process in self.processes:
            process.join()


class Ours:
    """The backend's batch."""

    def __init__(self, level: str, n: int) -> None:
        os.environ[PROCESSES] = str(n)
        self.batch: Any = make(f"football/{level}", COPIES, 0)
        self._actions = np.full((COPIES, LEVELS[level][0]), STAND)
        self._seeds = np.full(COPIES, SEED)
        self.batch.reset(episode_seeds=self._seeds)

    def play(self, n_steps: int) -> None:
        for _ in range(n_steps):
            step = self.batch.step(self._actions)
            over = np.flatnonzero(step.terminated | step.truncated)
            if len(over):
                self.batch.reset(over, self._seeds[over])

    def close(self) -> None:
        self.batch.close()


@pytest.fixture
def sides(request: pytest.FixtureRequest) -> Iterator[tuple[Bare, Ours]]:
    before = os.environ.get(PROCESSES)
    both = Bare(*request.param), Ours(*request.param)
    yield both
    for side in both:
        side.close()
    os.environ.pop(PROCESSES)
    if before is not None:
        os.environ[PROCESSES] = before


@pytest.mark.parametrize(
    "sides",
    [(level, n) for level in list(LEVELS)[:2] for n in (1, 2)],
    ids=lambda pair: f"{pair[0]}, {pair[1]} processes",
    indirect=True,
)
def test_steps(benchmark: Any, sides: tuple[Bare, Ours]) -> None:
    """In turn, so that both meet the same machine; `extra_info` has the ratio and the memory."""
    bare, ours = sides
    seconds: dict[str, list[float]] = {"bare": [], "ours": []}

    def both() -> None:
        for name, side in (("bare", bare), ("ours", ours)):
            start = time.perf_counter()
            side.play(STEPS)
            seconds[name].append(time.perf_counter() - start)

    benchmark.pedantic(both, rounds=ROUNDS, warmup_rounds=1)
    ratios = np.array(seconds["ours"]) / seconds["bare"]
    benchmark.extra_info |= {
        "bare_steps_per_second": STEPS * COPIES / float(np.median(seconds["bare"])),
        "ours_over_bare": float(np.median(ratios)),
        "bare_process_bytes": resident_bytes(bare.processes[0].pid or 0),
        "our_process_bytes": resident_bytes(ours.batch._processes[0].pid),
    }
    print({key: round(value, 3) for key, value in benchmark.extra_info.items()})
