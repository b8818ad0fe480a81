"""Running normalisation of value targets (MAPPO paper, 5.1; onpolicy/utils/valuenorm.py)."""

from __future__ import annotations

import torch
from torch import Tensor

# Both from valuenorm.py: the smallest debiasing term and the smallest variance.
_SMALLEST_WEIGHT = 1e-5
_SMALLEST_VARIANCE = 1e-2


class ValueNormaliser:
    """Exponential averages of the returns and their squares, one of each per member.

    Averages start at 0 and are divided by the weight they have collected (as Adam's are), so the
    first batch counts in full. Before any batch the mean is 0 and the variance at its floor, 0.01.

    state: mean, mean_square, weight, each (P,) float64; part of a checkpoint.
    """

    def __init__(self, n_members: int, beta: float, device: torch.device | str = "cpu") -> None:
        self.beta = beta
        self.state = {
            name: torch.zeros(n_members, dtype=torch.float64, device=device)
            for name in ("mean", "mean_square", "weight")
        }

    def update(self, mean: Tensor, mean_square: Tensor) -> None:
        """Take in a batch's mean and mean square (P,): x ← β x + (1 - β) batch."""
        batch = (mean, mean_square, torch.ones_like(self.state["weight"]))
        for average, value in zip(self.state.values(), batch, strict=True):
            average.mul_(self.beta).add_(value, alpha=1 - self.beta)

    def moments(self) -> tuple[Tensor, Tensor]:
        """Debiased mean and standard deviation (P,), float64."""
        mean, mean_square, weight = self.state.values()
        weight = weight.clamp_min(_SMALLEST_WEIGHT)
        mean = mean / weight
        variance = (mean_square / weight - mean.square()).clamp_min(_SMALLEST_VARIANCE)
        return mean, variance.sqrt()

    def normalise(self, values: Tensor) -> Tensor:
        """(P, …) returns -> what the critic should say."""
        mean, deviation = self._shaped_like(values)
        return (values - mean) / deviation

    def denormalise(self, values: Tensor) -> Tensor:
        """(P, …) what the critic says -> returns."""
        mean, deviation = self._shaped_like(values)
        return values * deviation + mean

    def _shaped_like(self, values: Tensor) -> tuple[Tensor, Tensor]:
        shape = (-1,) + (1,) * (values.dim() - 1)
        mean, deviation = self.moments()
        return mean.to(values.dtype).view(shape), deviation.to(values.dtype).view(shape)
