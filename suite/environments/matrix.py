"""Two small team games whose best play is known, for testing learners.

`two_step`: agent 0's first action chooses the payoff matrix of the second step, all 7 or
[[0, 1], [1, 8]]; best return 8 (Rashid et al., "QMIX", 2018, section 6.1).
`climbing`: one joint choice with payoff [[11, -30, 0], [-30, 7, 6], [0, 0, 5]]; best return 11
(Claus & Boutilier, "The dynamics of reinforcement learning in cooperative multiagent systems",
1998).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suite.environments.arrays import ArrayBatch
from suite.environments.backend import Backend
from suite.environments.interface import BatchedEnvironment, EnvironmentInfo, Step
from suite.runs.metrics import RETURN, WIN_RATE

MATRIX_VERSION = "1"
N_AGENTS = 2
NO_SUCCESSOR = -1


@dataclass(frozen=True)
class MatrixGame:
    """A team game of a few states, played from state 0.

    payoff: (states, actions, actions) reward of the joint action in a state.
    successor: (states, actions of agent 0) next state, -1 where the game ends.
    episode_limit: its length. optimum: best return.
    """

    payoff: NDArray[np.float64]
    successor: NDArray[np.int64]
    episode_limit: int
    optimum: float


MATRIX_GAMES = {
    "two_step": MatrixGame(
        payoff=np.array([[[0, 0], [0, 0]], [[7, 7], [7, 7]], [[0, 1], [1, 8]]], np.float64),
        successor=np.array([[1, 2], [NO_SUCCESSOR] * 2, [NO_SUCCESSOR] * 2]),
        episode_limit=2,
        optimum=8.0,
    ),
    "climbing": MatrixGame(
        payoff=np.array([[[11, -30, 0], [-30, 7, 6], [0, 0, 5]]], np.float64),
        successor=np.array([[NO_SUCCESSOR] * 3]),
        episode_limit=1,
        optimum=11.0,
    ),
}


def matrix_info(name: str) -> EnvironmentInfo:
    """Sizes of one of `MATRIX_GAMES`: everyone sees which state the game is in, one-hot."""
    game = MATRIX_GAMES[name]
    n_states, n_actions = game.successor.shape
    return EnvironmentInfo(
        name=f"matrix/{name}",
        backend="matrix",
        backend_version=MATRIX_VERSION,
        n_agents=N_AGENTS,
        n_actions=n_actions,
        observation_size=n_states,
        state_size=n_states,
        episode_limit=game.episode_limit,
        ally_state_size=0,
    )


class MatrixEnvironment(ArrayBatch):
    """A batch of one matrix game; see `interface.BatchedEnvironment`. Nothing in it is random.

    After the last step observations and state keep the state the game ended in.
    """

    def __init__(self, name: str, n_environments: int) -> None:
        super().__init__(matrix_info(name), n_environments, seed=0)
        self.available_actions[:] = True
        self._game = MATRIX_GAMES[name]
        self._position = np.zeros(n_environments, np.int64)
        self._return = np.zeros(n_environments)
        self.reset()

    def reset(
        self,
        slots: NDArray[np.integer] | None = None,
        episode_seeds: NDArray[np.integer] | None = None,
    ) -> None:
        """Start anew in `slots` (all when None); seeds are checked and have no effect."""
        chosen, _ = self._checked_reset(slots, episode_seeds)
        self._position[chosen] = 0
        self._return[chosen] = 0.0
        self._is_over[chosen] = False
        self._encode()

    def step(self, actions: NDArray[np.integer], active: NDArray[np.bool_] | None = None) -> Step:
        """Play one joint action in every active slot; see `interface.BatchedEnvironment`."""
        joint, moving = self._checked_step(actions, active)
        position = self._position
        payoff = self._game.payoff[position, joint[:, 0] * moving, joint[:, 1] * moving]
        successor = self._game.successor[position, joint[:, 0] * moving]
        reward = np.where(moving, payoff, 0.0)
        self._return += reward
        terminated = moving & (successor == NO_SUCCESSOR)
        self._position = np.where(moving & ~terminated, successor, position)
        self._is_over |= terminated
        self._encode()
        return Step(
            reward=reward,
            terminated=terminated,
            truncated=np.zeros_like(terminated),
            won=terminated & (self._return == self._game.optimum),
        )

    def _encode(self) -> None:
        self.state[:] = np.arange(self.info.state_size) == self._position[:, None]
        self.observations[:] = self.state[:, None, :]

    def close(self) -> None:
        """Nothing is held open."""


class MatrixBackend(Backend):
    """All of `MATRIX_GAMES`. The win rate only says whether the optimum was reached."""

    name = "matrix"
    title = "matrix games (embedded)"
    description = "games of one or two steps with a known optimum"
    disclaimer = "No number measured here is from StarCraft II."
    measures = (RETURN, WIN_RATE)
    largest_observation = 1.0
    few_results = True

    def scenarios(self) -> Sequence[str]:
        return list(MATRIX_GAMES)

    def describe(self, scenario: str) -> EnvironmentInfo:
        return matrix_info(scenario)

    def make(
        self, scenario: str, n_environments: int, seed: int, extra: Sequence[str]
    ) -> BatchedEnvironment:
        return MatrixEnvironment(scenario, n_environments)

    def return_bounds(self, scenario: str) -> tuple[float, float]:
        game = MATRIX_GAMES[scenario]
        return min(0.0, float(game.payoff.min())) * game.episode_limit, game.optimum


BACKEND = MatrixBackend()
