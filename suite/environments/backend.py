"""What a program that produces episodes says of itself, as one object. Cheap: no simulator here.

A backend is a file or folder of this package, or comes from outside as a plug-in
(`suite.environments.registry`).
"""

from __future__ import annotations

import importlib.metadata
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from suite.environments.interface import BatchedEnvironment, EnvironmentInfo
from suite.runs.metrics import WIN_RATE


class Problem(NamedTuple):
    """Why a backend cannot be used on this machine, a clause, and what to do about it."""

    what: str
    cure: str


class Backend(ABC):
    """One program, and the scenarios it offers.

    name: the part before the slash of a scenario's full name. title: for headings; description:
    what it is, for people; disclaimer: what its numbers are not, a sentence, or "".
    version_word: what its version is a version of. game: the game in which its episodes are really
    played, by the name in published results, beside which its own may stand; "" for others.
    most_copies: how many environments a batch may have; more episodes are played in waves. None
    for any number. copy_bytes: memory that each takes outside of the process that has made it.
    seeds_episodes: whether episode seeds fix what is random. replays_exactly: whether seeds and
    actions give the same episodes again, bit by bit. replays_cheaply: whether to play an episode
    again costs less than to store it. Checkpoints hold seeds and actions only where both are so and
    copies are not limited.
    time_limit: what an end by the step limit is to a learner, where a study does not say.
    measures: tested quantities to tabulate, the one to draw first.
    largest_observation: no value of an observation is farther from 0.
    few_results: whether tests of runs that learned differently may well give the same numbers.
    is_battle: whether `cadp-suite watch` can show its episodes.
    needs: distributions without which nothing of it can be used.
    takes_any_name: whether other names than those of `scenarios` may be scenarios too; `describe`
        raises InputError for those that are not.
    """

    name: str
    title: str
    description: str
    disclaimer: str = ""
    version_word: str = "rules version"
    game: str = ""
    most_copies: int | None = None
    copy_bytes: float = 0.0
    seeds_episodes: bool = True
    replays_exactly: bool = True
    replays_cheaply: bool = True
    time_limit: Literal["terminal", "bootstrap"] = "bootstrap"
    measures: tuple[str, ...] = (WIN_RATE,)
    largest_observation: float = math.inf
    few_results: bool = False
    is_battle: bool = False
    needs: tuple[str, ...] = ()
    takes_any_name: bool = False

    @abstractmethod
    def scenarios(self) -> Sequence[str]:
        """Names of its scenarios, without the backend's."""

    @abstractmethod
    def describe(self, scenario: str) -> EnvironmentInfo:
        """Sizes and origin of one of its scenarios."""

    @abstractmethod
    def make(
        self, scenario: str, n_environments: int, seed: int, extra: Sequence[str]
    ) -> BatchedEnvironment:
        """A batch of one of its scenarios; see `suite.environments.make`."""

    def problem(self) -> Problem | None:
        """What is missing on this machine, of `needs` if nothing else is said; None if nothing."""
        missing = [needed for needed in self.needs if installed_version(needed) is None]
        if not missing:
            return None
        names = (
            f"package {missing[0]} is"
            if len(missing) == 1
            else f"packages {', '.join(missing)} are"
        )
        return Problem(f"the {names} not installed", f"run: pip install {' '.join(missing)}")

    def return_bounds(self, scenario: str) -> tuple[float, float]:
        """Possible range of an episode's return."""
        return float("-inf"), float("inf")

    def step_seconds(self, scenario: str) -> float:
        """What a step of one environment costs besides what steps of skirmish do, for estimates."""
        return 0.0

    def silence_seconds(self, scenario: str) -> float:
        """How long a batch may do nothing because something of it hangs and is replaced."""
        return 0.0

    def n_breakdowns(self, environment: BatchedEnvironment) -> int | None:
        """How often something of a batch broke down and was started again; None: nothing can."""
        return None

    def counts_wins(self, scenario: str) -> bool:
        """Whether it says which episodes were won; if not, a win rate of 0 means nothing."""
        return True

    def agent_kinds(self, scenario: str) -> Sequence[str]:
        """What each agent is, in agent order, for agents' names."""
        return ["agent"] * self.describe(scenario).n_agents

    def episode_info(self, environment: BatchedEnvironment, slot: int) -> dict[str, Any]:
        """What other programs' interfaces tell of a running episode, besides who has won."""
        return {}


def installed_version(distribution: str) -> str | None:
    """None if it is not installed."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None
