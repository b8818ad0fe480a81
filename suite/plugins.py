"""Methods, mixers and environment backends from other distributions, through entry points."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Collection, Iterator
from functools import cache
from typing import Any

from suite.errors import InputError

GROUPS = ("cadp_suite.mixers", "cadp_suite.methods", "cadp_suite.environments")


def plugins(group: str, taken: Collection[str] = ()) -> Iterator[tuple[str, Any]]:
    """Name and object of every entry point of a group, in order of their names.

    Raises InputError for one that cannot be loaded, or that takes a name of `taken`.
    """
    for point in sorted(importlib.metadata.entry_points(group=group), key=lambda one: one.name):
        where = f"entry point {point.name} of {group}"
        cure = "mend the distribution that brings it, or uninstall it"
        if point.name in taken:
            raise InputError("takes a name of ours", where=where, value=point.value, cure=cure)
        try:
            found = point.load()
        except Exception as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            what = f"cannot be loaded ({reason})"
            raise InputError(what, where=where, value=point.value, cure=cure) from error
        yield point.name, found


@cache
def plugin_versions() -> str:
    """`distribution version` of all that bring plug-ins, joined by commas; empty without any."""
    found = {
        f"{point.dist.name} {point.dist.version}"
        for group in GROUPS
        for point in importlib.metadata.entry_points(group=group)
        if point.dist is not None
    }
    return ", ".join(sorted(found))
