"""CADP: agents advise each other in training; the advice is pruned away (arXiv 2305.17352)."""

from __future__ import annotations

from suite.algorithms.cadp.method import CadpMethod
from suite.algorithms.declaration import Method
from suite.algorithms.mixers import mixers


def methods() -> tuple[Method, ...]:
    """On every backbone that mixes: the paper and its release have no CADP on IQL."""
    return tuple(CadpMethod(backbone) for backbone in mixers().values() if backbone.is_mixing)
