"""Mixers: from utilities Q_n of the chosen actions to joint values. One file per published idea.

A new one is a file here with a `BACKBONE`, and its name below; or, from another distribution, an
entry point of the group `cadp_suite.mixers` that names such an object.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module

from suite.algorithms.declaration import Backbone
from suite.plugins import plugins, refuse_taken

_FILES = ("independent", "vdn", "qmix", "qplex")
ENTRY_POINTS = "cadp_suite.mixers"


@cache
def mixers() -> Mapping[str, Backbone]:
    """Name in study files → mixer; ours first."""
    ours = [import_module(f"{__name__}.{file}").BACKBONE for file in _FILES]
    found: dict[str, Backbone] = {backbone.name: backbone for backbone in ours}
    for _, backbone in plugins(ENTRY_POINTS, lambda one: isinstance(one, Backbone), "Backbone"):
        refuse_taken(backbone.name, found, ENTRY_POINTS)
        found[backbone.name] = backbone
    return found
