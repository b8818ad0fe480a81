"""The plain recurrent agent (DRQN as in PyMARL, the release's `modules/agents/rnn_agent.py`).

h_n = GRU(ReLU(W x_n)), Q_n = Linear(h_n).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from suite.algorithms.agents import few_rows_numba
from suite.algorithms.agents.interface import Array, Unrolled
from suite.algorithms.agents.specs import recurrent_agent_specs
from suite.algorithms.inputs import OWN_OBSERVATION, Inputs
from suite.algorithms.layers.dense import linear, linear_relu
from suite.algorithms.layers.gru import gru_sequence, gru_step
from suite.algorithms.parameters import Weights
from suite.algorithms.rows import Rows
from suite.algorithms.value.settings import ValueSettings
from suite.runs.sizes import Sizes


class RecurrentAgent:
    """Each agent alone: encoder, GRU, linear head."""

    def __init__(
        self, settings: ValueSettings, sizes: Sizes, inputs: Inputs = OWN_OBSERVATION
    ) -> None:
        self.hidden_size = settings.hidden_size
        width = sizes.input_size_with(inputs.width(sizes))
        self.specs = recurrent_agent_specs(settings, width, sizes.n_actions)

    def unroll(self, weights: Weights, inputs: Tensor, rows: Rows) -> Unrolled:
        """Utilities q (P, R, N, A) from inputs (P, R, N, D) of whole episodes."""
        hidden = recurrent_sequence(weights, inputs, rows)
        q = linear(hidden, weights["head.weight"], weights["head.bias"])
        lead = inputs.shape[1:3]
        return Unrolled(q.unflatten(1, lead), hidden.unflatten(1, lead))

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
        few_rows_numba.recurrent_step(observations, last_actions, hidden, q, next_hidden, weights)

    def step(
        self,
        weights: Weights,
        inputs: Tensor,
        hidden: Tensor,
        mode: str,
        living: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """One time step: inputs (P, E, N, D), hidden (P, E, N, H) -> q (P, E, N, A), hidden."""
        flat = recurrent_step(weights, inputs.flatten(1, 2), hidden.flatten(1, 2))
        q = linear(flat, weights["head.weight"], weights["head.bias"])
        return q.unflatten(1, inputs.shape[1:3]), flat.unflatten(1, inputs.shape[1:3])


def recurrent_sequence(weights: Weights, inputs: Tensor, rows: Rows) -> Tensor:
    """Hidden states (P, R·N, H) of whole episodes from inputs (P, R, N, D)."""
    x = linear_relu(weights["encoder.weight"], weights["encoder.bias"], inputs.flatten(1, 2))
    return gru_sequence(
        x,
        weights["gru.weight_ih"],
        weights["gru.weight_hh"],
        weights["gru.bias_ih"],
        weights["gru.bias_hh"],
        rows,
        inputs.shape[2],
    )


def recurrent_step(weights: Weights, inputs: Tensor, hidden: Tensor) -> Tensor:
    """Next hidden state (P, E·N, H) from inputs (P, E·N, D) and hidden (P, E·N, H)."""
    x = linear_relu(weights["encoder.weight"], weights["encoder.bias"], inputs)
    input_gates = linear(x, weights["gru.weight_ih"], weights["gru.bias_ih"])
    hidden_gates = linear(hidden, weights["gru.weight_hh"], weights["gru.bias_hh"])
    return gru_step(input_gates, hidden_gates, hidden)
