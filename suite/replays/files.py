"""Replay files: where they lie, and what tells others (the report) that one is whole and what of.

A replay is an HTML page whose head has `<meta name="cadp-replay" content="…">`, a JSON label, and
whose last line is its seal: a comment with the SHA-256 of everything before it.
"""

from __future__ import annotations

import hashlib
import html
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from suite.disk import read_plain_file
from suite.errors import InputError, StoredDataError
from suite.runs.directory import RunsDirectory

REPLAY_FORMAT = 2  # the first had no seal
META_NAME = "cadp-replay"
# The longest possible episode takes less than 700 kB.
LARGEST_PAGE_BYTES = 4 << 20
_LABEL_WITHIN = 64 << 10  # characters from the start
_META = re.compile(rf'<meta name="{META_NAME}" content="([^"]*)">')
_SEAL = "<!-- sha256 "

_NAME = "[A-Za-z0-9][A-Za-z0-9_.-]{0,99}"
_Name = Annotated[str, Field(pattern=f"^{_NAME}$")]


@dataclass(frozen=True)
class ReplayLabel:
    """What a replay shows. The bounds hold for labels that are read.

    scenario: full name. version: of skirmish's rules. policy: "random", "heuristic", "nearest"
    or a run id. description: the policy for people. seed: of the episode. n_steps: its length.
    """

    scenario: Annotated[str, Field(pattern=f"^skirmish/{_NAME}$")]
    version: _Name
    policy: _Name
    description: Annotated[str, Field(min_length=1, max_length=300, pattern=r"^\P{Cc}*$")]
    seed: Annotated[int, Field(ge=0, lt=2**63)]
    outcome: Literal["won", "lost", "drawn", "time limit"]
    n_steps: Annotated[int, Field(ge=1, le=10_000)]

    def to_json(self) -> str:
        """The content of the page's meta element."""
        return _StoredLabel(format=REPLAY_FORMAT, label=self).model_dump_json()


class _StoredLabel(BaseModel):
    """A label as it stands in a page."""

    format: Literal[2]
    label: ReplayLabel


@dataclass(frozen=True)
class Replay:
    """A page and its label."""

    label: ReplayLabel
    page: str


@dataclass(frozen=True)
class LeftOut:
    """A file (its name, printable) among the replays that is none, and why."""

    name: str
    reason: str


def replay_path(runs_dir: Path, scenario: str, policy: str, seed: int) -> Path:
    """Where a replay is written unless told otherwise; `scenario` without its backend.

    Raises InputError for a scenario or policy that is no plain name: the file stays in its folder.
    """
    for where, name in (("SCENARIO", scenario), ("--policy", policy)):
        if not re.fullmatch(_NAME, name):
            cure = "give the path of the page with --output"
            raise InputError("no name for a file", where=where, value=name, cure=cure)
    return RunsDirectory(runs_dir).replay_path(scenario, policy, seed)


def find_replays(runs_dir: Path) -> list[Replay]:
    """The replays of a runs directory in order of their names; other files are left out."""
    return survey_replays(runs_dir)[0]


def survey_replays(runs_dir: Path) -> tuple[list[Replay], list[LeftOut]]:
    """The replays of a runs directory and the pages that are none, in order of their names."""
    folder, found, left_out = RunsDirectory(runs_dir).replays_folder, [], []
    try:
        paths = sorted(folder.iterdir())
    except FileNotFoundError:
        paths = []
    except OSError as error:
        return [], [LeftOut(folder.name, f"cannot be read: {error.strerror}")]
    for path in paths:
        if path.suffix == ".html":
            try:
                found.append(read_replay(path))
            except StoredDataError as error:
                name = path.name.encode("utf-8", "backslashreplace").decode()
                left_out.append(LeftOut(name, error.what))
    return found, left_out


def read_replay(path: Path) -> Replay:
    """A replay, whole. Raises StoredDataError for every other file, whatever it is."""

    def refusal(what: str) -> StoredDataError:
        cure = "delete it, or write it anew with `cadp-suite watch`"
        return StoredDataError(what, where=str(path), cure=cure)

    try:
        page = read_plain_file(path, LARGEST_PAGE_BYTES).decode("utf-8")
    except OSError as error:
        raise refusal(f"cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise refusal("is not UTF-8 text") from None
    label = read_label(page)
    if label is None:
        raise refusal(f"is no replay of format {REPLAY_FORMAT}")
    if seal(page.rpartition(_SEAL)[0]) != page:
        raise refusal("is damaged: it does not match its checksum")
    return Replay(label, page)


def read_label(page: str) -> ReplayLabel | None:
    """The label of a page; None if it has none of this format with sensible values."""
    stored = _META.search(page[:_LABEL_WITHIN].partition("</head>")[0])
    if stored is None:
        return None
    try:
        content = html.unescape(stored.group(1))
        return _StoredLabel.model_validate_json(content, strict=True).label
    except ValueError:  # also of pydantic
        return None


def seal(page: str) -> str:
    """The page with its seal, which tells a reader that nothing of it is missing or changed."""
    return f"{page}{_SEAL}{hashlib.sha256(page.encode()).hexdigest()} -->\n"
