"""Axes of figures about searches: a searched dimension, and a quantity that is looked for."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from reports.figures import style
from reports.quantities import Quantity
from reports.sweep import SearchResult
from suite.runs.hyperparameters import value_text
from suite.runs.spec import Scalar
from suite.study.dimensions import Dimension
from suite.text import shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Letters of a line beside a panel, and of a choice under one.
_WIDTH, _ROOM = 40, 14
# Room for a label of two lines, in inches.
LEFT = 0.8


def place(dimension: Dimension, value: Scalar) -> float:
    """Where a value lies on the axis of its dimension: choices stand side by side."""
    return dimension.choices.index(value) if dimension.low is None else float(str(value))


def ends(dimension: Dimension) -> tuple[float, float]:
    """Ends of the axis of a dimension."""
    if dimension.low is None or dimension.high is None:
        return -0.5, len(dimension.choices) - 0.5
    return dimension.low, dimension.high


def dimension_axis(axes: Axes, dimension: Dimension, which: Literal["x", "y"]) -> None:
    """An axis over the whole range, logarithmic where the range is; choices by name."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    set_scale, set_limits, set_label = (
        getattr(axes, f"set_{which}{name}") for name in ("scale", "lim", "label")
    )
    low, high = ends(dimension)
    if dimension.low is None:
        names = [shortened(value_text(one), _ROOM) for one in dimension.choices]
        axis.set_ticks(range(len(names)), names)
        set_limits(low, high)
    elif dimension.log:
        set_scale("log")
        air = (high / low) ** 0.04
        set_limits(low / air, high * air)
        axis.set_minor_formatter(lambda value, _: "")
        if high / low < 10:  # no power of ten need lie within
            middle = (low * high) ** 0.5
            axis.set_ticks([low, middle, high])
    else:
        air = 0.04 * (high - low)
        set_limits(low - air, high + air)
    if dimension.low is not None:
        axis.set_major_formatter(lambda value, _: f"{value:.3g}")
    set_label(_named(dimension))


def quantity_axis(axes: Axes, quantity: Quantity, which: Literal["x", "y"] = "y") -> None:
    """An axis of a quantity; of percentages always 0 to 100, so that panels compare at a glance."""
    set_limits, set_ticks, set_label = (
        getattr(axes, f"set_{which}{name}") for name in ("lim", "ticks", "label")
    )
    set_label(textwrap.fill(quantity.label, _WIDTH) if which == "y" else quantity.label)
    if quantity.unit == "%":
        set_limits(-2, 102)
        set_ticks(range(0, 101, 25))


def reference_lines(axes: Axes, search: SearchResult, objective: int) -> None:
    """The arms to which no range applies, as lines across."""
    for i, reference in enumerate(search.references):
        estimate = reference.worths[objective].estimate
        if estimate is not None:
            look = style.PLAIN_DASHES[i % len(style.PLAIN_DASHES)]
            label = f"{reference.label}, n={estimate.n}"
            axes.axhline(estimate.mean, color=style.PLAIN, linestyle=look, lw=1.5, label=label)


def spread(places: Sequence[float]) -> list[float]:
    """Places on an axis of choices, those that coincide side by side."""
    counts = {one: places.count(one) for one in places}
    seen: dict[float, int] = {}
    found = []
    for one in places:
        rank = seen[one] = seen.get(one, -1) + 1
        found.append(one + 0.7 * ((rank + 0.5) / counts[one] - 0.5))
    return found


def sentence(text: str) -> str:
    """Begun with a capital letter; the rest as it is."""
    return text[:1].upper() + text[1:]


def _named(dimension: Dimension) -> str:
    return f"{dimension.symbol} (logarithmic)" if dimension.log else dimension.symbol
