"""No mixing: independent Q-learning (Tan 1993; Tampuu et al. 2017). Each agent learns alone."""

from __future__ import annotations

from suite.algorithms.mixers.interface import Mixed, MixerInputs
from suite.algorithms.parameters import ParameterSpec, Weights


class IndependentMixer:
    """Q of each agent, K = N."""

    specs: tuple[ParameterSpec, ...] = ()
    needs_greedy = False

    def mix(self, weights: Weights, inputs: MixerInputs) -> Mixed:
        """The utilities themselves, (P, M, N)."""
        return Mixed(inputs.q_taken)
