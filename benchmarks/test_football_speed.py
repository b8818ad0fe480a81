"""Football through the suite beside the bare engine: steps per second, and memory of a process.

    pytest benchmarks/test_football_speed.py

The floor is gfootball's own FootballEnv, as anyone would use it, one or two processes of it.
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
STEPS, ROUNDS = 200, 5
# Agents stand, and both sides play the same episodes.
STAND, SEED = 0, 1


def resident_bytes(pid: int) -> float:
    return float(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def serve_bare(level: str, connection: Connection) -> None:
    """A process with the engine and nothing of ours: plays so many steps when told to."""
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
    config = Config({"level": level, "players": [f"agent:left_players={n_agents}"]})
    game = FootballEnv(config)

    def begin() -> int:
        config["game_engine_random_seed"], config["reverse_team_processing"] = SEED >> 1, True
        config["episode_number"] = 0
        game.reset()
        return 0

    length = begin()
    connection.send(None)
    while (n_steps := connection.recv()) is not None:
        for _ in range(n_steps):
            _, _, has_ended, _ = game.step([STAND] * n_agents)
            length += 1
            if has_ended or length == 150:
                length = begin()
        connection.send(None)


class Bare:
    """Bare engines in so many processes."""

    def __init__(self, level: str, n: int) -> None:
        spawn = multiprocessing.get_context("spawn")
        pipes = [spawn.Pipe() for _ in range(n)]
        self._ends = [ours for ours, _ in pipes]
        self.processes = [spawn.Process(target=serve_bare, args=(level, end)) for _, end in pipes]
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
    """The backend's batch, one environment per process."""

    def __init__(self, level: str, n: int) -> None:
        os.environ[PROCESSES] = str(n)
        self.batch: Any = make(f"football/{level}", n, 0)
        self._actions = np.full((n, LEVELS[level][0]), STAND)
        self._seeds = np.full(n, SEED)
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
        "bare_steps_per_second": STEPS * len(bare.processes) / float(np.median(seconds["bare"])),
        "ours_over_bare": float(np.median(ratios)),
        "bare_process_bytes": resident_bytes(bare.processes[0].pid or 0),
        "our_process_bytes": resident_bytes(ours.batch._processes[0].pid),
    }
    print({key: round(value, 3) for key, value in benchmark.extra_info.items()})
