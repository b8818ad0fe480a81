"""Compiled loops against tensor operations, and both against torch's own modules."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from suite.algorithms.layers.arithmetic_numba import exp32, sigmoid32, tanh32
from suite.algorithms.layers.attention import advise, advise_in_torch
from suite.algorithms.layers.dense import linear, linear_relu
from suite.algorithms.layers.gru import gru_next, gru_sequence
from suite.algorithms.parameters import Parameters
from suite.algorithms.rows import Rows, pack_lengths
from suite.algorithms.specs import linear_specs
from suite.errors import InputError

N_AGENTS = 2
FULL = [[3, 3, 3]]
RAGGED = [[1, 4, 2], [4, 1, 1]]


def rows_of(lengths: list[list[int]]) -> Rows:
    return pack_lengths(torch.tensor(lengths), 5, torch.device("cpu"))


@pytest.mark.parametrize("x", [-200.0, -20.0, -1.0, -1e-3, 0.0, 1e-6, 0.3, 5.0, 80.0])
def test_elementary_functions(x: float) -> None:
    import numpy as np
    from numba import njit

    both = njit(lambda v: (exp32(v), sigmoid32(v), tanh32(v)))
    e, s, t = both(np.float32(x))
    exact = torch.tensor(max(x, -87.0), dtype=torch.float64)
    assert e == pytest.approx(float(exact.exp()), rel=3e-7)
    assert s == pytest.approx(float(exact.sigmoid()), rel=3e-7, abs=1e-37)
    assert t == pytest.approx(float(exact.tanh()), abs=2e-7)


@pytest.mark.parametrize("lengths", [FULL, RAGGED])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gru_is_grucell_over_each_episode(lengths: list[list[int]], dtype: torch.dtype) -> None:
    """float32 runs compiled loops, float64 the tensor operations that other devices use."""
    torch.manual_seed(0)
    rows, p = rows_of(lengths), len(lengths)
    cells = [nn.GRUCell(5, 64, dtype=dtype) for _ in range(p)]
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    stacked = [torch.stack([getattr(c, n).detach() for c in cells]) for n in names]
    parameters = [w.requires_grad_() for w in stacked]
    x = torch.randn(p, rows.n_rows * N_AGENTS, 5, dtype=dtype, requires_grad=True)
    found = gru_sequence(x, *parameters, rows, N_AGENTS)
    upstream = torch.randn_like(found)
    found.backward(upstream)

    x_plain = x.detach().clone().requires_grad_()
    for member, cell in enumerate(cells):
        hidden: dict[int, torch.Tensor] = {}
        for t, (start, n) in enumerate(zip(rows.starts, rows.n_at, strict=True)):
            for rank in range(n):
                at = slice((start + rank) * N_AGENTS, (start + rank + 1) * N_AGENTS)
                before = hidden[rank] if t else x.new_zeros(N_AGENTS, 64)
                hidden[rank] = cell(x_plain[member, at], before)
                torch.testing.assert_close(found[member, at], hidden[rank])
                hidden[rank].backward(upstream[member, at], retain_graph=True)
        tolerance = {"rtol": 1e-4, "atol": 1e-4} if dtype == torch.float32 else {}
        for name, parameter in zip(names, parameters, strict=True):
            assert parameter.grad is not None
            expected = getattr(cell, name).grad
            torch.testing.assert_close(parameter.grad[member], expected, **tolerance)
    assert x.grad is not None
    assert x_plain.grad is not None
    torch.testing.assert_close(x.grad, x_plain.grad, **tolerance)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_one_step_of_a_gru_is_the_sequence_s(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    p, n, size = 2, 3, 4
    x, before = torch.randn(p, n, 5, dtype=dtype), torch.randn(p, n, size, dtype=dtype)
    shapes = [(p, 3 * size, 5), (p, 3 * size, size), (p, 3 * size), (p, 3 * size)]
    parameters = [torch.randn(shape, dtype=dtype) for shape in shapes]
    one_row = Rows(p, (n,), (0,), *[torch.empty(0, dtype=torch.int64)] * 4)
    with torch.no_grad():
        expected = gru_sequence(x, *parameters, one_row, 1, before)
        found = gru_next(x, *parameters, before)
    assert torch.equal(found, expected)


def test_gru_gradients_numerically() -> None:
    torch.manual_seed(1)
    rows = rows_of(RAGGED)
    x = torch.randn(2, rows.n_rows, 2, dtype=torch.float64, requires_grad=True)
    shapes = ((9, 2), (9, 3), (9,), (9,))
    parameters = [torch.randn(2, *s, dtype=torch.float64, requires_grad=True) for s in shapes]
    assert torch.autograd.gradcheck(lambda *a: gru_sequence(*a, rows, 1), (x, *parameters))


@pytest.mark.parametrize(("n_agents", "n_heads", "head_size"), [(3, 4, 32), (5, 2, 8), (1, 1, 3)])
@pytest.mark.parametrize("has_pruning", [False, True])
@pytest.mark.parametrize("chunk_values", [200, 10**6])
def test_compiled_attention(
    n_agents: int,
    n_heads: int,
    head_size: int,
    has_pruning: bool,
    chunk_values: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("suite.algorithms.layers.attention._CHUNK_VALUES", chunk_values)
    torch.manual_seed(2)
    inputs = torch.randn(2, 7 * n_agents, 6), torch.randn(2, 3 * n_heads * head_size, 6) * 0.4
    results = []
    for function in (advise, advise_in_torch):
        x, weight = (tensor.clone().requires_grad_() for tensor in inputs)
        advice, self_attention = function(x, weight, n_agents, n_heads)
        loss = (advice * torch.linspace(-1, 1, advice.shape[2])).sum()
        if has_pruning:
            loss = loss - (self_attention + 1e-8).log().sum()
        loss.backward()
        results.append((advice, self_attention, x.grad, weight.grad))
        with torch.no_grad():
            unseen = function(x, weight, n_agents, n_heads)
        assert torch.equal(unseen[0], advice)
        assert torch.equal(unseen[1], self_attention)
    for compiled, plain in zip(*results, strict=True):
        torch.testing.assert_close(compiled, plain, rtol=1e-4, atol=1e-4)


def test_dense_layer_of_two_inputs_is_linear_on_their_concatenation() -> None:
    torch.manual_seed(3)
    layers = [nn.Linear(7, 4) for _ in range(2)]
    weight = torch.stack([layer.weight.detach() for layer in layers]).requires_grad_()
    bias = torch.stack([layer.bias.detach() for layer in layers]).requires_grad_()
    inputs = [torch.randn(2, 300, k, requires_grad=True) for k in (5, 2)]
    out = linear_relu(weight, bias, *inputs)
    out.square().sum().backward()
    assert weight.grad is not None
    assert bias.grad is not None
    got = [t.grad.clone() for t in inputs if t.grad is not None]
    for t in inputs:
        t.grad = None
    for member, layer in enumerate(layers):
        expected = layer(torch.cat([t[member] for t in inputs], dim=1)).relu()
        torch.testing.assert_close(out[member], expected)
        expected.square().sum().backward()
        torch.testing.assert_close(weight.grad[member], layer.weight.grad, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(bias.grad[member], layer.bias.grad, rtol=1e-4, atol=1e-4)
    for mine, t in zip(got, inputs, strict=True):
        torch.testing.assert_close(mine, t.grad, rtol=1e-4, atol=1e-5)


def test_dense_layer_gradients_numerically() -> None:
    torch.manual_seed(4)
    tensors = [
        torch.randn(*shape, dtype=torch.float64, requires_grad=True)
        for shape in ((2, 4, 3), (2, 2, 3), (2, 2))
    ]
    assert torch.autograd.gradcheck(linear, tensors)
    x, weight, bias = tensors
    assert torch.autograd.gradcheck(lambda a, b, c: linear_relu(b, c, a), (x, weight, bias))


def test_two_layers_of_one_name_are_refused() -> None:
    specs = [*linear_specs("head", 3, 2), *linear_specs("head", 3, 2)]
    with pytest.raises(InputError, match=r"share their weights.*head\.bias"):
        Parameters(specs, 1)
