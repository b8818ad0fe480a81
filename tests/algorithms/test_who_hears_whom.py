"""Attention in which not everybody is heard: the dead, and those who are attended to least."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from suite.algorithms.layers import attention_numba
from suite.algorithms.layers.attention import (
    advise,
    advise_by_most_attended,
    advise_in_torch,
    advise_with_values,
    by_most_attended_in_torch,
    own_values,
    who_hears_whom,
)

N_AGENTS, N_HEADS, HEAD = 4, 2, 3
ADVICE = N_HEADS * HEAD


def inputs(dtype: torch.dtype = torch.float32, n_rows: int = 6) -> tuple[Tensor, Tensor, Tensor]:
    """x, weight of two members, and the living: in the first row all, in the second nobody."""
    g = torch.Generator().manual_seed(0)
    x = torch.randn(2, n_rows * N_AGENTS, 5, generator=g, dtype=dtype)
    weight = torch.randn(2, 3 * ADVICE, 5, generator=g, dtype=dtype)
    living = torch.rand(2, n_rows, N_AGENTS, generator=g) < 0.6
    living[:, 0], living[:, 1] = True, False
    return x, weight, living


def plain(x: Tensor, weight: Tensor, living: Tensor, n_advisers: int | None = None) -> Tensor:
    """Advice (N, E) of one row, one agent after another: attention is set to 0, the row divided."""
    keys, queries, values = (x @ block.T for block in weight.chunk(3))
    heads = zip(queries.split(HEAD, 1), keys.split(HEAD, 1), strict=True)
    scores = torch.stack([q @ k.T / HEAD**0.5 for q, k in heads])
    shares = torch.zeros_like(scores)
    for n in range(N_AGENTS):
        heard = [j for j in range(N_AGENTS) if j == n or bool(living[n] & living[j])]
        shares[:, n, heard] = torch.softmax(scores[:, n, heard], dim=1)
        if n_advisers is not None:
            others = sorted(
                (j for j in heard if j != n), key=lambda j: -float(shares[:, n, j].sum())
            )
            for j in others[n_advisers:]:
                shares[:, n, j] = 0
            shares[:, n] = shares[:, n] / shares[:, n].sum(dim=1, keepdim=True)
    parts = [c @ v for c, v in zip(shares, values.split(HEAD, 1), strict=True)]
    return torch.cat(parts, dim=1)


def plainly(x: Tensor, weight: Tensor, living: Tensor, n_advisers: int | None = None) -> Tensor:
    members = [
        [plain(row, w, alive, n_advisers) for row, alive in zip(rows, lives, strict=True)]
        for rows, w, lives in zip(x.unflatten(1, (-1, N_AGENTS)), weight, living, strict=True)
    ]
    return torch.stack([torch.cat(rows) for rows in members])


def test_the_living_hear_each_other_and_everybody_itself() -> None:
    heard = who_hears_whom(torch.tensor([True, False, True]))
    assert heard.tolist() == [[True, False, True], [False, True, False], [True, False, True]]


@pytest.mark.parametrize("function", [advise, advise_in_torch])
def test_masked_attention(function) -> None:  # type: ignore[no-untyped-def]
    x, weight, living = inputs()
    advice, paid = function(x, weight, N_AGENTS, N_HEADS, who_hears_whom(living))
    torch.testing.assert_close(advice, plainly(x, weight, living), rtol=1e-5, atol=1e-5)
    dead = ~living.unsqueeze(2).expand_as(paid)
    assert (paid[dead] == 1).all()
    assert (paid[~dead][: N_HEADS * N_AGENTS] < 1).all()


@pytest.mark.parametrize("function", [advise, advise_in_torch])
def test_a_mask_of_nobody_is_no_mask(function) -> None:  # type: ignore[no-untyped-def]
    x, weight, living = inputs()
    everybody = who_hears_whom(torch.ones_like(living))
    masked = function(x, weight, N_AGENTS, N_HEADS, everybody)
    for left, right in zip(masked, function(x, weight, N_AGENTS, N_HEADS), strict=True):
        torch.testing.assert_close(left, right, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("chunk_values", [100, 10**6])
def test_compiled_gradients_are_those_of_double_precision(
    chunk_values: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("suite.algorithms.layers.attention._CHUNK_VALUES", chunk_values)
    found = []
    for dtype in (torch.float32, torch.float64):
        x, weight, living = inputs()
        x, weight = (t.to(dtype).requires_grad_() for t in (x, weight))
        hears = who_hears_whom(living)
        advice, paid = advise(x, weight, N_AGENTS, N_HEADS, hears)
        slope = torch.linspace(-1, 1, ADVICE, dtype=dtype)
        (advice * slope).sum().sub((paid + 1e-8).log().sum()).backward()
        found.append((advice, paid, x.grad, weight.grad))
    for single, double in zip(*found, strict=True):
        torch.testing.assert_close(single.double(), double, rtol=1e-5, atol=1e-5)


def test_gradients_in_double_precision_numerically() -> None:
    x, weight, living = inputs(torch.float64, n_rows=3)
    hears = who_hears_whom(living)
    arguments = (x.requires_grad_(), weight.requires_grad_())
    assert torch.autograd.gradcheck(
        lambda a, b: advise_in_torch(a, b, N_AGENTS, N_HEADS, hears), arguments
    )


def test_nobody_who_is_not_heard_gets_a_gradient() -> None:
    """Nor does a dead agent's own attention: only its value is learnt from."""
    x, weight, living = inputs()
    x.requires_grad_()
    advice, paid = advise(x, weight, N_AGENTS, N_HEADS, who_hears_whom(living))
    is_living = living.flatten(1).unsqueeze(2)
    ((advice * is_living).sum() + paid.log().sum()).backward()
    assert x.grad is not None
    assert (x.grad[~is_living.expand_as(x)] == 0).all()
    assert (x.grad[is_living.expand_as(x)] != 0).any()


