"""Double Q-learning on mixed utilities: the loss that every learner with a mixer has."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from suite.algorithms.batch import EpisodeBatch
from suite.algorithms.losses.td import (
    available_only,
    masked_mean,
    observed,
    observed_mean,
    td_loss,
    td_target,
    transition_mask,
)
from suite.algorithms.mixers.interface import Mixer, MixerInputs
from suite.algorithms.rows import Rows
from suite.algorithms.value.trained import Trained


@dataclass(frozen=True)
class Transitions:
    """A batch in rows, but for what agents see.

    available: (P, R, N, A) bool. state: (P, R, S). actions: (P, M, N) int64. reward, mask: (P, M)
    float, which transitions count. terminated: (P, M) bool. filled: (P, B, T) bool, of the batch.
    """

    rows: Rows
    available: Tensor
    state: Tensor
    actions: Tensor
    reward: Tensor
    terminated: Tensor
    mask: Tensor
    filled: Tensor


def transitions(batch: EpisodeBatch, rows: Rows, actions: Tensor) -> Transitions:
    """The transitions of a batch; actions (P, M, N) as `agent_inputs` gives them."""
    return Transitions(
        rows,
        available=rows.of_observations(batch.available_actions),
        state=rows.of_observations(batch.state),
        actions=actions,
        reward=rows.of_transitions(batch.reward),
        terminated=rows.of_transitions(batch.terminated),
        mask=rows.of_transitions(transition_mask(batch.filled, batch.terminated)).float(),
        filled=batch.filled,
    )


@dataclass(frozen=True)
class MixedTd:
    """Per member (P,): loss, with the mixer's own penalty; loss_td, without it, and q_taken_mean,
    the joint value of the actions taken, per agent, both without gradient."""

    loss: Tensor
    loss_td: Tensor
    q_taken_mean: Tensor


def mixed_td(
    mixer: Mixer,
    networks: Trained,
    taken: Transitions,
    q: Tensor,
    q_target: Tensor,
    q_choosing: Tensor,
    gamma: float,
) -> MixedTd:
    """The loss of the joint values of utilities q (P, R, N, A).

    q_choosing: (P, R, N, A), whose greedy actions are those after a transition, which q_target
    (P, R, N, A) and the target's mixer value; q itself for plain double Q-learning.
    """
    rows = taken.rows
    available = rows.at_end(taken.available)
    chosen = available_only(rows.at_end(q_choosing), available).argmax(dim=3)
    q_next = rows.at_end(q_target).detach()
    after = MixerInputs(
        _of(q_next, chosen),
        rows.at_end(taken.state),
        chosen,
        _greedy(mixer, q_next, available),
    )
    before = MixerInputs(
        _of(rows.at_start(q), taken.actions),
        rows.at_start(taken.state),
        taken.actions,
        _greedy(mixer, rows.at_start(q), rows.at_start(taken.available)),
    )
    q_joint_next = mixer.mix(networks.target, after).q
    y = td_target(taken.reward, taken.terminated, q_joint_next, gamma)
    mixed = mixer.mix(networks.online, before)
    loss_td = td_loss(mixed.q, y, taken.mask)
    loss = loss_td
    if mixed.row_penalty is not None:
        is_observed = rows.of_transitions(observed(taken.filled))
        loss = loss + observed_mean(mixed.row_penalty, taken.filled, is_observed)
    n_agents = q.shape[2]
    q_taken_mean = masked_mean(mixed.q.detach().sum(dim=2), taken.mask) / n_agents
    return MixedTd(loss, loss_td.detach(), q_taken_mean)


def _of(q: Tensor, actions: Tensor) -> Tensor:
    """Utilities (P, M, N) of actions (P, M, N)."""
    return q.gather(3, actions.unsqueeze(3)).squeeze(3)


def _greedy(mixer: Mixer, q: Tensor, available: Tensor) -> Tensor | None:
    """Highest utility of an available action (P, M, N), without gradient, for mixers that ask."""
    return available_only(q, available).amax(dim=3) if mixer.needs_greedy else None
