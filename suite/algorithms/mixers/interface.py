"""What a learner needs of a mixer. Like agents, mixers hold no weights.

Plans ask a mixer for its layers: torch is imported where it computes, not with the module.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from suite.algorithms.specs import ParameterSpec

if TYPE_CHECKING:
    from torch import Tensor

    from suite.algorithms.parameters import Weights


@dataclass(frozen=True)
class Mixed:
    """Joint values.

    q: (P, M, K); K is 1, or N where every agent has a value of its own (IQL).
    row_penalty: (P, M), a regulariser to be averaged over rows and added to the loss, or None.
    """

    q: Tensor
    row_penalty: Tensor | None = None


@dataclass(frozen=True)
class MixerInputs:
    """What is known at M transitions.

    q_taken: (P, M, N) utilities of `actions`. state: (P, M, S). actions: (P, M, N) int64.
    q_greedy: (P, M, N) highest utility of an available action, without gradient; None for mixers
    whose `needs_greedy` is False.
    """

    q_taken: Tensor
    state: Tensor
    actions: Tensor
    q_greedy: Tensor | None = None


class Mixer(Protocol):
    """Specs of its layers (their input is the state and actions of a whole step), and what it does.

    needs_greedy: whether it wants `MixerInputs.q_greedy`.
    """

    specs: tuple[ParameterSpec, ...]
    needs_greedy: bool

    def mix(self, weights: Weights, inputs: MixerInputs) -> Mixed:
        """Joint values of the transitions."""
