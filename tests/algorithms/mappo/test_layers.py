"""What MAPPO asked of the common layers: norms, starting states of a GRU, initial weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from suite.algorithms.layers.gru import gru_sequence
from suite.algorithms.layers.norm import layer_norm, norm_in_torch, relu_norm
from suite.algorithms.optimisers import Adam
from suite.algorithms.parameters import Constant, Orthogonal, Parameters, ParameterSpec
from suite.algorithms.rows import pack_lengths


@pytest.mark.parametrize("is_rectified", [True, False])
@pytest.mark.parametrize("size", [64, 5])
def test_norm_is_nn_layer_norm_per_member(is_rectified: bool, size: int) -> None:
    torch.manual_seed(0)
    x = (torch.randn(2, 300, size) * 3 + 1).requires_grad_()
    bias, gain, shift = (torch.randn(2, size, requires_grad=True) for _ in range(3))
    out = relu_norm(x, bias, gain, shift) if is_rectified else layer_norm(x, gain, shift)
    upstream = torch.randn_like(out)
    inputs = (x, bias, gain, shift) if is_rectified else (x, gain, shift)
    found = torch.autograd.grad(out, inputs, upstream)
    for member in range(2):
        module = nn.LayerNorm(size)
        with torch.no_grad():
            module.weight.copy_(gain[member])
            module.bias.copy_(shift[member])
        own = x[member].detach().requires_grad_()
        b = bias[member].detach().requires_grad_()
        expected = module((own + b).relu() if is_rectified else own)
        torch.testing.assert_close(out[member], expected, rtol=1e-4, atol=1e-5)
        expected.backward(upstream[member])
        first = [own.grad, b.grad] if is_rectified else [own.grad]
        for ours, theirs in zip(found, [*first, module.weight.grad, module.bias.grad], strict=True):
            torch.testing.assert_close(ours[member], theirs, rtol=1e-4, atol=1e-4)


def test_norm_of_a_constant_row_is_its_shift() -> None:
    shift = torch.tensor([[1.0, 2.0, 3.0]])
    out = relu_norm(-torch.ones(1, 4, 3), torch.zeros(1, 3), torch.ones(1, 3), shift)
    torch.testing.assert_close(out, shift.unsqueeze(1).expand(1, 4, 3))


def test_norm_on_other_devices_numerically() -> None:
    torch.manual_seed(1)
    shapes = ((2, 5, 4), (2, 4), (2, 4), (2, 4))
    tensors = [torch.randn(*s, dtype=torch.float64, requires_grad=True) for s in shapes]
    assert torch.autograd.gradcheck(norm_in_torch, tensors)
    found = relu_norm(*[t.float() for t in tensors])
    torch.testing.assert_close(found, norm_in_torch(*tensors).float())


def test_gru_from_given_states_numerically() -> None:
    """float64; the compiled loops see the same in `test_update`."""
    torch.manual_seed(2)
    rows = pack_lengths(torch.tensor([[1, 4, 2], [4, 1, 1]]), 5, torch.device("cpu"))
    n_first = rows.n_at[0] * 2
    x = torch.randn(2, rows.n_rows * 2, 2, dtype=torch.float64, requires_grad=True)
    initial = torch.randn(2, n_first, 3, dtype=torch.float64)
    shapes = ((9, 2), (9, 3), (9,), (9,))
    parameters = [torch.randn(2, *s, dtype=torch.float64, requires_grad=True) for s in shapes]
    assert torch.autograd.gradcheck(lambda *a: gru_sequence(*a, rows, 2, initial), (x, *parameters))
    found = gru_sequence(x, *parameters, rows, 2, initial)
    cell = nn.GRUCell(2, 3, dtype=torch.float64)
    for member in range(2):
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        own = {n: p[member] for n, p in zip(names, parameters, strict=True)}
        first = torch.func.functional_call(cell, own, (x[member, :n_first], initial[member]))
        torch.testing.assert_close(found[member, :n_first], first)


SPECS = [
    ParameterSpec("default", (40, 10), 0.5),
    ParameterSpec("wide", (10, 40), initialisation=Orthogonal(2.0)),
    ParameterSpec("tall", (40, 10), initialisation=Orthogonal(1.0)),
    ParameterSpec("ones", (7,), initialisation=Constant(1.0)),
]


def test_initialisations_from_the_members_own_generator() -> None:
    both, one = Parameters(SPECS, 2), Parameters(SPECS, 1)
    both.initialise([5, 6])
    one.initialise([6])
    for name, weight in one.member(0).items():
        assert torch.equal(both.member(1)[name], weight)
        assert name == "ones" or not torch.equal(both.member(0)[name], weight)
    w = one.member(0)
    torch.testing.assert_close(w["wide"] @ w["wide"].T, 4 * torch.eye(10), rtol=0, atol=1e-5)
    torch.testing.assert_close(w["tall"].T @ w["tall"], torch.eye(10), rtol=0, atol=1e-5)
    assert torch.equal(w["ones"], torch.ones(7))
    g = torch.Generator().manual_seed(6)
    assert torch.equal(w["default"], torch.empty(40, 10).uniform_(-0.5, 0.5, generator=g))
    expected = nn.init.orthogonal_(torch.empty(10, 40), 2.0, generator=g)
    torch.testing.assert_close(w["wide"], expected)


def test_adam_with_another_epsilon() -> None:
    g = torch.Generator().manual_seed(0)
    weights = torch.randn(1, 50, generator=g)
    plain = weights[0].clone().requires_grad_()
    theirs, ours = torch.optim.Adam([plain], lr=1e-2, eps=1e-3), Adam(weights, [1e-2], 1e-3)
    for _ in range(10):
        gradient = torch.randn(1, 50, generator=g) * 1e-3
        plain.grad = gradient[0].clone()
        theirs.step()
        ours.step(weights, gradient)
    torch.testing.assert_close(weights[0], plain.detach(), rtol=1e-6, atol=2e-7)
