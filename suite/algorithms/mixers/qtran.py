"""The joint network of QTRAN-base (arXiv 1905.05408; PyMARL, `modules/mixers/qtran.py`).

e = Σ_n MLP([h_n; one-hot u_n]),  Q_jt = MLP([s; e]),  V = MLP(s): PyMARL's "qtran_paper", "small".
h_n is the hidden state of agent n's recurrent network.
"""

from __future__ import annotations

from torch import Tensor

from suite.algorithms.layers.dense import linear, linear_relu
from suite.algorithms.parameters import Weights
from suite.algorithms.specs import linear_specs
from suite.runs.sizes import Sizes

# PyMARL, config/algs/qtran.yaml: mixing_embed_dim.
EMBEDDING = 64


class QtranJoint:
    """Q_jt of any joint action, and V; no mixer, since utilities do not enter."""

    def __init__(self, sizes: Sizes, *, hidden_size: int, embedding: int = EMBEDDING) -> None:
        self.n_actions = sizes.n_actions
        encoding, state = hidden_size + sizes.n_actions, sizes.state_size
        self.specs = (
            *linear_specs("encoder_first", encoding, encoding),
            *linear_specs("encoder_last", encoding, encoding),
            *linear_specs("joint_first", state + encoding, embedding),
            *linear_specs("joint_second", embedding, embedding),
            *linear_specs("joint_last", embedding, 1),
            *linear_specs("value_first", state, embedding),
            *linear_specs("value_second", embedding, embedding),
            *linear_specs("value_last", embedding, 1),
        )

    def q(self, weights: Weights, state: Tensor, hidden: Tensor, actions: Tensor) -> Tensor:
        """Q_jt: state (P, M, S), hidden (P, M, N, H), actions (P, M, N) int64 -> (P, M, 1)."""
        n_agents = actions.shape[2]
        one_hot = state.new_zeros(*actions.shape, self.n_actions)
        one_hot.scatter_(3, actions.unsqueeze(3), 1.0)
        read = _rectified(weights, "encoder_first", hidden.flatten(1, 2), one_hot.flatten(1, 2))
        # The encoder's last layer is linear: summed over agents before it, N times fewer rows.
        total = read.unflatten(1, (-1, n_agents)).sum(dim=2)
        bias = n_agents * weights["encoder_last.bias"]
        encoded = linear(total, weights["encoder_last.weight"], bias)
        return _head(weights, "joint", state, encoded)

    def v(self, weights: Weights, state: Tensor) -> Tensor:
        """V(s): state (P, M, S) -> (P, M, 1)."""
        return _head(weights, "value", state)


def _head(weights: Weights, name: str, *inputs: Tensor) -> Tensor:
    """Three layers on the concatenation of `inputs`."""
    x = _rectified(weights, f"{name}_first", *inputs)
    x = _rectified(weights, f"{name}_second", x)
    return linear(x, weights[f"{name}_last.weight"], weights[f"{name}_last.bias"])


def _rectified(weights: Weights, name: str, *inputs: Tensor) -> Tensor:
    return linear_relu(weights[f"{name}.weight"], weights[f"{name}.bias"], *inputs)
