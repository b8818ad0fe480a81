"""QTRAN, Weighted QMIX and λ-returns against plain versions: losses and every gradient."""

from __future__ import annotations

import numpy as np
import plain_joint
import plain_reference as plain
import pytest
import torch
from episodes import SMALL, arm, random_batch
from test_against_plain import LENGTHS, episodes_of, learner_with_other_target
from torch import Tensor

from suite.algorithms.settings import ArmSettings
from suite.algorithms.value.base import QLearner

RETURNS = ["one_step", "td_lambda", "q_lambda"]
DECAY = 0.7


def settings_of(
    backbone: str, returns: str, framework: str = "ctde", **others: object
) -> ArmSettings:
    others |= {"returns": returns, "gradient_clip": 1e6}
    if returns != "one_step":
        others["trace_decay"] = DECAY
    return arm(framework, backbone, **others)


def online_of(learner: QLearner) -> dict[str, Tensor]:
    return {name: w.requires_grad_() for name, w in learner.member_weights(0).items()}


def close(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected.detach(), rtol=1e-5, atol=1e-6)


def check_gradients(
    learner: QLearner, online: dict[str, Tensor], metrics: dict[str, Tensor]
) -> None:
    norm = torch.stack([w.grad.norm() for w in online.values()]).norm()
    # The learner sums the squares of all its weights, 200,000 for WQMIX, at once and in float32.
    torch.testing.assert_close(metrics["gradient_norm"][0], norm, rtol=1e-4, atol=1e-6)
    for name, gradient in learner.member_gradients(0).items():
        expected = online[name].grad
        scale = float(expected.abs().max())
        torch.testing.assert_close(
            gradient,
            expected,
            rtol=1e-4,
            atol=1e-5 * scale + 1e-9,
            msg=lambda text, n=name: f"{n}: {text}",
        )


@pytest.mark.parametrize("returns", RETURNS)
def test_qtran(returns: str) -> None:
    settings = settings_of("qtran", returns, optimal_weight=0.8, non_optimal_weight=0.3)
    learner, target = learner_with_other_target(settings, SMALL)
    batch = random_batch(SMALL, [LENGTHS], 6)
    online = online_of(learner)
    td, optimal, non_optimal = plain_joint.qtran_losses(
        online, target, episodes_of(batch), settings.gamma, returns, DECAY
    )
    assert min(optimal.item(), non_optimal.item()) > 0
    (td + 0.8 * optimal + 0.3 * non_optimal).backward()
    metrics = learner.update(batch, np.array([0]))
    close(metrics["loss_td"][0], td)
    close(metrics["loss_optimal"][0], optimal)
    close(metrics["loss_non_optimal"][0], non_optimal)
    check_gradients(learner, online, metrics)


@pytest.mark.parametrize("returns", RETURNS)
@pytest.mark.parametrize("backbone", ["ow_qmix", "cw_qmix"])
def test_wqmix(backbone: str, returns: str) -> None:
    settings = settings_of(backbone, returns, weighting_alpha=0.4)
    learner, target = learner_with_other_target(settings, SMALL)
    # Targets below and above what the networks say: weights of either kind.
    batch = random_batch(SMALL, [LENGTHS], 6)
    batch.reward.sub_(0.45)
    online = online_of(learner)
    local, central, weight = plain_joint.wqmix_losses(
        backbone, 0.4, online, target, episodes_of(batch), settings.gamma, returns, DECAY
    )
    assert 0.45 < weight.item() < 0.95
    (local + central).backward()
    metrics = learner.update(batch, np.array([0]))
    close(metrics["loss_td"][0], local)
    close(metrics["loss_central"][0], central)
    close(metrics["weight_mean"][0], weight)
    check_gradients(learner, online, metrics)


@pytest.mark.parametrize("returns", RETURNS[1:])
@pytest.mark.parametrize(
    ("framework", "backbone", "form"),
    [
        ("ctde", "iql", "auto"),
        ("ctde", "qmix", "auto"),
        ("ctde", "qplex", "qatten"),
        ("ctde", "qplex", "dmaq"),
        ("cadp", "vdn", "auto"),
    ],
)
def test_lambda_returns(framework: str, backbone: str, form: str, returns: str) -> None:
    forms = {"qplex_form": form} if backbone == "qplex" else {}
    settings = settings_of(backbone, returns, framework)
    settings = settings.model_copy(update=forms)
    learner, target = learner_with_other_target(settings, SMALL)
    batch = random_batch(SMALL, [LENGTHS], 6)
    online = online_of(learner)
    name = form if backbone == "qplex" else backbone
    td, _, penalty = plain.losses(
        name, online, target, episodes_of(batch), settings.gamma, returns, DECAY
    )
    (td + penalty).backward()
    metrics = learner.update(batch, np.array([0]))
    close(metrics["loss_td"][0], td)
    check_gradients(learner, online, metrics)
