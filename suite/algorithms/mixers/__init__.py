"""Mixers: from utilities Q_n of the chosen actions to joint values. One file per published idea.

A new one is a file here with a `BACKBONE`, and its name below; or, from another distribution, an
entry point of the group `cadp_suite.mixers` that names such an object.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module

from suite.algorithms.declaration import Backbone
from suite.plugins import Plugin, joined, load_plugins

_FILES = ("independent", "vdn", "qmix", "qplex")
ENTRY_POINTS = "cadp_suite.mixers"


@cache
def mixers() -> Mapping[str, Backbone]:
    """Name in study files → mixer; ours first. Raises InputError if a plug-in is broken."""
    return joined(_ours(), plug_ins())


@cache
def plug_ins() -> list[Plugin[str, Backbone]]:
    """Those that bring mixers, the broken ones too."""
    return load_plugins(ENTRY_POINTS, _read, _ours())


def _ours() -> dict[str, Backbone]:
    ours = [import_module(f"{__name__}.{file}").BACKBONE for file in _FILES]
    return {backbone.name: backbone for backbone in ours}


def _read(found: object) -> Iterator[tuple[str, Backbone]]:
    if not isinstance(found, Backbone):
        raise TypeError("it is no Backbone")
    yield found.name, found
