"""What is wrong with a study, in words: place, cure, and pydantic's errors as one of ours."""

from __future__ import annotations

import textwrap
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from suite.algorithms.declaration import Method
from suite.algorithms.registry import methods, unknown
from suite.errors import InputError
from suite.study.definition import arm_tags
from suite.text import close_names, visible

T = TypeVar("T")
Keys = Sequence[str | int]

_LONGEST_SHOWN_KEY = 40
_MOST_SHOWN_KEYS = 8
_LONGEST_LIST = 250
# Share of letters that a misspelt name has in common with what was meant.
_LIKENESS = 0.7
_MOST_OWNERS = 4


def in_one_line(action: Callable[[], T], where: object) -> T:
    """What `action` returns; whatever it raises, as InputError.

    The one boundary around reading, checking and expanding a study. Known faults are InputErrors
    with their own words; this is for all others, lack of memory and too deep recursion included.
    """
    try:
        return action()
    except InputError:
        raise
    except Exception as error:
        _release(error)
        reason = "".join(traceback.format_exception_only(error)).strip()[:120]
        cure = "make it smaller or simpler; if it is as the examples are, report this as a fault"
        what = f"cannot be used as a study: {reason}"
        raise InputError(what, where=str(where), cure=cure) from error


def _release(error: BaseException | None) -> None:
    """Free what the frames of an error hold, so that there is memory to say so."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__context__


def place(path: Path, keys: Keys) -> str:
    """File and key path as TOML writes it: `a.toml: profiles.quick.seeds[0]`, odd names quoted."""
    text = ""
    for key in islice(keys, _MOST_SHOWN_KEYS):
        if isinstance(key, int):
            text += f"[{key}]"
            continue
        plain = key.isascii() and key.replace("_", "").replace("-", "").isalnum()
        shown = visible(key[: _LONGEST_SHOWN_KEY + 1])
        if len(shown) > _LONGEST_SHOWN_KEY:
            shown = shown[: _LONGEST_SHOWN_KEY - 1] + "…"
        text += ("." if text else "") + (shown if plain else f'"{shown}"')
    more = "…" if len(keys) > _MOST_SHOWN_KEYS else ""
    return f"{path}: {text or 'top level'}{more}"


def nearest(word: str, valid: Iterable[str], *, noun: str) -> str:
    """A cure for a misspelt name: the closest valid one, or the valid ones."""
    choices = sorted(valid)
    close = close_names(word, choices, likeness=_LIKENESS)
    if close:
        return f"did you mean '{close[0]}'?"
    if not choices:
        return f"there are no {noun}"
    return f"valid {noun}: {textwrap.shorten(', '.join(choices), _LONGEST_LIST, placeholder=' …')}"


def input_error(
    errors: ValidationError,
    path: Path,
    model: type[BaseModel],
    tags: Mapping[str, type[BaseModel] | None],
) -> InputError:
    """The first validation error as what, where, value, cure.

    model: what was to be read. tags: which model stands behind each mark of a choice of models;
    None for what is no table.
    """
    error, *others = errors.errors(include_url=False)
    if error["type"] == "missing":  # perhaps it is there, misspelt
        here = [one for one in others if one["loc"][:-1] == error["loc"][:-1]]
        error = next((one for one in here if one["type"] == "extra_forbidden"), error)
    loc, kind, value = error["loc"], error["type"], error["input"]
    keys = tuple(key for key in loc if key not in tags)
    if kind in ("union_tag_not_found", "union_tag_invalid"):
        return _unknown_method(value, place(path, keys), lambda key: place(path, [*keys, key]))
    if kind == "extra_forbidden":
        name = str(keys[-1])
        arm = str(loc[-2]) if len(loc) > 1 else ""
        if arm in arm_tags().values() and (owners := _owners(name, arm)):
            what = f"a setting of {owners}, for which {arm} has no use"
            where = place(path, keys[:-1])
            return InputError(what, where=where, value=name, cure="leave it out")
        cure = nearest(name, _valid_keys(loc[:-1], model, tags), noun="keys")
        return InputError("unknown key", where=place(path, keys[:-1]), value=name, cure=cure)
    if keys and keys[-1] == "[key]":  # pydantic's mark for a fault of the key itself
        keys = keys[:-1]
    what, value, cure = value_fault(error)
    return InputError(what, where=place(path, keys), value=value, cure=cure)


def value_fault(error: ErrorDetails) -> tuple[str, object, str]:
    """What is wrong with a value, the value, and the cure, from an error of pydantic's."""
    kind, value = error["type"], error["input"]
    if kind == "missing":
        return "missing key", None, "add it"
    if kind == "literal_error":
        cure = f"use {error['ctx']['expected']}"
        return "unknown value", value, cure
    if kind == "string_pattern_mismatch":
        cure = "use letters, digits, '_', '-' and '.', and start with a letter or digit"
        return "not a usable name", value, cure
    if kind == "too_short":
        return "empty", [], "give at least one entry"
    if kind == "too_long":
        cure = f"give at most {error['ctx']['max_length']:,} entries"
        return "too many entries", None, cure
    if kind == "string_too_long":
        cure = f"use at most {error['ctx']['max_length']:,} characters"
        return "too long", value, cure
    if kind in _TYPE_NAMES:
        cure = f"give {_TYPE_NAMES[kind]}"
        return "of the wrong type", value, cure
    if kind in _BOUNDS:
        comparison, bound = _BOUNDS[kind]
        limit = error["ctx"][bound]
        cure = f"it must be {comparison} {limit:{',' if isinstance(limit, int) else 'g'}}"
        return "out of range", value, cure
    return "not usable", value, error["msg"]


