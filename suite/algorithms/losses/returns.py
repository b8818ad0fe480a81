"""Targets from λ-returns, on packed rows: one pass over the blocks of time, last one first.

A return ends where its episode ends: with nothing after a terminal transition, with the bootstrap
value of the last observation after a transition at which the time limit cut the episode. With
λ = 0 both targets are `td_target`, bit by bit.
"""

from __future__ import annotations

from torch import Tensor

from suite.algorithms.losses.td import td_target
from suite.algorithms.rows import Rows


def td_lambda_target(
    rows: Rows,
    reward_t: Tensor,
    terminated_t: Tensor,
    is_real: Tensor,
    q_next: Tensor,
    gamma: float,
    trace_decay: float,
) -> Tensor:
    """G_t = r_t + γ (1 - d_t) [(1 - λ) Q⁻(next) + λ G_{t+1}]: TD(λ) of PyMARL2.

    PyMARL2, `utils/rl_utils.py`, `build_td_lambda_targets`. With Q⁻ of greedy actions, as there, it
    is Peng's Q(λ) (Peng and Williams 1996; arXiv 2103.00107). One difference: where an episode cut
    by the time limit is shorter than the longest of its batch, PyMARL2 starts its return from the
    value of padding; here it starts from the episode's own last observation.

    reward_t, terminated_t (bool), is_real (bool, `transition_mask`): (P, M). q_next: (P, M, K), as
    for `td_target`. trace_decay: λ in [0, 1]. Returns (P, M, K), no gradient; rows that are not
    real hold the one-step target.
    """
    target = td_target(reward_t, terminated_t, q_next, gamma)
    weight = _trace(rows, is_real, gamma * trace_decay, target)
    return _carry_back(rows, target, weight, q_next.detach()[:, : weight.shape[1]])


def q_lambda_target(
    rows: Rows,
    reward_t: Tensor,
    terminated_t: Tensor,
    is_real: Tensor,
    q_next: Tensor,
    q_taken_t: Tensor,
    gamma: float,
    trace_decay: float,
) -> Tensor:
    """G_t = r_t + γ (1 - d_t) [Q⁻(next) + λ (G_{t+1} - Q⁻(s_{t+1}, u_{t+1}))].

    Q(λ) with off-policy corrections (arXiv 1602.04951): what follows a later action is measured
    against that action's own value, so exploring later does not lower the return.
    PyMARL2's `build_q_lambda_targets` is this plus Q⁻(s_t, greedy) - Q⁻(s_t, u_t), which favours
    actions that are not greedy and is no one-step target at λ = 0; it is not added here.

    q_taken_t (P, M, K): target values of the actions taken, at the rows transitions start from.
    The rest as in `td_lambda_target`.
    """
    target = td_target(reward_t, terminated_t, q_next, gamma)
    weight = _trace(rows, is_real, gamma * trace_decay, target)
    following = rows.following[: weight.shape[1]]
    return _carry_back(rows, target, weight, q_taken_t.detach().index_select(1, following))


def _trace(rows: Rows, is_real: Tensor, decay: float, target: Tensor) -> Tensor:
    """How much of a row's next return it takes over: all transition blocks but the last, (P, ·, 1).

    0 where no real transition follows, as after a terminal one: ends of episodes, surplus rows.
    """
    n = rows.starts[-2]
    is_followed = is_real.index_select(1, rows.following[:n])
    return (decay * is_followed.to(target.dtype)).unsqueeze(2)


def _carry_back(rows: Rows, target: Tensor, weight: Tensor, expected: Tensor) -> Tensor:
    """target_t += weight_t (target_{t+1} - expected_{t+1}), in place, from the end.

    expected (P, ·, K): for each row of `weight`, the value its next return is measured against.
    """
    target[:, : weight.shape[1]] -= weight * expected
    for t in range(len(rows.starts) - 3, -1, -1):
        n, here, after = rows.n_at[t + 1], rows.starts[t], rows.starts[t + 1]
        target[:, here : here + n].addcmul_(
            weight[:, here : here + n], target[:, after : after + n]
        )
    return target
