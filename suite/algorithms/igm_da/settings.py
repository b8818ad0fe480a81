"""Settings of IGM-DA beside those of value learning.

Its release (github.com/momo-xiaoyi/pymarl_HDA, commit e7d8eb7) differs from the defaults here,
which are those of all arms: RMSprop (`optimiser`), two-layer hypernetworks (`hypernet_layers` 2),
QPLEX as `dmaq`, and exploration down to 0.1 (training: `epsilon_finish`).
"""

from __future__ import annotations

from suite.algorithms.inputs import Privileged
from suite.algorithms.value.privileged import PrivilegedSettings


class IgmDaSettings(PrivilegedSettings):
    """privileged: the paper's expert sees the state, the release's has sight 9 ("sight_9") where
    its learner has none; here the learner has the scenario's ordinary observation (D31)."""

    privileged: Privileged = "observation_and_state"
