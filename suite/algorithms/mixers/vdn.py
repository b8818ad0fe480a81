"""Value decomposition networks (arXiv 1706.05296, equation 2): Q_tot = Σ_n Q_n."""

from __future__ import annotations

from typing import TYPE_CHECKING

from suite.algorithms.declaration import Backbone
from suite.algorithms.mixers.interface import Mixed, MixerInputs
from suite.algorithms.settings import Settings
from suite.algorithms.specs import ParameterSpec
from suite.runs.sizes import Sizes

if TYPE_CHECKING:
    from suite.algorithms.parameters import Weights


class VdnMixer:
    """The sum of utilities."""

    specs: tuple[ParameterSpec, ...] = ()
    needs_greedy = False

    def __init__(self, settings: Settings, sizes: Sizes) -> None:
        pass

    def mix(self, weights: Weights, inputs: MixerInputs) -> Mixed:
        """Σ_n Q_n, (P, M, 1)."""
        return Mixed(inputs.q_taken.sum(dim=2, keepdim=True))


BACKBONE = Backbone("vdn", Settings, VdnMixer)
