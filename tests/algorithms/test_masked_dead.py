"""CADP in which the dead neither give nor get advice, nor count in the pruning loss."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from episodes import SMALL, arm, random_batch

from suite.algorithms import EpisodeBatch, build_learner
from suite.algorithms.cadp.learner import CadpLearner
from suite.algorithms.inputs import living_agents
from suite.algorithms.losses.pruning import EPSILON
from suite.algorithms.losses.td import transition_mask
from suite.algorithms.rows import agent_inputs, pack
from suite.algorithms.value.base import QLearner

DEAD = 2


def learner_of(masks_dead: bool = True) -> QLearner:
    chosen = arm("cadp", "vdn", masks_dead=masks_dead, gradient_clip=1e6)
    return build_learner(chosen, SMALL, seeds=[3], alpha=[2.0], pruning_start_env_steps=[0])


def batch_with_a_dead_agent() -> EpisodeBatch:
    """Agent 2 dies at time 2 of every episode: from then on it has the no-op alone."""
    batch = random_batch(SMALL, [[5, 3, 4]], 5)
    available, actions = batch.available_actions.clone(), batch.actions.clone()
    available[..., 1] = True
    available[:, :, 2:, DEAD] = torch.tensor([True, False, False, False])
    actions[:, :, 2:, DEAD] = 0
    return replace(batch, available_actions=available, actions=actions)


def test_who_can_do_nothing_but_the_no_op_is_dead() -> None:
    available = torch.tensor([[True, False, False], [True, True, False], [False, False, True]])
    assert living_agents(available).tolist() == [False, True, True]


@pytest.mark.parametrize("mode", ["centralised", "decentralised"])
@pytest.mark.parametrize("n_environments", [1, 40])
def test_the_dead_are_not_heard_and_hear_nobody(mode: str, n_environments: int) -> None:
    learner = learner_of()
    shape = (1, n_environments, SMALL.n_agents)
    available = torch.ones(*shape, SMALL.n_actions, dtype=torch.bool)
    available[:, :, DEAD, 1:] = False
    observations = torch.rand(*shape, SMALL.observation_size)

    def q_of(seen: torch.Tensor, available: torch.Tensor = available) -> torch.Tensor:
        arrays = {"observations": seen, "available_actions": available}
        hidden = learner.initial_hidden(n_environments)
        return learner.act_values(arrays, torch.full(shape, -1), hidden, mode)[0]

    before = q_of(observations)
    dead_moved, living_moved = observations.clone(), observations.clone()
    dead_moved[:, :, DEAD] += 1
    living_moved[:, :, 0] += 1
    assert torch.equal(q_of(dead_moved)[:, :, :DEAD], before[:, :, :DEAD])
    assert torch.equal(q_of(living_moved)[:, :, DEAD], before[:, :, DEAD])
    hears = (q_of(living_moved)[:, :, 1] - before[:, :, 1]).abs().max() > 1e-4
    assert bool(hears) == (mode == "centralised")
    everybody = q_of(dead_moved, torch.ones_like(available)) - q_of(
        observations, torch.ones_like(available)
    )
    assert bool(everybody[:, :, 0].abs().max() > 1e-4) == (mode == "centralised")


def test_a_dead_agents_row_falls_back_to_itself() -> None:
    learner = learner_of()
    shape = (1, 1, SMALL.n_agents)
    seen = {
        "observations": torch.rand(*shape, SMALL.observation_size),
        "available_actions": torch.zeros(*shape, SMALL.n_actions, dtype=torch.bool),
    }
    last, hidden = torch.full(shape, -1), learner.initial_hidden(1)
    q = [learner.act_values(seen, last, hidden, m)[0] for m in ("centralised", "decentralised")]
    torch.testing.assert_close(*q)


def test_pruning_counts_the_living() -> None:
    """Against attention computed row by row from the raw inputs."""
    learner, batch = learner_of(), batch_with_a_dead_agent()
    keys, queries, _ = learner.member_weights(0)["attention.weight"].chunk(3)
    metrics = learner.update(batch, np.array([1]))
    mask = transition_mask(batch.filled, batch.terminated)[0]
    costs, paid = [], []
    for b, t in mask.nonzero().tolist():
        last = torch.zeros(SMALL.n_agents, SMALL.n_actions)
        if t > 0:
            last[range(SMALL.n_agents), batch.actions[0, b, t - 1]] = 1
        x = torch.cat([batch.observations[0, b, t], last, torch.eye(SMALL.n_agents)], dim=1)
        alive = [n for n in range(SMALL.n_agents) if batch.available_actions[0, b, t, n, 1:].any()]
        k, q = ((x[alive] @ w.T).unflatten(1, (4, 32)).transpose(0, 1) for w in (keys, queries))
        own = torch.softmax(q @ k.transpose(1, 2) / 32**0.5, dim=2).diagonal(dim1=1, dim2=2)
        costs.append(-(own + EPSILON).log().mean() / SMALL.n_agents)
        paid.append(own.mean(dim=0))
    assert {len(row) for row in paid} == {2, 3}
    assert float(metrics["loss_pruning"]) == pytest.approx(
        float(torch.stack(costs).mean()), rel=1e-5
    )
    assert float(metrics["self_attention"]) == pytest.approx(
        float(torch.cat(paid).mean()), rel=1e-5
    )


@pytest.mark.parametrize("masks_dead", [False, True])
def test_learning_values_the_living_as_if_the_dead_were_gone(masks_dead: bool) -> None:
    batch, learner = batch_with_a_dead_agent(), learner_of(masks_dead)
    assert isinstance(learner, CadpLearner)
    moved = batch.observations.clone()
    moved[:, :, 2:, DEAD] += 1
    rows = pack(batch)
    q = []
    for observations in (batch.observations, moved):
        seen = replace(batch, observations=observations)
        inputs, _ = agent_inputs(seen, rows)
        q.append(learner.unroll(learner.trained[""].online, inputs, rows, seen).q[:, :, :DEAD])
    assert torch.equal(*q) == masks_dead


def test_where_all_live_the_mask_changes_nothing() -> None:
    batch = random_batch(SMALL, [[5, 3, 4]], 5)
    batch = replace(batch, available_actions=torch.ones_like(batch.available_actions))
    found = []
    for masks_dead in (False, True):
        learner = learner_of(masks_dead)
        found.append((learner.update(batch, np.array([1])), learner.member_gradients(0)))
    for left, right in zip(*found, strict=True):
        for name in left:
            torch.testing.assert_close(left[name], right[name], rtol=1e-4, atol=1e-6)
