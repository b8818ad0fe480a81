"""Advantages, losses, value normalisation and the policy's distribution, by hand or by loops."""

from __future__ import annotations

import numpy as np
import plain_mappo
import pytest
import torch
from played import played
from torch.distributions import Categorical

from suite.algorithms.mappo.advantages import generalised_advantages, normalised
from suite.algorithms.mappo.distribution import (
    judge,
    log_probabilities,
    log_probabilities_in_torch,
    sample,
)
from suite.algorithms.mappo.losses import (
    approximate_kl,
    clipped_value_loss,
    huber,
    is_clipped,
    mean_over,
    shares,
    surrogate,
)
from suite.algorithms.mappo.value_norm import ValueNormaliser
from suite.algorithms.rows import pack_lengths


def by_hand(is_terminated: bool) -> list[float]:
    """One agent, γ = 0.5, λ = 0.5; rewards 1, 2; values 4, 8, and 16 of the last observation."""
    rows = pack_lengths(torch.tensor([[2]]), 2, torch.device("cpu"))
    found = generalised_advantages(
        torch.tensor([[1.0, 2.0]]),
        torch.tensor([[False, is_terminated]]),
        torch.tensor([[True, True]]),
        torch.tensor([4.0, 8.0, 16.0]).view(1, 3, 1),
        rows,
        0.5,
        0.5,
    )
    return found.flatten().tolist()


def test_an_end_of_the_task_has_no_value_after_it() -> None:
    # δ_1 = 2 - 8 = -6; δ_0 = 1 + 4 - 4 = 1; A_0 = 1 + 0.25 · -6
    assert by_hand(True) == [-0.5, -6.0]


def test_a_time_limit_bootstraps() -> None:
    # δ_1 = 2 + 8 - 8 = 2; A_0 = 1 + 0.25 · 2
    assert by_hand(False) == [1.5, 2.0]


def test_advantages_of_packed_episodes_are_those_of_loops() -> None:
    rows, batch, _ = played(seed=3)
    values = torch.randn(2, rows.n_rows, 3, generator=torch.Generator().manual_seed(0)) * 5
    mask = rows.of_transitions(batch.filled)
    found = generalised_advantages(
        rows.of_transitions(batch.reward),
        rows.of_transitions(batch.terminated),
        mask,
        values,
        rows,
        0.9,
        0.8,
    )
    assert not found[~mask].any()
    p, b, t = batch.filled.shape
    padded = torch.zeros(p * b * (t + 1), 3)
    padded[rows.observation_index] = values.flatten(0, 1)
    padded = padded.view(p, b, t + 1, 3)
    expected = torch.zeros(p, b, t, 3)
    for m in range(p):
        for k in range(b):
            n = int(batch.filled[m, k].sum())
            expected[m, k, :n] = plain_mappo.gae(
                batch.reward[m, k, :n],
                bool(batch.terminated[m, k, :n].any()),
                padded[m, k, : n + 1],
                0.9,
                0.8,
            )
    assert batch.terminated.any(dim=2).any()
    assert not batch.terminated.any(dim=2).all()
    torch.testing.assert_close(found, rows.of_transitions(expected) * mask.unsqueeze(2))


def test_advantages_are_normalised_over_what_counts() -> None:
    g = torch.Generator().manual_seed(1)
    advantages = torch.randn(2, 7, 3, generator=g) * 4 + 2
    counts = (torch.rand(2, 7, 3, generator=g) < 0.6).float()
    found = normalised(advantages, counts)
    for m in range(2):
        values = advantages[m].numpy().copy()
        values[counts[m].numpy() == 0] = np.nan
        expected = (advantages[m].numpy() - np.nanmean(values)) / (np.nanstd(values) + 1e-5)
        np.testing.assert_allclose(found[m].numpy(), expected, rtol=1e-4, atol=1e-5)


def test_nothing_that_counts_leaves_finite_advantages() -> None:
    assert normalised(torch.ones(1, 2, 2), torch.zeros(1, 2, 2)).isfinite().all()


def test_surrogate_stops_where_it_would_gain_too_much() -> None:
    ratio = torch.tensor([1.5, 1.5, 0.5, 0.5, 1.1], dtype=torch.float64)
    log_ratio = ratio.log().requires_grad_()
    advantages = torch.tensor([2.0, -2.0, 2.0, -2.0, 2.0], dtype=torch.float64)
    loss = surrogate(log_ratio.exp(), advantages, 0.2)
    # min(3, 2.4), min(-3, -2.4), min(1, 1.6), min(-1, -1.6), min(2.2, 2.2)
    np.testing.assert_allclose(loss.detach(), [-2.4, 3.0, -1.0, 1.6, -2.2])
    (gradient,) = torch.autograd.grad(loss.sum(), log_ratio)
    np.testing.assert_allclose(gradient, [0, 3.0, -1.0, 0, -2.2])
    assert is_clipped(ratio, 0.2).tolist() == [1, 1, 1, 1, 0]


def test_huber_by_hand() -> None:
    error = torch.tensor([0.0, 1.0, -2.0, 4.0, -4.0], dtype=torch.float64, requires_grad=True)
    loss = huber(error, 2.0)
    assert loss.tolist() == [0.0, 0.5, 2.0, 6.0, 6.0]
    (gradient,) = torch.autograd.grad(loss.sum(), error)
    assert gradient.tolist() == [0.0, 1.0, -2.0, 2.0, -2.0]


