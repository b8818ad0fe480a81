"""How kernels are compiled: numba, cached on disk, one cache entry per version of the sources.

Numba notices a change only in the file of the cached function, not in the files of the functions
it calls. Kernels call each other across files, so the name under which a kernel is cached carries
a fingerprint of every module beside this one: a changed source never meets an old machine code.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numba

_Function = TypeVar("_Function", bound=Callable[..., object])


def _fingerprint() -> str:
    """Hash of all Python sources of this package."""
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:12]


FINGERPRINT = _fingerprint()


def compiled(function: _Function) -> _Function:
    """Compile with numba at first use: cached, IEEE arithmetic in source order (no fastmath).

    Kernels get every array from outside and allocate none, so numba's reference counting, which
    would cost more than the arithmetic, is off.
    """
    function.__qualname__ = f"{function.__qualname__}_{FINGERPRINT}"
    kernel: _Function = numba.njit(cache=True, error_model="numpy", _nrt=False)(function)
    return kernel
