"""Games whose answers are known: what each mixer can represent, it learns; what it cannot, not.

Every joint action is in every batch, so nothing is left to exploration: only representation is
tested. The games: Rashid et al. 2018 (two-step), Claus & Boutilier 1998 (climbing).
"""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from episodes import arm

from suite.algorithms import EpisodeBatch, Sizes, build_learner
from suite.algorithms.value.base import QLearner

CLIMBING = [[11.0, -30.0, 0.0], [-30.0, 7.0, 6.0], [0.0, 0.0, 5.0]]
TWO_STEP = {0: [[7.0, 7.0], [7.0, 7.0]], 1: [[0.0, 1.0], [1.0, 8.0]]}
LEARNING_RATE = 1e-3
SEEDS = [0, 1, 2]  # a population of three: an answer must not hang on one initialisation


def batch_of(states: list[list[int]], joint_actions: list, rewards: list, n_actions: int):
    """States (B, T+1) are numbers, observed by all agents as one-hot vectors of three."""
    p = len(SEEDS)
    seen = torch.nn.functional.one_hot(torch.tensor(states), 3).float().expand(p, -1, -1, -1)
    actions = torch.tensor(joint_actions).expand(p, -1, -1, -1)  # (P, B, T, 2)
    _, b, t, n = actions.shape
    terminated = torch.zeros(p, b, t, dtype=torch.bool)
    terminated[..., -1] = True
    return EpisodeBatch(
        observations=seen.unsqueeze(3).expand(-1, -1, -1, n, -1),
        state=seen,
        available_actions=torch.ones(p, b, t + 1, n, n_actions, dtype=torch.bool),
        actions=actions,
        reward=torch.tensor(rewards).expand(p, -1, -1),
        terminated=terminated,
        filled=torch.ones(p, b, t, dtype=torch.bool),
    )


def trained(
    backbone: str, batch: EpisodeBatch, n_actions: int, n_updates: int, **settings: object
) -> QLearner:
    sizes = Sizes(2, n_actions, 3, 3, 0)
    chosen = arm("ctde", backbone, learning_rate=LEARNING_RATE, **settings)
    learner = build_learner(chosen, sizes, seeds=SEEDS)
    everyone = np.full(len(SEEDS), True)
    for k in range(n_updates):
        learner.update(batch, np.full(len(SEEDS), k))
        if k % 25 == 0:
            learner.copy_target(everyone)
    return learner


def greedy(
    learner: QLearner, states: list[int], last: torch.Tensor, hidden: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Each member's joint action (P, 1, 2) in its state."""
    one_hot = torch.nn.functional.one_hot(torch.tensor(states), 3).float()
    observations = one_hot[:, None, None, :].expand(-1, 1, 2, -1)
    q, hidden = learner.act_values({"observations": observations}, last, hidden, "decentralised")
    return q.argmax(dim=3), hidden


def first_actions(learner: QLearner) -> tuple[torch.Tensor, torch.Tensor]:
    none = torch.full((len(SEEDS), 1, 2), -1)
    return greedy(learner, [0] * len(SEEDS), none, learner.initial_hidden(1))


def climbing_rewards(backbone: str, **settings: object) -> list[float]:
    pairs = list(product(range(3), repeat=2))
    rewards = [[CLIMBING[a][b]] for a, b in pairs]
    batch = batch_of([[0, 1]] * 9, [[pair] for pair in pairs], rewards, 3)
    actions, _ = first_actions(trained(backbone, batch, 3, 600, **settings))
    return [CLIMBING[a][b] for a, b in actions.squeeze(1).tolist()]


def two_step_returns(backbone: str, **settings: object) -> list[float]:
    episodes = list(product(range(2), repeat=4))
    states = [[0, 1 + a, 0] for a, _, _, _ in episodes]
    actions = [[(a, b), (c, d)] for a, b, c, d in episodes]
    rewards = [[0.0, TWO_STEP[a][c][d]] for a, _, c, d in episodes]
    learner = trained(backbone, batch_of(states, actions, rewards, 2), 2, 500, **settings)
    first, hidden = first_actions(learner)
    matrices = first[:, 0, 0].tolist()
    second, _ = greedy(learner, [1 + m for m in matrices], first, hidden)
    joint = second.squeeze(1).tolist()
    return [TWO_STEP[m][c][d] for m, (c, d) in zip(matrices, joint, strict=True)]


def test_qplex_solves_the_climbing_game() -> None:
    assert climbing_rewards("qplex") == [11.0] * 3


def test_vdn_and_qmix_cannot_solve_the_climbing_game() -> None:
    assert max(climbing_rewards("vdn")) < 11.0
    assert max(climbing_rewards("qmix")) < 11.0


def test_qtran_solves_the_climbing_game() -> None:
    """With L_nopt at full weight; at its 0.1 it gets there too, within 2,400 updates."""
    assert climbing_rewards("qtran", non_optimal_weight=1.0) == [11.0] * 3


@pytest.mark.parametrize("backbone", ["ow_qmix", "cw_qmix"])
def test_weighted_qmix_solves_the_climbing_game_where_alpha_is_small(backbone: str) -> None:
    """Nine joint actions, all equally often: the best one has to outweigh eight others."""
    assert climbing_rewards(backbone, central_embedding=32, weighting_alpha=0.01) == [11.0] * 3
    assert max(climbing_rewards(backbone, central_embedding=32)) < 11.0


@pytest.mark.parametrize("backbone", ["qmix", "qplex", "qtran", "ow_qmix", "cw_qmix"])
def test_two_step_game_is_solved(backbone: str) -> None:
    small = {"central_embedding": 32} if backbone in ("ow_qmix", "cw_qmix") else {}
    assert two_step_returns(backbone, **small) == [8.0] * 3


@pytest.mark.parametrize("returns", ["td_lambda", "q_lambda"])
def test_lambda_returns_solve_the_two_step_game(returns: str) -> None:
    """Q(λ) only: with every joint action as often, TD(λ) also learns what random play is worth."""
    expected = 8.0 if returns == "q_lambda" else 7.0
    assert two_step_returns("qmix", returns=returns, trace_decay=0.6) == [expected] * 3


def test_vdn_cannot_solve_the_two_step_game() -> None:
    assert two_step_returns("vdn") == [7.0] * 3