def _unknown_method(arm: object, where: str, at: Callable[[str], str]) -> InputError:
    """What is wrong with an arm whose framework and backbone name no method."""
    if not isinstance(arm, dict):
        return InputError("of the wrong type", where=where, value=arm, cure="give a table")
    for key in ("framework", "backbone"):
        if key not in arm:
            return InputError("missing key", where=at(key), cure="add it")
    what, key, value, cure = unknown(arm["framework"], arm["backbone"])
    return InputError(what, where=at(key), value=value, cure=cure)


_BOUNDS = {
    "greater_than_equal": ("greater than or equal to", "ge"),
    "greater_than": ("greater than", "gt"),
    "less_than_equal": ("less than or equal to", "le"),
    "less_than": ("less than", "lt"),
}
_TYPE_NAMES = {
    "int_type": "a whole number, without quotes or decimal point",
    "float_type": "a number, without quotes",
    "tuple_type": "a list in [ ]",
    "string_type": "a text in quotes",
    "dict_type": "a table",
    "model_type": "a table",
    "bool_type": "true or false",
    "choice_type": "a number, a text, true or false",
    "range_type": "{low = …, high = …}, or a list of choices in [ ]",
}


def _owners(key: str, tag: str) -> str:
    """Whose setting a key is that this arm does not have: `cadp`, `qmix, qplex`; "" if nobody's.

    Named are other frameworks on its backbone, else other backbones of its framework, else both.
    """
    (own,) = [named for named, mark in arm_tags().items() if mark == tag]
    having = {named: arm_tags()[named] for named, one in methods().items() if _has(one, key)}
    names = (
        [framework for framework, backbone in having if backbone == own[1]]
        or [backbone for framework, backbone in having if framework == own[0]]
        or list(having.values())
    )
    more = ", …" if len(names) > _MOST_OWNERS else ""
    return ", ".join(names[:_MOST_OWNERS]) + more


def _has(method: Method, key: str) -> bool:
    return key in method.settings.model_fields


def _valid_keys(
    parents: Keys, model: type[BaseModel], tags: Mapping[str, type[BaseModel] | None]
) -> Iterable[str]:
    """The keys a table may have, from where it stands in the file."""
    here: Any = model
    for key in parents:
        if get_origin(here) is UnionType:  # a table that may be left out
            here = get_args(here)[0]
        if key in tags:
            here = tags[str(key)]
        elif get_origin(here) is dict:
            here = get_args(here)[1]
        elif get_origin(here) is tuple:
            here = get_args(here)[0]
        else:
            here = here.model_fields[key].annotation
    fields: dict[str, Any] = here.model_fields
    return fields
