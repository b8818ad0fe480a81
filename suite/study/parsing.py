"""From the bytes of a study file to its models; every failure becomes one clear line."""

from __future__ import annotations

import difflib
import json
import math
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from suite.algorithms.settings import AlgorithmSettings
from suite.errors import InputError
from suite.study.definition import (
    STUDY_FORMAT,
    Claim,
    Hyperparameters,
    Profile,
    ScenarioSettings,
    StudyDefinition,
)
from suite.training.settings import TrainingSettings

_LONGEST_SHOWN_VALUE = 80


def parse_study(path: Path) -> StudyDefinition:
    """The models of a study file, its types checked but not yet its cross references."""
    tables = _read_toml(path)
    _check_format(tables, path)
    _reject_non_finite(tables, (), path)
    try:
        # Through JSON because strict validation then still takes arrays for tuples, while "3"
        # for 3 or true for 1 stay errors.
        return StudyDefinition.model_validate_json(json.dumps(tables, default=str), strict=True)
    except ValidationError as error:
        raise _input_error(error.errors()[0], path) from None


def nearest(word: str, valid: Iterable[str], *, noun: str) -> str:
    """A cure for a misspelt name: the closest valid one, or all of them."""
    choices = sorted(valid)
    close = difflib.get_close_matches(word, choices, n=1, cutoff=0.5)
    if close:
        return f"did you mean '{close[0]}'?"
    return f"valid {noun}: {', '.join(choices)}" if choices else f"there are no {noun}"


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        cure = "give the path of a study file, for example studies/reproduce_smac.toml"
        raise InputError("no such study file", where=str(path), cure=cure) from None
    except IsADirectoryError:
        cure = f"name one file in it, for example {path / 'reproduce_smac.toml'}"
        raise InputError("a directory, not a study file", where=str(path), cure=cure) from None
    except OSError as error:
        cure = "make the file readable, or name another"
        what = f"cannot be read: {error.strerror}"
        raise InputError(what, where=str(path), cure=cure) from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        where, value = f"{path}: line {line}", error.object[error.start : error.end]
        cure = "save the file as UTF-8"
        raise InputError("not UTF-8 text", where=where, value=value, cure=cure) from None
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        what = f"not valid TOML: {error}"
        raise InputError(what, where=str(path), cure="correct the syntax there") from None


def _check_format(tables: dict[str, Any], path: Path) -> None:
    """Before anything else: a newer file may have keys this version cannot know."""
    where = f"{path}: format"
    if "format" not in tables:
        raise InputError("missing key", where=where, cure=f"add format = {STUDY_FORMAT}")
    if tables["format"] is True or tables["format"] != STUDY_FORMAT:
        cure = f"this version reads format = {STUDY_FORMAT}; correct it or update cadp-suite"
        raise InputError("unknown study format", where=where, value=tables["format"], cure=cure)


def _reject_non_finite(value: object, keys: tuple[str | int, ...], path: Path) -> None:
    """TOML can write inf and nan; no setting of a study means anything with them."""
    if isinstance(value, dict):
        for key, item in value.items():
            _reject_non_finite(item, (*keys, key), path)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _reject_non_finite(item, (*keys, index), path)
    elif isinstance(value, float) and not math.isfinite(value):
        where = f"{path}: {dotted(keys)}"
        raise InputError("not a finite number", where=where, value=value, cure="give a number")


def dotted(keys: Sequence[str | int]) -> str:
    """A key path as TOML writes it: `profiles.quick.seeds[0]`, odd names quoted."""
    text = ""
    for key in keys:
        if isinstance(key, int):
            text += f"[{key}]"
            continue
        plain = key.replace("_", "").replace("-", "").isalnum()
        text += ("." if text else "") + (key if plain else f'"{key}"')
    return text or "top level"


def _input_error(error: ErrorDetails, path: Path) -> InputError:
    """One validation error as what, where, value, cure."""
    keys = tuple(key for key in error["loc"] if key != "[key]")
    where = f"{path}: {dotted(keys)}"
    kind, value = error["type"], _shortened(error["input"])
    if kind == "extra_forbidden":
        name = str(keys[-1])
        cure = nearest(name, _valid_keys(keys[:-1]), noun="keys")
        return InputError(
            "unknown key", where=f"{path}: {dotted(keys[:-1])}", value=name, cure=cure
        )
    if kind == "missing":
        return InputError("missing key", where=where, cure="add it")
    if kind == "literal_error":
        cure = f"use {error['ctx']['expected']}"
        return InputError("unknown value", where=where, value=value, cure=cure)
    if kind == "string_pattern_mismatch":
        cure = "use letters, digits, '_', '-' and '.', and start with a letter or digit"
        return InputError("not a usable name", where=where, value=value, cure=cure)
    if kind == "too_short":
        return InputError("empty", where=where, value=[], cure="give at least one entry")
    if kind in ("int_type", "float_type", "tuple_type", "string_type", "dict_type", "model_type"):
        cure = f"give {_TYPE_NAMES[kind]}"
        return InputError("of the wrong type", where=where, value=value, cure=cure)
    what = "out of range"
    cure = error["msg"].replace("Input should be", "it must be").removesuffix(".")
    return InputError(what, where=where, value=value, cure=cure)


_TYPE_NAMES = {
    "int_type": "a whole number, without quotes or decimal point",
    "float_type": "a number, without quotes",
    "tuple_type": "a list in [ ]",
    "string_type": "a text in quotes",
    "dict_type": "a table",
    "model_type": "a table",
}


def _shortened(value: object) -> object:
    shown = repr(value)
    if len(shown) <= _LONGEST_SHOWN_VALUE:
        return value
    return shown[: _LONGEST_SHOWN_VALUE - 1] + "…"


def _valid_keys(parents: Sequence[str | int]) -> Iterable[str]:
    """The keys a table may have, from where it stands in the file."""
    return _model_at(parents).model_fields


def _model_at(parents: Sequence[str | int]) -> type[BaseModel]:
    if not parents:
        return StudyDefinition
    if parents[-1] == "training":
        return TrainingSettings
    if parents[-1] == "hyperparameters":
        return Hyperparameters
    if "scenario_settings" in parents:
        return ScenarioSettings
    by_table: dict[str | int, type[BaseModel]] = {
        "arms": AlgorithmSettings,
        "profiles": Profile,
        "claims": Claim,
    }
    return by_table[parents[0]]
