"""The advising actor of CADP on MAPPO (CADP-PG, r_actor_critic_cadp.py; arXiv 2305.17352).

    f_n = Linear([trunk_n; ReLU(Linear z_n)]),   logits_n = Linear f_n

z_n = Σ_j C_nj v_j is the advice to agent n, C the attention among agents on their raw inputs, as
in `suite.algorithms.agents.cadp`. No activation after the layer that merges. Decentralised
execution puts the agent's own value v_n in place of z_n. Critic unchanged.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from suite.algorithms.agents.interface import Array
from suite.algorithms.layers.attention import advise
from suite.algorithms.layers.dense import linear, linear_relu
from suite.algorithms.layers.norm import normalise
from suite.algorithms.mappo import few_rows_numba
from suite.algorithms.mappo.networks import Trunk, Unrolled
from suite.algorithms.mappo.settings import CadpMappoSettings
from suite.algorithms.mappo.specs import cadp_actor_specs
from suite.algorithms.parameters import Weights
from suite.algorithms.rows import Rows
from suite.runs.modes import CENTRALISED
from suite.runs.sizes import Sizes


class CadpActor:
    """MAPPO's actor with advice from the other agents."""

    def __init__(self, settings: CadpMappoSettings, sizes: Sizes) -> None:
        self.trunk = Trunk("", sizes.input_size, settings)
        self.hidden_size = self.trunk.hidden_size
        self.n_heads = settings.n_attention_heads
        self.advice_size = settings.n_attention_heads * settings.attention_head_size
        self.specs = cadp_actor_specs(settings, sizes)

    def prepare(self, x: Tensor) -> tuple[Tensor, ...]:
        """What of inputs x (…, D) this actor reads: x̂ for the trunk, x for the attention."""
        return normalise(x), x

    def unroll(
        self,
        weights: Weights,
        inputs: tuple[Tensor, ...],
        rows: Rows,
        initial: Tensor | None = None,
        teams: Tensor | None = None,
    ) -> Unrolled:
        """Centralised logits and C_nn: prepared inputs (P, R, N, D), initial (P, n_at[0], N, H).

        teams: (P, R·N) order of single agents in which each N in a row advise each other, and in
        which C_nn then comes; None for the teams as they are.
        """
        normal, x = inputs
        lead = x.shape[1:3]
        features, hidden = self.trunk.unroll(
            weights, partial(linear, normal.flatten(1, 2)), rows, lead[1], initial
        )
        advice, self_attention = self._advise(weights, x.flatten(1, 2), lead[1], teams)
        logits = self._head(weights, features, advice)
        return Unrolled(logits.unflatten(1, lead), hidden.unflatten(1, lead), self_attention)

    def step(
        self, weights: Weights, inputs: tuple[Tensor, ...], hidden: Tensor, mode: str
    ) -> tuple[Tensor, Tensor]:
        """One time step: inputs (P, E, N, D), hidden (P, E, N, H) -> logits, hidden."""
        normal, x = inputs
        lead, flat = x.shape[1:3], x.flatten(1, 2)
        multiply = partial(linear, normal.flatten(1, 2))
        features, hidden = self.trunk.step(weights, multiply, hidden.flatten(1, 2))
        if mode == CENTRALISED.name:
            advice, _ = self._advise(weights, flat, lead[1], None)
        else:  # each agent alone: its own value, no query, no key
            advice = linear(flat, weights["attention.weight"][:, 2 * self.advice_size :])
        logits = self._head(weights, features, advice)
        return logits.unflatten(1, lead), hidden.unflatten(1, lead)

    def step_few_rows(
        self,
        weights: tuple[Array, ...],
        observations: Array,
        last_actions: NDArray[np.int64],
        hidden: Array,
        logits: Array,
        next_hidden: Array,
        mode: str,
    ) -> None:
        """`step` of one member, compiled for few rows; see `few_rows_numba`."""
        n_advisers = last_actions.shape[1] - 1 if mode == CENTRALISED.name else 0
        few_rows_numba.cadp_step(
            observations,
            last_actions,
            hidden,
            logits,
            next_hidden,
            *self.trunk.parts(weights),
            self.n_heads,
            n_advisers,
        )

    def _advise(
        self, weights: Weights, x: Tensor, n_agents: int, teams: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """x (P, R·N, D) -> advice (P, R·N, E) of each agent, C_nn (P, R, heads, N) of each team."""
        if teams is None:
            return advise(x, weights["attention.weight"], n_agents, self.n_heads)
        regrouped = x.gather(1, teams.unsqueeze(2).expand_as(x))
        advice, self_attention = advise(
            regrouped, weights["attention.weight"], n_agents, self.n_heads
        )
        back = teams.argsort(dim=1).unsqueeze(2).expand_as(advice)
        return advice.gather(1, back), self_attention

    def _head(self, weights: Weights, features: Tensor, advice: Tensor) -> Tensor:
        """features (P, R·N, H), advice (P, R·N, E) -> logits (P, R·N, A)."""
        g = linear_relu(weights["advice.weight"], weights["advice.bias"], advice)
        # Nothing bends between the last two layers: one product of their weights replaces one over
        # all rows.
        head, size = weights["head.weight"], features.shape[2]
        both = head @ weights["merge.weight"]
        bias = torch.baddbmm(
            weights["head.bias"].unsqueeze(2), head, weights["merge.bias"].unsqueeze(2)
        ).squeeze(2)
        return linear(features, both[..., :size], bias) + linear(g, both[..., size:])
