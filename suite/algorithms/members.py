"""Values of a population, one per member."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from suite.errors import InputError

T = TypeVar("T")


def per_member(name: str, values: Sequence[T] | None, n_members: int, default: T) -> list[T]:
    """One value per member. Raises InputError if there are more or fewer."""
    if values is None:
        return [default] * n_members
    if len(values) != n_members:
        raise InputError(
            f"one value per member needed, {n_members} members",
            where=name,
            value=list(values),
            cure="pass as many values as seeds",
        )
    return list(values)
