"""Checks of what mixers and methods give back: shapes alone, so that they cost nothing.

Broadcasting would make something of most wrong shapes, and train it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from suite.algorithms.mixers.interface import Mixed
from suite.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor


def check_mixed(mixed: Mixed, name: str, shape: tuple[int, int, int]) -> Mixed:
    """What a mixer gave, q of `shape` (P, M, K) and row_penalty (P, M); InputError for others."""
    where = f"mixer {name}"
    if not isinstance(mixed, Mixed):
        what = f"mix gives {type(mixed).__name__}, must be a Mixed"
        raise InputError(what, where=where, cure="return suite.algorithms.mixers.interface.Mixed")
    _check(where, "q", mixed.q, shape)
    if mixed.row_penalty is not None:
        _check(where, "row_penalty", mixed.row_penalty, shape[:2])
    return mixed


def check_update(
    name: str, updated: NDArray[np.bool_], metrics: Mapping[str, Tensor], n_members: int
) -> None:
    """What `Algorithm.update` gave, (P,) each; InputError for others. name: of the method."""
    where = f"update of {name}"
    _check(where, "which were updated", updated, (n_members,))
    for key, value in metrics.items():
        _check(where, key, value, (n_members,))


def _check(where: str, name: str, array: Any, shape: tuple[int, ...]) -> None:
    found = tuple(getattr(array, "shape", ()))
    if found != shape:
        what = f"{name} has shape {found}, must be {shape}"
        raise InputError(what, where=where, cure="see the tables of docs/extending.md")
