"""One-step double Q-learning on joint values (PyMARL's Q-learner, kept by the release).

`_t` is the row a transition starts from, `_next` the row it leads to.
"""

from __future__ import annotations

from torch import Tensor

# Stands for minus infinity where an action is unavailable (PyMARL, learners/q_learner.py).
UNAVAILABLE = -9999999.0


def available_only(q: Tensor, available: Tensor) -> Tensor:
    """q (…, A) with `UNAVAILABLE` where `available` (…, A) is False. No gradient."""
    return q.detach().masked_fill(~available, UNAVAILABLE)


def transition_mask(filled: Tensor, terminated: Tensor) -> Tensor:
    """m_0 = f_0, m_t = f_t (1 - d_{t-1}): (…, T) bool, bool -> (…, T) bool."""
    mask = filled.clone()
    mask[..., 1:] &= ~terminated[..., :-1]
    return mask


def td_target(reward_t: Tensor, terminated_t: Tensor, q_next: Tensor, gamma: float) -> Tensor:
    """y = r + γ (1 - d) Q⁻(next): reward (P, M), terminated (P, M) bool, q_next (P, M, K)."""
    going_on = gamma * (~terminated_t).to(q_next.dtype)
    return reward_t.unsqueeze(2) + going_on.unsqueeze(2) * q_next.detach()


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Σ m x / Σ m per member: values (P, M), mask (P, M) float -> (P,); 0 where nothing counts."""
    return (values * mask).sum(dim=1) / mask.sum(dim=1).clamp_min(1.0)


def td_loss(q_t: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Masked mean squared error per member, also over K: (P, M, K), (P, M, K), (P, M) -> (P,)."""
    return masked_mean((q_t - target).square().mean(dim=2), mask)


def observed_mean(values: Tensor, filled: Tensor, is_observed: Tensor) -> Tensor:
    """Mean of a regulariser as the release takes it, per member: values (P, M) -> (P,).

    The release averages over all B·T rows of a batch cut at its longest episode, T steps; rows of
    padding count 0 and rows of last observations count. filled (P, B, ·) of the whole batch;
    is_observed (P, M): `observed` at the rows of `values`.
    """
    n_steps = filled.any(dim=1).sum(dim=1).clamp_min(1)
    return (values * is_observed).sum(dim=1) / (filled.shape[1] * n_steps)


def observed(filled: Tensor) -> Tensor:
    """(P, B, T) bool: the observation at t is real and t is before the longest episode's end."""
    is_real = filled.clone()
    is_real[..., 1:] |= filled[..., :-1]
    return is_real & filled.any(dim=1, keepdim=True)
