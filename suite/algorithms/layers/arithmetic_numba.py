"""Elementary functions that numba's compiler can vectorise (calls to libm it cannot)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numba import njit

from suite.compilation import compiler

# Contraction to fused multiply-adds and reordered sums; NaN and infinity keep their meaning.
# NumPy's error model: a division that may raise could not be vectorised.
FAST = {"fastmath": {"contract", "reassoc", "nsz"}, "error_model": "numpy"}
# For kernels that Python calls; what only kernels call is inlined into them.
compiled = compiler(Path(__file__).parents[1].rglob("*_numba.py"), **FAST)

_LOG2_E = np.float32(1.44269504088896341)
_LN2_HIGH = np.float32(0.693359375)
_LN2_LOW = np.float32(-2.12194440e-4)
_ONE = np.float32(1)
_TWO = np.float32(2)
_LOWEST = np.float32(-87.0)
_HIGHEST = np.float32(88.0)
_BIAS = np.int32(127)  # of a float32's exponent
_MANTISSA_BITS = np.int32(23)
# Adding a positive shift before and taking it off after makes truncation round downwards.
_SHIFT = np.int32(128)
_SHIFT_AND_HALF = np.float32(128.5)
# Minimax polynomial of (exp(x) - 1 - x) / x² on ±ln(2)/2: Cephes, expf.c (error about 1 ulp).
_C5 = np.float32(1.9875691500e-4)
_C4 = np.float32(1.3981999507e-3)
_C3 = np.float32(8.3334519073e-3)
_C2 = np.float32(4.1665795894e-2)
_C1 = np.float32(1.6666665459e-1)
_C0 = np.float32(5.0000001201e-1)


@njit(inline="always", **FAST)
def exp32(x):  # type: ignore[no-untyped-def]
    """exp of a float32, to about 1 ulp; clamped to [-87, 88], where float32 ends."""
    x = min(max(x, _LOWEST), _HIGHEST)
    power = np.int32(np.int32(x * _LOG2_E + _SHIFT_AND_HALF) - _SHIFT)
    whole = np.float32(power)
    x = (x - whole * _LN2_HIGH) - whole * _LN2_LOW
    series = ((((_C5 * x + _C4) * x + _C3) * x + _C2) * x + _C1) * x + _C0
    scale = np.int32((power + _BIAS) << _MANTISSA_BITS).view(np.float32)
    return (series * x * x + x + _ONE) * scale


@njit(inline="always", **FAST)
def sigmoid32(x):  # type: ignore[no-untyped-def]
    """1 / (1 + exp(-x)) of a float32."""
    return _ONE / (_ONE + exp32(-x))


@njit(inline="always", **FAST)
def tanh32(x):  # type: ignore[no-untyped-def]
    """tanh of a float32: absolute error below 2e-7."""
    return _ONE - _TWO / (exp32(_TWO * x) + _ONE)
