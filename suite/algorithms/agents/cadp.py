"""The advising agent of CADP (arXiv 2305.17352, section 4; release `agents/atten_rnn_agent.py`).

Every agent turns its input x_n into a query, a key and a value. Its advice is
z_n = Σ_j C_nj v_j with C the attention among agents. Centralised execution, CADP(C), computes Q_n
from [h_n; g(z_n)]; decentralised execution, CADP(D), puts the agent's own value v_n in place of
z_n, through the same layers. As C becomes the identity, the two agree. Only (C) is trained.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from suite.algorithms.agents import few_rows_numba
from suite.algorithms.agents.interface import Array, Unrolled
from suite.algorithms.agents.recurrent import recurrent_sequence, recurrent_step
from suite.algorithms.agents.specs import cadp_agent_specs
from suite.algorithms.cadp.settings import CadpSettings
from suite.algorithms.layers.attention import advise
from suite.algorithms.layers.dense import linear, linear_relu
from suite.algorithms.parameters import Weights
from suite.algorithms.rows import Rows
from suite.runs.modes import CENTRALISED
from suite.runs.sizes import Sizes


class CadpAgent:
    """Recurrent agent with advice from the other agents."""

    def __init__(self, settings: CadpSettings, sizes: Sizes) -> None:
        self.hidden_size = settings.hidden_size
        self.n_heads = settings.n_attention_heads
        self.advice_size = settings.n_attention_heads * settings.attention_head_size
        self.specs = cadp_agent_specs(settings, sizes.input_size, sizes.n_actions)

    def unroll(self, weights: Weights, inputs: Tensor, rows: Rows) -> Unrolled:
        """Centralised utilities q (P, R, N, A) and C_nn from inputs (P, R, N, D)."""
        lead = inputs.shape[1:3]
        hidden = recurrent_sequence(weights, inputs, rows)
        advice, self_attention = advise(
            inputs.flatten(1, 2), weights["attention.weight"], lead[1], self.n_heads
        )
        q = self._head(weights, hidden, advice)
        return Unrolled(q.unflatten(1, lead), hidden.unflatten(1, lead), self_attention)

    def step_few_rows(
        self,
        weights: tuple[Array, ...],
        observations: Array,
        last_actions: NDArray[np.int64],
        hidden: Array,
        q: Array,
        next_hidden: Array,
        mode: str,
    ) -> None:
        """`step` of one member, compiled for few rows; see `agents.few_rows_numba`."""
        few_rows_numba.cadp_step(
            observations,
            last_actions,
            hidden,
            q,
            next_hidden,
            weights,
            self.n_heads,
            mode == CENTRALISED.name,
        )

    def step(
        self, weights: Weights, inputs: Tensor, hidden: Tensor, mode: str
    ) -> tuple[Tensor, Tensor]:
        """One time step: inputs (P, E, N, D), hidden (P, E, N, H) -> q (P, E, N, A), hidden."""
        lead = inputs.shape[1:3]
        flat = inputs.flatten(1, 2)
        next_hidden = recurrent_step(weights, flat, hidden.flatten(1, 2))
        if mode == CENTRALISED.name:
            advice, _ = advise(flat, weights["attention.weight"], lead[1], self.n_heads)
        else:  # each agent alone: its own value, no query, no key
            advice = linear(flat, weights["attention.weight"][:, 2 * self.advice_size :])
        q = self._head(weights, next_hidden, advice)
        return q.unflatten(1, lead), next_hidden.unflatten(1, lead)

    def _head(self, weights: Weights, hidden: Tensor, advice: Tensor) -> Tensor:
        """hidden (P, R·N, H), advice (P, R·N, E) -> q (P, R·N, A)."""
        g = linear_relu(weights["advice.weight"], weights["advice.bias"], advice)
        merged = linear_relu(weights["merge.weight"], weights["merge.bias"], hidden, g)
        last = linear_relu(weights["head_hidden.weight"], weights["head_hidden.bias"], merged)
        return linear(last, weights["head.weight"], weights["head.bias"])
