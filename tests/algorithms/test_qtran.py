"""QTRAN-base: losses by hand, the joint network against plain layers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from episodes import SMALL
from torch import Tensor, nn

from suite.algorithms import Parameters, Sizes, arm_settings
from suite.algorithms.losses.qtran import non_optimal_loss, optimal_loss, qtran_loss
from suite.algorithms.losses.td import td_target
from suite.algorithms.qtran.encoder import summed_codes, summed_codes_in_torch
from suite.algorithms.qtran.joint import QtranJoint
from suite.algorithms.qtran.settings import QtranSettings

WEIGHTS = {"optimal_weight": 1.0, "non_optimal_weight": 0.1}


def joint_of(sizes: Sizes, **settings: int) -> QtranJoint:
    chosen = arm_settings("ctde", "qtran", **settings)
    assert isinstance(chosen, QtranSettings)
    return QtranJoint(chosen, sizes)


def column(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float32).view(1, -1, 1).requires_grad_()


def test_optimal_loss_by_hand() -> None:
    """((1 + 2 - 5)² + (4 + 0 - 1)²) / 2 = 6.5; the third row does not count."""
    q_sum, q_joint, v = column(1, 4, 9), column(5, 1, 0), column(2, 0, 9)
    loss = optimal_loss(q_sum, q_joint, v, torch.tensor([[1.0, 1.0, 0.0]]))
    assert loss.tolist() == [6.5]
    (gradient, of_v, of_joint) = torch.autograd.grad(
        loss.sum(), [q_sum, v, q_joint], allow_unused=True
    )
    assert gradient.flatten().tolist() == [-2.0, 3.0, 0.0]
    assert of_v.flatten().tolist() == [-2.0, 3.0, 0.0]
    assert of_joint is None


def test_non_optimal_loss_by_hand() -> None:
    """min(0, 1 + 2 - 5)² = 4 and min(0, 4 + 0 - 1)² = 0: only values that are too low count."""
    q_sum, q_joint, v = column(1, 4), column(5, 1), column(2, 0)
    loss = non_optimal_loss(q_sum, q_joint, v, torch.ones(1, 2))
    assert loss.tolist() == [2.0]
    (gradient, of_v, of_joint) = torch.autograd.grad(
        loss.sum(), [q_sum, v, q_joint], allow_unused=True
    )
    assert gradient.flatten().tolist() == [-2.0, 0.0]
    assert of_v.flatten().tolist() == [-2.0, 0.0]
    assert of_joint is None


def test_qtran_loss_weighs_its_parts() -> None:
    """L_td = (5 - 7)² = 4, L_opt = (3 + 1 - 2)² = 4, L_nopt = (1 + 1 - 5)² = 9: 4 + 4 + 0.9."""
    q_joint, greedy = column(5), column(2)
    v, taken, best = column(1), column(1), column(3)
    y = td_target(torch.tensor([[1.0]]), torch.tensor([[False]]), column(12), 0.5)
    parts = qtran_loss(
        q_joint_taken=q_joint,
        q_joint_greedy=greedy,
        v=v,
        q_sum_taken=taken,
        q_sum_greedy=best,
        target=y,
        mask=torch.ones(1, 1),
        **WEIGHTS,
    )
    assert [float(x.detach()) for x in parts] == [pytest.approx(8.9), 4.0, 4.0, 9.0]
    of_joint, of_greedy, of_v, of_taken, of_best = torch.autograd.grad(
        parts.total.sum(), [q_joint, greedy, v, taken, best], allow_unused=True
    )
    assert of_joint.item() == -4.0  # from L_td alone
    assert of_greedy is None
    assert of_v.item() == pytest.approx(4 - 0.6)
    assert (of_taken.item(), of_best.item()) == (pytest.approx(-0.6), 4.0)


def test_members_have_losses_of_their_own() -> None:
    g = torch.Generator().manual_seed(0)
    names = ("q_joint_taken", "q_joint_greedy", "v", "q_sum_taken", "q_sum_greedy", "target")
    given = {name: torch.randn(2, 4, 1, generator=g) for name in names}
    mask = torch.tensor([[1.0, 1.0, 1.0, 0.0], [0.0, 1.0, 1.0, 0.0]])
    together = qtran_loss(**given, mask=mask, **WEIGHTS)
    for p in range(2):
        one = {name: values[p : p + 1] for name, values in given.items()}
        for both, alone in zip(
            together, qtran_loss(**one, mask=mask[p : p + 1], **WEIGHTS), strict=True
        ):
            assert both[p] == alone[0]


# Sizes of 5m_vs_6m: 12 actions, a state of 98; D = 64 + 12.
ENCODER = 2 * (76 * 76 + 76)
JOINT = (98 + 76) * 64 + 64 + 64 * 64 + 64 + 64 + 1
VALUE = 98 * 64 + 64 + 64 * 64 + 64 + 64 + 1


def test_parameter_count() -> None:
    specs = joint_of(Sizes(5, 12, 55, 98, 4)).specs
    assert sum(int(np.prod(spec.shape)) for spec in specs) == ENCODER + JOINT + VALUE == 37_690


def plain_layers(weights: dict[str, Tensor], names: list[str], member: int) -> nn.Sequential:
    """nn.Linear layers of one member with ReLU between them."""
    layers: list[nn.Module] = []
    for name in names:
        weight = weights[f"{name}.weight"][member]
        if f"{name}.actions" in weights:  # the columns that meet the one-hot action
            weight = torch.cat([weight, weights[f"{name}.actions"][member].T], dim=1)
        layer = nn.Linear(weight.shape[1], weight.shape[0], dtype=weight.dtype)
        layer.weight.data.copy_(weight)
        layer.bias.data.copy_(weights[f"{name}.bias"][member])
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def test_joint_network_is_the_plain_one() -> None:
    """Each agent through the whole encoder, the sum after it, in float64; gradients as well."""
    p, m, hidden_size = 2, 4, 5
    joint = joint_of(SMALL, hidden_size=hidden_size, joint_embedding=7)
    parameters = Parameters(joint.specs, p)
    parameters.initialise([3, 4])
    weights = {k: w.detach().double().requires_grad_() for k, w in parameters.weights.items()}
    g = torch.Generator().manual_seed(0)
    state = torch.rand(p, m, SMALL.state_size, dtype=torch.float64, generator=g)
    hidden = torch.randn(p, m, SMALL.n_agents, hidden_size, dtype=torch.float64, generator=g)
    actions = torch.randint(SMALL.n_actions, (p, m, SMALL.n_agents), generator=g)
    hidden.requires_grad_()
    q, v = joint.q(weights, state, joint.read(weights, hidden), actions), joint.v(weights, state)
    assert q.shape == v.shape == (p, m, 1)
    (q.square().sum() + v.square().sum()).backward()

    plain_hidden = hidden.detach().clone().requires_grad_()
    for member in range(p):
        encoder_names = ["encoder_first", "encoder_last"]
        encoder = plain_layers(weights, encoder_names, member)
        head_names = {
            head: [f"{head}_{layer}" for layer in ("first", "second", "last")]
            for head in ("joint", "value")
        }
        heads = {head: plain_layers(weights, names, member) for head, names in head_names.items()}
        total = torch.zeros((), dtype=torch.float64)
        for row in range(m):
            codes = []
            for n in range(SMALL.n_agents):
                one_hot = torch.zeros(SMALL.n_actions, dtype=torch.float64)
                one_hot[actions[member, row, n]] = 1
                codes.append(encoder(torch.cat([plain_hidden[member, row, n], one_hot])))
            s = state[member, row]
            expected = heads["joint"](torch.cat([s, sum(codes)]))
            torch.testing.assert_close(q[member, row], expected)
            torch.testing.assert_close(v[member, row], heads["value"](s))
            total = total + expected.square().sum() + heads["value"](s).square().sum()
        total.backward()
        for net, names in (
            (encoder, encoder_names),
            (heads["joint"], head_names["joint"]),
            (heads["value"], head_names["value"]),
        ):
            for name, layer in zip(names, net[::2], strict=True):
                of_weight = weights[f"{name}.weight"].grad[member]
                if f"{name}.actions" in weights:
                    of_actions = weights[f"{name}.actions"].grad[member]
                    of_weight = torch.cat([of_weight, of_actions.T], dim=1)
                torch.testing.assert_close(of_weight, layer.weight.grad)
                of_bias = weights[f"{name}.bias"].grad[member]
                torch.testing.assert_close(of_bias, layer.bias.grad)
    assert hidden.grad is not None
    assert plain_hidden.grad is not None
    torch.testing.assert_close(hidden.grad, plain_hidden.grad)


def test_float32_agrees_with_float64() -> None:
    """Compiled loops (float32) and tensor operations (float64) on the same weights."""
    joint = joint_of(SMALL, hidden_size=8)
    parameters = Parameters(joint.specs, 2)
    parameters.initialise([1, 2])
    weights = {name: w.detach() for name, w in parameters.weights.items()}
    doubles = {name: w.double() for name, w in weights.items()}
    state, hidden = torch.rand(2, 6, SMALL.state_size), torch.randn(2, 6, SMALL.n_agents, 8)
    actions = torch.randint(SMALL.n_actions, (2, 6, SMALL.n_agents))
    found = joint.q(weights, state, joint.read(weights, hidden), actions)
    read = joint.read(doubles, hidden.double())
    expected = joint.q(doubles, state.double(), read, actions)
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("n_transitions", [1, 300])
def test_compiled_encoder_follows_torch(n_transitions: int) -> None:
    """Rows beyond those with actions get a gradient of 0."""
    g = torch.Generator().manual_seed(0)
    read = torch.randn(2, n_transitions + 2, 3, 7, generator=g, requires_grad=True)
    table = torch.randn(2, 5, 7, generator=g, requires_grad=True)
    actions = torch.randint(5, (2, n_transitions, 3), generator=g)
    weight = torch.randn(2, n_transitions, 7, generator=g)
    found, expected = (f(read, table, actions) for f in (summed_codes, summed_codes_in_torch))
    torch.testing.assert_close(found, expected)
    gradients = [
        torch.autograd.grad((out * weight).sum(), [read, table]) for out in (found, expected)
    ]
    for ours, plain in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-5, atol=1e-5)
