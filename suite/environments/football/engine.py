"""One game of gfootball, in the process that holds it; nothing else imports this module.

Features, rewards and ends as in CADP's release, envs/gfootball/gfootball.py.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium import envs, spaces
from gymnasium.envs import registration
from numpy.typing import NDArray

from suite.environments.engines.interface import Outcome
from suite.environments.football import counterattack_hard_cds

# Gfootball was written for gym, whose successor this is; of it it needs a few base classes.
sys.modules |= {
    "gym": gymnasium,
    "gym.spaces": spaces,
    "gym.envs": envs,
    "gym.envs.registration": registration,
}
# It looks for levels there, by name.
sys.modules["gfootball.scenarios.counterattack_hard_cds"] = counterattack_hard_cds

from gfootball.env.config import Config  # noqa: E402
from gfootball.env.football_env_core import FootballEnvCore  # noqa: E402

_GOAL = 100.0
# The engine takes seeds of 31 bits.
_SEEDS = 2**31


class FootballEngine:
    """An `engines.interface.Engine`. Parameters are those of `naming.Variant`, and the limit.

    What the release takes for its agents are the last players of the left team, which attacks.
    Gfootball has agents control others as well: on the counterattacks, players from the midfield
    (`naming.Variant.features`).
    """

    def __init__(
        self,
        *,
        level: str,
        n_agents: int,
        n_opponents: int,
        features: str,
        players: str,
        reward: str,
        episode_limit: int,
    ) -> None:
        self._n, self._m = n_agents, n_opponents
        # (agents, agents - 1), who the others are to each.
        self._others = np.array([[k for k in range(n_agents) if k != i] for i in range(n_agents)])
        self._follows_control = features == "controlled"
        self._reward, self._limit = reward, episode_limit
        self._config = Config(
            {
                "level": level if players == "all" else f"counterattack_hard_{players}",
                "players": [f"agent:left_players={n_agents}"],
            }
        )
        self._core = FootballEnvCore(self._config)
        self._seen: Mapping[str, Any] = {}
        self._length = 0

    def reset(self, seed: int) -> None:
        """The last bit decides which team the engine moves first."""
        self._config["game_engine_random_seed"] = (seed >> 1) % _SEEDS
        self._config["reverse_team_processing"] = bool(seed & 1)
        self._config["episode_number"] = 0
        self._core.reset()
        self._seen = self._core.observation()
        self._length = 0

    def step(self, actions: Sequence[int]) -> Outcome:
        """An end by the rules of the level, or because ball or agents are in their own half."""
        self._seen, scored, has_ended, _ = self._core.step(list(actions))
        self._length += 1
        ball, attackers = self._seen["ball"], self._seen["left_team"][-self._n :]
        is_back = ball[0] < 0 or (attackers[:, 0] < 0).any()
        is_terminated = bool(has_ended or is_back)
        is_truncated = not is_terminated and self._length >= self._limit
        return Outcome(
            reward=self._paid(float(scored), is_over=is_terminated or is_truncated),
            terminated=is_terminated,
            truncated=is_truncated,
            won=scored > 0,
        )

    def _paid(self, scored: float, *, is_over: bool) -> float:
        if self._reward == "scoring":
            return scored
        if scored > 0:
            return _GOAL
        playing, ended = (0.0, -1.0) if self._reward == "released" else (-1.0, 1.0)
        return ended if is_over else playing

    def show(
        self,
        observations: NDArray[np.float32],
        state: NDArray[np.float32],
        available_actions: NDArray[np.bool_],
    ) -> None:
        """State: positions and directions of agents, of opponents, of the ball. An observation:
        the same, its own first, positions but its own relative to it, the ball's height not."""
        agents: Any = slice(-self._n, None)
        if self._follows_control:
            agents = self._seen["left_agent_controlled_player"]
        places = self._seen["left_team"][agents]
        directions = self._seen["left_team_direction"][agents]
        theirs = self._seen["right_team"][: self._m]
        their_directions = self._seen["right_team_direction"][: self._m].ravel()
        ball, ball_direction = self._seen["ball"], self._seen["ball_direction"]
        state[:] = np.concatenate(
            [
                *(places.ravel(), directions.ravel()),
                *(theirs.ravel(), their_directions),
                *(ball, ball_direction),
            ]
        )
        n, m, others = self._n, self._m, self._others
        observations[:, :2] = places
        observations[:, 2 : 2 * n] = (places[others] - places[:, None]).reshape(n, -1)
        observations[:, 2 * n : 2 * n + 2] = directions
        observations[:, 2 * n + 2 : 4 * n] = directions[others].reshape(n, -1)
        observations[:, 4 * n : 4 * n + 2 * m] = (theirs - places[:, None]).reshape(n, -1)
        observations[:, 4 * n + 2 * m : -6] = their_directions
        observations[:, -6:-4] = ball[:2] - places
        observations[:, -4] = ball[2]
        observations[:, -3:] = ball_direction
        available_actions[:] = True

    def close(self) -> None:
        """Give the engine back."""
        self._core.close()
