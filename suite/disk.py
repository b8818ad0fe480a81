"""Files that are whole or not there, and a full disk, in whatever way a library reports it."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from suite.errors import InputError

# Below this nothing can be stored; libraries then fail in ways that do not name the cause.
_FULL_BYTES = 1 << 20


@contextmanager
def private_files() -> Iterator[None]:
    """Have everything that this process and its children make meanwhile belong to the user alone.

    Files and folders that are there already keep their rights: somebody may have widened them.
    """
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


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


def write_atomically(path: Path, content: str | bytes, cure: str = "give another --output") -> None:
    """Replace `path` in one step by a file of this content; as `written_atomically`."""
    data = content.encode("utf-8") if isinstance(content, str) else content
    with written_atomically(path, cure) as file:
        file.write(data)


@contextmanager
def written_atomically(path: Path, cure: str = "give another --output") -> Iterator[BinaryIO]:
    """A file to write to, which replaces `path` in one step when the body ends without an error.

    So no reader ever sees half a file; and durably: after the body, the content and the name are on
    the disk, and a power cut cannot take them back. The user's umask decides who may read it.
    Raises InputError, with `cure`, if the file cannot be written there; a full disk stays an
    OSError, for `is_disk_full`.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        if path.exists() and not path.is_file():
            raise InputError("is no plain file, and would be replaced", where=str(path), cure=cure)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
            sync_directory(path.parent)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        if is_disk_full(error, path.parent):
            raise
        reason = error.strerror or str(error)
        if isinstance(error, FileExistsError | NotADirectoryError):
            reason = "where its folder should be is a file"
        what = f"cannot write the file: {reason}"
        raise InputError(what, where=str(path), cure=cure) from error


def read_plain_file(path: Path, largest_bytes: int) -> bytes:
    """The content of a file that anybody may have put there.

    Raises OSError, with `strerror` for people to read; also, instead of waiting for ever or filling
    the memory, for a pipe or device and for a file of more than `largest_bytes`.
    """
    with open_plain_file(path) as file:
        if os.fstat(file.fileno()).st_size > largest_bytes:
            raise OSError(errno.EFBIG, f"is larger than {largest_bytes:,} bytes", str(path))
        return file.read()


def open_plain_file(path: Path) -> BinaryIO:
    """A file that anybody may have put there, to read from; raises OSError for a pipe or device."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe would wait for its writer
    try:
        status = os.fstat(handle)
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError(errno.EISDIR, "is a directory", str(path))
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "is not a plain file", str(path))
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable: files moved there or removed stay so."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove_leftovers(directory: Path) -> None:
    """Delete what a killed `write_atomically` left half written; nobody may be writing there."""
    for path in directory.glob("*.tmp"):
        path.unlink(missing_ok=True)
