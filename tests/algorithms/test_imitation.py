"""Students of CTDS and IGM-DA against plain loops."""

from __future__ import annotations

import pytest
import torch

from suite.algorithms.losses.imitation import expert_loss, student_loss

MASK = torch.tensor([[1.0, 0.0, 1.0], [1.0, 1.0, 1.0]])


def values(seed: int) -> torch.Tensor:
    """(2, 3, 2, 4) float64."""
    g = torch.Generator().manual_seed(seed)
    return torch.randn(2, 3, 2, 4, dtype=torch.float64, generator=g)


def test_student_loss_by_hand() -> None:
    """Two agents, two actions: ((1² + 0²) + (2² + 1²)) on the one row that counts."""
    student = torch.tensor([[[[1.0, 0.0], [2.0, 3.0]], [[9.0, 9.0], [9.0, 9.0]]]])
    teacher = torch.tensor([[[[0.0, 0.0], [0.0, 2.0]], [[0.0, 0.0], [0.0, 0.0]]]])
    assert student_loss(student, teacher, torch.tensor([[1.0, 0.0]])).tolist() == [6.0]


def test_student_loss_sums_over_agents_and_actions() -> None:
    student, teacher = values(0), values(1)
    found = student_loss(student, teacher, MASK.double())
    for p in range(2):
        total, n_steps = 0.0, 0
        for m in range(3):
            if MASK[p, m]:
                n_steps += 1
                for n in range(2):
                    for a in range(4):
                        total += float(student[p, m, n, a] - teacher[p, m, n, a]) ** 2
        assert float(found[p]) == pytest.approx(total / n_steps)


def test_expert_loss_by_hand() -> None:
    """The expert's best action is not available, its second is 0: (0.5² + 0 + 1²) / 3."""
    scores = torch.tensor([[[[0.5, 0.0, 1.0]]]])
    q_expert = torch.tensor([[[[2.0, 1.0, 3.0]]]])
    available = torch.tensor([[[[True, True, False]]]])
    loss = expert_loss(scores, q_expert, available, torch.ones(1, 1))
    assert loss.tolist() == [pytest.approx(1.25 / 3)]


def test_expert_loss_averages_over_agents_and_actions() -> None:
    scores, q_expert = values(2), values(3)
    available = torch.rand(2, 3, 2, 4, generator=torch.Generator().manual_seed(4)) < 0.5
    available[..., 1] = True
    found = expert_loss(scores, q_expert, available, MASK.double())
    for p in range(2):
        total, counted = 0.0, 0
        for m in range(3):
            for n in range(2):
                allowed = [a for a in range(4) if available[p, m, n, a]]
                best = max(allowed, key=lambda a: float(q_expert[p, m, n, a]))
                for a in range(4):
                    if MASK[p, m]:
                        counted += 1
                        total += (float(scores[p, m, n, a]) - (a == best)) ** 2
        assert float(found[p]) == pytest.approx(total / counted)


def test_teachers_get_no_gradient() -> None:
    student, teacher = values(5).requires_grad_(), values(6).requires_grad_()
    everything = torch.ones(2, 3, 2, 4, dtype=torch.bool)
    for loss in (
        student_loss(student, teacher, MASK.double()),
        expert_loss(student, teacher, everything, MASK.double()),
    ):
        of_student, of_teacher = torch.autograd.grad(
            loss.sum(), [student, teacher], allow_unused=True
        )
        assert of_teacher is None
        is_counted = (of_student != 0).all(dim=3).all(dim=2)
        assert torch.equal(is_counted, MASK.bool())
