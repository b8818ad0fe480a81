"""The central mixer of Weighted QMIX (arXiv 2006.10800).

Q̂* = MLP([s; Q_1(u_1); …; Q_N(u_N)]) + V(s), monotonic in nothing, from utilities of agents of its
own. wqmix, `modules/mixers/qmix_central_no_hyper.py`: three hidden layers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from suite.algorithms.mixers.interface import Mixed, MixerInputs
from suite.algorithms.specs import linear_specs
from suite.algorithms.wqmix.settings import WqmixSettings
from suite.runs.sizes import Sizes

if TYPE_CHECKING:
    from suite.algorithms.parameters import Weights


class CentralMixer:
    """Unconstrained mixing."""

    needs_greedy = False

    def __init__(self, settings: WqmixSettings, sizes: Sizes) -> None:
        state, embedding = sizes.state_size, settings.central_embedding
        self.specs = (
            *linear_specs("first", state + sizes.n_agents, embedding, n_data_inputs=state),
            *linear_specs("second", embedding, embedding),
            *linear_specs("third", embedding, embedding),
            *linear_specs("last", embedding, 1),
            *linear_specs("value_first", state, embedding, reads_data=True),
            *linear_specs("value_last", embedding, 1),
        )

    def mix(self, weights: Weights, inputs: MixerInputs) -> Mixed:
        """Q̂* (P, M, 1)."""
        from suite.algorithms.layers.dense import linear, linear_relu

        layers = {
            name: (weights[f"{name}.weight"], weights[f"{name}.bias"])
            for name in ("first", "second", "third", "last", "value_first", "value_last")
        }
        x = linear_relu(*layers["first"], inputs.state, inputs.q_taken)
        x = linear_relu(*layers["second"], x)
        x = linear_relu(*layers["third"], x)
        v = linear_relu(*layers["value_first"], inputs.state)
        return Mixed(linear(x, *layers["last"]) + linear(v, *layers["value_last"]))
