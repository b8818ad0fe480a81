"""Files that are whole or not there, and a full disk, in whatever way a library reports it."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from pathlib import Path

from suite.errors import InputError

# Below this nothing can be stored; libraries then fail in ways that do not name the cause.
_FULL_BYTES = 1 << 20


def is_disk_full(error: BaseException, directory: Path) -> bool:
    """Whether `error` or what caused it says that no space is left, or `directory` has none."""
    link: BaseException | None = error
    while link is not None:
        if isinstance(link, OSError) and link.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        if "disk is full" in str(link):  # SQLite's words, kept by SQLAlchemy and MLflow
            return True
        link = link.__cause__ or link.__context__
    try:
        return shutil.disk_usage(directory).free < _FULL_BYTES
    except OSError:
        return False


def disk_full_error(directory: Path) -> InputError:
    """The line a user gets; what is finished is stored already."""
    cure = "free some space and give the same command again: it continues, finished runs are kept"
    return InputError("no space left on the disk", where=str(directory), cure=cure)


def write_atomically(path: Path, text: str) -> None:
    """Replace `path` in one step, so that no reader ever sees half a file.

    Raises InputError if the file cannot be written there.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            Path(temporary).chmod(0o644)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise InputError(
            f"cannot write the file: {error.strerror or error}",
            where=str(path),
            cure="give another --output",
        ) from error
