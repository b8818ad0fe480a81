"""CTDS and IGM-DA against `plain_teachers`: losses and every gradient, on ragged episodes."""

from __future__ import annotations

import numpy as np
import plain_reference as plain
import plain_teachers
import pytest
import torch
from episodes import arm, members, random_batch
from teachers import ARMS, FRAMEWORKS, SIZES, by_network, episodes_of, seen_by

from suite.algorithms import build_learner
from suite.algorithms.value.base import QLearner

LENGTHS = [5, 2, 6, 3]
CHOICES = ["unlimited_sight", "observation_and_state", "sight_9"]
# Every arm once, and every choice of what the teacher sees.
CASES = [(*one, CHOICES[i % 3]) for i, one in enumerate(ARMS)]


def with_other_target(learner: QLearner, other: dict[str, torch.Tensor]) -> None:
    """Give the target networks the weights `other`."""
    own = learner.member_weights(0)
    learner.load_member_weights(0, other)
    targets = {k: w for k, w in learner.state_dict().items() if k.endswith("target")}
    learner.load_member_weights(0, own)
    learner.load_state_dict(learner.state_dict() | targets)


@pytest.mark.parametrize(("framework", "backbone", "form", "privileged"), CASES)
def test_losses_and_gradients(framework: str, backbone: str, form: str, privileged: str) -> None:
    settings = arm(framework, backbone, form, gradient_clip=1e6, privileged=privileged)
    learner = build_learner(settings, SIZES, seeds=[7])
    others = build_learner(settings, SIZES, seeds=[8]).member_weights(0)
    with_other_target(learner, others)
    batch = random_batch(SIZES, [LENGTHS], 6)
    weights = {k: w.requires_grad_() for k, w in learner.member_weights(0).items()}
    student, teacher = by_network(framework, weights)
    _, target = by_network(framework, others)

    name = form if backbone == "qplex" else backbone
    plainly = {"ctds": plain_teachers.ctds, "igm_da": plain_teachers.igm_da}[framework]
    episodes = episodes_of(batch, *seen_by(learner))
    losses = plainly(name, student, teacher, target, episodes, settings.gamma)
    (losses.td + losses.penalty + losses.imitation).backward()

    metrics = learner.update(batch, np.array([0]))
    for metric, loss in (("loss_td", losses.td), ("loss_imitation", losses.imitation)):
        torch.testing.assert_close(metrics[metric][0], loss.detach(), rtol=1e-5, atol=1e-6)
    norms = {
        part: torch.stack([w.grad.norm() for w in network.values()]).norm()
        for part, network in (("student", student), ("teacher", teacher))
    }
    if framework == "ctds":
        expected = {"gradient_norm": norms["teacher"], "gradient_norm_student": norms["student"]}
    else:
        expected = {"gradient_norm": torch.stack(list(norms.values())).norm()}
    for metric, norm in expected.items():
        torch.testing.assert_close(metrics[metric][0], norm, rtol=1e-5, atol=1e-6)
    gradients = learner.member_gradients(0)
    assert gradients.keys() == weights.keys()
    for weight_name, weight in weights.items():
        scale = float(weight.grad.abs().max())
        assert scale > 0, weight_name
        torch.testing.assert_close(
            gradients[weight_name],
            weight.grad,
            rtol=1e-4,
            atol=1e-5 * scale + 1e-9,
            msg=lambda text, n=weight_name: f"{n}: {text}",
        )


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("privileged", CHOICES)
@pytest.mark.parametrize("mode", ["decentralised", "teacher"])
@pytest.mark.parametrize("n_environments", [1, 40])
def test_acting_follows_the_plain_network(
    framework: str, privileged: str, mode: str, n_environments: int
) -> None:
    """One environment goes through compiled loops, forty through tensor operations."""
    settings = arm(framework, "qmix", privileged=privileged)
    learner = build_learner(settings, SIZES, seeds=[1, 2])
    batch = random_batch(SIZES, [[5] * n_environments] * 2, 5)
    names = ("observations", "state", "available_actions", *SIZES.extra_observations)
    hidden = learner.initial_hidden(n_environments, mode)
    last, q = torch.full(batch.actions[:, :, 0].shape, -1), torch.empty(0)
    for t in range(6):
        seen = {name: batch.array(name)[:, :, t] for name in names}
        q, hidden = learner.act_values(seen, last, hidden, mode)
        last = batch.actions[:, :, min(t, 4)]
    for member in range(2):
        student, teacher = by_network(framework, learner.member_weights(member))
        own = learner.acting[mode].inputs
        episode = episodes_of(members(batch, slice(member, member + 1)), own, own)[-1]
        network = student if mode == "decentralised" else teacher
        expected, _ = plain.unroll(
            network, episode["student"], episode["actions"], SIZES.n_actions, 4
        )
        torch.testing.assert_close(q[member, -1], expected[-1], rtol=1e-5, atol=1e-6)
