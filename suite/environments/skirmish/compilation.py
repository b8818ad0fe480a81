"""How skirmish's kernels are compiled: IEEE arithmetic in source order (no fastmath).

Kernels get every array from outside and allocate none, so numba's reference counting, which would
cost more than the arithmetic, is off. An array is some ten machine words to a call, so what a
kernel calls in every loop is part of it (`inlined`).

What begins as a constant and is passed on would have the callee compiled for the constant as well:
such variables begin as NOTHING or CHANGED, whose types are those of their later values.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from suite.compilation import compiler

_SOURCES = list(Path(__file__).parent.glob("*.py"))

NOTHING, CHANGED = np.int64(0), np.bool_(True)

compiled = compiler(_SOURCES, error_model="numpy", _nrt=False)
inlined = compiler(_SOURCES, error_model="numpy", _nrt=False, forceinline=True)
