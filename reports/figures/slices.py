"""Slices of a search: what its points are worth against one dimension."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.figures import style
from reports.figures.dimensions import (
    LEFT,
    dimension_axis,
    place,
    quantity_axis,
    reference_lines,
    spread,
)
from reports.figures.learning_curves import Drawing
from reports.figures.svg import to_svg
from reports.sweep import Point, SearchResult
from suite.study.dimensions import Dimension
from suite.text import plural

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MEAN, SEED = "mean of a point", "single seed"


def slice_of(
    search: SearchResult, dimension: Dimension, objective: int, identifier: str, title: str
) -> Drawing | None:
    """Every complete point at which the dimension has an effect; None where there is none.

    objective: which of those of the search, counted from 0.
    """
    quantity = search.objectives[objective]
    points = [one for one in search.complete if dimension.name in one.view.parameters]
    if not points:
        return None
    figure, (axes,) = style.new_figure()
    places = [place(dimension, one.view.parameters[dimension.name]) for one in points]
    if dimension.low is None:
        places = spread(places)
    outstanding = outstanding_points(search)
    for x, point in zip(places, points, strict=True):
        _draw(axes, x, point, objective, is_outstanding=point in outstanding)
    reference_lines(axes, search, objective)
    quantity_axis(axes, quantity)
    dimension_axis(axes, dimension, "x")
    axes.set_title(title)
    label_once(axes, [MEAN, word_for_best(search), SEED])
    style.legend_below(figure, left=LEFT)
    caption = (
        f"{plural(len(points), 'point')} with 95 % interval over seeds; the other dimensions vary "
        "along with this one."
    )
    n_without = len(search.complete) - len(points)
    if n_without:
        caption += f" Without {plural(n_without, 'point')} at which {dimension.symbol} has no "
        caption += "effect."
    told = "; ".join(f"{one.words}: {one.worths[objective].text}" for one in points)
    svg = to_svg(figure, identifier=identifier, title=title, description=told)
    return Drawing(identifier, svg, caption)


def outstanding_points(search: SearchResult) -> list[Point]:
    """The best point, or those of the front where there are two objectives."""
    if len(search.objectives) > 1:
        return list(search.front)
    return [search.best] if search.best is not None else []


def word_for_best(search: SearchResult) -> str:
    """What `outstanding_points` are called in legends."""
    if len(search.objectives) > 1:
        return "point of the front"
    return "chosen point" if search.view.chosen is not None else "best point"


def label_once(axes: Axes, names: list[str]) -> None:
    """Entries of a legend for the marks that `_draw` makes."""
    looks = [
        {"color": style.BLUE, "marker": "o", "markersize": 5, "linewidth": 0.8},
        {"color": style.VERMILION, "marker": "D", "markersize": 6, "linewidth": 0.8},
        {"color": style.PLAIN, "marker": ".", "markersize": 5, "linewidth": 0},
    ]
    for name, look in zip(names, looks, strict=True):
        axes.plot([], [], label=name, **look)  # type: ignore[arg-type]


def _draw(axes: Axes, x: float, point: Point, objective: int, *, is_outstanding: bool) -> None:
    """A point's mean with its interval, and its seeds."""
    worth = point.worths[objective]
    estimate = worth.estimate
    assert estimate is not None
    colour = style.VERMILION if is_outstanding else style.BLUE
    if len(worth.by_seed) > 1:
        seeds = list(worth.by_seed.values())
        axes.plot([x] * len(seeds), seeds, color=style.PLAIN, marker=".", ms=5, lw=0, zorder=3)
    if estimate.low is not None and estimate.high is not None:
        ends = [estimate.low, estimate.high]
        axes.plot([x, x], ends, color=colour, lw=0.8, alpha=0.6, zorder=2)
    marker, size = ("D", 6) if is_outstanding else ("o", 5)
    axes.plot([x], [estimate.mean], color=colour, marker=marker, ms=size, zorder=4 + is_outstanding)
