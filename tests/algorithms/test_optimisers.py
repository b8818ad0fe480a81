"""Our optimisers and clipping against torch's, weight by weight."""

from __future__ import annotations

import pytest
import torch

from suite.algorithms.optimisers import Adam, Optimiser, RMSprop, clip_gradient_norm

RATES = [5e-4, 1e-2]


def torch_optimiser(kind: type, weight: torch.Tensor, rate: float) -> torch.optim.Optimizer:
    if kind is Adam:
        return torch.optim.Adam([weight], lr=rate)
    return torch.optim.RMSprop([weight], lr=rate, alpha=0.99, eps=1e-5)


@pytest.mark.parametrize("kind", [Adam, RMSprop])
def test_optimisers_follow_torch(kind: type) -> None:
    g = torch.Generator().manual_seed(0)
    weights = torch.randn(2, 500, generator=g)
    plain = [w.clone().requires_grad_() for w in weights]
    theirs = [torch_optimiser(kind, w, r) for w, r in zip(plain, RATES, strict=True)]
    ours: Optimiser = kind(weights, RATES)
    for step in range(20):
        gradient = torch.randn(2, 500, generator=g) * 10.0 ** (step % 5 - 3)
        for member, optimiser in enumerate(theirs):
            plain[member].grad = gradient[member].clone()
            optimiser.step()
        ours.step(weights, gradient)
    for member in range(2):
        torch.testing.assert_close(weights[member], plain[member].detach(), rtol=1e-6, atol=2e-7)


@pytest.mark.parametrize("size", [0.01, 10.0, 1000.0])
def test_clipping_follows_torch(size: float) -> None:
    gradient = torch.randn(2, 50, generator=torch.Generator().manual_seed(1)) * size
    gradient[1] *= 3
    expected = []
    for member in range(2):
        weight = torch.zeros(50, requires_grad=True)
        weight.grad = gradient[member].clone()
        norm = torch.nn.utils.clip_grad_norm_([weight], 10.0)
        expected.append((norm, weight.grad))
    norms = clip_gradient_norm(gradient, 10.0)
    for member, (norm, clipped) in enumerate(expected):
        torch.testing.assert_close(norms[member], norm)
        torch.testing.assert_close(gradient[member], clipped)
