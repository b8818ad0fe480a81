"""When and how strongly CADP prunes."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from suite.algorithms.losses.schedules import (
    GapControl,
    Schedule,
    greedy_disagreement,
    share_of_alpha,
)

NEVER = np.iinfo(np.int64).max
ENV_STEPS = torch.tensor([0, 99, 100, 101, 150, 200, 250, 900])


def shares(schedule: Schedule, start: int = 100, end: int = 300) -> list[float]:
    n = len(ENV_STEPS)
    starts, ends = torch.full((n,), start), torch.full((n,), end)
    return share_of_alpha(schedule, ENV_STEPS, starts, ends).tolist()


def test_constant_starts_strictly_above() -> None:
    assert shares("constant") == [0, 0, 0, 1, 1, 1, 1, 1]


def test_linear_ramp() -> None:
    assert shares("linear") == [0, 0, 0, 0.005, 0.25, 0.5, 0.75, 1]


def test_cosine_ramp() -> None:
    early, quarter = (1 - math.cos(math.pi / 200)) / 2, (1 - math.sqrt(0.5)) / 2
    assert shares("cosine") == pytest.approx([0, 0, 0, early, quarter, 0.5, 1 - quarter, 1])


@pytest.mark.parametrize("schedule", ["constant", "linear", "cosine"])
def test_ramps_without_room_and_members_that_never_prune(schedule: Schedule) -> None:
    assert shares(schedule, start=100, end=100) == [0, 0, 0, 1, 1, 1, 1, 1]
    assert shares(schedule, start=100, end=50) == [0, 0, 0, 1, 1, 1, 1, 1]
    assert shares(schedule, start=NEVER) == [0] * 8


def test_members_have_ramps_of_their_own() -> None:
    env_steps = torch.tensor([10_000_000, 10_000_000])
    start, end = torch.tensor([0, 9_999_999]), torch.tensor([40_000_000, 20_000_000])
    expected = [0.25, 1 / 10_000_001]
    assert share_of_alpha("linear", env_steps, start, end).tolist() == pytest.approx(
        expected, rel=1e-12
    )


def test_disagreement_by_hand() -> None:
    """Two agents, three rows. Differences that count: agent 0 in row 0. Choices counted: three.

    Row 0: agent 0 differs, agent 1 agrees. Row 1: agent 0 would differ, were its favourite
    available; agent 1 has no choice. Row 2 does not count.
    """
    q_c = torch.tensor([[[[1.0, 2], [1, 2]], [[9, 2], [5, 0]], [[1, 0], [1, 0]]]])
    q_c = torch.cat([q_c, torch.full((1, 3, 2, 1), -5.0)], dim=3)
    q_d = torch.tensor([[[[3.0, 2], [0, 2]], [[1, 2], [0, 5]], [[0, 1], [0, 1]]]])
    q_d = torch.cat([q_d, torch.full((1, 3, 2, 1), -5.0)], dim=3)
    available = torch.ones(1, 3, 2, 3, dtype=torch.bool)
    available[0, 1, 0, 0] = False
    available[0, 1, 1] = torch.tensor([True, False, False])
    mask = torch.tensor([[1.0, 1.0, 0.0]])
    assert greedy_disagreement(q_c, q_d, available, mask).tolist() == [pytest.approx(1 / 3)]
    nothing = greedy_disagreement(q_c, q_d, available, torch.zeros(1, 3))
    assert nothing.tolist() == [0.0]


CONTROL = GapControl(target=0.05, rate=0.01, lowest=0.01, highest=10.0)
ALL = torch.tensor([True, True, True])


def test_update_by_hand() -> None:
    """No gap: down by the rate; a gap of 1.5 targets: up by half of it; a huge one: by the rate."""
    before = CONTROL.initial(torch.tensor([1.0, 1.0, 2.0]))
    after = CONTROL.update(before, torch.tensor([0.0, 0.075, 0.9]), ALL)
    torch.testing.assert_close(after - before, torch.tensor([-0.01, 0.005, 0.01]))


def test_only_pruning_members_are_adjusted() -> None:
    before = CONTROL.initial(torch.tensor([1.0, 1.0, 1.0]))
    after = CONTROL.update(before, torch.full((3,), 0.9), torch.tensor([True, False, True]))
    assert (after != before).tolist() == [True, False, True]


def test_start_within_bounds() -> None:
    alpha = CONTROL.initial(torch.tensor([0.0, 1.0, 1e6])).exp()
    torch.testing.assert_close(alpha, torch.tensor([0.01, 1.0, 10.0]))


class Plant:
    """Networks whose gap follows α slowly: towards strength / α, at most 0.6, within `tau`."""

    def __init__(self, strength: Tensor, tau: float, noise: float) -> None:
        self.strength, self.tau, self.noise = strength, tau, noise
        self.gap = torch.full_like(strength, 0.5)
        self.generator = torch.Generator().manual_seed(0)

    def step(self, log_alpha: Tensor) -> Tensor:
        settled = (self.strength / log_alpha.exp()).clamp_max(0.6)
        self.gap = self.gap + (settled - self.gap) / self.tau
        seen = torch.randn(len(self.gap), generator=self.generator) * self.noise
        return (self.gap + seen).clamp(0, 1)


def test_control_holds_the_gap_from_either_side() -> None:
    """α that keeps the gap at 0.05: 20 × strength. It starts far too low, right, far too high."""
    strength = torch.tensor([0.2, 0.05, 0.005])
    plant, state = Plant(strength, tau=20, noise=0.01), CONTROL.initial(torch.full((3,), 1.0))
    gaps, alphas = [], []
    for _ in range(3_000):
        state = CONTROL.update(state, plant.step(state), ALL)
        gaps.append(plant.gap)
        alphas.append(state.exp())
    late = torch.stack(gaps[1_500:])
    torch.testing.assert_close(late.mean(dim=0), torch.full((3,), 0.05), rtol=0.05, atol=0)
    assert (late - 0.05).abs().max() < 0.015
    settled = torch.stack(alphas[1_500:]).mean(dim=0)
    torch.testing.assert_close(settled, 20 * strength, rtol=0.05, atol=0)


def test_control_does_not_overshoot_where_it_says_so() -> None:
    """rate · s · τ = 0.01 · 1 · 20 = 0.2 < 1/4, from 1.5 targets, without noise."""
    strength = torch.tensor([0.05])
    plant, state = Plant(strength, tau=20, noise=0.0), CONTROL.initial(torch.tensor([1 / 1.5]))
    plant.gap = torch.tensor([0.075])
    lowest = 1.0
    for _ in range(3_000):
        state = CONTROL.update(state, plant.step(state), torch.tensor([True]))
        lowest = min(lowest, float(plant.gap))
    assert lowest > 0.05 - 1e-4
    assert float(plant.gap) == pytest.approx(0.05, rel=1e-3)


def test_a_bound_is_left_as_soon_as_the_error_turns() -> None:
    """A target out of reach holds α at its bound; nothing is wound up there."""
    always = torch.tensor([True])
    state = CONTROL.initial(torch.tensor([5.0]))
    for _ in range(5_000):
        state = CONTROL.update(state, torch.tensor([0.9]), always)
    torch.testing.assert_close(state.exp(), torch.tensor([10.0]))
    after = CONTROL.update(state, torch.tensor([0.0]), always)
    torch.testing.assert_close(after, state - 0.01)
    for _ in range(5_000):
        state = CONTROL.update(state, torch.tensor([0.0]), always)
    torch.testing.assert_close(state.exp(), torch.tensor([0.01]))
