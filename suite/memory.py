"""Memory that is too little, in whatever way a library reports it."""

from __future__ import annotations

import errno
import sys

from suite.errors import InputError

_WORDS = (
    "cannot allocate memory",  # the system's, of a file that is mapped or a process started
    "failed to map segment",  # the loader's, of a library
    "can't allocate memory",  # torch's
    "out of memory",  # SQLite's, CUDA's
    "can't start new thread",
    "bad_alloc",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether `error`, or what caused it, says that memory ran out."""
    link: BaseException | None = error
    while link is not None:
        if isinstance(link, MemoryError) or getattr(link, "errno", None) == errno.ENOMEM:
            return True
        if any(words in str(link).lower() for words in _WORDS):
            return True
        link = link.__cause__ or link.__context__
    return False


def out_of_memory_error() -> InputError:
    """The line a user gets."""
    cure = (
        "free some, raise the limit (ulimit -v, or the container's), or train with fewer --workers"
    )
    return InputError("ran out", where="memory", cure=cure)


def require_address_space(needed_bytes: int, who: str) -> None:
    """Refuse a limit (ulimit -v) under which libraries abort in C, without a Python error.

    Raises InputError naming both.
    """
    if sys.platform == "win32":
        return
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY and limit < needed_bytes:
        what = f"{who} needs at least {needed_bytes >> 20} MiB of address space"
        cure = "raise the limit, e.g. with ulimit -v unlimited"
        raise InputError(what, where="ulimit -v", value=limit >> 10, cure=cure)
