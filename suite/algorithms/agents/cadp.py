"""The advising agent of CADP (arXiv 2305.17352, section 4; release `agents/atten_rnn_agent.py`).

Every agent turns its input x_n into a query, a key and a value. Its advice is
z_n = Σ_j C_nj v_j with C the attention among agents. Centralised execution, CADP(C), computes Q_n
from [h_n; g(z_n)]; decentralised execution, CADP(D), puts the agent's own value v_n in place of
z_n, through the same layers. As C becomes the identity, the two agree. Only (C) is trained. In
between lies execution with the few advisers to whom an agent attends most, which is ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from suite.algorithms.agents import few_rows_numba
from suite.algorithms.agents.interface import Array, Unrolled
from suite.algorithms.agents.recurrent import recurrent_sequence, recurrent_step
from suite.algorithms.agents.specs import cadp_agent_specs
from suite.algorithms.cadp.modes import advisers
from suite.algorithms.cadp.settings import CadpSettings
from suite.algorithms.layers.attention import (
    advise,
    advise_by_most_attended,
    advise_with_values,
    own_values,
    who_hears_whom,
)
from suite.algorithms.layers.dense import linear, linear_relu
from suite.algorithms.parameters import Weights
from suite.algorithms.rows import Rows
from suite.runs.sizes import Sizes


@dataclass(frozen=True)
class Advised(Unrolled):
    """own_values: v (P, R·N, E), no gradient; only where gradients are on and there is advice."""

    own_values: Tensor | None = None


class CadpAgent:
    """Recurrent agent with advice from the other agents, or from none at all (`attends_to`)."""

    def __init__(self, settings: CadpSettings, sizes: Sizes) -> None:
        self.hidden_size = settings.hidden_size
        self.n_heads = settings.n_attention_heads
        self.specs = cadp_agent_specs(settings, sizes.input_size, sizes.n_actions)
        self._is_advised = settings.attends_to == "all"
        self._n_advisers = advisers(settings, sizes.n_agents)

    def unroll(
        self, weights: Weights, inputs: Tensor, rows: Rows, living: Tensor | None = None
    ) -> Advised:
        """Utilities q (P, R, N, A) and C_nn from inputs (P, R, N, D), in the mode that is trained.

        living (P, R, N) bool: who hears and is heard; None: everybody.
        """
        lead = inputs.shape[1:3]
        hidden = recurrent_sequence(weights, inputs, rows)
        x, attention = inputs.flatten(1, 2), weights["attention.weight"]
        self_attention = values = None
        if self._is_advised:
            hears = None if living is None else who_hears_whom(living)
            advice, self_attention, values = advise_with_values(
                x, attention, lead[1], self.n_heads, hears
            )
        else:
            advice = own_values(x, attention)
        q = self._head(weights, hidden, advice)
        return Advised(q.unflatten(1, lead), hidden.unflatten(1, lead), self_attention, values)

    @torch.no_grad()
    def decentralised_q(self, weights: Weights, online: Advised, rows: Rows) -> Tensor:
        """CADP(D)'s utilities (P, M, N, A) where transitions start, after `unroll`; no gradient.

        The recurrence does not know the mode, and own values are there: only the head is computed.
        """
        assert online.own_values is not None
        hidden = rows.at_start(online.hidden)
        values = rows.at_start(online.own_values.unflatten(1, online.hidden.shape[1:3]))
        q = self._head(weights, hidden.flatten(1, 2), values.flatten(1, 2))
        return q.unflatten(1, hidden.shape[1:3])

    def step_few_rows(
        self,
        weights: tuple[Array, ...],
        observations: Array,
        last_actions: NDArray[np.int64],
        hidden: Array,
        q: Array,
        next_hidden: Array,
        mode: str,
        living: NDArray[np.bool_] | None = None,
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
            self._n_advisers[mode],
            living,
        )

    def step(
        self,
        weights: Weights,
        inputs: Tensor,
        hidden: Tensor,
        mode: str,
        living: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """One time step: inputs (P, E, N, D), hidden (P, E, N, H) -> q (P, E, N, A), hidden."""
        lead = inputs.shape[1:3]
        flat = inputs.flatten(1, 2)
        next_hidden = recurrent_step(weights, flat, hidden.flatten(1, 2))
        advice = self._advice_in(mode, weights["attention.weight"], flat, lead[1], living)
        q = self._head(weights, next_hidden, advice)
        return q.unflatten(1, lead), next_hidden.unflatten(1, lead)

    def _advice_in(
        self, mode: str, weight: Tensor, x: Tensor, n_agents: int, living: Tensor | None
    ) -> Tensor:
        """Advice (P, E·N, E) in an execution mode."""
        n_advisers = self._n_advisers[mode]
        if n_advisers == 0:
            return own_values(x, weight)
        hears = None if living is None else who_hears_whom(living)
        if n_advisers == n_agents - 1:
            return advise(x, weight, n_agents, self.n_heads, hears)[0]
        return advise_by_most_attended(x, weight, n_agents, self.n_heads, n_advisers, hears)

    def _head(self, weights: Weights, hidden: Tensor, advice: Tensor) -> Tensor:
        """hidden (P, R·N, H), advice (P, R·N, E) -> q (P, R·N, A)."""
        g = linear_relu(weights["advice.weight"], weights["advice.bias"], advice)
        merged = linear_relu(weights["merge.weight"], weights["merge.bias"], hidden, g)
        last = linear_relu(weights["head_hidden.weight"], weights["head_hidden.bias"], merged)
        return linear(last, weights["head.weight"], weights["head.bias"])
