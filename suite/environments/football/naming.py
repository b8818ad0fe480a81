"""What a scenario of football is, and what its name may say besides: `<level>#setting=value`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import parse_qsl

from suite.errors import InputError
from suite.text import close_names

# Gfootball's level -> agents, and opponents that are seen (CADP's release, envs/gfootball).
LEVELS = {
    "academy_3_vs_1_with_keeper": (3, 2),
    "academy_counterattack_easy": (4, 2),
    "academy_counterattack_hard": (4, 3),
}
# Only there are more players on the pitch than CDS leaves.
_LEVEL_OF_CDS = "academy_counterattack_hard"
SETTINGS = {
    "features": ("released", "controlled"),
    "players": ("all", "cds"),
    "reward": ("released", "described", "scoring"),
}


@dataclass(frozen=True)
class Variant:
    """A level of gfootball and how it is played.

    n_opponents: so many of the other team are seen, the first ones, among them the keeper.
    features: whose place and direction are an agent's own. "released": agent i's are those of the
        i-th of the last players, whoever it controls. "controlled": of the player that it controls.
    players: "all" of gfootball's level, or those that "cds" leaves.
    reward: what is paid. "released": 100 for a goal, else -1 at the end, else 0, as the code of
        CADP's release and of CDS does. "described": 100 for a goal, else +1 at the end, else -1, as
        a comment in both says. "scoring": gfootball's own, +1 and -1 for goals.
    """

    level: str
    n_agents: int
    n_opponents: int
    features: str = "released"
    players: str = "all"
    reward: str = "released"


def parse(scenario: str) -> Variant:
    """Read a scenario's name; InputError if there is no such scenario."""
    level, has_settings, settings = scenario.partition("#")
    if level not in LEVELS:
        near = close_names(level, LEVELS, most=3) or list(LEVELS)
        _fail("unknown scenario", scenario, f"use {', '.join(near)}")
    given = _pairs(scenario, settings) if has_settings else {}
    for key, value in given.items():
        if key not in SETTINGS:
            _fail("unknown setting after #", key, f"use {' or '.join(SETTINGS)}")
        if value not in SETTINGS[key]:
            _fail(f"unknown {key}", value, f"use {' or '.join(SETTINGS[key][1:])}, or leave it out")
        if value == SETTINGS[key][0]:
            # Two names for one thing would be two runs.
            _fail(f"{key} is {value} anyhow", scenario, "leave it out")
    if "players" in given and level != _LEVEL_OF_CDS:
        _fail("CDS has changed no players there", scenario, f"use it with {_LEVEL_OF_CDS}")
    if list(given) != sorted(given):
        _fail("settings in another order", scenario, f"write {'&'.join(sorted(given))}, in order")
    n_agents, n_opponents = LEVELS[level]
    return Variant(level, n_agents, n_opponents, **given)


def _pairs(scenario: str, text: str) -> dict[str, Any]:
    try:
        given = parse_qsl(text, keep_blank_values=True, strict_parsing=True)
    except ValueError:
        given = []
    if not given or len(dict(given)) != len(given):
        _fail("cannot be read after #", scenario, "write #name=value&name=value, each name once")
    return dict(given)


def _fail(what: str, value: object, cure: str) -> NoReturn:
    raise InputError(what, where="scenario of football", value=value, cure=cure)
