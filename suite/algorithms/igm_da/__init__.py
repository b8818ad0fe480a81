"""IGM-DA: a learner that acts alone imitates the choices of an expert that sees more, on the
states to which the learner itself comes (dataset aggregation; arXiv 2209.09640)."""

from __future__ import annotations

from suite.algorithms.declaration import Method
from suite.algorithms.igm_da.method import IgmDaMethod
from suite.algorithms.mixers import mixers


def methods() -> tuple[Method, ...]:
    """On every backbone that mixes; its release has VDN, QMIX and QPLEX."""
    return tuple(IgmDaMethod(backbone) for backbone in mixers().values() if backbone.is_mixing)
