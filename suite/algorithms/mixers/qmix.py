"""QMIX (arXiv 1803.11485, section 4; release `modules/mixers/qmix.py`).

Q_tot = w₂ᵀ ELU(W₁ᵀ q + b₁) + V(s), with W₁ = |h₁(s)|, w₂ = |h₂(s)|, b₁ = Linear(s),
V = Linear-ReLU-Linear(s). h₁ and h₂ have one layer in CADP's release (its yaml leaves
`hypernet_layers` unset) and two in PyMARL's QMIX.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from suite.algorithms.declaration import Backbone
from suite.algorithms.mixers.interface import Mixed, MixerInputs
from suite.algorithms.settings import Settings, Width
from suite.algorithms.specs import linear_specs
from suite.runs.sizes import Sizes

if TYPE_CHECKING:
    from torch import Tensor

    from suite.algorithms.parameters import Weights


class QmixSettings(Settings):
    """Defaults: the release's config/algs/QMIX_CADP.yaml; one layer because it names none."""

    mixer_embedding: Width = 32
    hypernet_layers: int = Field(1, ge=1, le=2)
    hypernet_embedding: Width = 64


class QmixMixer:
    """Monotonic mixing with weights from hypernetworks of the state.

    All layers that read the state are rows of one matrix, `state`: h₁, h₂ (their first layers when
    they have two), b₁, and the first layer of V.
    """

    needs_greedy = False

    def __init__(self, settings: QmixSettings, sizes: Sizes) -> None:
        self.n_agents = sizes.n_agents
        self.embedding = embedding = settings.mixer_embedding
        self.has_deep_hypernet = settings.hypernet_layers == 2
        first = embedding * sizes.n_agents
        widths = (first, embedding)
        if self.has_deep_hypernet:
            widths = (settings.hypernet_embedding,) * 2
        self.widths = [*widths, embedding, embedding]
        self.specs = linear_specs("state", sizes.state_size, sum(self.widths), reads_data=True)
        if self.has_deep_hypernet:
            self.specs += linear_specs("hyper_first", settings.hypernet_embedding, first)
            self.specs += linear_specs("hyper_last", settings.hypernet_embedding, embedding)
        self.specs += linear_specs("value", embedding, 1)

    def mix(self, weights: Weights, inputs: MixerInputs) -> Mixed:
        """Q_tot (P, M, 1)."""
        from torch.nn import functional

        from suite.algorithms.layers.dense import linear

        read = linear(inputs.state, weights["state.weight"], weights["state.bias"])
        w_first, w_last, bias, value = read.split(self.widths, dim=2)
        if self.has_deep_hypernet:
            w_first = _second_layer(weights, "hyper_first", w_first)
            w_last = _second_layer(weights, "hyper_last", w_last)
        w_first = w_first.abs().unflatten(2, (self.n_agents, self.embedding))
        mixed = (inputs.q_taken.unsqueeze(3) * w_first).sum(dim=2)
        hidden = functional.elu(mixed + bias)
        v = linear(value.relu(), weights["value.weight"], weights["value.bias"])
        return Mixed((hidden * w_last.abs()).sum(dim=2, keepdim=True) + v)


def _second_layer(weights: Weights, name: str, first: Tensor) -> Tensor:
    from suite.algorithms.layers.dense import linear

    return linear(first.relu(), weights[f"{name}.weight"], weights[f"{name}.bias"])


BACKBONE = Backbone("qmix", QmixSettings, QmixMixer)
