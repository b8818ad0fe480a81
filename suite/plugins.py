"""Methods, mixers and environment backends from other distributions, through entry points."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Collection, Iterator
from functools import cache
from typing import Any

from suite.errors import InputError

_CURE = "mend the distribution that brings it, or uninstall it"
GROUPS = ("cadp_suite.mixers", "cadp_suite.methods", "cadp_suite.environments")


def plugins(group: str, is_one: Callable[[Any], bool], noun: str) -> Iterator[tuple[str, Any]]:
    """Name and object of every entry point of a group, in order of their names.

    Raises InputError for one that cannot be loaded, or is none by `is_one`.
    """
    for point in sorted(importlib.metadata.entry_points(group=group), key=lambda one: one.name):
        where = f"entry point {point.name} of {group}"
        try:
            found = point.load()
        except Exception as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            what = f"cannot be loaded ({reason})"
            raise InputError(what, where=where, value=point.value, cure=_CURE) from error
        if not is_one(found):
            raise InputError(f"is no {noun}", where=where, value=point.value, cure=_CURE)
        yield point.name, found


def refuse_taken(name: object, taken: Collection[object], group: str) -> None:
    """Raise InputError where a plug-in brings what is there already."""
    if name in taken:
        raise InputError("is there already", where=f"plug-in of {group}", value=name, cure=_CURE)


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
