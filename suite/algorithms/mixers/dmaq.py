"""QPLEX in its paper's own form (arXiv 2008.01062; repository `dmaq_general.py`).

Three-layer importance networks with ten kernels; w = |MLP(s)|, v = MLP(s). Equations: `duplex`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from suite.algorithms.mixers.interface import Mixed, MixerInputs
from suite.algorithms.specs import linear_specs
from suite.runs.sizes import Sizes

if TYPE_CHECKING:
    from torch import Tensor

    from suite.algorithms.mixers.qplex import QplexSettings
    from suite.algorithms.parameters import Weights

# QPLEX repository, config/algs/qplex.yaml: num_kernel, adv_hypernet_embed (3 layers).
N_KERNELS = 10
ADVANTAGE_HIDDEN = 64


class DmaqMixer:
    """Three-layer importance networks with ten kernels; w = |MLP(s)|, v = MLP(s)."""

    needs_greedy = True

    def __init__(self, settings: QplexSettings, sizes: Sizes) -> None:
        self.n_agents, self.n_actions = sizes.n_agents, sizes.n_actions
        self.embedding = embedding = settings.hypernet_embedding
        joint = sizes.state_size + sizes.n_agents * sizes.n_actions
        wide = N_KERNELS * ADVANTAGE_HIDDEN
        # Rows of `state`: scale, shift, then the key and agent networks of all kernels.
        self.specs = linear_specs(
            "state", sizes.state_size, 2 * embedding + 2 * wide, reads_data=True
        )
        self.specs += linear_specs("scale", embedding, sizes.n_agents)
        self.specs += linear_specs("shift", embedding, sizes.n_agents)
        self.specs += linear_specs("joint", joint, wide, reads_data=True)
        for name, outputs in (("key", 1), ("agents", sizes.n_agents), ("action", sizes.n_agents)):
            hidden = ADVANTAGE_HIDDEN
            self.specs += linear_specs(f"{name}_hidden", hidden, hidden, blocks=N_KERNELS)
            self.specs += linear_specs(name, hidden, outputs, blocks=N_KERNELS)

    def mix(self, weights: Weights, inputs: MixerInputs) -> Mixed:
        """Q_tot (P, M, 1). Needs `inputs.q_greedy`."""
        from suite.algorithms.layers.dense import linear, linear_relu
        from suite.algorithms.mixers.duplex import POSITIVE, duplex, importance, state_and_actions

        assert inputs.q_greedy is not None
        read = linear_relu(weights["state.weight"], weights["state.bias"], inputs.state)
        wide = N_KERNELS * ADVANTAGE_HIDDEN
        for_scale, for_shift, for_key, for_agents = read.split(
            [self.embedding, self.embedding, wide, wide], dim=2
        )
        scale = linear(for_scale, weights["scale.weight"], weights["scale.bias"]).abs() + POSITIVE
        shift = linear(for_shift, weights["shift.weight"], weights["shift.bias"])
        joint = state_and_actions(inputs.state, inputs.actions, self.n_actions)
        for_action = linear_relu(weights["joint.weight"], weights["joint.bias"], joint)
        key = _kernels(weights, "key", for_key).squeeze(3)
        agents = _kernels(weights, "agents", for_agents)
        action = _kernels(weights, "action", for_action)
        lam = importance(key, agents, action)
        return Mixed(duplex(inputs.q_taken, inputs.q_greedy, scale, shift, lam))


def _kernels(weights: Weights, name: str, first: Tensor) -> Tensor:
    """Second and third layer of all kernels: (P, M, K·64) -> (P, M, K, outputs)."""
    x = first.unflatten(2, (N_KERNELS, -1)).transpose(1, 2)  # (P, K, M, 64)
    for layer in (f"{name}_hidden", name):
        weight, bias = weights[f"{layer}.weight"], weights[f"{layer}.bias"]
        x = x @ weight.transpose(2, 3) + bias.unsqueeze(2)
        if layer != name:
            x = x.relu_()
    return x.transpose(1, 2)
