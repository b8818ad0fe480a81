"""Value learning on mixed utilities: IQL, VDN, QMIX, QPLEX, and every mixer that is added.

Also the ground for other methods that learn values from a replay: `method`, `learner`,
`off_policy`.
"""

from __future__ import annotations

from suite.algorithms.declaration import Method
from suite.algorithms.mixers import mixers
from suite.algorithms.value.method import ValueMethod


def methods() -> tuple[Method, ...]:
    """Plain learning on every mixer there is."""
    return tuple(ValueMethod(backbone) for backbone in mixers().values())
