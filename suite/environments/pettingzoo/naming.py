"""What a scenario's name says: `module:name`, `?arguments` for it and `#settings` of ours."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import parse_qsl

from suite.errors import InputError
from suite.text import close_names

FORM = "pettingzoo/<module>:<name>, such as pettingzoo/mpe2.simple_spread_v3:parallel_env"
TEAM_REWARDS = ("sum", "mean")
SETTINGS = ("episode_limit", "team_reward", "won")
_DOTTED = r"[^\W\d]\w*(?:\.[^\W\d]\w*)*"
_SHAPE = re.compile(rf"({_DOTTED}):({_DOTTED})(?:\?([^#]*))?(?:#(.*))?", re.DOTALL)
_WORDS = {"True": True, "False": False, "None": None}


@dataclass(frozen=True)
class Source:
    """What makes an environment, and how it is played.

    module, name: what is called, with `arguments`, to make one.
    episode_limit: steps after which an episode is cut; None for the environment's own limit.
    team_reward: "sum" or "mean" of the agents' rewards.
    won: entry of an agent's info that says whether the team has won; None if nothing does.
    """

    module: str
    name: str
    arguments: Mapping[str, Any]
    episode_limit: int | None = None
    team_reward: str = "sum"
    won: str | None = None


def parse(scenario: str) -> Source:
    """Read a scenario's name; InputError if it is not of that form."""
    found = _SHAPE.fullmatch(scenario)
    if found is None:
        _fail("not the name of an environment", scenario, f"write {FORM}")
    module, name, arguments, settings = found.groups()
    ours = _pairs(scenario, settings, "#")
    for key in ours.keys() - set(SETTINGS):
        near = close_names(key, SETTINGS, most=1) or SETTINGS
        cure = f"use {' or '.join(near)}; what the environment itself takes stands after ?"
        _fail("unknown setting after #", key, cure)
    limit, reward, won = (ours.get(key) for key in SETTINGS)
    if "episode_limit" in ours and (type(limit) is not int or limit < 1):
        _fail("not a number of steps: episode_limit", limit, "give a whole number of at least 1")
    if "team_reward" in ours and reward not in TEAM_REWARDS:
        _fail("unknown team_reward", reward, f"use {' or '.join(TEAM_REWARDS)}")
    if "won" in ours and not (isinstance(won, str) and won):
        _fail("not the name of an entry: won", won, "name the entry of info that says so")
    return Source(module, name, _pairs(scenario, arguments, "?"), limit, reward or "sum", won)


def _pairs(scenario: str, text: str | None, mark: str) -> dict[str, Any]:
    """`a=1&b=true` as a dictionary; values as JSON writes them, others are texts."""
    if text is None:
        return {}
    cure = f"write {mark}name=value&name=value, each name once"
    try:
        given = parse_qsl(text, keep_blank_values=True, strict_parsing=True)
    except ValueError:
        _fail(f"cannot be read after {mark}", scenario, cure)
    if not given:
        _fail(f"nothing stands after {mark}", scenario, f"{cure}, or leave {mark} out")
    if len(dict(given)) != len(given):
        _fail(f"a name twice after {mark}", scenario, cure)
    return {key: _value(value) for key, value in given}


def _value(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _fail(what: str, value: object, cure: str) -> NoReturn:
    raise InputError(what, where="scenario of pettingzoo", value=value, cure=cure)
