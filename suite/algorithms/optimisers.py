"""Gradient clipping, Adam and RMSprop on (P, n) tensors: torch.optim's formulas per member."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

import torch
from torch import Tensor


def clip_gradient_norm(gradient: Tensor, max_norm: float) -> Tensor:
    """Scale each member's gradient (P, n) in place to at most `max_norm`; returns norms (P,).

    As `torch.nn.utils.clip_grad_norm_`: factor max_norm / (norm + 1e-6), at most 1.
    """
    norm = torch.linalg.vector_norm(gradient, dim=1)
    gradient.mul_((max_norm / (norm + 1e-6)).clamp_max_(1.0).unsqueeze(1))
    return norm


class Optimiser(Protocol):
    """Owns per-member optimiser state; `state` maps names to tensors with leading axis P."""

    state: dict[str, Tensor]

    def step(self, weights: Tensor, gradient: Tensor) -> None:
        """Move `weights` (P, n) in place."""


class Adam:
    """Kingma & Ba 2015, algorithm 1, with torch.optim.Adam's defaults (β 0.9, 0.999; ε 1e-8)."""

    def __init__(
        self, weights: Tensor, learning_rate: Sequence[float], epsilon: float = 1e-8
    ) -> None:
        self.epsilon = epsilon
        self.learning_rate = torch.tensor(learning_rate, dtype=torch.float64).unsqueeze(1)
        self.state = {
            "n_steps": torch.zeros(len(learning_rate), 1, dtype=torch.float64),
            "mean": torch.zeros_like(weights),
            "mean_square": torch.zeros_like(weights),
        }

    def step(self, weights: Tensor, gradient: Tensor) -> None:
        """Move `weights` (P, n) in place along `gradient` (P, n)."""
        n_steps, mean, mean_square = self.state.values()
        n_steps += 1
        mean.lerp_(gradient, 1 - 0.9)
        mean_square.mul_(0.999).addcmul_(gradient, gradient, value=1 - 0.999)
        step_size = (self.learning_rate / (1 - 0.9**n_steps)).to(weights)
        correction = (1 - 0.999**n_steps).sqrt().to(weights)
        denominator = (mean_square.sqrt() / correction).add_(self.epsilon)
        weights.sub_((mean * step_size).div_(denominator))


class RMSprop:
    """Hinton 2012 as torch.optim.RMSprop, with PyMARL's smoothing 0.99 and ε 1e-5."""

    def __init__(self, weights: Tensor, learning_rate: Sequence[float]) -> None:
        self.learning_rate = torch.tensor(learning_rate).unsqueeze(1).to(weights)
        self.state = {"mean_square": torch.zeros_like(weights)}

    def step(self, weights: Tensor, gradient: Tensor) -> None:
        """Move `weights` (P, n) in place along `gradient` (P, n)."""
        mean_square = self.state["mean_square"]
        mean_square.mul_(0.99).addcmul_(gradient, gradient, value=1 - 0.99)
        weights.sub_((gradient * self.learning_rate).div_(mean_square.sqrt().add_(1e-5)))


def build_optimiser(
    name: Literal["adam", "rmsprop"], weights: Tensor, learning_rate: Sequence[float]
) -> Optimiser:
    """The optimiser an arm names, for weights (P, n)."""
    if name == "adam":
        return Adam(weights, learning_rate)
    return RMSprop(weights, learning_rate)
