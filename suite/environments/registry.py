"""Which backends and scenarios there are. Cheap: imports no simulator, no numba.

A new backend is an object of `suite.environments.backend.Backend` in this package and a line below;
or, from another distribution, an entry point of the group `cadp_suite.environments` that names one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import NoReturn

from suite.environments.backend import Backend
from suite.environments.interface import EnvironmentInfo
from suite.errors import InputError
from suite.plugins import Plugin, joined, load_plugins
from suite.text import close_names

_HOMES = (
    "suite.environments.skirmish.backend",
    "suite.environments.matrix",
    "suite.environments.starcraft.backend",
    "suite.environments.football.backend",
    "suite.environments.pettingzoo.backend",
    "suite.environments.smax.backend",
)
ENTRY_POINTS = "cadp_suite.environments"


@cache
def backends() -> Mapping[str, Backend]:
    """Name → backend; ours first. Raises InputError if a plug-in is broken."""
    return joined(our_backends(), plug_ins())


@cache
def plug_ins() -> list[Plugin[str, Backend]]:
    """Those that bring backends, the broken ones too."""
    return load_plugins(ENTRY_POINTS, _read, our_backends())


def our_backends() -> dict[str, Backend]:
    """Those of this package."""
    ours: list[Backend] = [import_module(home).BACKEND for home in _HOMES]
    return {backend.name: backend for backend in ours}


def _read(found: object) -> Iterator[tuple[str, Backend]]:
    if not isinstance(found, Backend):
        raise TypeError("it is no Backend")
    if not all(isinstance(scenario, str) for scenario in found.scenarios()):
        raise TypeError("its scenarios are no texts")
    yield found.name, found


def available() -> list[str]:
    """Full names of all scenarios that backends list, sorted."""
    return sorted(
        f"{name}/{scenario}"
        for name, backend in backends().items()
        for scenario in backend.scenarios()
    )


def usable() -> list[str]:
    """Those of `available()` that can be played on this machine."""
    return [name for name in available() if backend_of(name).problem() is None]


def is_scenario(name: str) -> bool:
    """Whether `name` is one of `available()`, or of a backend that takes any name."""
    backend = backends().get(name.partition("/")[0]) if isinstance(name, str) else None
    return backend is not None and (
        backend.takes_any_name or short_name(name) in backend.scenarios()
    )


def backend_of(name: str) -> Backend:
    """The backend of a scenario by its full name; InputError if there is no such scenario."""
    check_name(name)
    return backends()[name.partition("/")[0]]


def short_name(name: str) -> str:
    """A scenario's name within its backend."""
    return name.partition("/")[2]


def describe(name: str) -> EnvironmentInfo:
    """Sizes and origin of a scenario; InputError naming the nearest ones if there is none."""
    return backend_of(name).describe(short_name(name))


def counts_wins(name: str) -> bool:
    """Whether a scenario by its full name says which episodes were won (`Backend.counts_wins`)."""
    return backend_of(name).counts_wins(short_name(name))


def copies(name: str, wanted: int) -> int:
    """How many environments of a scenario to make where `wanted` would be played side by side."""
    most = backend_of(name).most_copies
    return wanted if most is None else min(wanted, most)


def full_name(name: str, *, where: str) -> str:
    """A scenario's full name, from that or from its name within the first backend that has it."""
    if is_scenario(name):
        return name
    for backend in backends().values():
        if name in backend.scenarios():
            return f"{backend.name}/{name}"
    _raise_unknown(str(name), available(), where)


def check_name(name: str, *, where: str = "scenario") -> None:
    """Raise InputError unless `name` is a scenario."""
    if not is_scenario(name):
        _raise_unknown(str(name), available(), where)


def _raise_unknown(name: str, names: list[str], where: str) -> NoReturn:
    by_short = {short_name(full): full for full in reversed(names)}
    near = close_names(name, names, most=3)
    near += [by_short[short] for short in close_names(name.rsplit("/", 1)[-1], by_short, most=3)]
    choices = list(dict.fromkeys(near)) or names
    lead = "nearest: " if near else "use one of "
    raise InputError("unknown scenario", where=where, value=name, cure=lead + ", ".join(choices))
