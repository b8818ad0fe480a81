"""The joint network of QTRAN-base (arXiv 1905.05408; PyMARL, `modules/mixers/qtran.py`).

e = Σ_n MLP([h_n; one-hot u_n]),  Q_jt = MLP([s; e]),  V = MLP(s): PyMARL's "qtran_paper", "small".
h_n is the hidden state of agent n's recurrent network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from suite.algorithms.qtran.settings import QtranSettings
from suite.algorithms.specs import ParameterSpec, linear_specs
from suite.runs.sizes import Sizes

if TYPE_CHECKING:
    from torch import Tensor

    from suite.algorithms.parameters import Weights


class QtranJoint:
    """Q_jt of any joint action, and V; no mixer, since utilities do not enter.

    encoder_specs: the layer that runs once per agent and step. joint_specs, value_specs: those that
    run once per step, for Q_jt and for V. Torch is imported where it computes.
    """

    def __init__(self, settings: QtranSettings, sizes: Sizes) -> None:
        state, hidden, embedding = sizes.state_size, settings.hidden_size, settings.joint_embedding
        code = hidden + sizes.n_actions
        # The encoder's first layer reads [h_n; one-hot u_n]: what meets the one-hot part is a table
        # with a row per action.
        bound = code**-0.5
        self.encoder_specs = (
            ParameterSpec("encoder_first.weight", (code, hidden), bound),
            ParameterSpec("encoder_first.bias", (code,), bound),
            ParameterSpec("encoder_first.actions", (sizes.n_actions, code), bound),
        )
        self.joint_specs = (
            *linear_specs("encoder_last", code, code),
            *linear_specs("joint_first", state + code, embedding, n_data_inputs=state),
            *linear_specs("joint_second", embedding, embedding),
            *linear_specs("joint_last", embedding, 1),
        )
        self.value_specs = (
            *linear_specs("value_first", state, embedding, reads_data=True),
            *linear_specs("value_second", embedding, embedding),
            *linear_specs("value_last", embedding, 1),
        )
        self.specs = (*self.encoder_specs, *self.joint_specs, *self.value_specs)

    def read(self, weights: Weights, hidden: Tensor) -> Tensor:
        """What the encoder reads of hidden states (P, R, N, H) whatever is done: (P, R, N, E)."""
        from suite.algorithms.layers.dense import linear

        return linear(hidden.flatten(1, 2), weights["encoder_first.weight"]).unflatten(
            1, hidden.shape[1:3]
        )

    def q(self, weights: Weights, state: Tensor, read: Tensor, actions: Tensor) -> Tensor:
        """Q_jt (P, M, 1) of actions (P, M, N) int64 in state (P, M, S).

        read (P, R, N, E), R ≥ M: of the hidden states, the first M rows are used.
        """
        from suite.algorithms.layers.dense import linear
        from suite.algorithms.qtran.encoder import summed_codes

        table = weights["encoder_first.actions"] + weights["encoder_first.bias"].unsqueeze(1)
        total = summed_codes(read, table, actions)
        # The encoder's last layer is linear: summed over agents before it, N times fewer rows.
        bias = actions.shape[2] * weights["encoder_last.bias"]
        code = linear(total, weights["encoder_last.weight"], bias)
        return _three_layers(weights, "joint", state, code)

    def v(self, weights: Weights, state: Tensor) -> Tensor:
        """V(s): state (P, M, S) -> (P, M, 1)."""
        return _three_layers(weights, "value", state)


def _three_layers(weights: Weights, name: str, *inputs: Tensor) -> Tensor:
    """On the concatenation of `inputs`."""
    from suite.algorithms.layers.dense import linear, linear_relu

    first, second, last = (
        (weights[f"{name}_{k}.weight"], weights[f"{name}_{k}.bias"])
        for k in ("first", "second", "last")
    )
    return linear(linear_relu(*second, linear_relu(*first, *inputs)), *last)
