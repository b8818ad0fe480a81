"""One coordinator per runs directory: an advisory lock that ends with its process.

Two files. One is the lock, and only coordinators touch it. The other, with the process id, says who
holds it, and is locked as long: readers (`status`) look there whether a coordinator is at work.
They hold that lock for an instant themselves, so it must not be the one that decides.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from suite.errors import InputError
from suite.runs.directory import RunsDirectory


@contextmanager
def coordinator_lock(directory: RunsDirectory) -> Iterator[None]:
    """Hold the directory's lock; the directory is made if absent.

    Raises
    ------
    InputError: another coordinator holds it, or the directory cannot be written.
    """
    try:
        directory.root.mkdir(parents=True, exist_ok=True)
        lock = directory.lock_path.open("a")
        pid_file = directory.pid_path.open("a+")
    except (FileExistsError, NotADirectoryError):
        cure = "choose another --runs-dir"
        raise InputError("not a directory", where=str(directory.root), cure=cure) from None
    except OSError as error:
        cure = "make it writable, or choose another --runs-dir"
        what = f"cannot be written: {error.strerror}"
        raise InputError(what, where=str(directory.root), cure=cure) from None
    with lock, pid_file:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid_file.seek(0)
            pid = _pid(pid_file.read()) or "unknown"
            cure = f"wait for process {pid} to end, or stop it, or choose another --runs-dir"
            what = f"another coordinator (process {pid}) is running here"
            raise InputError(what, where=str(directory.root), cure=cure) from None
        fcntl.flock(pid_file, fcntl.LOCK_EX)  # waits for a reader's instant
        pid_file.truncate(0)
        pid_file.write(f"{os.getpid()}\n")
        pid_file.flush()
        yield


def coordinator_pid(directory: RunsDirectory) -> int | None:
    """Process id of the coordinator at work in a directory; None if there is none.

    0 if there is one whose id cannot be told.
    """
    try:
        with directory.pid_path.open(errors="replace") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return _pid(file.read())
    except OSError:
        pass
    return None


def _pid(text: str) -> int:
    text = text.strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else 0
