"""Options that both command lines have, and what they refuse."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from suite.errors import InputError


def path_from(name: str) -> Callable[[str | Path], Path]:
    """A parser of the option `name`: an empty path would be the current folder, unasked."""

    def parse(given: str | Path) -> Path:
        if not str(given) or "\0" in str(given):
            cure = "name a file or folder"
            raise InputError("not a path", where=name, value=str(given), cure=cure)
        return Path(given)

    return parse


def product_path(given: Path, suffix: str, study: Path | None = None) -> Path:
    """Where `--output` has a product written; told before minutes of work, not after.

    Only a file of the product's own kind is ever replaced: not a study, a database or a device. A
    link leads to its target. Raises InputError for anything else, and for the `study` itself.
    """
    path = Path(os.path.realpath(given))
    if given.is_dir():
        cure = f"name a file in it, e.g. {given / f'page{suffix}'}"
        raise InputError("is a directory", where="--output", value=str(given), cure=cure)
    if path.suffix.lower() != suffix:
        cure = f"let it end in {suffix}: files of other kinds are not replaced"
        what = f"not the name of a {suffix} file"
        raise InputError(what, where="--output", value=str(given), cure=cure)
    if study is not None and path == Path(os.path.realpath(study)):
        cure = "give another name"
        raise InputError("is the study itself", where="--output", value=str(given), cure=cure)
    return path


def whole_number(given: str | int, least: int, most: int) -> int:
    """The number that `given` writes in the digits 0 to 9; ValueError if it is none in the range.

    `int` reads digits of every script, underscores and spaces, and refuses 5,000 digits.
    """
    text = str(given)
    if text.isascii() and text.isdecimal() and len(text) <= len(str(most)):
        number = int(text)
        if least <= number <= most:
            return number
    raise ValueError(f"not a whole number from {least} to {most}")


def number_from(least: int, most: int) -> Callable[[str | int], int]:
    """A parser of whole numbers in this range; typer names the option."""

    def parse(given: str | int) -> int:
        try:
            return whole_number(given, least, most)
        except ValueError as error:
            raise typer.BadParameter(f"{error} (got {given!r})") from None

    return parse


StudyPath = Annotated[
    Path,
    typer.Argument(
        parser=path_from("STUDY"),
        metavar="STUDY",
        help="Study file, e.g. studies/reproduce_smac.toml.",
    ),
]
OptionalStudyPath = Annotated[
    Path | None,
    typer.Argument(
        parser=path_from("STUDY"),
        metavar="[STUDY]",
        help="Study file whose runs are meant; default: all runs of the directory.",
    ),
]
ProfileName = Annotated[
    str | None, typer.Option("--profile", help="Size of the study; the study names its default.")
]
BackendName = Annotated[
    str | None,
    typer.Option(
        "--backend",
        metavar="NAME",
        help="Play the scenarios of the same names on this backend instead, e.g. starcraft.",
    ),
]
RunsDir = Annotated[
    Path,
    typer.Option(
        "--runs-dir",
        parser=path_from("--runs-dir"),
        metavar="PATH",
        help="Where records, checkpoints and weights are kept.",
    ),
]
PolicyName = Annotated[
    str,
    typer.Option(
        "--policy",
        metavar="POLICY",
        help="Who plays: random; heuristic (SMAC's heuristic AI, on skirmish, orders at any "
        "distance) or nearest (the same, available actions only); the id of a finished run; or "
        "the path of PyMARL's agent.th.",
    ),
]
ModeName = Annotated[
    str | None,
    typer.Option(
        "--mode",
        metavar="MODE",
        help="Execution mode of a run, e.g. centralised; default: decentralised.",
    ),
]
EpisodeSeed = Annotated[
    int,
    typer.Option(
        "--seed", parser=number_from(0, 2**63 - 1), metavar="N", help="Seed of what is played."
    ),
]
