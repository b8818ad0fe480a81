"""The learner against `plain_reference`: losses and every gradient, on ragged episodes."""

from __future__ import annotations

import numpy as np
import plain_reference as plain
import pytest
import torch
from episodes import ARMS, SMALL, arm, random_batch

from suite.algorithms import EpisodeBatch, Sizes, build_learner
from suite.algorithms.settings import ArmSettings
from suite.algorithms.value.base import QLearner

LENGTHS = [5, 2, 6, 3]


def episodes_of(batch: EpisodeBatch, member: int = 0) -> list[dict[str, torch.Tensor]]:
    """Whole episodes without padding."""
    found = []
    for b in range(batch.filled.shape[1]):
        n = int(batch.filled[member, b].sum())
        found.append(
            {
                "observations": batch.observations[member, b, : n + 1],
                "state": batch.state[member, b, : n + 1],
                "available": batch.available_actions[member, b, : n + 1],
                "actions": batch.actions[member, b, :n],
                "reward": batch.reward[member, b, :n],
                "terminated": batch.terminated[member, b, :n],
            }
        )
    return found


def learner_with_other_target(settings: ArmSettings, sizes: Sizes) -> tuple[QLearner, dict]:
    """A learner whose target networks differ from its online networks, and the target's weights."""
    learner = build_learner(settings, sizes, seeds=[7], pruning_start_env_steps=[100])
    weights = learner.member_weights(0)
    target = build_learner(settings, sizes, seeds=[8]).member_weights(0)
    learner.load_member_weights(0, target)
    state = learner.state_dict()
    learner.load_member_weights(0, weights)
    learner.load_state_dict(learner.state_dict() | {"target": state["target"]})
    return learner, target


@pytest.mark.parametrize(("framework", "backbone", "form"), ARMS)
@pytest.mark.parametrize("env_steps", [100, 101])
def test_losses_and_gradients(framework: str, backbone: str, form: str, env_steps: int) -> None:
    settings = arm(framework, backbone, form, gradient_clip=1e6)
    learner, target = learner_with_other_target(settings, SMALL)
    batch = random_batch(SMALL, [LENGTHS], 6)
    online = {k: v.requires_grad_() for k, v in learner.member_weights(0).items()}

    name = form if backbone == "qplex" else backbone
    td, pruning, penalty = plain.losses(name, online, target, episodes_of(batch), settings.gamma)
    loss = td + penalty
    if framework == "cadp" and env_steps > 100:
        loss = loss + {"vdn": 1.0, "qmix": 0.5, "qplex": 1.0}[backbone] * pruning
    loss.backward()

    metrics = learner.update(batch, np.array([env_steps]))
    torch.testing.assert_close(metrics["loss_td"][0], td.detach(), rtol=1e-5, atol=1e-6)
    assert ("loss_pruning" in metrics) == (framework == "cadp")
    cost = metrics.get("loss_pruning", torch.zeros(1))
    torch.testing.assert_close(cost[0], pruning.detach(), rtol=1e-5, atol=1e-6)
    gradients = learner.member_gradients(0)
    norm = torch.stack([w.grad.norm() for w in online.values()]).norm()
    torch.testing.assert_close(metrics["gradient_norm"][0], norm, rtol=1e-5, atol=1e-6)
    for weight_name, weight in online.items():
        scale = float(weight.grad.abs().max())
        torch.testing.assert_close(
            gradients[weight_name],
            weight.grad,
            rtol=1e-4,
            atol=1e-5 * scale + 1e-9,
            msg=lambda text, n=weight_name: f"{n}: {text}",
        )


def test_two_layer_hypernets() -> None:
    settings = arm("ctde", "qmix", hypernet_layers=2, gradient_clip=1e6)
    learner, target = learner_with_other_target(settings, SMALL)
    batch = random_batch(SMALL, [LENGTHS], 6)
    online = {k: v.requires_grad_() for k, v in learner.member_weights(0).items()}
    td, _, _ = plain.losses("qmix", online, target, episodes_of(batch), settings.gamma)
    td.backward()
    metrics = learner.update(batch, np.array([0]))
    torch.testing.assert_close(metrics["loss_td"][0], td.detach(), rtol=1e-5, atol=1e-6)
    for name, gradient in learner.member_gradients(0).items():
        torch.testing.assert_close(gradient, online[name].grad, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("framework", ["ctde", "cadp"])
@pytest.mark.parametrize("n_environments", [1, 40])
def test_acting_follows_the_plain_network(framework: str, n_environments: int) -> None:
    """One environment goes through compiled loops, forty through tensor operations."""
    learner = build_learner(arm(framework, "vdn"), SMALL, seeds=[1, 2])
    g = torch.Generator().manual_seed(3)
    hidden = learner.initial_hidden(n_environments)
    shape = (2, n_environments, SMALL.n_agents)
    observations = [torch.rand(*shape, SMALL.observation_size, generator=g) for _ in range(4)]
    actions = [torch.randint(0, SMALL.n_actions, shape, generator=g) for _ in range(4)]
    last, q = torch.full(shape, -1), torch.empty(0)
    for o, u in zip(observations, actions, strict=True):
        q, hidden = learner.act_values(
            {"observations": o}, last, hidden, next(iter(learner.acting))
        )
        last = u
    for member in range(2):
        o = torch.stack([step[member, -1] for step in observations])
        u = torch.stack([step[member, -1] for step in actions])
        expected, _ = plain.unroll(learner.member_weights(member), o, u, SMALL.n_actions, 4)
        torch.testing.assert_close(q[member, -1], expected[-1], rtol=1e-5, atol=1e-6)


def test_decentralised_acting_uses_the_own_value_as_advice() -> None:
    learner = build_learner(arm("cadp", "vdn"), SMALL, seeds=[1])
    w = learner.member_weights(0)
    o = torch.rand(1, 1, SMALL.n_agents, SMALL.observation_size)
    last = torch.full((1, 1, SMALL.n_agents), -1)
    q, hidden = learner.act_values(
        {"observations": o}, last, learner.initial_hidden(1), "decentralised"
    )
    nothing = torch.zeros(SMALL.n_agents, SMALL.n_actions)
    x = torch.cat([o[0, 0], nothing, torch.eye(SMALL.n_agents)], dim=1)
    expected = plain.head(w, hidden[0, 0], x @ w["attention.weight"].chunk(3)[2].T)
    torch.testing.assert_close(q[0, 0], expected, rtol=1e-5, atol=1e-6)
