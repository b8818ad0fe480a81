"""Quantities that a study enumerates or searches, as the methods that have them declare them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

Value = int | float


@dataclass(frozen=True)
class Hyperparameter:
    """One such quantity of a method.

    name: its key in study files. symbol: for people. low, high: the values that can be held, ends
    included. is_whole: integers only. published: what is taken where a study gives no value; None
    if a study has to give one. fraction: another key, under which values may be given as fractions
    of `total_env_steps`; such a hyperparameter counts environment steps and ends with training.
    """

    name: str
    symbol: str
    meaning: str
    low: Value
    high: Value
    is_whole: bool = False
    published: Value | None = None
    fraction: str | None = None

    def label(self, value: Value) -> str:
        """`α=0.5`, `T=70,000`."""
        return f"{self.symbol}={self.text(value)}"

    def text(self, value: Value) -> str:
        """The value for people."""
        return value_text(int(value) if self.is_whole else float(value))


def value_text(value: object) -> str:
    """A value of a hyperparameter or setting for people: `70,000`, `0.5`, `adam`, `true`."""
    match value:
        case bool():
            return str(value).lower()
        case int():
            return f"{value:,}"
        case float():
            return f"{value:.15g}"
        case _:
            return str(value)


def point_label(declared: Iterable[Hyperparameter], values: Mapping[str, Value]) -> str:
    """A hyperparameter point for people, `α=0.5 T=70,000`; empty where there is none."""
    return " ".join(one.label(values[one.name]) for one in declared if one.name in values)
