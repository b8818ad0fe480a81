"""Weighted QMIX: weights and loss by hand, the central mixer against plain layers."""

from __future__ import annotations

import numpy as np
import torch
from episodes import SMALL
from torch.nn import functional

from suite.algorithms import Parameters, Sizes, arm_settings
from suite.algorithms.losses.td import td_loss
from suite.algorithms.losses.weighting import (
    central_weights,
    optimistic_weights,
    weighted_td_loss,
)
from suite.algorithms.mixers.interface import Mixer, MixerInputs
from suite.algorithms.wqmix.central import CentralMixer
from suite.algorithms.wqmix.settings import WqmixSettings

ALPHA = torch.tensor([0.5, 0.75])


def central_mixer(sizes: Sizes, **settings: int) -> CentralMixer:
    chosen = arm_settings("ctde", "ow_qmix", **settings)
    assert isinstance(chosen, WqmixSettings)
    return CentralMixer(chosen, sizes)


def test_optimistic_weights_spare_what_is_underestimated() -> None:
    """1 where Q_tot < y strictly; α of the member elsewhere."""
    q = torch.tensor([[[1.0], [2.0], [3.0]]] * 2, requires_grad=True)
    y = torch.full((2, 3, 1), 2.0)
    weights = optimistic_weights(q, y, ALPHA)
    assert weights.squeeze(2).tolist() == [[1.0, 0.5, 0.5], [1.0, 0.75, 0.75]]
    assert not weights.requires_grad


def test_central_weights_spare_the_greedy_and_the_promising() -> None:
    """Rows: greedy; one agent deviates, y below, at and above Q̂* of the greedy joint action."""
    greedy = torch.tensor([[[0, 2]] * 4])
    actions = torch.tensor([[[0, 2], [0, 1], [1, 2], [1, 1]]])
    y = torch.tensor([[[0.0], [4.0], [5.0], [6.0]]])
    central = torch.full((1, 4, 1), 5.0, requires_grad=True)
    weights = central_weights(actions, greedy, y, central, ALPHA[1:])
    assert weights.flatten().tolist() == [1.0, 0.75, 0.75, 1.0]
    assert not weights.requires_grad


def test_weighted_loss_by_hand() -> None:
    """(1·(1 - 3)² + 0.5·(4 - 2)²) / 2 = 3: weights are not in the denominator."""
    q = torch.tensor([[[1.0], [4.0], [9.0]]], requires_grad=True)
    y = torch.tensor([[[3.0], [2.0], [0.0]]], requires_grad=True)
    weights = torch.tensor([[[1.0], [0.5], [1.0]]], requires_grad=True)
    loss = weighted_td_loss(q, y, weights, torch.tensor([[1.0, 1.0, 0.0]]))
    assert loss.tolist() == [3.0]
    of_q, of_y, of_w = torch.autograd.grad(loss.sum(), [q, y, weights], allow_unused=True)
    assert of_q.flatten().tolist() == [-2.0, 1.0, 0.0]
    assert of_y is None
    assert of_w is None


def test_equal_weights_make_the_plain_loss() -> None:
    q, y, mask = torch.rand(2, 5, 3), torch.rand(2, 5, 3), torch.ones(2, 5)
    weighted = weighted_td_loss(q, y, torch.ones_like(q), mask)
    torch.testing.assert_close(weighted, td_loss(q, y, mask))


def test_parameter_count_of_the_central_mixer() -> None:
    """5m_vs_6m: a state of 98 and 5 utilities."""
    network = (98 + 5) * 256 + 256 + 2 * (256 * 256 + 256) + 256 + 1
    value = 98 * 256 + 256 + 256 + 1
    specs = central_mixer(Sizes(5, 12, 55, 98, 4)).specs
    assert sum(int(np.prod(spec.shape)) for spec in specs) == network + value == 184_066


def test_central_mixer_is_the_plain_one() -> None:
    """In float64, row by row; gradients of the utilities as well."""
    mixer: Mixer = central_mixer(SMALL, central_embedding=9)
    parameters = Parameters(mixer.specs, 2)
    parameters.initialise([3, 4])
    weights = {name: w.detach().double() for name, w in parameters.weights.items()}
    state = torch.rand(2, 4, SMALL.state_size, dtype=torch.float64)
    q = torch.randn(2, 4, SMALL.n_agents, dtype=torch.float64, requires_grad=True)
    actions = torch.zeros(2, 4, SMALL.n_agents, dtype=torch.int64)
    found = mixer.mix(weights, MixerInputs(q, state, actions)).q
    assert found.shape == (2, 4, 1)
    (gradient,) = torch.autograd.grad(found.sum(), [q])
    assert (gradient < 0).any()  # unlike QMIX's

    for member in range(2):

        def layer(x: torch.Tensor, name: str, member: int = member) -> torch.Tensor:
            weight, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
            return functional.linear(x, weight[member], bias[member])

        for row in range(4):
            one = q[member, row].detach().clone().requires_grad_()
            s = state[member, row]
            x = torch.cat([s, one])
            for name in ("first", "second", "third"):
                x = layer(x, name).relu()
            v = layer(layer(s, "value_first").relu(), "value_last")
            expected = layer(x, "last") + v
            torch.testing.assert_close(found[member, row], expected)
            (of_one,) = torch.autograd.grad(expected.sum(), [one])
            torch.testing.assert_close(gradient[member, row], of_one)
