"""Google Research Football as one backend among others. Cheap: gfootball is imported elsewhere.

After CADP's release, envs/gfootball/gfootball.py, which follows CDS's envs/grf.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from suite.environments.backend import Problem, installed_version
from suite.environments.engines.backend import EngineBackend
from suite.environments.engines.interface import Blueprint
from suite.environments.football.naming import LEVELS, parse
from suite.environments.interface import EnvironmentInfo
from suite.errors import MissingDependencyError

# Raised when the same game is played otherwise than before.
ADAPTER_VERSION = "1"
EPISODE_LIMIT = 150
N_ACTIONS = 19

CURE = "run: python -m suite.environments.football.install"
# Measured (gfootball 2.10.2): one engine's process, each further one, and a step by the number of
# agents, on the slower of two machines.
_PROCESS_BYTES, _FURTHER_BYTES = 135e6, 50e6
_STEP_SECONDS = {3: 1 / 260, 4: 1 / 120}


class FootballBackend(EngineBackend):
    """Three academy scenarios; others are variants of them (`naming.Variant`)."""

    name = "football"
    title = "Google Research Football"
    description = "gfootball's academy scenarios, as CADP's release plays them"
    version_word = "version"
    game = "Google Research Football"
    needs = ("gfootball", "gymnasium", "six", "absl-py", "opencv-python-headless")
    takes_any_name = True
    # Few, so that they fit in the memory of a run; a number that all machines share, because
    # rounding in networks depends on how many are played side by side.
    most_copies = 4
    copy_bytes = (_PROCESS_BYTES + 3 * _FURTHER_BYTES) / 4
    replays_cheaply = False
    most_episodes = 4_000  # the engine's memory grows by some 5 kB with every episode (measured)
    # The release stores an end by the limit as none; CDS's wrapper as an end (time_limit of a
    # study).
    time_limit = "bootstrap"

    def scenarios(self) -> Sequence[str]:
        return list(LEVELS)

    def describe(self, scenario: str) -> EnvironmentInfo:
        """InputError for an unknown scenario; MissingDependencyError without gfootball."""
        variant = parse(scenario)
        n, m = variant.n_agents, variant.n_opponents
        size = 4 * n + 4 * m + 6
        return EnvironmentInfo(
            name=f"{self.name}/{scenario}",
            backend=self.name,
            backend_version=f"gfootball {_version()}, adapter {ADAPTER_VERSION}",
            n_agents=n,
            n_actions=N_ACTIONS,
            observation_size=size,
            state_size=size,
            episode_limit=EPISODE_LIMIT,
            ally_state_size=0,
        )

    def blueprint(self, scenario: str) -> Blueprint:
        arguments = {**asdict(parse(scenario)), "episode_limit": EPISODE_LIMIT}
        return Blueprint("suite.environments.football.engine:FootballEngine", arguments)

    def return_bounds(self, scenario: str) -> tuple[float, float]:
        return {
            "released": (-1.0, 100.0),
            "described": (2.0 - EPISODE_LIMIT, 100.0),
            "scoring": (-1.0, 1.0),
        }[parse(scenario).reward]

    def problem(self) -> Problem | None:
        """As said by `needs`; the cure installs them all."""
        found = super().problem()
        return None if found is None else Problem(found.what, CURE)

    def step_seconds(self, scenario: str) -> float:
        return _STEP_SECONDS[parse(scenario).n_agents]


BACKEND = FootballBackend()


def _version() -> str:
    if (problem := BACKEND.problem()) is not None:
        raise MissingDependencyError(problem.what, where="scenario of football", cure=problem.cure)
    return str(installed_version("gfootball"))
