"""Games with known answers, learned from actions that the policy draws itself.

The games: a bandit for two, and the two-step game of Rashid et al. 2018.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from suite.algorithms import EpisodeBatch, Sizes
from suite.algorithms.inputs import living_agents
from suite.algorithms.mappo.distribution import sample
from suite.algorithms.mappo.settings import CadpMappoSettings, MappoSettings
from suite.algorithms.mappo.update import MappoLearner
from suite.algorithms.rows import pack

BANDIT = torch.tensor([[1.0, 2.0, 0.0], [3.0, 9.0, 4.0], [0.0, 5.0, 2.0]])
TWO_STEP = torch.tensor([[[7.0, 7.0], [7.0, 7.0]], [[0.0, 1.0], [1.0, 8.0]]])
SEEDS = [0, 1, 2]  # a population of three: an answer must not hang on one initialisation


def play(learner: MappoLearner, n_episodes: int, generator: torch.Generator | None) -> EpisodeBatch:
    """Episodes of the two-step game, or of the bandit where there are three actions.

    Without a generator each agent takes its likeliest action.
    """
    p, n_actions = len(SEEDS), learner.sizes.n_actions
    n_steps = 1 if n_actions == 3 else 2
    available = torch.ones(p, n_episodes, 2, n_actions, dtype=torch.bool)
    hidden, last = learner.initial_hidden(n_episodes), torch.full((p, n_episodes, 2), -1)
    place = torch.zeros(p, n_episodes, dtype=torch.int64)
    places, actions = [place], []
    for t in range(n_steps):
        seen = torch.nn.functional.one_hot(place, 3).float()
        log_p, hidden = learner.act_log_probabilities(
            seen.unsqueeze(2).expand(-1, -1, 2, -1),
            last,
            available,
            hidden,
            "decentralised",
        )
        last = log_p.argmax(dim=3)
        if generator is not None:
            last = sample(log_p, torch.rand(log_p.shape, generator=generator))
        place = last[..., 0] + 1 if t == 0 and n_steps == 2 else torch.zeros_like(place)
        places.append(place)
        actions.append(last)
    first, second = last[..., 0], last[..., 1]
    reward = torch.zeros(p, n_episodes, n_steps)
    if n_steps == 1:
        reward[..., -1] = BANDIT[first, second]
    else:
        reward[..., -1] = TWO_STEP[actions[0][..., 0], first, second]
    state = torch.nn.functional.one_hot(torch.stack(places, dim=2), 3).float()
    ends = torch.arange(n_steps) == n_steps - 1
    return EpisodeBatch(
        observations=state.unsqueeze(3).expand(-1, -1, -1, 2, -1),
        state=state,
        available_actions=available.unsqueeze(2).expand(-1, -1, n_steps + 1, -1, -1),
        actions=torch.stack(actions, dim=2),
        reward=reward,
        terminated=ends.expand(reward.shape),
        filled=torch.ones(reward.shape, dtype=torch.bool),
    )


def returns(framework: str, is_recurrent: bool, n_actions: int, n_updates: int) -> Tensor:
    """What the likeliest actions earn each member after training."""
    model = CadpMappoSettings if framework == "cadp" else MappoSettings
    settings = model(is_recurrent=is_recurrent)
    learner = MappoLearner(settings, Sizes(2, n_actions, 3, 3, 0), seeds=SEEDS)
    generator = torch.Generator().manual_seed(0)
    for _ in range(n_updates):
        batch = play(learner, 32, generator)
        rows = pack(batch)
        living = living_agents(rows.of_observations(batch.available_actions))
        learner.update(rows, batch, living, np.zeros(len(SEEDS)))
    return play(learner, 1, None).reward.sum(dim=2).flatten()


@pytest.mark.parametrize(
    ("framework", "is_recurrent"), [("ctde", True), ("ctde", False), ("cadp", False)]
)
def test_bandit_is_solved(framework: str, is_recurrent: bool) -> None:
    assert returns(framework, is_recurrent, 3, 20).tolist() == [9.0] * 3


def test_two_step_game_is_solved() -> None:
    """Actions of the first step earn 7 for sure or 8 if the second step is then played well."""
    assert returns("ctde", True, 2, 100).tolist() == [8.0] * 3
