"""Settings of CTDS beside those of value learning.

Its release (github.com/cathyhxh/CTDS, commit 889c38a) differs from the defaults here, which are
those of all arms: RMSprop (`optimiser`), two-layer hypernetworks (`hypernet_layers` 2), QPLEX as
`qatten` and with two updates per episode (training: `updates_per_collection`).
"""

from __future__ import annotations

from suite.algorithms.inputs import Privileged
from suite.algorithms.value.privileged import PrivilegedSettings


class CtdsSettings(PrivilegedSettings):
    """privileged: the release's teacher sees all living units (smac/env/starcraft2/starcraft2.py).
    Its student sees as far as 2; here it has the scenario's ordinary observation (D31)."""

    privileged: Privileged = "unlimited_sight"
