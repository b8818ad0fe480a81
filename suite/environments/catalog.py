"""Which scenarios there are. Cheap: imports no simulator, no numba."""

from __future__ import annotations

from typing import NoReturn

from suite.environments.interface import EnvironmentInfo
from suite.environments.matrix import MATRIX_GAMES, matrix_info
from suite.environments.skirmish.scenario import (
    Scenario,
    load_scenario,
    scenario_names,
)
from suite.errors import InputError
from suite.text import close_names

SKIRMISH = "skirmish/"
MATRIX = "matrix/"


def available() -> list[str]:
    """Full names of all scenarios, sorted."""
    return sorted(
        [SKIRMISH + name for name in scenario_names()] + [MATRIX + name for name in MATRIX_GAMES]
    )


def describe(name: str) -> EnvironmentInfo:
    """Sizes and origin of a scenario; InputError naming the nearest ones if there is none."""
    check_name(name)
    if name.startswith(MATRIX):
        return matrix_info(name.removeprefix(MATRIX))
    return load_scenario(name.removeprefix(SKIRMISH)).info()


def check_name(name: str, *, where: str = "scenario") -> None:
    """Raise InputError unless `name` is one of `available()`."""
    names = available()
    if name in names:
        return
    _raise_unknown(str(name), names, where)


def skirmish_scenario(name: str, *, where: str) -> Scenario:
    """The skirmish scenario called `name`, with or without `skirmish/`; InputError if none."""
    full = name if str(name).startswith(SKIRMISH) else f"{SKIRMISH}{name}"
    check_name(full, where=where)
    return load_scenario(full.removeprefix(SKIRMISH))


def _raise_unknown(name: str, names: list[str], where: str) -> NoReturn:
    by_short = {full.split("/", 1)[1]: full for full in names}
    near = close_names(name, names, most=3)
    near += [by_short[short] for short in close_names(name.rsplit("/", 1)[-1], by_short, most=3)]
    choices = list(dict.fromkeys(near)) or names
    lead = "nearest: " if near else "use one of "
    raise InputError("unknown scenario", where=where, value=name, cure=lead + ", ".join(choices))
