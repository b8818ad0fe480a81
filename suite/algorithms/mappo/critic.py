"""MAPPO's critic and what it sees (onpolicy's r_actor_critic.py; MAPPO paper, sections 5.3, 5.5).

It sees the agent-specific global state: state, own observation and one-hot agent number side by
side; of a dead agent its number alone (onpolicy's `use_state_agent` and `use_mustalive`). onpolicy
writes such a state feature by feature for each agent of StarCraft II; ours holds the same facts for
any environment, some of them twice.

The state is the same for all agents of a row, so its product with the first layer's weight is taken
once per row, not per agent. The LayerNorm before that layer differs between agents, but only in a
mean and a scale: with s̄ the state's own mean, μ_n and σ_n those of agent n's whole input,

    W_s (s - μ_n) / σ_n = W_s (s - s̄) / σ_n + (W_s 1) (s̄ - μ_n) / σ_n.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from suite.algorithms.layers.dense import linear
from suite.algorithms.layers.norm import EPSILON
from suite.algorithms.mappo.networks import Trunk
from suite.algorithms.mappo.settings import MappoSettings
from suite.algorithms.mappo.specs import critic_specs
from suite.algorithms.parameters import Weights
from suite.algorithms.rows import Rows
from suite.runs.sizes import Sizes


@dataclass(frozen=True)
class CriticInputs:
    """Normalised inputs of all agents, in parts.

    state: s - s̄ (P, R, S). scale: 1/σ_n (P, R, N), 0 for the dead. own: observation and number,
    normalised, and (s̄ - μ_n) / σ_n beside them (P, R, N, O+N+1).
    """

    state: Tensor
    scale: Tensor
    own: Tensor

    def map(self, change: Callable[[Tensor], Tensor]) -> CriticInputs:
        """The same with every part changed."""
        return CriticInputs(change(self.state), change(self.scale), change(self.own))

    def multiply(self, weight: Tensor) -> Tensor:
        """x̂ times weight (P, H, S+O+N) -> (P, R·N, H)."""
        n_state = self.state.shape[2]
        of_state, of_own = weight[..., :n_state], weight[..., n_state:]
        of_own = torch.cat([of_own, of_state.sum(dim=2, keepdim=True)], dim=2)
        shared = linear(self.state, of_state).unsqueeze(2)
        own = linear(self.own.flatten(1, 2), of_own).unflatten(1, self.own.shape[1:3])
        return torch.addcmul(own, self.scale.unsqueeze(3), shared).flatten(1, 2)


def critic_inputs(state: Tensor, observations: Tensor, living: Tensor) -> CriticInputs:
    """From state (P, R, S), observations (P, R, N, O) and living (P, R, N) bool."""
    p, r, n, o = observations.shape
    n_state, n_own = state.shape[2], o + n
    size = n_state + n_own
    alive = living.to(state.dtype)
    own = state.new_empty(p, r, n, n_own + 1)
    torch.mul(observations, alive.unsqueeze(3), out=own[..., :o])
    own[..., o:n_own] = torch.eye(n, dtype=own.dtype, device=own.device)

    # Means and variances of the two parts, joined (Chan et al. 1979).
    state_variance, state_mean = torch.var_mean(state, dim=2, correction=0, keepdim=True)
    own_variance, own_mean = torch.var_mean(own[..., :n_own], dim=3, correction=0)
    seen_mean = alive * state_mean
    mean = (n_state * seen_mean + n_own * own_mean) / size
    within = (n_state * alive * state_variance + n_own * own_variance) / size
    between = (seen_mean - own_mean).square() * (n_state * n_own / size**2)
    scale = (within + between + EPSILON).rsqrt()
    own[..., n_own] = seen_mean
    own.sub_(mean.unsqueeze(3)).mul_(scale.unsqueeze(3))
    return CriticInputs(state - state_mean, scale * alive, own)


class Critic:
    """The value of every agent."""

    def __init__(self, settings: MappoSettings, sizes: Sizes) -> None:
        input_size = sizes.state_size + sizes.observation_size + sizes.n_agents
        self.trunk = Trunk("critic.", input_size, settings)
        self.specs = critic_specs(settings, sizes)

    def unroll(
        self, weights: Weights, inputs: CriticInputs, rows: Rows, initial: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Values (P, R, N) and states after each row (P, R, N, H) of sequences.

        initial: states before the first row of each (P, n_at[0], N, H); None stands for 0.
        """
        lead = inputs.own.shape[1:3]
        features, hidden = self.trunk.unroll(weights, inputs.multiply, rows, lead[1], initial)
        values = linear(features, weights["critic.head.weight"], weights["critic.head.bias"])
        return values.squeeze(2).unflatten(1, lead), hidden.unflatten(1, lead)
