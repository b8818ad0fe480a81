"""QPLEX with Qatten's attention as transformation: the form CADP uses (`modules/mixers/qplex.py`).

Head h:  c_h = Linear-ReLU-Linear(s), k_hn = Linear(block n of the state),
         w_hn = softmax_n(c_h·k_hn / √E);  w_n = Σ_h w_hn + 1e-10,  Q'_n = w_n Q_n + V(s)/N.
Mixing as in `duplex`, with four single-layer kernels. Regulariser: 0.001 Σ_h mean (c_h·k_hn)².
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from suite.algorithms.mixers.interface import Mixed, MixerInputs
from suite.algorithms.specs import linear_specs
from suite.runs.sizes import Sizes

if TYPE_CHECKING:
    from suite.algorithms.mixers.qplex import QplexSettings
    from suite.algorithms.parameters import Weights

# Release, config/algs/QPLEX_CADP.yaml: n_head, num_kernel, attend_reg_coef.
N_HEADS = 4
N_KERNELS = 4
LOGIT_PENALTY = 0.001


class QattenMixer:
    """Attention over the agents' blocks of the state as weights, state bias V(s)."""

    needs_greedy = True

    def __init__(self, settings: QplexSettings, sizes: Sizes) -> None:
        self.n_agents, self.n_actions = sizes.n_agents, sizes.n_actions
        self.block = sizes.ally_state_size
        self.embedding = embedding = settings.mixer_embedding
        selectors = N_HEADS * settings.hypernet_embedding
        # Rows of `state`: first layers of the selectors, first layer of V, importance keys and
        # agents. Rows of `joint`: importance of the actions.
        self.widths = [selectors, embedding, N_KERNELS, N_KERNELS * sizes.n_agents]
        joint = sizes.state_size + sizes.n_agents * sizes.n_actions
        self.specs = (
            *linear_specs("state", sizes.state_size, sum(self.widths), reads_data=True),
            *linear_specs(
                "selector", settings.hypernet_embedding, embedding, bias=False, blocks=N_HEADS
            ),
            *linear_specs("key", self.block, embedding, bias=False, blocks=N_HEADS),
            *linear_specs("value", embedding, 1),
            *linear_specs("joint", joint, N_KERNELS * sizes.n_agents, reads_data=True),
        )

    def mix(self, weights: Weights, inputs: MixerInputs) -> Mixed:
        """Q_tot (P, M, 1) and the logit penalty. Needs `inputs.q_greedy`."""
        import torch

        from suite.algorithms.layers.dense import linear
        from suite.algorithms.mixers.duplex import POSITIVE, duplex, importance, state_and_actions

        assert inputs.q_greedy is not None
        p, m, n = inputs.q_taken.shape
        read = linear(inputs.state, weights["state.weight"], weights["state.bias"])
        selector, value, key, agents = read.split(self.widths, dim=2)

        heads = selector.relu().unflatten(2, (N_HEADS, -1)).transpose(1, 2)  # (P, heads, M, 64)
        chosen = heads @ weights["selector.weight"].transpose(2, 3)  # (P, heads, M, E)
        # c·(W u) = (Wᵀ c)·u: turn the selector into the agents' block space instead of every
        # agent's block into the embedding.
        turned = (chosen @ weights["key.weight"]).transpose(1, 2)  # (P, M, heads, block)
        blocks = inputs.state[..., : n * self.block].unflatten(2, (n, self.block))
        logits = turned @ blocks.transpose(2, 3)  # (P, M, heads, N)
        scale = torch.softmax(logits * self.embedding**-0.5, dim=3).sum(dim=2) + POSITIVE
        v = linear(value.relu(), weights["value.weight"], weights["value.bias"])

        joint = state_and_actions(inputs.state, inputs.actions, self.n_actions)
        action = linear(joint, weights["joint.weight"], weights["joint.bias"])
        kernels = (N_KERNELS, n)
        lam = importance(key, agents.unflatten(2, kernels), action.unflatten(2, kernels))
        q = duplex(inputs.q_taken, inputs.q_greedy, scale, (v / n).expand(p, m, n), lam)
        return Mixed(q, LOGIT_PENALTY * logits.square().mean(dim=3).sum(dim=2))
