"""A batch of episodes as PPO looks at it: once from the weights that played it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from suite.algorithms.batch import EpisodeBatch
from suite.algorithms.mappo.advantages import generalised_advantages, normalised
from suite.algorithms.mappo.cadp import CadpActor
from suite.algorithms.mappo.chunks import Chunks
from suite.algorithms.mappo.critic import Critic, CriticInputs, critic_inputs
from suite.algorithms.mappo.distribution import judge
from suite.algorithms.mappo.losses import shares
from suite.algorithms.mappo.networks import Actor
from suite.algorithms.mappo.settings import MappoSettings
from suite.algorithms.mappo.value_norm import ValueNormaliser
from suite.algorithms.parameters import Weights
from suite.algorithms.rows import Rows, agent_inputs


@dataclass(frozen=True)
class Experience:
    """A batch of episodes with what the policy and the critic said of them before the update.

    Rows are observation rows (P, R, …) or transition rows (P, M, …) of whole episodes, or, once
    taken from them, the K rows of chunks.

    actor_inputs: what `Actor.prepare` made. critic_inputs: see there. actor_hidden, critic_hidden:
    states after each row (P, R, N, H); of chunks: before each chunk (P, n_at[0], N, H).
    is_unavailable: (P, R, N, A) bool. actions: (P, M, N) int64. log_p: of those actions (P, M, N).
    values: the critic's word (P, R, N). returns: A + V in the reward's units (P, M, N).
    advantages: normalised (P, M, N). policy_share, value_share: (P, M, N), what each entry counts
    in the means of the policy's and of the value loss.
    """

    actor_inputs: tuple[Tensor, ...]
    critic_inputs: CriticInputs
    actor_hidden: Tensor
    critic_hidden: Tensor
    is_unavailable: Tensor
    actions: Tensor
    log_p: Tensor
    values: Tensor
    returns: Tensor
    advantages: Tensor
    policy_share: Tensor
    value_share: Tensor

    def of_chunks(self, chunks: Chunks) -> Experience:
        """The same on the rows of some chunks; rows that are not real count nowhere."""
        take = chunks.of_transitions
        is_real = chunks.is_real.unsqueeze(2)
        return replace(
            self,
            actor_inputs=tuple(take(values) for values in self.actor_inputs),
            critic_inputs=self.critic_inputs.map(take),
            actor_hidden=chunks.initial(self.actor_hidden),
            critic_hidden=chunks.initial(self.critic_hidden),
            is_unavailable=take(self.is_unavailable),
            actions=take(self.actions),
            log_p=take(self.log_p),
            values=take(self.values),
            returns=take(self.returns),
            advantages=take(self.advantages),
            policy_share=shares((take(self.policy_share) > 0) & is_real),
            value_share=shares((take(self.value_share) > 0) & is_real),
        )


@torch.no_grad()
def look_back(
    *,
    actor: Actor | CadpActor,
    actor_weights: Weights,
    critic: Critic,
    critic_weights: Weights,
    value_norm: ValueNormaliser | None,
    settings: MappoSettings,
    rows: Rows,
    batch: EpisodeBatch,
    living: Tensor,
) -> Experience:
    """What actor and critic say of packed episodes, returns and advantages; living (P, R, N) bool.

    value_norm: between the critic's units and the reward's; None where they are the same.
    """
    x, actions = agent_inputs(batch, rows)
    inputs = actor.prepare(x)
    is_unavailable = ~rows.of_observations(batch.available_actions)
    acted = actor.unroll(actor_weights, inputs, rows)
    log_p, _ = judge(rows.at_start(acted.logits), rows.at_start(is_unavailable), actions)

    state, observations = (rows.of_observations(t) for t in (batch.state, batch.observations))
    seen = critic_inputs(state, observations, living)
    values, critic_hidden = critic.unroll(critic_weights, seen, rows)
    in_reward = values if value_norm is None else value_norm.denormalise(values)

    mask = rows.of_transitions(batch.filled)
    advantages = generalised_advantages(
        rows.of_transitions(batch.reward),
        rows.of_transitions(batch.terminated),
        mask,
        in_reward,
        rows,
        settings.gamma,
        settings.gae_lambda,
    )
    counts = mask.unsqueeze(2).expand_as(advantages).to(advantages.dtype)
    living_counts = counts * rows.at_start(living)
    return Experience(
        actor_inputs=inputs,
        critic_inputs=seen,
        actor_hidden=acted.hidden,
        critic_hidden=critic_hidden,
        is_unavailable=is_unavailable,
        actions=actions,
        log_p=log_p,
        values=values,
        returns=advantages + rows.at_start(in_reward),
        advantages=normalised(advantages, living_counts),
        policy_share=shares(living_counts),
        value_share=shares(living_counts if settings.masks_dead_in_value_loss else counts),
    )