def test_values_come_with_the_advice() -> None:
    x, weight, living = inputs()
    for hears in (None, who_hears_whom(living)):
        for dtype in (torch.float32, torch.float64):
            given = (x.to(dtype), weight.to(dtype).requires_grad_())
            values = advise_with_values(*given, N_AGENTS, N_HEADS, hears)[2]
            assert values is not None
            assert not values.requires_grad
            torch.testing.assert_close(values, own_values(*given).detach())
        with torch.no_grad():
            assert advise_with_values(x, weight, N_AGENTS, N_HEADS, hears)[2] is None


@pytest.mark.parametrize("function", [advise_by_most_attended, by_most_attended_in_torch])
@pytest.mark.parametrize("n_advisers", [1, 2])
@pytest.mark.parametrize("masks_dead", [False, True])
def test_most_attended(function, n_advisers: int, masks_dead: bool) -> None:  # type: ignore[no-untyped-def]
    x, weight, living = inputs()
    hears = who_hears_whom(living) if masks_dead else None
    lives = living if masks_dead else torch.ones_like(living)
    found = function(x, weight, N_AGENTS, N_HEADS, n_advisers, hears)
    expected = plainly(x, weight, lives, n_advisers)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    full = advise(x, weight, N_AGENTS, N_HEADS, hears)[0]
    assert not torch.allclose(found, full, atol=1e-2)


@pytest.mark.parametrize("function", [advise_by_most_attended, by_most_attended_in_torch])
@pytest.mark.parametrize("masks_dead", [False, True])
def test_the_ends_of_the_way(function, masks_dead: bool) -> None:  # type: ignore[no-untyped-def]
    x, weight, living = inputs()
    hears = who_hears_whom(living) if masks_dead else None
    full = advise(x, weight, N_AGENTS, N_HEADS, hears)[0]
    for n_advisers in (N_AGENTS - 1, N_AGENTS):
        found = function(x, weight, N_AGENTS, N_HEADS, n_advisers, hears)
        torch.testing.assert_close(found, full, rtol=1e-5, atol=1e-6)
    alone = function(x, weight, N_AGENTS, N_HEADS, 0, hears)
    torch.testing.assert_close(alone, own_values(x, weight), rtol=1e-6, atol=1e-6)


def test_of_equals_the_first_is_chosen_and_strangers_never() -> None:
    """Heads count together: agent 0 of the second row gives one head all and the other little."""
    weights = np.zeros((2, 2, 3, 3), np.float32)
    weights[0] = 1 / 3
    weights[1, :, :, 0] = 1
    weights[1, 0, 0] = [0.1, 0.0, 0.9]
    weights[1, 1, 0] = [0.0, 0.8, 0.2]
    hears = np.zeros((2, 3, 3), np.bool_)
    attention_numba.most_attended(weights, 1, hears)
    assert hears[0].tolist() == [[True, True, False], [True, True, False], [True, False, True]]
    assert hears[1].tolist() == [[True, False, True], [True, True, False], [True, False, True]]
    attention_numba.most_attended(weights, 2, hears)
    assert hears[0].all()
    assert hears[1].tolist() == [[True, True, True], [True, True, False], [True, False, True]]


def test_an_agent_far_from_itself_still_has_a_finite_row() -> None:
    """What is left is scaled before it can round to 0."""
    weight = torch.zeros(1, 6, 2)
    weight[0, :2], weight[0, 2:4] = torch.eye(2) * 30, torch.eye(2).flip(0) * 30
    x = torch.tensor([[[1.0, 0], [0, 1], [0, 1]]])
    for function in (advise_by_most_attended, by_most_attended_in_torch):
        assert function(x, weight, 3, 1, 0).isfinite().all()
