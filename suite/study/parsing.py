"""From the bytes of a study file to its models; every failure becomes one clear line."""

from __future__ import annotations

import math
import re
import stat
import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from suite.algorithms.registry import methods
from suite.errors import InputError
from suite.study.definition import STUDY_FORMAT, StudyDefinition, arm_tags
from suite.study.messages import Keys, in_one_line, input_error, place
from suite.study.search import CHOICES_TAG, RANGE_TAG, Range
from suite.study.seeds import SEED_LIST, SEED_TABLE, SequentialSeeds
from suite.study.table import LARGEST_PLAN, MOST_ENTRIES, Table

# The largest shipped study has 8 kB; 50,000 seeds have 300 kB.
LARGEST_FILE_BYTES = 1_000_000
# profiles.NAME.scenario_settings.NAME.hyperparameters.alpha[0] is as deep as a study goes: 7.
DEEPEST_KEY = 16
# TOML's integers are of 64 bits, as are SQLite's.
_LARGEST_INTEGER = 2**63 - 1

# A key of many parts: tomllib takes time and memory that grow with the square of their number.
_NAME = r"""(?:[A-Za-z0-9_-]++|"(?:[^"\\\n]|\\.)*+"|'[^'\n]*+')"""
_LONG_KEY = re.compile(
    rf"(?:^|[,{{])[ \t]*+\[{{0,2}}+[ \t]*+(?:{_NAME}[ \t]*+\.[ \t]*+){{32}}", re.M
)
_LONG_NUMBER = re.compile(r"[0-9](?:_?[0-9]){4000}")


def parse_study(path: Path) -> StudyDefinition:
    """The models of a study file, its types checked but not yet its cross references.

    Raises
    ------
    InputError: whatever is wrong with the file; one line.
    """
    return in_one_line(lambda: _models(_tables(_text(_content(path), path), path), path), path)


def _content(path: Path) -> bytes:
    """The bytes of a regular file of bearable size; nothing else is opened: a pipe could block."""
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            cure = f"name one file in it, for example {path / 'reproduce_smac.toml'}"
            raise InputError("a directory, not a study file", where=str(path), cure=cure)
        if not stat.S_ISREG(mode):
            cure = "save the study in a file and name that"
            raise InputError("not a regular file", where=str(path), cure=cure)
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE_BYTES + 1)
    except FileNotFoundError:
        cure = "give the path of a study file, for example studies/reproduce_smac.toml"
        raise InputError("no such study file", where=str(path), cure=cure) from None
    except OSError as error:
        cure = "make the file readable, or name another"
        what = f"cannot be read: {error.strerror}"
        raise InputError(what, where=str(path), cure=cure) from None
    if len(content) > LARGEST_FILE_BYTES:
        cure = "a study has kilobytes; split it, or name another file"
        what = f"larger than {LARGEST_FILE_BYTES:,} bytes"
        raise InputError(what, where=str(path), cure=cure)
    return content


def _text(content: bytes, path: Path) -> str:
    if b"\0" in content:
        what, cure = "not a text, it has NUL bytes", "save the file as UTF-8"
        raise InputError(what, where=str(path), cure=cure)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        where, value = f"{path}: line {line}", error.object[error.start : error.end]
        cure = "save the file as UTF-8"
        raise InputError("not UTF-8 text", where=where, value=value, cure=cure) from None


def _tables(text: str, path: Path) -> dict[str, Any]:
    """What TOML says, as plain containers."""
    if long_key := _LONG_KEY.search(text):
        what, cure = "a key of more than 32 parts", "a study needs six; shorten it"
        raise InputError(what, where=_line(text, long_key, path), cure=cure)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message = " ".join(str(error).split())
        if len(message) > 160:  # it may quote a key
            message = f"{message[:80]} … {message[-79:]}"
        cure = "correct the syntax there"
        raise InputError(f"not valid TOML: {message}", where=str(path), cure=cure) from None
    except RecursionError:
        what, cure = (
            "lists or tables nested too deeply",
            f"a study needs no more than {DEEPEST_KEY}",
        )
        raise InputError(what, where=str(path), cure=cure) from None
    except ValueError:
        # Python converts no numbers of so many digits; it does not say where.
        if not (number := _LONG_NUMBER.search(text)):
            raise
        what, cure = "a number of thousands of digits", "TOML's numbers have up to 19"
        raise InputError(what, where=_line(text, number, path), cure=cure) from None


def _line(text: str, found: re.Match[str], path: Path) -> str:
    return f"{path}: line {text.count(chr(10), 0, found.end()) + 1}"


def _models(tables: dict[str, Any], path: Path) -> StudyDefinition:
    _check_format(tables, path)
    try:
        return StudyDefinition.model_validate(_plain(tables, (), path))
    except ValidationError as error:
        tags: dict[str, type[BaseModel] | None] = {
            **{RANGE_TAG: Range, CHOICES_TAG: Table},
            **{SEED_LIST: None, SEED_TABLE: SequentialSeeds},
        }
        tags |= {tag: methods()[key].settings for key, tag in arm_tags().items()}
        raise input_error(error, path, StudyDefinition, tags) from None


def _check_format(tables: dict[str, Any], path: Path) -> None:
    """Before anything else: a newer file may have keys this version cannot know."""
    where = place(path, ["format"])
    if "format" not in tables:
        raise InputError("missing key", where=where, cure=f"add format = {STUDY_FORMAT}")
    value = tables["format"]
    if type(value) is not int or value != STUDY_FORMAT:
        cure = f"this version reads format = {STUDY_FORMAT}; correct it or update cadp-suite"
        raise InputError("unknown study format", where=where, value=value, cure=cure)


def _plain(value: object, keys: Keys, path: Path) -> Any:
    """A value of the file for the models: lists as tuples, -0.0 as 0.0.

    Refuses what no key of a study may be: numbers that are not finite or beyond 64 bits, and
    nesting without end.
    """
    if isinstance(value, dict | list):
        if len(keys) == DEEPEST_KEY:
            cure = f"a study needs no more than {DEEPEST_KEY} levels; remove them"
            raise InputError("nested too deeply", where=place(path, keys), cure=cure)
        most = MOST_ENTRIES if isinstance(value, dict) else LARGEST_PLAN
        if len(value) > most:
            cure = f"give at most {most:,}"
            raise InputError("too many entries", where=place(path, keys), cure=cure)
        if isinstance(value, dict):
            return {key: _plain(item, (*keys, key), path) for key, item in value.items()}
        return tuple(_plain(item, (*keys, index), path) for index, item in enumerate(value))
    if isinstance(value, float):
        if not math.isfinite(value):
            where, cure = place(path, keys), "give a number"
            raise InputError("not a finite number", where=where, value=value, cure=cure)
        return value + 0.0
    if isinstance(value, int) and abs(value) > _LARGEST_INTEGER:
        where, cure = place(path, keys), "give a number of at most 64 bits"
        raise InputError("out of range", where=where, value=value, cure=cure)
    return value