def test_clipped_value_loss_by_hand() -> None:
    values = torch.tensor([1.0, 1.0, 0.1], dtype=torch.float64, requires_grad=True)
    old = torch.zeros(3, dtype=torch.float64)
    targets = torch.tensor([2.0, 0.0, 2.0], dtype=torch.float64)
    loss = clipped_value_loss(values, old, targets, 0.2, 10.0)
    # Errors (1, 1.8), (-1, -0.2), (1.9, 1.9): the larger halves of squares.
    np.testing.assert_allclose(loss.detach(), [1.62, 0.5, 1.805])
    (gradient,) = torch.autograd.grad(loss.sum(), values)
    # Past its clip a value is not drawn any nearer to a target that lies further on.
    np.testing.assert_allclose(gradient, [0.0, 1.0, -1.9])


def test_means_over_what_counts() -> None:
    values = torch.tensor([[[1.0, 2.0], [3.0, 40.0]], [[5.0, 6.0], [7.0, 8.0]]])
    counts = torch.tensor([[[1.0, 1.0], [1.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]])
    assert shares(counts)[0].tolist() == [[pytest.approx(1 / 3)] * 2, [pytest.approx(1 / 3), 0]]
    assert mean_over(values, shares(counts)).tolist() == [2.0, 0.0]


def test_approximate_kl_is_the_kl_in_the_mean() -> None:
    old, new = torch.tensor([0.2, 0.3, 0.5]), torch.tensor([0.4, 0.4, 0.2])
    found = (old * approximate_kl(new / old, new.log() - old.log())).sum()
    assert float(found) == pytest.approx(float((old * (old / new).log()).sum()))


def test_value_normaliser_by_hand() -> None:
    normaliser = ValueNormaliser(2, 0.9)
    mean, deviation = normaliser.moments()
    assert mean.tolist() == [0, 0]
    assert deviation.tolist() == pytest.approx([0.1, 0.1])  # variance at its floor
    normaliser.update(torch.tensor([4.0, 1.0]), torch.tensor([20.0, 1.0]))
    mean, deviation = normaliser.moments()  # the first batch counts in full
    assert mean.tolist() == pytest.approx([4, 1])
    assert deviation.tolist() == pytest.approx([2, 0.1])
    normaliser.update(torch.tensor([0.0, 1.0]), torch.tensor([1.0, 2.0]))
    mean, deviation = normaliser.moments()  # weights 0.09 and 0.1, over 0.19
    first = 0.36 / 0.19
    assert mean.tolist() == pytest.approx([first, 1])
    square = np.array([0.9 * 2 + 0.1, 0.9 * 0.1 + 0.2]) / 0.19
    assert deviation.tolist() == pytest.approx(list((square - mean.numpy() ** 2) ** 0.5))
    returns = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    critic = normaliser.normalise(returns)
    assert float(critic[0, 1]) == pytest.approx((2 - first) / float(deviation[0]))
    torch.testing.assert_close(normaliser.denormalise(critic), returns)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_policy_is_torchs_categorical_without_the_unavailable(dtype: torch.dtype) -> None:
    """float32 runs compiled loops, float64 the tensor operations that other devices use."""
    g = torch.Generator().manual_seed(2)
    logits = (torch.randn(2, 5, 3, 7, generator=g, dtype=dtype) * 3).requires_grad_()
    available = torch.rand(logits.shape, generator=g) < 0.6
    available[..., 0] = True
    plain = Categorical(logits=logits.masked_fill(~available, -1e10))
    actions = plain.sample()
    ours = judge(logits, ~available, actions)
    theirs = (plain.log_prob(actions), plain.entropy())
    upstream = torch.randn(2, *actions.shape, generator=g, dtype=dtype)
    gradients = [
        torch.autograd.grad(pair, logits, list(upstream), retain_graph=True)[0]
        for pair in (ours, theirs)
    ]
    for left, right in zip((*ours, gradients[0]), (*theirs, gradients[1]), strict=True):
        torch.testing.assert_close(left, right, rtol=1e-5, atol=1e-6)
    assert not gradients[0][~available].any()


def test_no_available_action_leaves_everything_finite() -> None:
    logits = torch.randn(1, 1, 1, 4).requires_grad_()
    found = judge(logits, torch.ones(1, 1, 1, 4, dtype=torch.bool), torch.zeros(1, 1, 1).long())
    (gradient,) = torch.autograd.grad(sum(value.sum() for value in found), logits)
    assert all(bool(value.isfinite().all()) for value in (*found, gradient))


def test_samples_have_the_policys_frequencies() -> None:
    p = torch.tensor([0.5, 0.3, 0.2, 0.0])
    log_p = p.log().clamp_min(-1e10).expand(20_000, 4)
    drawn = sample(log_p, torch.rand(20_000, 4, generator=torch.Generator().manual_seed(0)))
    found = torch.bincount(drawn, minlength=4) / 20_000
    torch.testing.assert_close(found, p, rtol=0, atol=0.015)
    assert found[3] == 0
    # A draw of exactly 0 is possible and must not choose what is unavailable.
    assert sample(log_p[:1], torch.tensor([[0.0, 0.0, 0.0, 0.99]])) != 3


def test_log_probabilities_compiled_and_in_torch() -> None:
    """Also of a row in which nothing is available, as of slots that have ended."""
    torch.manual_seed(0)
    logits, is_unavailable = 5 * torch.randn(2, 4, 3, 7), torch.rand(2, 4, 3, 7) < 0.4
    is_unavailable[0, 0, 0] = True
    found = log_probabilities(logits, is_unavailable)
    expected = log_probabilities_in_torch(logits.double(), is_unavailable)
    torch.testing.assert_close(found.double(), expected, rtol=1e-6, atol=1e-6)
