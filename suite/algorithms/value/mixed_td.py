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
    transition_mask,
)
from suite.algorithms.mixers import mixers
from suite.algorithms.mixers.interface import Mixed, Mixer, MixerInputs
from suite.algorithms.parameters import Weights
from suite.algorithms.rows import Rows
from suite.algorithms.validation import check_mixed
from suite.algorithms.value.settings import ValueSettings
from suite.algorithms.value.targets import returns
from suite.algorithms.value.trained import Trained


@dataclass(frozen=True)
class Transitions:
    """A batch in rows, but for what agents see.

    available: (P, R, N, A) bool. state: (P, R, S). actions: (P, M, N) int64. is_real, mask: (P, M)
    bool and float, which transitions count.
    """

    batch: EpisodeBatch
    rows: Rows
    available: Tensor
    state: Tensor
    actions: Tensor
    is_real: Tensor
    mask: Tensor


def transitions(batch: EpisodeBatch, rows: Rows, actions: Tensor) -> Transitions:
    """The transitions of a batch; actions (P, M, N) as `agent_inputs` gives them."""
    is_real = rows.of_transitions(transition_mask(batch.filled, batch.terminated))
    return Transitions(
        batch,
        rows,
        available=rows.of_observations(batch.available_actions),
        state=rows.of_observations(batch.state),
        actions=actions,
        is_real=is_real,
        mask=is_real.float(),
    )


@dataclass(frozen=True)
class MixedTd:
    """Per member (P,): loss, with the mixer's own penalty; loss_td, without it, and q_taken_mean,
    the joint value of the actions taken, per agent, both without gradient."""

    loss: Tensor
    loss_td: Tensor
    q_taken_mean: Tensor


def mixed_td(
    settings: ValueSettings,
    mixer: Mixer,
    networks: Trained,
    taken: Transitions,
    q: Tensor,
    q_target: Tensor,
    q_choosing: Tensor,
) -> MixedTd:
    """The loss of the joint values of utilities q (P, R, N, A).

    q_choosing: (P, R, N, A), whose greedy actions are those after a transition, which q_target
    (P, R, N, A) and the target's mixer value; q itself for plain double Q-learning.
    Raises InputError if the mixer's values have another shape than they must.
    """

    def mix(weights: Weights, inputs: MixerInputs) -> Mixed:
        n_members, n_transitions, n_agents = inputs.q_taken.shape
        width = 1 if mixers()[settings.backbone].is_mixing else n_agents
        shape = (n_members, n_transitions, width)
        return check_mixed(mixer.mix(weights, inputs), settings.backbone, shape)

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
    y = returns(
        settings,
        taken.batch,
        rows,
        taken.is_real,
        mix(networks.target, after).q,
        lambda: mix(networks.target, _before(mixer, taken, q_target.detach())).q,
    )
    before = _before(mixer, taken, q)
    mixed = mix(networks.online, before)
    loss_td = td_loss(mixed.q, y, taken.mask)
    loss = loss_td
    if mixed.row_penalty is not None:
        is_observed = rows.of_transitions(observed(taken.batch.filled))
        loss = loss + observed_mean(mixed.row_penalty, taken.batch.filled, is_observed)
    n_agents = q.shape[2]
    q_taken_mean = masked_mean(mixed.q.detach().sum(dim=2), taken.mask) / n_agents
    return MixedTd(loss, loss_td.detach(), q_taken_mean)


def _before(mixer: Mixer, taken: Transitions, q: Tensor) -> MixerInputs:
    """The actions taken, by utilities q (P, R, N, A)."""
    rows = taken.rows
    q, available = rows.at_start(q), rows.at_start(taken.available)
    return MixerInputs(
        _of(q, taken.actions),
        rows.at_start(taken.state),
        taken.actions,
        _greedy(mixer, q, available),
    )


def _of(q: Tensor, actions: Tensor) -> Tensor:
    """Utilities (P, M, N) of actions (P, M, N)."""
    return q.gather(3, actions.unsqueeze(3)).squeeze(3)


def _greedy(mixer: Mixer, q: Tensor, available: Tensor) -> Tensor | None:
    """Highest utility of an available action (P, M, N), without gradient, for mixers that ask."""
    return available_only(q, available).amax(dim=3) if mixer.needs_greedy else None
