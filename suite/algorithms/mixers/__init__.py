"""Mixers: from utilities Q_n of the chosen actions to joint values. One file per published idea.

A new one is a file here with a `BACKBONE`, and its name below; or, from another distribution, an
entry point of the group `cadp_suite.mixers` that names such an object.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from suite.plugins import plugins

if TYPE_CHECKING:
    from suite.algorithms.declaration import Backbone

_FILES = ("independent", "vdn", "qmix", "qplex")
ENTRY_POINTS = "cadp_suite.mixers"


@cache
def mixers() -> Mapping[str, Backbone]:
    """Name in study files → mixer; ours first."""
    ours = [import_module(f"{__name__}.{file}").BACKBONE for file in _FILES]
    found: dict[str, Backbone] = {backbone.name: backbone for backbone in ours}
    for name, backbone in plugins(ENTRY_POINTS, found):
        found[name] = backbone
    return found
