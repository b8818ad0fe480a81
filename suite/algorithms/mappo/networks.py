"""What MAPPO's networks share, and its actor (onpolicy's r_mappo/algorithm/r_actor_critic.py).

    LayerNorm(x) → [Linear → ReLU → LayerNorm] × 2 → [GRU → LayerNorm] → Linear

The first LayerNorm needs no work in an epoch: its x̂ does not depend on weights and is computed
once per update, its gain and shift are folded into the layer after it (W (g ∘ x̂ + s) + b =
(W g) x̂ + (W s + b)). So the widest tensors are read by two products, never normalised or
differentiated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from suite.algorithms.agents.interface import Array
from suite.algorithms.layers.dense import linear
from suite.algorithms.layers.gru import gru_next, gru_sequence
from suite.algorithms.layers.norm import layer_norm, normalise, relu_norm
from suite.algorithms.mappo import few_rows_numba
from suite.algorithms.mappo.settings import MappoSettings
from suite.algorithms.mappo.specs import actor_specs, trunk_specs
from suite.algorithms.parameters import Weights
from suite.algorithms.rows import Rows
from suite.runs.sizes import Sizes

WeightsInParts = tuple[tuple[Array, ...], tuple[Array, ...] | None, tuple[Array, ...]]
# From a weight (P, H, D) to the product of x̂ with it, (P, R·N, H).
Multiply = Callable[[Tensor], Tensor]


class Trunk:
    """Everything before the last layer; `name` is put before the names of its parameters.

    hidden_size: of the recurrent state; 0 without recurrence, whose states then have no values.
    """

    def __init__(self, name: str, input_size: int, settings: MappoSettings) -> None:
        self.name, self.is_recurrent = name, settings.is_recurrent
        self.hidden_size = settings.hidden_size if settings.is_recurrent else 0
        self.specs = trunk_specs(name, input_size, settings)

    def unroll(
        self,
        weights: Weights,
        multiply: Multiply,
        rows: Rows,
        n_agents: int,
        initial: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        """Features and states after each row (P, R·N, H) of sequences.

        multiply: x̂ times a weight. initial: states before the first row of each sequence
        (P, n_at[0], N, H); None stands for 0.
        """
        features = self._encode(weights, multiply)
        if not self.is_recurrent:
            return features, features[..., :0]
        start = None if initial is None else initial.flatten(1, 2)
        hidden = gru_sequence(features, *self._gru(weights), rows, n_agents, start)
        return self._norm(weights, hidden), hidden

    def step(self, weights: Weights, multiply: Multiply, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """One time step, no gradient: x̂ times a weight, hidden (P, E·N, H) -> features, hidden."""
        features = self._encode(weights, multiply)
        if not self.is_recurrent:
            return features, hidden
        hidden = gru_next(features, *self._gru(weights), hidden)
        return self._norm(weights, hidden), hidden

    def parts(self, weights: tuple[Array, ...]) -> WeightsInParts:
        """Those of `specs` and what follows them: encoder, recurrence (None without), the rest."""
        n = len(_ENCODER)
        if not self.is_recurrent:
            return weights[:n], None, weights[n:]
        return weights[:n], weights[n : len(self.specs)], weights[len(self.specs) :]

    def _encode(self, weights: Weights, multiply: Multiply) -> Tensor:
        w = {key: weights[self.name + key] for key in _ENCODER}
        gain, shift = w["input_norm.weight"], w["input_norm.bias"]
        folded = w["encoder.weight"] * gain.unsqueeze(1)
        bias = torch.baddbmm(
            w["encoder.bias"].unsqueeze(2), w["encoder.weight"], shift.unsqueeze(2)
        ).squeeze(2)
        first = relu_norm(multiply(folded), bias, w["encoder_norm.weight"], w["encoder_norm.bias"])
        second = linear(first, w["second.weight"])
        return relu_norm(second, w["second.bias"], w["second_norm.weight"], w["second_norm.bias"])

    def _gru(self, weights: Weights) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        name = f"{self.name}gru"
        of_input, of_hidden = weights[f"{name}.weight_ih"], weights[f"{name}.weight_hh"]
        return of_input, of_hidden, weights[f"{name}.bias_ih"], weights[f"{name}.bias_hh"]

    def _norm(self, weights: Weights, hidden: Tensor) -> Tensor:
        gain, shift = weights[f"{self.name}gru_norm.weight"], weights[f"{self.name}gru_norm.bias"]
        return layer_norm(hidden, gain, shift)


_ENCODER = [
    f"{layer}.{kind}"
    for layer in ("input_norm", "encoder", "encoder_norm", "second", "second_norm")
    for kind in ("weight", "bias")
]


@dataclass(frozen=True)
class Unrolled:
    """What an actor says on all rows.

    logits: (P, R, N, A). hidden: states after each row (P, R, N, H). self_attention: C_nn
    (P, R, heads, N) of agents that advise each other.
    """

    logits: Tensor
    hidden: Tensor
    self_attention: Tensor | None


class Actor:
    """Each agent alone, one network for all."""

    def __init__(self, settings: MappoSettings, sizes: Sizes) -> None:
        self.trunk = Trunk("", sizes.input_size, settings)
        self.hidden_size = self.trunk.hidden_size
        self.specs = actor_specs(settings, sizes)

    def prepare(self, x: Tensor) -> tuple[Tensor, ...]:
        """What of inputs x (…, D) this actor reads; does not depend on weights."""
        return (normalise(x),)

    def unroll(
        self,
        weights: Weights,
        inputs: tuple[Tensor, ...],
        rows: Rows,
        initial: Tensor | None = None,
        teams: Tensor | None = None,
    ) -> Unrolled:
        """Logits of sequences: prepared inputs (P, R, N, D), initial states (P, n_at[0], N, H).

        teams: not used, as nobody advises anybody.
        """
        (x,) = inputs
        features, hidden = self.trunk.unroll(
            weights, partial(linear, x.flatten(1, 2)), rows, x.shape[2], initial
        )
        logits = linear(features, weights["head.weight"], weights["head.bias"])
        lead = x.shape[1:3]
        return Unrolled(logits.unflatten(1, lead), hidden.unflatten(1, lead), None)

    def step(
        self, weights: Weights, inputs: tuple[Tensor, ...], hidden: Tensor, mode: str
    ) -> tuple[Tensor, Tensor]:
        """One time step: inputs (P, E, N, D), hidden (P, E, N, H) -> logits, hidden."""
        (x,) = inputs
        lead = x.shape[1:3]
        multiply = partial(linear, x.flatten(1, 2))
        features, hidden = self.trunk.step(weights, multiply, hidden.flatten(1, 2))
        logits = linear(features, weights["head.weight"], weights["head.bias"])
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
        parts = self.trunk.parts(weights)
        few_rows_numba.actor_step(observations, last_actions, hidden, logits, next_hidden, *parts)
