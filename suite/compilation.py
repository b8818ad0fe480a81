"""How kernels are compiled: numba, cached on disk, one cache entry per version of the sources.

Numba notices a change only in the file of the cached function, not in the files of the functions
it calls. Kernels call each other across files, so the name under which a kernel is cached carries
a fingerprint of every source it may use: changed sources never meet old machine code.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numba


def compiler(sources: Iterable[Path], **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """A decorator that compiles with numba at first use and caches on disk.

    sources: every file whose change must lead to a new compilation. options: as for `numba.njit`.
    """
    digest = hashlib.sha256()
    for source in sorted(sources):
        digest.update(source.read_bytes())
    fingerprint = digest.hexdigest()[:12]

    def compiled(function: Callable[..., Any]) -> Any:
        function.__qualname__ = f"{function.__qualname__}_{fingerprint}"
        return numba.njit(cache=True, **options)(function)

    return compiled
