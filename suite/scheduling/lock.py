"""One coordinator per runs directory: an advisory lock that ends with its process."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from suite.errors import InputError

LOCK_NAME = "coordinator.lock"


@contextmanager
def coordinator_lock(runs_dir: Path) -> Iterator[None]:
    """Hold the directory's lock; the directory is made if absent.

    Raises
    ------
    InputError: another coordinator holds it, or the directory cannot be written.
    """
    path = runs_dir / LOCK_NAME
    try:
        runs_dir.mkdir(parents=True, exist_ok=True)
        file = path.open("a+")
    except (FileExistsError, NotADirectoryError):
        cure = "choose another --runs-dir"
        raise InputError("not a directory", where=str(runs_dir), cure=cure) from None
    except PermissionError as error:
        cure = "make it writable, or choose another --runs-dir"
        what = f"cannot be written: {error.strerror}"
        raise InputError(what, where=str(runs_dir), cure=cure) from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            pid = file.read().strip() or "unknown"
            cure = f"wait for process {pid} to end, or stop it, or choose another --runs-dir"
            what = f"another coordinator (process {pid}) is running here"
            raise InputError(what, where=str(runs_dir), cure=cure) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def coordinator_pid(runs_dir: Path) -> int | None:
    """Process id of the coordinator at work in a directory; None if there is none."""
    path = runs_dir / LOCK_NAME
    try:
        with path.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                text = file.read().strip()
                return int(text) if text.isdecimal() else 0
    except OSError:
        pass
    return None
