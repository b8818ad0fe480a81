"""Training of a population: double Q-learning on mixed utilities."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from suite.algorithms.agents.interface import Agent, Unrolled
from suite.algorithms.agents.recurrent import RecurrentAgent
from suite.algorithms.batch import EpisodeBatch
from suite.algorithms.declaration import Members
from suite.algorithms.losses.td import (
    available_only,
    masked_mean,
    observed,
    observed_mean,
    td_loss,
    td_target,
    transition_mask,
)
from suite.algorithms.members import per_member
from suite.algorithms.mixers.interface import Mixer, MixerInputs
from suite.algorithms.optimisers import build_optimiser, clip_gradient_norm
from suite.algorithms.parameters import Parameters, Weights
from suite.algorithms.rows import Rows, agent_inputs, pack, step_inputs
from suite.algorithms.value.settings import ValueSettings
from suite.errors import InputError
from suite.runs.sizes import Sizes

# Up to so many rows (environments × agents) one compiled call beats a call per layer: measured.
FEW_ROWS = 64


class ValueLearner:
    """P runs of one arm on one scenario, trained side by side without influence on each other.

    Methods that add a loss to the agents' network say so in `agent_loss`.

    Parameters
    ----------
    settings, sizes: the arm and the scenario; they fix every shape.
    mixer: how utilities become joint values.
    members: seeds decide initial weights and nothing else; learning rates default to the setting.
    device: where weights live and updates run.

    Raises InputError for lists that do not fit the number of seeds.
    """

    def __init__(
        self,
        settings: ValueSettings,
        sizes: Sizes,
        mixer: Mixer,
        members: Members,
        device: torch.device | str = "cpu",
    ) -> None:
        self.settings, self.sizes, self.device = settings, sizes, torch.device(device)
        self.agent = self.build_agent()
        self.mixer = mixer
        self.n_members = n_members = len(members)

        specs = [*self.agent.specs, *self.mixer.specs]
        self._online = Parameters(specs, n_members, device=self.device)
        self._target = Parameters(specs, n_members, device=self.device, trainable=False)
        self._online.initialise(members.seeds)
        self._target.flat.copy_(self._online.flat)
        self._acting_weights = self._online.arrays([spec.name for spec in self.agent.specs])
        rates = per_member(
            "learning_rate", members.learning_rate, n_members, settings.learning_rate
        )
        self._optimiser = build_optimiser(settings.optimiser, self._online.flat, rates)

    def build_agent(self) -> Agent:
        """The agents' network."""
        return RecurrentAgent(self.settings, self.sizes)

    def agent_loss(
        self, online: Unrolled, rows: Rows, mask: Tensor, env_steps: NDArray[np.int64]
    ) -> tuple[Tensor | None, Mapping[str, Tensor]]:
        """A loss (P,) beside that of the values, or None, and metrics by name, each (P,).

        mask: (P, M) float, the transitions that count.
        """
        return None, {}

    def update(
        self,
        batch: EpisodeBatch,
        env_steps: Tensor | NDArray[np.int64],
        active: Tensor | NDArray[np.bool_] | None = None,
    ) -> dict[str, Tensor]:
        """One gradient step per member on its own episodes.

        env_steps: (P,) training environment steps so far. active: (P,) bool; members left out keep
        weights and optimiser state.
        Returns per-member (P,) tensors: loss_td, gradient_norm (before clipping), q_taken_mean
        (joint value of the actions taken, per agent), and those of `agent_loss`.
        """
        rows = pack(batch)
        inputs, actions = agent_inputs(batch, rows)
        available = rows.of_observations(batch.available_actions)
        state = rows.of_observations(batch.state)
        mask = rows.of_transitions(transition_mask(batch.filled, batch.terminated)).float()

        online = self.agent.unroll(self._online.weights, inputs, rows)
        with torch.no_grad():
            target = self.agent.unroll(self._target.weights, inputs, rows)
            q_online = available_only(online.q, available)
            after = self._greedy_inputs(q_online, target.q, available, state, rows)
            y = td_target(
                rows.of_transitions(batch.reward),
                rows.of_transitions(batch.terminated),
                self.mixer.mix(self._target.weights, after).q,
                self.settings.gamma,
            )
        q_taken = rows.at_start(online.q).gather(3, actions.unsqueeze(3)).squeeze(3)
        q_greedy = rows.at_start(q_online).amax(dim=3) if self.mixer.needs_greedy else None
        before = MixerInputs(q_taken, rows.at_start(state), actions, q_greedy)
        mixed = self.mixer.mix(self._online.weights, before)

        loss_td = td_loss(mixed.q, y, mask)
        loss = loss_td
        if mixed.row_penalty is not None:
            is_observed = rows.of_transitions(observed(batch.filled))
            loss = loss + observed_mean(mixed.row_penalty, batch.filled, is_observed)
        own_loss, metrics = self.agent_loss(online, rows, mask, np.asarray(env_steps))
        if own_loss is not None:
            loss = loss + own_loss
        gradient_norm = self._descend(loss, active)

        q_taken_mean = masked_mean(mixed.q.detach().sum(dim=2), mask) / self.sizes.n_agents
        return dict(metrics) | {
            "loss_td": loss_td.detach(),
            "gradient_norm": gradient_norm,
            "q_taken_mean": q_taken_mean,
        }

    def _greedy_inputs(
        self, q_online: Tensor, q_target: Tensor, available: Tensor, state: Tensor, rows: Rows
    ) -> MixerInputs:
        """Double Q: the target's values of what the online network would do after transitions.

        q_online (P, R, N, A) without unavailable actions, q_target, available (P, R, N, A).
        """
        actions = rows.at_end(q_online).argmax(dim=3)
        q_next = rows.at_end(q_target)
        q_taken = q_next.gather(3, actions.unsqueeze(3)).squeeze(3)
        q_greedy = None
        if self.mixer.needs_greedy:
            q_greedy = available_only(q_next, rows.at_end(available)).amax(dim=3)
        return MixerInputs(q_taken, rows.at_end(state), actions, q_greedy)

    def _descend(self, loss: Tensor, active: Tensor | NDArray[np.bool_] | None) -> Tensor:
        """Backward, clip and step; members that are not active are put back as they were."""
        gradient = self._online.differentiate(loss.sum())
        norm = clip_gradient_norm(gradient, self.settings.gradient_clip)
        trained = [self._online.flat, *self._optimiser.state.values()]
        frozen = None if active is None else ~torch.as_tensor(active).to(self.device)
        kept = [] if frozen is None else [tensor[frozen] for tensor in trained]
        self._optimiser.step(self._online.flat, gradient)
        for tensor, old in zip(trained, kept, strict=False):
            tensor[frozen] = old
        return norm

    def copy_target(self, members: Tensor | NDArray[np.bool_]) -> None:
        """Copy online weights to the target networks of `members` (P,) bool."""
        chosen = torch.as_tensor(members).to(self.device)
        self._target.flat[chosen] = self._online.flat[chosen]

    def initial_hidden(self, n_environments: int) -> Tensor:
        """Zeros (P, E, N, H): the hidden state before an episode's first step."""
        shape = (self.n_members, n_environments, self.sizes.n_agents, self.agent.hidden_size)
        return torch.zeros(shape, device=self.device)

    @torch.no_grad()
    def act_values(
        self,
        observations: Tensor,
        last_actions: Tensor,
        hidden: Tensor,
        mode: str,
    ) -> tuple[Tensor, Tensor]:
        """Utilities of one time step, without gradient.

        observations (P, E, N, O), last_actions (P, E, N) int64 with -1 before the first step,
        hidden (P, E, N, H) -> q (P, E, N, A), next hidden.
        """
        n_environments, n_agents = last_actions.shape[1:]
        if self.device.type != "cpu" or n_environments * n_agents > FEW_ROWS:
            inputs = step_inputs(observations, last_actions, self.sizes)
            return self.agent.step(self._online.weights, inputs, hidden, mode)
        q = observations.new_empty(*last_actions.shape, self.sizes.n_actions)
        next_hidden = torch.empty_like(hidden, memory_format=torch.contiguous_format)
        flat, next_flat, q_flat = hidden.flatten(1, 2), next_hidden.flatten(1, 2), q.flatten(1, 2)
        for p, weights in enumerate(self._acting_weights):
            self.agent.step_few_rows(
                weights,
                observations[p].contiguous().numpy(),
                last_actions[p].contiguous().numpy(),
                flat[p].contiguous().numpy(),
                q_flat[p].numpy(),
                next_flat[p].numpy(),
                mode,
            )
        return q, next_hidden

    def state_dict(self) -> dict[str, Tensor]:
        """Copies of everything that decides how training goes on: weights, targets, optimiser."""
        return {name: tensor.detach().clone() for name, tensor in self._state().items()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on exactly where `state_dict` was taken, on a learner of the same arm and sizes.

        Raises InputError if names or shapes differ.
        """
        own = self._state()
        shapes = {name: tuple(tensor.shape) for name, tensor in own.items()}
        given = {name: tuple(tensor.shape) for name, tensor in state.items()}
        if shapes != given:
            raise InputError(
                "learner state of another arm, scenario or cohort",
                where="load_state_dict",
                value=given,
                cure=f"use a state with {shapes}",
            )
        for name, tensor in own.items():
            tensor.copy_(state[name])

    def _state(self) -> dict[str, Tensor]:
        optimiser = {f"optimiser.{k}": v for k, v in self._optimiser.state.items()}
        return {"online": self._online.flat, "target": self._target.flat, **optimiser}

    def is_finite(self) -> NDArray[np.bool_]:
        """(P,) whether all of a member's online weights are finite."""
        return torch.isfinite(self._online.flat.detach()).all(dim=1).cpu().numpy()

    def member_weights(self, member: int) -> dict[str, Tensor]:
        """Copies of one member's online weights by name, no population axis (docs/weights.md)."""
        return self._online.member(member)

    def member_gradients(self, member: int) -> dict[str, Tensor]:
        """Copies of one member's gradient in the last `update`, clipped; names of its weights."""
        return self._online.member_gradients(member)

    def load_member_weights(self, member: int, weights: Weights) -> None:
        """Set one member's online and target weights.

        Raises InputError if names or shapes do not fit.
        """
        self._online.load_member(member, weights)
        self._target.load_member(member, weights)
