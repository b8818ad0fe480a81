"""What the comparisons with the real StarCraft II share: how they begin, read files and answer."""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from suite.command_line import run_command
from suite.disk import read_plain_file
from suite.environments.skirmish.rules import DEFAULT_RULES, Rules
from suite.errors import InputError
from suite.options import number_from, path_from
from suite.printing import make_console, make_table, print_table

LARGEST_BYTES = 1 << 32

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]
Seed = Annotated[
    int, typer.Option(parser=number_from(0, 2**31 - 1), metavar="N", help="Of what is random here.")
]
RuleChanges = Annotated[
    list[str],
    typer.Option(
        "--rule",
        metavar="NAME=VALUE",
        help="Play by another value of one of the simulator's rules "
        "(suite/environments/skirmish/rules.py), to see how much it matters. May be repeated.",
    ),
]


def file_argument(metavar: str, what: str) -> Any:
    """The positional argument of a script: the path of a file."""
    return typer.Argument(parser=path_from(metavar), metavar=metavar, help=what)


def make_app() -> typer.Typer:
    return typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


def run_script(path: str) -> None:
    """Run the typer application `app` of a script, as the project's own commands are run."""
    name = Path(path)
    sys.exit(run_command(name.stem, name.name, interrupted="nothing is stored"))


def read_file(path: Path, what: str) -> bytes:
    """The content of a file. what: what it should be, for the line of the InputError."""
    cure = f"give the path of {what}"
    try:
        return read_plain_file(path, LARGEST_BYTES)
    except FileNotFoundError:
        raise InputError("no such file", where=str(path), cure=cure) from None
    except OSError as error:
        what = f"cannot be read: {error.strerror or error}"
        raise InputError(what, where=str(path), cure=cure) from None


def rules_from(changes: Sequence[str]) -> Rules:
    """The default rules with the changes of `--rule`."""
    values: dict[str, Any] = {}
    known = {field.name: getattr(DEFAULT_RULES, field.name) for field in dataclasses.fields(Rules)}
    for change in changes:
        name, _, text = change.partition("=")
        if name not in known:
            cure = f"choose from {', '.join(known)}"
            raise InputError("no such rule", where="--rule", value=name, cure=cure)
        default = known[name]
        try:
            if isinstance(default, bool):
                values[name] = {"true": True, "false": False}[text.lower()]
            elif isinstance(default, tuple):
                low, high = text.split(",")
                values[name] = float(low), float(high)
            else:
                values[name] = type(default)(text)
        except (KeyError, ValueError):
            cure = f"give a value like its default: {name}={default}"
            raise InputError(
                "not a value of this rule", where="--rule", value=text, cure=cure
            ) from None
    return Rules(**values)


def show_table(titles: Sequence[str], rows: Iterable[Sequence[str]], n_words: int = 1) -> None:
    """Print a table whose first `n_words` columns are words, the others numbers."""
    console = make_console(standard_output=True)
    print_table(console, make_table(console, titles, rows, numbers=set(titles[n_words:])))


def number(value: float | None, digits: int) -> str:
    """A number for a table; a dash where there is none."""
    return "–" if value is None or math.isnan(value) else f"{value:.{digits}f}"
