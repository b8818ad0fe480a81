"""PettingZoo's parallel environments as one backend. Cheap until a scenario is described.

Sizes are known by the environment alone, so `describe` imports its module and makes it once.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from suite.environments.backend import Backend
from suite.environments.interface import BatchedEnvironment, EnvironmentInfo
from suite.environments.pettingzoo.naming import parse
from suite.errors import MissingDependencyError
from suite.runs.metrics import EPISODE_LENGTH, RETURN, WIN_RATE

if TYPE_CHECKING:
    from suite.environments.pettingzoo.layout import Layout

# Raised when the same environment is played otherwise than before.
ADAPTER_VERSION = "1"


class PettingZooBackend(Backend):
    """Whatever can be imported: nothing is listed."""

    name = "pettingzoo"
    title = "PettingZoo"
    description = "parallel environments of others, as pettingzoo/<module>:<name>"
    version_word = "version"
    needs = ("pettingzoo", "gymnasium")
    takes_any_name = True
    # Nobody vouches for code of others: checkpoints hold the episodes themselves.
    replays_exactly = False
    measures = (RETURN, WIN_RATE, EPISODE_LENGTH)

    def scenarios(self) -> Sequence[str]:
        return []

    def describe(self, scenario: str) -> EnvironmentInfo:
        """Makes the environment and tries it; InputError if it cannot be used, and why."""
        return _tried(scenario)[0]

    def make(
        self, scenario: str, n_environments: int, seed: int, extra: Sequence[str]
    ) -> BatchedEnvironment:
        from suite.environments.pettingzoo.environment import PettingZooEnvironment

        info, layout = _tried(scenario)
        return PettingZooEnvironment(info, layout, n_environments, seed)

    def counts_wins(self, scenario: str) -> bool:
        """Only where the scenario's name says which info tells."""
        return parse(scenario).won is not None


BACKEND = PettingZooBackend()


@cache
def _tried(scenario: str) -> tuple[EnvironmentInfo, Layout]:
    """What a scenario is; found out once in a process."""
    source = parse(scenario)
    if (problem := BACKEND.problem()) is not None:
        raise MissingDependencyError(
            problem.what, where="scenario of pettingzoo", cure=problem.cure
        )
    from suite.environments.pettingzoo.environment import check_seeding
    from suite.environments.pettingzoo.layout import layout_of
    from suite.environments.pettingzoo.making import version_of

    layout = layout_of(source)
    version = f"{version_of(source.module)}, adapter {ADAPTER_VERSION}"
    info = EnvironmentInfo(
        name=f"{BACKEND.name}/{scenario}",
        backend=BACKEND.name,
        backend_version=version if layout.has_state else f"{version}, observations as state",
        n_agents=len(layout.agents),
        n_actions=max(agent.n_actions for agent in layout.agents),
        observation_size=max(agent.observation_size for agent in layout.agents),
        state_size=layout.state_size,
        episode_limit=layout.episode_limit,
        ally_state_size=0,
    )
    check_seeding(info, layout)
    return info, layout
