"""A small game behind `suite.environments.engines`, and two backends of it for tests."""

from __future__ import annotations

import os
import random
import re
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from suite.environments.engines.backend import EngineBackend
from suite.environments.engines.interface import Blueprint, Outcome, Patience
from suite.environments.interface import EnvironmentInfo

LIMIT, N_AGENTS, N_ACTIONS = 12, 2, 3
AGAIN = " again"


class Game:
    """A number is added to at random; actions 1 and 2 change by how much. Over 3 it is won.

    Agent 1 may not take action 2 after odd steps.

    trouble: a file. If it is there at the fourth step, it says what happens: the game dies, hangs,
        stops, lets no other thread work or fails; once, or each time if `AGAIN` follows.
    seeds_episodes: whether a seed decides what is drawn.
    """

    def __init__(self, trouble: str, *, seeds_episodes: bool) -> None:
        self._trouble, self._seeds_episodes = Path(trouble), seeds_episodes
        print("a line on standard output, as games print them")

    def reset(self, seed: int) -> None:
        self._random = random.Random(seed if self._seeds_episodes else None)
        self._sum, self._length = self._random.random(), 0

    def step(self, actions: Sequence[int]) -> Outcome:
        self._length += 1
        if self._length == 4 and (kind := self._take_trouble()) is not None:
            _have(kind)
        self._sum += self._random.random() * (0.2 + 0.1 * sum(actions))
        has_won = self._sum > 3
        is_cut = not has_won and self._length == LIMIT
        return Outcome(float(has_won), terminated=has_won, truncated=is_cut, won=has_won)

    def show(
        self,
        observations: NDArray[np.float32],
        state: NDArray[np.float32],
        available_actions: NDArray[np.bool_],
    ) -> None:
        observations[:] = [[self._sum, i] for i in range(N_AGENTS)]
        state[:] = self._sum, self._length, 1
        available_actions[:] = True
        available_actions[1, 2] = self._length % 2 == 0

    def close(self) -> None:
        pass

    def _take_trouble(self) -> str | None:
        """What is to happen; the file is taken away, by one of several who look at once."""
        with suppress(FileNotFoundError):
            if self._trouble.exists() and (kind := self._trouble.read_text()).endswith(AGAIN):
                return kind.removesuffix(AGAIN)
            taken = self._trouble.rename(f"{self._trouble}.{os.getpid()}")
            return taken.read_text()
        return None


def _have(trouble: str) -> None:
    print(trouble, flush=True)
    match trouble:
        case "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        case "stops":
            os.kill(os.getpid(), signal.SIGSTOP)
        case "hangs":
            time.sleep(1_000)
        case "keeps the lock":
            re.match("(a+)+$", "a" * 40 + "b")
        case "fails":
            raise ValueError("no more of this")


class GameBackend(EngineBackend):
    """The game under a name, with or without seeds."""

    title = "a game"
    description = "of the tests"
    patience = Patience(start=60, reset=1, step=1)

    def __init__(self, name: str, *, is_seeded: bool) -> None:
        self.name, self.seeds_episodes, self.replays_exactly = name, is_seeded, is_seeded
        self.replays_cheaply = is_seeded
        self.most_copies = 4
        self.trouble = "/nowhere"

    def scenarios(self) -> Sequence[str]:
        return ["adding"]

    def describe(self, scenario: str) -> EnvironmentInfo:
        return EnvironmentInfo(
            name=f"{self.name}/adding",
            backend=self.name,
            backend_version="1",
            n_agents=N_AGENTS,
            n_actions=N_ACTIONS,
            observation_size=2,
            state_size=3,
            episode_limit=LIMIT,
            ally_state_size=0,
        )

    def blueprint(self, scenario: str) -> Blueprint:
        arguments = {"trouble": self.trouble, "seeds_episodes": self.seeds_episodes}
        return Blueprint("engine_examples:Game", arguments)

    def return_bounds(self, scenario: str) -> tuple[float, float]:
        return 0.0, 1.0


EXACT, LOOSE = GameBackend("exact", is_seeded=True), GameBackend("loose", is_seeded=False)
