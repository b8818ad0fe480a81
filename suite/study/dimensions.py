"""What a search varies for one arm: ranges of the study file, joined with what the arm has."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from suite.algorithms.registry import arm_settings, hyperparameters_of, method_of
from suite.algorithms.settings import ArmSettings
from suite.runs.hyperparameters import Hyperparameter, value_text
from suite.runs.spec import AlgorithmSpec, Scalar
from suite.study.search import Range, Search

BACKBONE = "backbone"
Kind = Literal["float", "int", "categorical"]
# Sampled values are rounded to what a person would write.
DIGITS = 4


@dataclass(frozen=True)
class Dimension:
    """One quantity that a search varies.

    name: its key in `ranges`. symbol: for people. low, high: ends, included; log, step: as in
    `Range`. choices: of a categorical dimension, which has no ends.
    """

    name: str
    symbol: str
    kind: Kind
    low: float | None = None
    high: float | None = None
    log: bool = False
    step: float | None = None
    choices: tuple[Scalar, ...] = ()

    @property
    def n_points(self) -> float:
        """How many values it has; infinitely many where it is continuous."""
        if self.low is None or self.high is None:
            return len(self.choices)
        step = self.step or (1 if self.kind == "int" else 0)
        # A thousandth: steps of 0.1 do not add up.
        return 1 + math.floor((self.high - self.low) / step + 1e-3) if step else math.inf

    @property
    def highest(self) -> float:
        """The largest of its values, which are numbers."""
        return max(float(str(v)) for v in self.choices) if self.high is None else self.high

    @property
    def middle(self) -> Scalar:
        """A value in its middle, as searched: of 0.01 to 1 in logarithms it is 0.1."""
        if self.low is None or self.high is None:
            return self.choices[len(self.choices) // 2]
        if self.log:
            return self.written(math.sqrt(self.low * self.high))
        if self.step:
            return self.written(self.low + self.step * ((self.n_points - 1) // 2))
        return self.written((self.low + self.high) / 2)

    def written(self, value: Scalar) -> Scalar:
        """A sampled value as it is trained: rounded to `DIGITS` digits, of itself or of the range
        if that is narrower, and within the range."""
        if self.low is None or self.high is None:
            return value
        assert isinstance(value, int | float)
        if self.kind == "int":
            return int(min(max(round(value), self.low), self.high))
        scale = min(abs(value) or math.inf, self.high - self.low)
        rounded = round(float(value), DIGITS - 1 - math.floor(math.log10(scale)))
        return float(min(max(rounded, self.low), self.high))

    def __contains__(self, value: object) -> bool:
        """Whether a value lies in the range, or is one of the choices."""
        if self.low is None or self.high is None:
            return value in self.choices
        if not isinstance(value, int | float) or not self.low <= value <= self.high:
            return False
        n_steps = (value - self.low) / self.step if self.step else 0
        return abs(n_steps - round(n_steps)) < 1e-6

    @property
    def text(self) -> str:
        """For people: `α from 0.01 to 10, logarithmic`, `backbone vdn, qmix`."""
        if self.low is None or self.high is None:
            return f"{self.symbol} {', '.join(map(value_text, self.choices))}"
        ends = [value_text(int(v) if self.kind == "int" else float(v)) for v in self._ends()]
        text = f"{self.symbol} from {ends[0]} to {ends[1]}"
        text += f" in steps of {value_text(self.step)}" if self.step else ""
        return f"{text}, logarithmic" if self.log else text

    def _ends(self) -> Iterator[float]:
        yield from (end for end in (self.low, self.high) if end is not None)


@dataclass(frozen=True)
class Target:
    """What a key of `ranges` is of an arm. kind: None where only choices make sense; declared: the
    hyperparameter, None for a setting. is_fraction: given as a part of training."""

    symbol: str
    kind: Literal["float", "int"] | None
    declared: Hyperparameter | None = None
    is_fraction: bool = False

    @property
    def is_moment(self) -> bool:
        """Whether it names a step of training, in either spelling."""
        return self.declared is not None and self.declared.fraction is not None

    @property
    def counts_steps(self) -> bool:
        """Whether its values are steps of training."""
        return self.is_moment and not self.is_fraction


def changed(settings: ArmSettings, values: dict[str, Any]) -> ArmSettings:
    """An arm with other settings, its backbone among them; it keeps what it said and still has.

    Values that the arm then has no use for are left out. Raises InputError for a backbone that its
    framework does not have, pydantic's ValidationError for a value that a setting cannot have.
    """
    framework, backbone = settings.framework, values.get(BACKBONE, settings.backbone)
    method = method_of(AlgorithmSpec(framework=framework, backbone=str(backbone)))
    said = {key: getattr(settings, key) for key in settings.model_fields_set}
    given = {
        key: value
        for key, value in {**said, **values}.items()
        if key in method.settings.model_fields and key not in ("framework", BACKBONE)
    }
    return arm_settings(framework, method.backbone, **given)


def variants(settings: ArmSettings, search: Search) -> list[ArmSettings]:
    """The arm on each backbone that is searched; else the arm."""
    backbones = search.ranges.get(BACKBONE)
    if not isinstance(backbones, tuple):
        return [settings]
    return [changed(settings, {BACKBONE: backbone}) for backbone in backbones]


def target(key: str, arms: list[ArmSettings]) -> Target | None:
    """What a key is of an arm, in whichever variant has it first; None if it has no use for it."""
    if key == BACKBONE:
        return Target(BACKBONE, None)
    for settings in arms:
        for one in hyperparameters_of(settings):
            if key == one.name:
                return Target(one.symbol, "int" if one.is_whole else "float", one)
            if key == one.fraction:
                return Target(f"{one.symbol}/steps", "float", one, is_fraction=True)
        field = type(settings).model_fields.get(key)
        if field is not None and key != "framework":
            kinds: dict[Any, Literal["float", "int"]] = {int: "int", float: "float"}
            return Target(key, kinds.get(field.annotation))
    return None


def dimensions_of(settings: ArmSettings, search: Search) -> tuple[Dimension, ...]:
    """What a search varies for an arm, in the order of the file; empty where no range applies."""
    arms, found = variants(settings, search), []
    for key, given in search.ranges.items():
        of_arm = target(key, arms)
        if of_arm is None:
            continue
        if isinstance(given, Range):
            step = None if given.step is None else float(given.step)
            ends = float(given.low), float(given.high)
            kind = of_arm.kind or "float"
            found.append(Dimension(key, of_arm.symbol, kind, *ends, given.log, step))
        else:
            is_float = of_arm.kind == "float"
            choices = tuple(float(c) if is_float and type(c) is int else c for c in given)
            found.append(Dimension(key, of_arm.symbol, "categorical", choices=choices))
    return tuple(found)
