"""The central mixer of Weighted QMIX (arXiv 2006.10800).

Q̂* = MLP([s; Q_1(u_1); …; Q_N(u_N)]) + V(s), monotonic in nothing, from utilities of agents of its
own. wqmix, `modules/mixers/qmix_central_no_hyper.py`: three hidden layers of 256.
"""

from __future__ import annotations

from suite.algorithms.layers.dense import linear, linear_relu
from suite.algorithms.mixers.interface import Mixed, MixerInputs
from suite.algorithms.parameters import Weights
from suite.algorithms.specs import linear_specs
from suite.runs.sizes import Sizes

# wqmix, config/algs/ow_qmix.yaml and cw_qmix.yaml: central_mixing_embed_dim.
EMBEDDING = 256


class CentralMixer:
    """Unconstrained mixing. Names start with "central": it is trained beside another mixer."""

    needs_greedy = False

    def __init__(self, sizes: Sizes, *, embedding: int = EMBEDDING) -> None:
        state = sizes.state_size
        self.specs = (
            *linear_specs("central_first", state + sizes.n_agents, embedding),
            *linear_specs("central_second", embedding, embedding),
            *linear_specs("central_third", embedding, embedding),
            *linear_specs("central_last", embedding, 1),
            *linear_specs("central_value_first", state, embedding),
            *linear_specs("central_value_last", embedding, 1),
        )

    def mix(self, weights: Weights, inputs: MixerInputs) -> Mixed:
        """Q̂* (P, M, 1)."""
        layers = {
            name: (weights[f"central_{name}.weight"], weights[f"central_{name}.bias"])
            for name in ("first", "second", "third", "last", "value_first", "value_last")
        }
        x = linear_relu(*layers["first"], inputs.state, inputs.q_taken)
        x = linear_relu(*layers["second"], x)
        x = linear_relu(*layers["third"], x)
        v = linear_relu(*layers["value_first"], inputs.state)
        return Mixed(linear(x, *layers["last"]) + linear(v, *layers["value_last"]))
