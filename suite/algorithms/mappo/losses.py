"""The equations of MAPPO (arXiv 2103.01955, appendix A; onpolicy/algorithms/r_mappo/r_mappo.py).

Every mean is Σ w x over the rows and agents of a member, (P, K, N) -> (P,), with shares w = m / Σ m
that are made once per minibatch. What m is:

* The policy's losses count living agents in real transitions: a dead agent can only do nothing,
  and there is nothing to learn from that (paper, section 5.5).
* The value loss counts dead agents too, as released: the scripts pass a flag that is meant to
  switch their mask on and switches it off. The critic sees of a dead agent that it is dead, so
  its value is learnable. `MappoSettings.masks_dead_in_value_loss` masks them.
"""

from __future__ import annotations

import torch
from torch import Tensor


def shares(counts: Tensor) -> Tensor:
    """w = m / Σ m per member of counts m (P, K, N), 1 or 0; all 0 where nothing counts."""
    return counts / counts.sum(dim=(1, 2), keepdim=True).clamp_min(1.0)


def mean_over(values: Tensor, share: Tensor) -> Tensor:
    """Σ w x per member: (P, K, N), (P, K, N) -> (P,)."""
    return (values * share).sum(dim=(1, 2))


def surrogate(ratio: Tensor, advantages: Tensor, clip: float) -> Tensor:
    """-min(ρ A, clamp(ρ, 1 ± clip) A) with ρ = π_new / π_old (PPO, Schulman et al. 2017, eq. 7)."""
    return -torch.minimum(ratio * advantages, ratio.clamp(1 - clip, 1 + clip) * advantages)


def huber(error: Tensor, delta: float) -> Tensor:
    """e²/2 where |e| ≤ δ, else δ (|e| - δ/2)."""
    size = error.abs()
    inside = size.clamp_max(delta)
    return inside * (size - inside / 2)


def clipped_value_loss(
    values: Tensor, old_values: Tensor, targets: Tensor, clip: float, delta: float
) -> Tensor:
    """The larger of huber(target - V) and huber(target - V_old - clamp(V - V_old, ± clip)).

    All in the critic's (normalised) units and of one shape.
    """
    clipped = old_values + (values - old_values).clamp(-clip, clip)
    return torch.maximum(huber(targets - values, delta), huber(targets - clipped, delta))


def approximate_kl(ratio: Tensor, log_ratio: Tensor) -> Tensor:
    """ρ - 1 - log ρ, whose mean over actions of the old policy is KL(old ‖ new); never negative."""
    return ratio - 1 - log_ratio


def is_clipped(ratio: Tensor, clip: float) -> Tensor:
    """1.0 where ρ has left 1 ± clip."""
    return ((ratio - 1).abs() > clip).to(ratio.dtype)
