"""Methods, mixers and environment backends from other distributions, through entry points."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Generic, TypeVar

from suite.errors import InputError

K = TypeVar("K")
V = TypeVar("V")

_CURE = "mend the distribution that brings it, or uninstall it"
GROUPS = ("cadp_suite.mixers", "cadp_suite.methods", "cadp_suite.environments")
SOURCES = (".py", ".json")


@dataclass(frozen=True)
class Plugin(Generic[K, V]):
    """An entry point: what it brings, by name, or why that cannot be used.

    value: `module:object`. distribution: who brings it, with its version.
    """

    group: str
    name: str
    value: str
    distribution: str
    brings: tuple[tuple[K, V], ...] = ()
    error: InputError | None = None

    @property
    def names(self) -> list[str]:
        """What it brings, for people."""
        return [_called(key) for key, _ in self.brings]


def load_plugins(
    group: str, read: Callable[[Any], Iterable[tuple[K, V]]], ours: Iterable[K]
) -> list[Plugin[K, V]]:
    """Every plug-in of a group, in order of their names, the broken ones too.

    read: names and objects that a loaded entry point brings; TypeError if it is none of this group.
    ours: names that are taken.
    """
    owners = dict.fromkeys(ours, "cadp-suite")
    found: list[Plugin[K, V]] = []
    for point in sorted(importlib.metadata.entry_points(group=group), key=lambda one: one.name):
        owner = _distribution(point)

        def fault(
            what: str, point: importlib.metadata.EntryPoint = point, owner: str = owner
        ) -> InputError:
            where = f"entry point {point.name} of {group} ({owner})"
            return InputError(what, where=where, value=point.value, cure=_CURE)

        brings: tuple[tuple[K, V], ...] = ()
        error = None
        try:
            brings = tuple(read(point.load()))
        except Exception as raised:  # somebody else's code
            reason = " ".join(f"{type(raised).__name__}: {raised}".split())[:200]
            error = fault(f"cannot be loaded ({reason})")
            error.__cause__ = raised
        for key, _ in brings:
            if key in owners:
                error = fault(f"{_called(key)} is there already, from {owners[key]}")
                brings = ()
                break
            owners[key] = owner
        found.append(Plugin(group, point.name, point.value, owner, brings, error))
    return found


def joined(ours: Mapping[K, V], plugins: Iterable[Plugin[K, V]]) -> dict[K, V]:
    """Ours first, then what plug-ins bring. Raises the InputError of the first broken one."""
    found = dict(ours)
    for plugin in plugins:
        if plugin.error is not None:
            raise plugin.error
        found |= dict(plugin.brings)
    return found


@cache
def plugin_versions() -> str:
    """`distribution version` of all that bring plug-ins, joined by commas; empty without any."""
    return ", ".join(sorted({_distribution(point) for point in _points() if point.dist}))


def plugin_sources() -> dict[str, Path]:
    """Sources of all distributions that bring plug-ins, by their place among installed ones.

    They are the files that an installer listed, and the modules that entry points and
    `top_level.txt` name, with their packages: of a development installation nothing else is known.
    """
    found: dict[str, Path] = {}
    for point in _points():
        found |= module_sources(point.module)
        if point.dist is None:
            continue
        for name in (point.dist.read_text("top_level.txt") or "").split():
            found |= module_sources(name)
        for file in point.dist.files or ():
            path = Path(str(point.dist.locate_file(file)))
            if path.suffix in SOURCES and ".dist-info" not in str(file) and path.is_file():
                found[file.as_posix()] = path
    return found


def module_sources(module: str) -> dict[str, Path]:
    """The file of a module, or all of the package that it lies in; none if there is no such."""
    first, *parts = module.split(".")
    spec = importlib.util.find_spec(first)
    # A namespace belongs to nobody: what lies in it counts.
    while parts and spec is not None and spec.origin is None:
        first = f"{first}.{parts.pop(0)}"
        spec = importlib.util.find_spec(first)
    if spec is None or spec.origin is None:
        return {}
    home = Path(*first.split("."))
    if spec.submodule_search_locations is None:
        origin = Path(spec.origin)
        return {home.with_suffix(origin.suffix).as_posix(): origin} if origin.is_file() else {}
    return {
        (home / path.relative_to(folder)).as_posix(): path
        for folder in map(Path, spec.submodule_search_locations)
        for path in sorted(folder.rglob("*"))
        if path.suffix in SOURCES
    }


def _points() -> Iterator[importlib.metadata.EntryPoint]:
    for group in GROUPS:
        yield from importlib.metadata.entry_points(group=group)


def _distribution(point: importlib.metadata.EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else "of no distribution"


def _called(key: object) -> str:
    return " on ".join(map(str, key)) if isinstance(key, tuple) else str(key)
