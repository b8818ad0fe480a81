"""QPLEX (arXiv 2008.01062, section 3), the paper's own form: repository `dmaq_general.py`.

Transformation:  Q'_n = w_n(s) Q_n + v_n(s), w_n > 0
Dueling mixing:  Q_tot = Σ_n Q'_n(u_n) + Σ_n (λ_n(s,u) - 1) [Q'_n(u_n) - max_a Q'_n(a)]
The bracket carries no gradient: the advantages train λ alone.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from suite.algorithms.batch import Sizes
from suite.algorithms.layers.dense import linear, linear_relu
from suite.algorithms.mixers.interface import Mixed, MixerInputs
from suite.algorithms.parameters import Weights, linear_specs
from suite.algorithms.settings import AlgorithmSettings

# QPLEX repository, config/algs/qplex.yaml: num_kernel, adv_hypernet_embed (3 layers).
N_KERNELS = 10
ADVANTAGE_HIDDEN = 64
# Keeps weights positive: dmaq_general.py and dmaq_si_weight.py.
POSITIVE = 1e-10


def duplex(q_taken: Tensor, q_greedy: Tensor, scale: Tensor, shift: Tensor, lam: Tensor) -> Tensor:
    """Q_tot (P, M, 1) from utilities, transformation (w, v) and importance λ, each (P, M, N).

    Equations 8 to 11 of the paper; `shift` cancels in the advantage.
    """
    value = (scale * q_taken + shift).sum(dim=2, keepdim=True)
    advantage = (scale * (q_taken - q_greedy)).detach()
    return value + ((lam - 1) * advantage).sum(dim=2, keepdim=True)


def importance(key: Tensor, agents: Tensor, action: Tensor) -> Tensor:
    """λ_n = Σ_k (|key_k| + 1e-10) σ(agents_kn) σ(action_kn), equation 11.

    key (P, M, K), agents and action (P, M, K, N) -> (P, M, N).
    """
    terms = torch.sigmoid(agents) * torch.sigmoid(action)
    return (terms * (key.abs() + POSITIVE).unsqueeze(3)).sum(dim=2)


def state_and_actions(state: Tensor, actions: Tensor, n_actions: int) -> Tensor:
    """[s; one-hot u_1; …; one-hot u_N], (P, M, S + N·A)."""
    one_hot = functional.one_hot(actions, n_actions).to(state.dtype).flatten(2)
    return torch.cat([state, one_hot], dim=2)


class DmaqMixer:
    """Three-layer importance networks with ten kernels; w = |MLP(s)|, v = MLP(s)."""

    needs_greedy = True

    def __init__(self, settings: AlgorithmSettings, sizes: Sizes) -> None:
        self.n_agents, self.n_actions = sizes.n_agents, sizes.n_actions
        self.embedding = embedding = settings.hypernet_embedding
        joint = sizes.state_size + sizes.n_agents * sizes.n_actions
        wide = N_KERNELS * ADVANTAGE_HIDDEN
        # Rows of `state`: scale, shift, then the key and agent networks of all kernels.
        self.specs = linear_specs("state", sizes.state_size, 2 * embedding + 2 * wide)
        self.specs += linear_specs("scale", embedding, sizes.n_agents)
        self.specs += linear_specs("shift", embedding, sizes.n_agents)
        self.specs += linear_specs("joint", joint, wide)
        for name, outputs in (("key", 1), ("agents", sizes.n_agents), ("action", sizes.n_agents)):
            hidden = ADVANTAGE_HIDDEN
            self.specs += linear_specs(f"{name}_hidden", hidden, hidden, blocks=N_KERNELS)
            self.specs += linear_specs(name, hidden, outputs, blocks=N_KERNELS)

    def mix(self, weights: Weights, inputs: MixerInputs) -> Mixed:
        """Q_tot (P, M, 1). Needs `inputs.q_greedy`."""
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
