"""The pruning loss when some agents are dead, and when nobody asks."""

from __future__ import annotations

import math

import pytest
import torch

from suite.algorithms.losses.pruning import EPSILON, pruning_loss

FORMS = ["agents_squared", "agents"]


def attention() -> torch.Tensor:
    """C_nn (2, 3, 4, 5) in (0, 1)."""
    return torch.rand(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("form", FORMS)
def test_without_a_mask_nothing_has_changed(form: str) -> None:
    """The release's mean over all entries, bit by bit."""
    given = attention()
    expected = -(given + EPSILON).log().mean(dim=(2, 3))
    if form == "agents_squared":
        expected = expected / 5
    assert torch.equal(pruning_loss(given, form), expected)  # type: ignore[arg-type]


@pytest.mark.parametrize("form", FORMS)
def test_mean_over_living_agents(form: str) -> None:
    given = attention().double()
    living = torch.rand(2, 3, 5, generator=torch.Generator().manual_seed(1)) < 0.6
    living[0, 0] = True
    living[1, 2] = False
    found = pruning_loss(given, form, living)  # type: ignore[arg-type]
    for p in range(2):
        for m in range(3):
            alive = [n for n in range(5) if living[p, m, n]]
            total = 0.0
            for h in range(4):
                for n in alive:
                    total -= math.log(float(given[p, m, h, n]) + EPSILON)
            divisor = 4 * max(1, len(alive)) * (5 if form == "agents_squared" else 1)
            assert float(found[p, m]) == pytest.approx(total / divisor)
    assert found[1, 2] == 0


@pytest.mark.parametrize("form", FORMS)
def test_everybody_living_is_the_plain_loss(form: str) -> None:
    given, living = attention(), torch.ones(2, 3, 5, dtype=torch.bool)
    torch.testing.assert_close(
        pruning_loss(given, form, living),  # type: ignore[arg-type]
        pruning_loss(given, form),  # type: ignore[arg-type]
    )


def test_dead_agents_get_no_gradient() -> None:
    given = attention().requires_grad_()
    living = torch.tensor([True, False, True, True, False]).expand(2, 3, 5)
    (gradient,) = torch.autograd.grad(pruning_loss(given, "agents", living).sum(), [given])
    assert torch.equal(gradient != 0, living.unsqueeze(2).expand(2, 3, 4, 5))
