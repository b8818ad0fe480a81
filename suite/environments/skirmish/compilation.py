"""How skirmish's kernels are compiled: IEEE arithmetic in source order (no fastmath).

Kernels get every array from outside and allocate none, so numba's reference counting, which would
cost more than the arithmetic, is off. An array is some ten machine words to a call, so what a
kernel calls in every loop is part of it (`inlined`; called by kernels only): bundles of arrays
then cost nothing. What is not inlined takes the few arrays it needs.

What begins as a constant and is passed on would have the callee compiled for the constant as well:
such variables begin as NOTHING or CHANGED, whose types are those of their later values.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np

from suite.compilation import compiler

_SOURCES = list(Path(__file__).parent.glob("*.py"))

NOTHING, CHANGED = np.int64(0), np.bool_(True)

_OPTIONS = {"error_model": "numpy", "_nrt": False}

compiled = compiler(_SOURCES, **_OPTIONS)
inlined = compiler(
    _SOURCES, **_OPTIONS, forceinline=True, no_cpython_wrapper=True, no_cfunc_wrapper=True
)


def bind(kernel: Any, *arguments: Any) -> Callable[..., Any]:
    """A compiled kernel for arguments of these types, that does not look at the types again.

    Numba's own call looks at every array of every bundle, which takes longer than a step of a small
    battle. Nobody checks what is passed later: it must have the same types, layouts included.
    """
    types = tuple(numba.typeof(argument) for argument in arguments)
    kernel.compile(types)
    return kernel.get_overload(types)  # type: ignore[no-any-return, unused-ignore]
