"""What every SQLite database of a runs directory needs, whoever keeps it (MLflow, Optuna, we).

An address that any path can have, one boundary that turns whatever a library raises into a line
for people, and patience with other programs that hold the file.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from suite.disk import is_disk_full, sync_directory
from suite.errors import CadpSuiteError, InputError, StoredDataError
from suite.memory import is_out_of_memory
from suite.text import duration_text, redacted

T = TypeVar("T")

# Characters that mean something in a database address or in a format string.
_SPECIAL = frozenset("?%#{}")
# How long a database may be held by another program before a command gives up.
PATIENCE_SECONDS = 600.0
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.5, 30.0
_LONGEST_REASON = 300
# SQLite's words for files that it may not open or write, however healthy they are.
_PERMISSION_WORDS = ("readonly database", "unable to open database file", "disk I/O error")

_aliases: dict[Path, tempfile.TemporaryDirectory[str]] = {}


class BusyError(InputError):
    """Records cannot be reached for now: another program holds a database, or a server is away.

    They are whole, and waiting helps.
    """


def address(path: Path) -> str:
    """SQLAlchemy's address of an SQLite file, whatever characters its folder has.

    SQLAlchemy, MLflow and Optuna decode, split and format addresses, each in its own way; a folder
    whose name has such characters is therefore reached through a symbolic link with a plain name.
    """
    path = path.resolve()
    if not _is_plain(path):
        path = _alias(path.parent) / path.name
    return f"sqlite:///{path}"


def _is_plain(path: Path) -> bool:
    text = str(path)
    return text.isprintable() and _SPECIAL.isdisjoint(text)


def _alias(directory: Path) -> Path:
    """A link to `directory` in a private temporary folder that ends with this process."""
    if directory not in _aliases:
        places = [place for place in (tempfile.gettempdir(), "/tmp") if _is_plain(Path(place))]
        if not places:
            cure = "choose a --runs-dir of letters, digits and '-'"
            raise InputError("has characters no database takes", where=str(directory), cure=cure)
        _aliases[directory] = tempfile.TemporaryDirectory(prefix="cadp-runs-", dir=places[0])
        (Path(_aliases[directory].name) / "runs").symlink_to(directory, target_is_directory=True)
    return Path(_aliases[directory].name) / "runs"


@contextmanager
def created_aside(path: Path) -> Iterator[Path]:
    """Where to build a new database, which is moved to `path` at the end: no one sees half of one.

    What a killed creation left there is removed first. Nobody else may be creating the same.
    """
    unfinished = path.with_suffix(".creating")
    for leftover in (unfinished, unfinished.with_name(unfinished.name + "-journal")):
        leftover.unlink(missing_ok=True)
    yield unfinished
    unfinished.replace(path)
    sync_directory(path.parent)


@contextmanager
def boundary(path: Path, what: str, cure: str) -> Iterator[None]:
    """Turn whatever goes wrong with a database into one line: what, where, cure.

    Raises
    ------
    BusyError: another program holds the file.
    StoredDataError: anything else; the libraries raise their own errors, those of SQLite, and
        ValueError, KeyError, UnicodeDecodeError and more for contents they do not expect.
    A full disk and memory that runs out pass as they are, for `is_disk_full` and its like to see.
    """
    try:
        yield
    except CadpSuiteError:
        raise
    except Exception as error:
        if is_busy(error):
            cure = "nothing is lost: close the program that has it open, or try again later"
            raise BusyError("in use by another program", where=str(path), cure=cure) from error
        if is_disk_full(error, path.parent) or is_out_of_memory(error):
            raise
        if any(words in root_cause(error) for words in _PERMISSION_WORDS):
            cure = "nothing is lost: make the file and its folder readable and writable"
        raise StoredDataError(f"{what}: {root_cause(error)}", where=str(path), cure=cure) from error


def is_busy(error: BaseException) -> bool:
    """Whether SQLite said, through however many libraries, that somebody else has the file."""
    link: BaseException | None = error
    while link is not None:
        text = str(link)
        if "database is locked" in text or "database table is locked" in text:
            return True
        link = link.__cause__ or link.__context__
    return False


def patiently(
    action: Callable[[], T],
    say: Callable[[str], None],
    *,
    patience_seconds: float = PATIENCE_SECONDS,
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """Do `action`, waiting in growing pauses while the records that it needs are out of reach.

    say: gets a line for the user with each pause. Raises BusyError when the patience is over.
    """
    start, pause = time.monotonic(), _FIRST_PAUSE_SECONDS
    while True:
        try:
            return action()
        except BusyError as error:
            waited = time.monotonic() - start
            if waited >= patience_seconds:
                what = f"{error.what} for {duration_text(waited)}"
                raise BusyError(what, where=error.where, cure=error.cure) from error
            say(redacted(f"{error.where}: {error.what}; waiting, training goes on"))
            sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


def root_cause(error: BaseException) -> str:
    """The first line of what was wrong to begin with, without the wrapping of the libraries."""
    root = error
    while root.__cause__ is not None or root.__context__ is not None:
        root = root.__cause__ or root.__context__ or root
    lines = str(root).strip().splitlines()
    text = lines[0] if lines else "no reason given"
    if type(root).__module__ == "builtins":
        text = f"{type(root).__name__}: {text}"
    return redacted(text)[:_LONGEST_REASON]
