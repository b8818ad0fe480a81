"""How skirmish's kernels are compiled: IEEE arithmetic in source order (no fastmath).

Kernels get every array from outside and allocate none, so numba's reference counting, which would
cost more than the arithmetic, is off.
"""

from __future__ import annotations

from pathlib import Path

from suite.compilation import compiler

compiled = compiler(Path(__file__).parent.glob("*.py"), error_model="numpy", _nrt=False)
