"""Advantages of whole episodes on packed rows (`suite.algorithms.rows`)."""

from __future__ import annotations

import torch
from torch import Tensor

from suite.algorithms.rows import Rows

# onpolicy/algorithms/r_mappo/r_mappo.py: added to the standard deviation of the advantages.
_EPSILON = 1e-5


def generalised_advantages(
    reward: Tensor,
    terminated: Tensor,
    mask: Tensor,
    values: Tensor,
    rows: Rows,
    gamma: float,
    gae_lambda: float,
) -> Tensor:
    """GAE (Schulman et al. 2016, equation 16) of every agent: (P, M, N).

        δ_t = r_t + γ (1 - d_t) V_{t+1} - V_t        A_t = δ_t + γ λ (1 - d_t) A_{t+1}

    reward (P, M), one for the team; terminated d (P, M) bool; mask (P, M) bool, the transition is
    real; values V (P, R, N) in the reward's units, of last observations too.

    A is 0 past an episode's last transition. An end that is terminated does not look at the value
    after it; an end that is not (a time limit) bootstraps from the value of the last observation.
    No gradient.
    """
    goes_on = (gamma * (mask & ~terminated)).unsqueeze(2).to(values.dtype)
    value_t = rows.at_start(values)
    delta = torch.addcmul(reward.unsqueeze(2) - value_t, goes_on, rows.at_end(values))
    advantages = delta * mask.unsqueeze(2)
    carry = goes_on * gae_lambda
    # The last block has no transitions; each block's episodes are a prefix of the block before.
    for t in range(len(rows.n_at) - 3, -1, -1):
        start, after, n = rows.starts[t], rows.starts[t + 1], rows.n_at[t + 1]
        here = advantages[:, start : start + n]
        here.addcmul_(carry[:, start : start + n], advantages[:, after : after + n])
    return advantages


def normalised(advantages: Tensor, counts: Tensor) -> Tensor:
    """Each member's advantages (P, M, N) with mean 0 and standard deviation 1 over what counts.

    counts (P, M, N) float, 1 for living agents in real transitions. Others are shifted and scaled
    along, as onpolicy's nanmean and nanstd leave them; the losses do not look at them.
    """
    n = counts.sum(dim=(1, 2), keepdim=True).clamp_min(1.0)
    mean = (advantages * counts).sum(dim=(1, 2), keepdim=True) / n
    centred = advantages - mean
    variance = (centred.square() * counts).sum(dim=(1, 2), keepdim=True) / n
    return centred / (variance.sqrt() + _EPSILON)
