"""Training of a population by MAPPO (onpolicy/algorithms/r_mappo/r_mappo.py), CADP's pruning too.

One update sees a batch of whole episodes that the present weights have played. Log-probabilities of
the actions, values and recurrent states are computed anew in one pass over the episodes before the
first step: they are those of the time of acting, as no weight has changed since, and so nothing
but observations and actions needs to be remembered.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from suite.algorithms.batch import EpisodeBatch
from suite.algorithms.losses.pruning import pruning_loss
from suite.algorithms.losses.td import masked_mean
from suite.algorithms.mappo.acting import Acting
from suite.algorithms.mappo.cadp import CadpActor
from suite.algorithms.mappo.chunks import Cutter
from suite.algorithms.mappo.critic import Critic
from suite.algorithms.mappo.distribution import judge, log_probabilities
from suite.algorithms.mappo.experience import look_back
from suite.algorithms.mappo.losses import (
    approximate_kl,
    clipped_value_loss,
    is_clipped,
    mean_over,
    surrogate,
)
from suite.algorithms.mappo.minibatches import Minibatch, minibatches
from suite.algorithms.mappo.networks import Actor
from suite.algorithms.mappo.settings import PUBLISHED_ALPHA, CadpMappoSettings, MappoSettings
from suite.algorithms.mappo.value_norm import ValueNormaliser
from suite.algorithms.members import per_member
from suite.algorithms.optimisers import Adam, clip_gradient_norm
from suite.algorithms.parameters import Parameters, Weights
from suite.algorithms.rows import Rows
from suite.errors import InputError
from suite.runs.seeding import Stream
from suite.runs.sizes import Sizes

# A pruning start that no run reaches.
_NEVER = np.iinfo(np.int64).max


class MappoLearner:
    """P runs of one arm on one scenario, trained side by side without influence on each other.

    Parameters
    ----------
    settings, sizes: the arm and the scenario; they fix every shape.
    seeds: one per member; decides its initial weights and the order of its minibatches.
    alpha: the paper's α per member, weight of the pruning loss; None takes the release's 0.5.
    pruning_start_env_steps: the paper's T per member; None (for all, or in one place): never.
    learning_rate, critic_learning_rate: per member; None takes those in `settings`.
    device: where weights live and updates run.

    Raises InputError for lists that do not fit `seeds`.
    """

    def __init__(
        self,
        settings: MappoSettings,
        sizes: Sizes,
        *,
        seeds: Sequence[int],
        alpha: Sequence[float] | None = None,
        pruning_start_env_steps: Sequence[int | None] | None = None,
        learning_rate: Sequence[float] | None = None,
        critic_learning_rate: Sequence[float] | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        self.settings, self.sizes, self.device = settings, sizes, torch.device(device)
        self.seeds, self.n_members = list(seeds), len(seeds)
        n = self.n_members
        self.actor = (
            CadpActor(settings, sizes)
            if isinstance(settings, CadpMappoSettings)
            else Actor(settings, sizes)
        )
        self.critic = Critic(settings, sizes)

        # One draw for both, as a member has one seed.
        both = Parameters([*self.actor.specs, *self.critic.specs], self.n_members)
        both.initialise(seeds)
        self._actor = Parameters(self.actor.specs, self.n_members, device=self.device)
        self._critic = Parameters(self.critic.specs, self.n_members, device=self.device)
        for member in range(self.n_members):
            self.load_member_weights(member, both.member(member))
        self._acting = Acting(self.actor, self._actor, sizes)

        rates = per_member("learning_rate", learning_rate, n, settings.learning_rate)
        self._actor_optimiser = Adam(self._actor.flat, rates, settings.adam_epsilon)
        rates = per_member(
            "critic_learning_rate", critic_learning_rate, n, settings.critic_learning_rate
        )
        self._critic_optimiser = Adam(self._critic.flat, rates, settings.adam_epsilon)
        self._value_norm = ValueNormaliser(self.n_members, settings.value_norm_beta, self.device)
        self._n_updates = torch.zeros(self.n_members, dtype=torch.int64)

        self._alpha = torch.tensor(
            per_member("alpha", alpha, n, PUBLISHED_ALPHA), device=self.device
        )
        starts = per_member("pruning_start_env_steps", pruning_start_env_steps, n, None)
        self._pruning_start = np.array([_NEVER if s is None else s for s in starts], np.int64)

    def update(
        self,
        rows: Rows,
        batch: EpisodeBatch,
        living: Tensor,
        env_steps: Tensor | NDArray[np.int64],
        active: Tensor | NDArray[np.bool_] | None = None,
    ) -> dict[str, Tensor]:
        """`n_epochs` × `n_minibatches` steps of actor and critic per member on its own episodes.

        rows: `pack(batch)`. living: (P, R, N) bool, see `suite.algorithms.inputs.living_agents`.
        env_steps: (P,) training environment steps so far; a member prunes when strictly above its
        T. active: (P,) bool; members left out keep all that decides how their training goes on.
        An episode whose last transition is not `terminated` bootstraps there.

        Returns per-member (P,) tensors, means over the steps: loss_policy (neither entropy nor
        pruning in it), entropy, loss_value, gradient_norm_actor and gradient_norm_critic (before
        clipping), clip_fraction and approx_kl of living agents' actions, and for CADP loss_pruning
        (before α) and self_attention.
        """
        trained = list(self._state().values())
        is_frozen = torch.zeros(self.n_members, dtype=torch.bool)
        if active is not None:
            is_frozen = ~torch.as_tensor(active).cpu()
        frozen = torch.nonzero(is_frozen).squeeze(1).tolist()
        kept = [tensor[frozen] for tensor in trained]

        value_norm = self._value_norm if self.settings.normalises_values else None
        experience = look_back(
            actor=self.actor,
            actor_weights=self._actor.weights,
            critic=self.critic,
            critic_weights=self._critic.weights,
            value_norm=value_norm,
            settings=self.settings,
            rows=rows,
            batch=batch,
            living=living,
        )
        cutter = Cutter(rows, batch.filled, self.settings.chunk_length)
        generators = [
            np.random.Generator(
                np.random.PCG64(np.random.SeedSequence([seed, Stream.MINIBATCHES, number]))
            )
            for seed, number in zip(self.seeds, self._n_updates.tolist(), strict=True)
        ]
        is_pruning = torch.from_numpy(np.asarray(env_steps) > self._pruning_start)
        alpha = self._alpha * is_pruning.to(self.device) if is_pruning.any() else None
        sums: dict[str, Tensor] = {}
        n_steps = 0
        for part in minibatches(cutter, experience, self.settings, generators):
            found = self._step_actor(part, alpha) | self._step_critic(part)
            sums = {name: sums.get(name, 0) + value for name, value in found.items()}
            n_steps += 1
        self._n_updates += 1

        for tensor, old in zip(trained, kept, strict=True):
            tensor[frozen] = old
        return {name: value / n_steps for name, value in sums.items()}

    def _step_actor(self, batch: Minibatch, alpha: Tensor | None) -> dict[str, Tensor]:
        """One step of the actor; alpha (P,), 0 for members that do not prune; None if none does."""
        settings, seen, chunks = self.settings, batch.experience, batch.chunks
        share = seen.policy_share
        found = self.actor.unroll(
            self._actor.weights, seen.actor_inputs, chunks.rows, seen.actor_hidden, batch.teams
        )
        log_p, spread = judge(found.logits, seen.is_unavailable, seen.actions)
        log_ratio = log_p - seen.log_p
        ratio = log_ratio.exp()
        loss_policy = mean_over(surrogate(ratio, seen.advantages, settings.clip), share)
        entropy = mean_over(spread, share)
        loss = loss_policy - settings.entropy_coefficient * entropy
        metrics = {"loss_policy": loss_policy, "entropy": entropy}
        if found.self_attention is not None and isinstance(settings, CadpMappoSettings):
            is_real = chunks.is_real.to(loss.dtype)
            cost = pruning_loss(found.self_attention, settings.pruning_normalisation)
            metrics["loss_pruning"] = masked_mean(cost, is_real)
            metrics["self_attention"] = masked_mean(found.self_attention.mean(dim=(2, 3)), is_real)
            if alpha is not None:
                loss = loss + alpha * metrics["loss_pruning"]
        metrics["gradient_norm_actor"] = self._descend(self._actor, self._actor_optimiser, loss)
        ratio, log_ratio = ratio.detach(), log_ratio.detach()
        metrics["clip_fraction"] = mean_over(is_clipped(ratio, settings.clip), share)
        metrics["approx_kl"] = mean_over(approximate_kl(ratio, log_ratio), share)
        return {name: value.detach() for name, value in metrics.items()}

    def _step_critic(self, batch: Minibatch) -> dict[str, Tensor]:
        """One step of the critic; the normaliser takes in the returns first, in every step."""
        settings, seen, rows = self.settings, batch.experience, batch.chunks.rows
        share, targets = seen.value_share, seen.returns
        if settings.normalises_values:
            self._value_norm.update(mean_over(targets, share), mean_over(targets.square(), share))
            targets = self._value_norm.normalise(targets)
        values, _ = self.critic.unroll(
            self._critic.weights, seen.critic_inputs, rows, seen.critic_hidden
        )
        errors = clipped_value_loss(
            values, seen.values, targets, settings.clip, settings.huber_delta
        )
        loss = mean_over(errors, share)
        norm = self._descend(
            self._critic, self._critic_optimiser, settings.value_coefficient * loss
        )
        return {"loss_value": loss.detach(), "gradient_norm_critic": norm}

    def _descend(self, parameters: Parameters, optimiser: Adam, loss: Tensor) -> Tensor:
        """Backward, clip and step; returns norms (P,) before clipping."""
        gradient = parameters.differentiate(loss.sum())
        norm = clip_gradient_norm(gradient, self.settings.gradient_clip)
        optimiser.step(parameters.flat, gradient)
        return norm

    def initial_hidden(self, n_environments: int) -> Tensor:
        """Zeros (P, E, N, H): the hidden state before an episode's first step."""
        shape = (self.n_members, n_environments, self.sizes.n_agents, self.actor.hidden_size)
        return torch.zeros(shape, device=self.device)

    @torch.no_grad()
    def act_log_probabilities(
        self,
        observations: Tensor,
        last_actions: Tensor,
        available_actions: Tensor,
        hidden: Tensor,
        mode: str,
    ) -> tuple[Tensor, Tensor]:
        """log π of one time step, without gradient.

        observations (P, E, N, O), last_actions (P, E, N) int64 with -1 before the first step,
        available_actions (P, E, N, A) bool, hidden (P, E, N, H) -> log π (P, E, N, A), next hidden.
        Training draws from it (`distribution.sample`), tests take the largest.
        """
        logits, hidden = self._acting(observations, last_actions, hidden, mode)
        return log_probabilities(logits, ~available_actions), hidden

    def state_dict(self) -> dict[str, Tensor]:
        """Copies of everything that decides how training goes on."""
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
        with torch.no_grad():
            for name, tensor in own.items():
                tensor.copy_(state[name])

    def _state(self) -> dict[str, Tensor]:
        groups = {
            "actor_optimiser": self._actor_optimiser.state,
            "critic_optimiser": self._critic_optimiser.state,
            "value_norm": self._value_norm.state,
        }
        state = {"actor": self._actor.flat, "critic": self._critic.flat}
        for group, tensors in groups.items():
            state |= {f"{group}.{name}": tensor for name, tensor in tensors.items()}
        return state | {"n_updates": self._n_updates}

    def is_finite(self) -> NDArray[np.bool_]:
        """(P,) whether all of a member's weights are finite."""
        both = torch.cat([self._actor.flat.detach(), self._critic.flat.detach()], dim=1)
        return torch.isfinite(both).all(dim=1).cpu().numpy()

    def member_weights(self, member: int) -> dict[str, Tensor]:
        """Copies of one member's weights by name, the critic's critic.…, no population axis."""
        return self._actor.member(member) | self._critic.member(member)

    def member_gradients(self, member: int) -> dict[str, Tensor]:
        """Copies of one member's gradients in the last step, clipped; names of its weights."""
        return self._actor.member_gradients(member) | self._critic.member_gradients(member)

    def load_member_weights(self, member: int, weights: Weights) -> None:
        """Set one member's weights.

        Raises InputError if names or shapes do not fit.
        """
        is_critic = {name: name.startswith("critic.") for name in weights}
        for parameters, chosen in ((self._actor, False), (self._critic, True)):
            own = {name: w for name, w in weights.items() if is_critic[name] == chosen}
            parameters.load_member(member, own)
