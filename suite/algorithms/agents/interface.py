"""What the learner needs of an agent network.

Agents hold no weights: they say which parameters they have and compute with those they are given,
so that online and target networks, or weights from elsewhere, go through the same code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from suite.algorithms.parameters import Weights
from suite.algorithms.rows import Rows
from suite.algorithms.specs import ParameterSpec

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Unrolled:
    """Utilities of all rows.

    q: (P, R, N, A). hidden: (P, R, N, H), of the recurrence. self_attention: C_nn (P, R, heads, N)
    of agents that advise each other.
    """

    q: Tensor
    hidden: Tensor
    self_attention: Tensor | None = None


class Agent(Protocol):
    """One network shared by all agents of a team; `mode` is an execution mode that it has."""

    specs: tuple[ParameterSpec, ...]
    hidden_size: int

    def unroll(self, weights: Weights, inputs: Tensor, rows: Rows) -> Unrolled:
        """Utilities from inputs (P, R, N, D) of whole episodes, in the mode that is trained."""

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

    def step(
        self,
        weights: Weights,
        inputs: Tensor,
        hidden: Tensor,
        mode: str,
        living: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """One time step: inputs (P, E, N, D), hidden (P, E, N, H) -> q (P, E, N, A), hidden.

        living (P, E, N) bool: given where an `ActingNetwork` says that it matters.
        """
