"""Equations on numbers small enough to work out by hand."""

from __future__ import annotations

import math

import pytest
import torch
from episodes import SMALL, arm

from suite.algorithms.losses.pruning import pruning_loss
from suite.algorithms.losses.td import (
    available_only,
    masked_mean,
    observed,
    observed_mean,
    td_loss,
    td_target,
    transition_mask,
)
from suite.algorithms.mixers import mixers
from suite.algorithms.mixers.duplex import duplex, importance
from suite.algorithms.mixers.interface import MixerInputs


def test_td_target_bootstraps_unless_terminated() -> None:
    y = td_target(
        torch.tensor([[1.0, 2.0]]),
        torch.tensor([[False, True]]),
        torch.tensor([[[10.0], [10.0]]]),
        0.5,
    )
    assert y.tolist() == [[[6.0], [2.0]]]


def test_mask_ends_with_the_episode() -> None:
    filled = torch.tensor([True, True, True, False])
    terminated = torch.tensor([False, True, False, False])
    assert transition_mask(filled, terminated).tolist() == [True, True, False, False]


def test_td_loss_is_a_mean_over_what_counts() -> None:
    q, y = torch.tensor([[[1.0], [5.0], [2.0]]]), torch.tensor([[[0.0], [0.0], [4.0]]])
    assert td_loss(q, y, torch.tensor([[1.0, 0.0, 1.0]])).tolist() == [2.5]  # (1 + 4) / 2


def test_independent_td_loss_is_also_a_mean_over_agents() -> None:
    q, y = torch.tensor([[[1.0, 3.0]]]), torch.zeros(1, 1, 2)
    assert td_loss(q, y, torch.ones(1, 1)).tolist() == [5.0]  # (1 + 9) / 2


def test_masked_mean_of_nothing_is_zero() -> None:
    assert masked_mean(torch.ones(1, 2), torch.zeros(1, 2)).tolist() == [0.0]


def test_unavailable_actions_never_win() -> None:
    q = torch.tensor([5.0, -3.0], requires_grad=True)
    masked = available_only(q, torch.tensor([False, True]))
    assert masked.tolist() == [-9999999.0, -3.0]
    assert not masked.requires_grad


def test_regulariser_counts_last_observations_and_divides_by_the_longest_episode() -> None:
    filled = torch.tensor([[[True, False, False], [True, True, False]]])
    seen = observed(filled)
    assert seen.tolist() == [[[True, True, False], [True, True, False]]]
    values = torch.tensor([[1.0, 2.0, 9.0, 3.0, 4.0, 9.0]])
    assert observed_mean(values, filled, seen.flatten(1)).tolist() == [2.5]  # 10 / (2 · 2)


@pytest.mark.parametrize("n_agents", [2, 3, 5, 8])
def test_pruning_loss_of_uniform_attention(n_agents: int) -> None:
    """algorithms: ln(N)/N in the release's normalisation, ln N without its extra 1/N."""
    uniform = torch.full((1, 2, 4, n_agents), 1 / n_agents)
    squared = pruning_loss(uniform, "agents_squared")
    torch.testing.assert_close(squared, torch.full((1, 2), math.log(n_agents) / n_agents))
    plain = pruning_loss(uniform, "agents")
    torch.testing.assert_close(plain, torch.full((1, 2), math.log(n_agents)))


def test_pruning_loss_of_pruned_attention_is_nothing() -> None:
    assert abs(float(pruning_loss(torch.ones(1, 1, 4, 5), "agents_squared"))) < 1e-7


def test_duplex_dueling_by_hand() -> None:
    """w = (2, 1), v = (1, 0), Q = (1, 3), greedy (4, 3), λ = (3, 9): 6 + (3-1)·2·(1-4) = -6."""
    q, greedy = torch.tensor([[[1.0, 3.0]]]), torch.tensor([[[4.0, 3.0]]])
    scale, shift = torch.tensor([[[2.0, 1.0]]]), torch.tensor([[[1.0, 0.0]]])
    total = duplex(q, greedy, scale, shift, torch.tensor([[[3.0, 9.0]]]))
    assert total.tolist() == [[[-6.0]]]


def test_greedy_actions_have_no_advantage() -> None:
    q, scale, lam = torch.rand(1, 3, 2), torch.rand(1, 3, 2), torch.rand(1, 3, 2)
    total = duplex(q, q, scale, torch.zeros(1, 3, 2), lam)
    torch.testing.assert_close(total, (scale * q).sum(dim=2, keepdim=True))


def test_importance_by_hand() -> None:
    """Two kernels: |-2| σ(0) σ(0) + |4| σ(0) σ(0) = 1.5."""
    zeros = torch.zeros(1, 1, 2, 1)
    found = importance(torch.tensor([[[-2.0, 4.0]]]), zeros, zeros)
    assert found.tolist() == [[[1.5]]]


def _inputs(q: list[float]) -> MixerInputs:
    """One transition whose state is (1, 0, 0, …)."""
    state = torch.zeros(1, 1, SMALL.state_size)
    state[..., 0] = 1
    actions = torch.zeros(1, 1, SMALL.n_agents, dtype=torch.int64)
    return MixerInputs(torch.tensor([[q]]), state, actions)


def test_vdn_adds() -> None:
    mixer = mixers()["vdn"].build(arm("ctde", "vdn"), SMALL)
    assert mixer.mix({}, _inputs([1.0, 2.0, 4.0])).q.tolist() == [[[7.0]]]


def test_independent_learners_do_not_mix() -> None:
    mixer = mixers()["iql"].build(arm("ctde", "iql"), SMALL)
    assert mixer.mix({}, _inputs([1.0, 2.0, 4.0])).q.tolist() == [[[1.0, 2.0, 4.0]]]


def test_qmix_by_hand() -> None:
    """Embedding 1: W₁ = |(-1, 2, 0)|, b₁ = -9, w₂ = |-3|, V = 2·ReLU(5) + 1, on s = (1, 0, …).

    Q_tot = 3·ELU(1·1 + 2·2 + 0·4 - 9) + 11 = 3·(e⁻⁴ - 1) + 11.
    """
    mixer = mixers()["qmix"].build(arm("ctde", "qmix", mixer_embedding=1), SMALL)
    column = torch.tensor([-1.0, 2.0, 0.0, -3.0, -9.0, 5.0])
    weight = torch.rand(1, 6, SMALL.state_size)  # only the first column meets a non-zero input
    weight[0, :, 0] = column
    weights = {
        "state.weight": weight,
        "state.bias": torch.zeros(1, 6),
        "value.weight": torch.full((1, 1, 1), 2.0),
        "value.bias": torch.ones(1, 1),
    }
    expected = torch.tensor([[[3 * (math.exp(-4) - 1) + 11]]])
    torch.testing.assert_close(mixer.mix(weights, _inputs([1.0, 2.0, 4.0])).q, expected)
