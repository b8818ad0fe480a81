"""Losses of students that imitate a better informed teacher. The teacher gets no gradient."""

from __future__ import annotations

import torch
from torch import Tensor

from suite.algorithms.losses.td import available_only, masked_mean


def student_loss(q_student: Tensor, q_teacher: Tensor, mask: Tensor) -> Tensor:
    """CTDS (arXiv 2203.08412; CTDS, `learners/q_learner_teach.py`): the teacher's utilities.

    mean m Σ_n Σ_a (Q^S_n(a) - sg[Q^T_n(a)])²: a sum over agents and over all actions, available or
    not. q_student, q_teacher (P, M, N, A), mask (P, M) float -> (P,).
    """
    return masked_mean((q_student - q_teacher.detach()).square().sum(dim=(2, 3)), mask)


def expert_loss(scores: Tensor, q_expert: Tensor, available: Tensor, mask: Tensor) -> Tensor:
    """IGM-DA (arXiv 2209.09640; pymarl_HDA, `learners/q_learner_teach.py`): the expert's choice.

    Mean over counted (row, n, a) of (out_n(a) - 1[a = argmax over available of Q^E_n])². Only the
    argmax heeds availability: the learner's outputs for unavailable actions are drawn to 0 too.
    scores (the learner's outputs), q_expert (P, M, N, A), available (P, M, N, A) bool, mask (P, M)
    float -> (P,).
    """
    choice = available_only(q_expert, available).argmax(dim=3, keepdim=True)
    one_hot = torch.zeros_like(scores).scatter_(3, choice, 1.0)
    return masked_mean((scores - one_hot).square().mean(dim=(2, 3)), mask)
