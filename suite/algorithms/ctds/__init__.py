"""CTDS: a student that acts alone imitates a teacher that sees more (arXiv 2203.08412)."""

from __future__ import annotations

from suite.algorithms.ctds.method import CtdsMethod
from suite.algorithms.declaration import Method
from suite.algorithms.mixers import mixers


def methods() -> tuple[Method, ...]:
    """On every backbone that mixes, as its release has it (VDN, QMIX, QPLEX)."""
    return tuple(CtdsMethod(backbone) for backbone in mixers().values() if backbone.is_mixing)
