"""MAPPO (arXiv 2103.01955), and CADP on it: on-policy, each collection learned from and left."""

from __future__ import annotations

from suite.algorithms.declaration import Method
from suite.algorithms.mappo.method import CadpMappoMethod, MappoMethod


def methods() -> tuple[Method, ...]:
    """With and without advice."""
    return (MappoMethod(), CadpMappoMethod())
