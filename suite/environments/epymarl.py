"""Skirmish in EPyMARL: the environment it expects, its registration and its configuration.

EPyMARL calls environments otherwise than PyMARL (`pymarl`): `step` returns five values, `reset`
takes a seed, and every environment is given `map_name`, `common_reward` and
`reward_scalarisation`. EPyMARL itself is not needed here.

    python -m suite.environments.epymarl

prints the configuration that EPyMARL keeps as `src/config/envs/skirmish.yaml`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suite.environments.pymarl import MAP_CONFIGURATION, NAME, SkirmishMap
from suite.environments.validation import check_seed
from suite.errors import InputError

CONFIGURATION = f"""\
{MAP_CONFIGURATION}
common_reward: True
test_greedy: True
test_nepisode: 100
test_interval: 50000
log_interval: 50000
runner_log_interval: 10000
learner_log_interval: 10000
t_max: 2050000
"""


class EPyMARLEnvironment(SkirmishMap):
    """One map of skirmish, as EPyMARL's runners use it; the episodes are those of the base class.

    Parameters
    ----------
    map_name, seed, state_last_action: as in `SkirmishMap`.
    common_reward: only True, InputError for others: all agents share the team's reward.
    reward_scalarisation: without effect; it says how rewards of several agents become one.
    """

    def __init__(
        self,
        map_name: str,
        *,
        seed: int = 0,
        state_last_action: bool = True,
        common_reward: bool = True,
        reward_scalarisation: str = "sum",
    ) -> None:
        if not common_reward:
            cure = "set common_reward to True"
            what = "all agents share the team's reward"
            raise InputError(what, where="common_reward", value=common_reward, cure=cure)
        super().__init__(map_name, seed=seed, state_last_action=state_last_action)

    def reset(  # type: ignore[override]
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[list[NDArray[np.float32]], dict[str, Any]]:
        """Start a new episode; returns `get_obs()` and an empty info.

        seed: plays that very episode (`episode_seeds=[seed]` of a batch); without, the next of
        those that the environment's seed fixes. options: without effect.
        """
        if seed is None:
            super().reset()
        else:
            self.begin(check_seed(seed))
        return self.get_obs(), {}

    def step(  # type: ignore[override]
        self, actions: Iterable[object]
    ) -> tuple[list[NDArray[np.float32]], float, bool, bool, dict[str, Any]]:
        """Play one step as `SkirmishMap.step`.

        Returns observations, the team's reward, whether the battle is decided, whether it was cut
        by the time limit, and the info.
        """
        reward, has_ended, info = super().step(actions)
        return self.get_obs(), reward, has_ended and not self.is_timeout, self.is_timeout, info


def register(registry: dict[str, Callable[..., Any]]) -> None:
    """Add skirmish to EPyMARL's `envs.REGISTRY`."""
    registry[NAME] = EPyMARLEnvironment


if __name__ == "__main__":
    print(CONFIGURATION, end="")
