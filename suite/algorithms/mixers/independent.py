"""No mixing: independent Q-learning (Tan 1993; Tampuu et al. 2017). Each agent learns alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from suite.algorithms.declaration import Backbone
from suite.algorithms.mixers.interface import Mixed, MixerInputs
from suite.algorithms.settings import Settings
from suite.algorithms.specs import ParameterSpec
from suite.runs.sizes import Sizes

if TYPE_CHECKING:
    from suite.algorithms.parameters import Weights


class IndependentMixer:
    """Q of each agent, K = N."""

    specs: tuple[ParameterSpec, ...] = ()
    needs_greedy = False

    def __init__(self, settings: Settings, sizes: Sizes) -> None:
        pass

    def mix(self, weights: Weights, inputs: MixerInputs) -> Mixed:
        """The utilities themselves, (P, M, N)."""
        return Mixed(inputs.q_taken)


BACKBONE = Backbone("iql", Settings, IndependentMixer, is_mixing=False)
