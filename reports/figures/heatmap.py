"""A map of a search over two of its dimensions: cells with their mean, its interval, their points.

The unit of a cell's interval is the seed, as everywhere: for each seed the mean over the points in
the cell, then the interval over seeds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from reports.figures import style
from reports.figures.dimensions import LEFT, dimension_axis, sentence
from reports.figures.learning_curves import Drawing
from reports.figures.svg import to_svg
from reports.quantities import Quantity
from reports.series import BOOTSTRAP_SEED
from reports.statistics.intervals import Estimate, mean_interval
from reports.sweep import Point, SearchResult, Worth
from suite.study.dimensions import Dimension
from suite.text import plural

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Cells along an axis: fewer tell nothing of a shape, more have no room for their numbers.
FEWEST_CELLS, MOST_CELLS = 2, 5
# How strongly the best cell is filled, and the worst.
_STRONGEST, _FAINTEST = 0.72, 0.06


@dataclass(frozen=True)
class Cell:
    """column, row: from 0, rows from below. estimate: over seeds."""

    column: int
    row: int
    points: tuple[Point, ...]
    estimate: Estimate


def heatmap(search: SearchResult, place: int, identifier: str, title: str) -> Drawing | None:
    """A map of a quantity over `search.plane`; None where there is no plane or no point.

    place: of the quantity among those of the search.
    """
    plane, quantity = search.plane, search.quantities[place]
    if plane is None:
        return None
    names = {one.name for one in plane}
    points = [one for one in search.complete if names <= one.view.parameters.keys()]
    if not points:
        return None
    edges = tuple(cell_edges(one, len(points)) for one in plane)
    found = cells(points, plane, edges, place)
    figure, (axes,) = style.new_figure(size=(5.0, 3.9))
    dimension_axis(axes, plane[0], "x")
    dimension_axis(axes, plane[1], "y")
    axes.set_xlim(edges[0][0], edges[0][-1])
    axes.set_ylim(edges[1][0], edges[1][-1])
    axes.grid(visible=False)
    strengths = _strengths([cell.estimate.mean for cell in found], quantity)
    for cell, strength in zip(found, strengths, strict=True):
        _draw(axes, cell, edges, quantity, strength)
    x, y = ([_number(one, point) for point in points] for one in plane)
    axes.plot(x, y, color=style.INK, marker=".", ms=3.5, lw=0, alpha=0.4, zorder=4)
    axes.set_title(title)
    style.set_margins(figure, left=LEFT - 0.1)
    told = "; ".join(
        f"{_range(plane[0], edges[0], cell.column)}, {_range(plane[1], edges[1], cell.row)}: "
        f"{quantity.write(cell.estimate.mean)} {quantity.interval(cell.estimate)}, "
        f"{plural(len(cell.points), 'point')}"
        for cell in found
    )
    caption = (
        f"{sentence(quantity.label)}: mean of the points (dots) in each cell, below it the 95 % "
        "interval over seeds, unless they agree. The stronger the colour, the better; blank: no "
        "point."
    )
    others = len(search.view.dimensions) - 2
    if others:
        caption += f" Within cells {plural(others, 'further dimension')} vary."
    svg = to_svg(figure, identifier=identifier, title=title, description=told)
    return Drawing(identifier, svg, caption)


def cell_edges(dimension: Dimension, n_points: int) -> NDArray[np.float64]:
    """Edges of cells along a range, equally wide on its own scale; a cell per value where few."""
    assert dimension.low is not None
    assert dimension.high is not None
    n = min(max(math.isqrt(n_points), FEWEST_CELLS), MOST_CELLS)
    if dimension.n_points <= MOST_CELLS and not dimension.log:
        half = (dimension.high - dimension.low) / (dimension.n_points - 1) / 2
        return np.linspace(dimension.low - half, dimension.high + half, int(dimension.n_points) + 1)
    if dimension.log:
        return np.geomspace(dimension.low, dimension.high, n + 1)
    return np.linspace(dimension.low, dimension.high, n + 1)


def cells(
    points: Sequence[Point],
    plane: tuple[Dimension, Dimension],
    edges: Sequence[NDArray[np.float64]],
    place: int,
) -> list[Cell]:
    """Every cell that has a point, by column, then by row."""
    members: dict[tuple[int, int], list[Point]] = {}
    for point in points:
        where = [
            int(np.clip(np.searchsorted(own, _number(one, point), "right") - 1, 0, len(own) - 2))
            for one, own in zip(plane, edges, strict=True)
        ]
        members.setdefault((where[0], where[1]), []).append(point)
    return [
        Cell(*where, tuple(own), _estimate([point.worths[place] for point in own]))
        for where, own in sorted(members.items())
    ]


def _estimate(worths: Sequence[Worth]) -> Estimate:
    """The mean over points of each seed, which all of them have, then over seeds."""
    means = [float(np.mean([one.by_seed[seed] for one in worths])) for seed in worths[0].by_seed]
    bounds = worths[0].quantity.bounds
    return mean_interval(means, rng=np.random.default_rng(BOOTSTRAP_SEED), bounds=bounds)


def _number(dimension: Dimension, point: Point) -> float:
    return float(str(point.view.parameters[dimension.name]))


def _strengths(means: Sequence[float], quantity: Quantity) -> list[float]:
    """How strongly each cell is filled."""
    scores = np.array([quantity.better(mean) for mean in means])
    span = float(np.ptp(scores))
    if span == 0:
        return [_FAINTEST] * len(means)
    parts = (scores - scores.min()) / span
    return [float(one) for one in _FAINTEST + (_STRONGEST - _FAINTEST) * parts]


def _draw(
    axes: Axes,
    cell: Cell,
    edges: Sequence[NDArray[np.float64]],
    quantity: Quantity,
    strength: float,
) -> None:
    left, right = edges[0][cell.column : cell.column + 2]
    low, high = edges[1][cell.row : cell.row + 2]
    axes.fill_between([left, right], low, high, color=style.BLUE, alpha=strength, lw=0, zorder=1)
    text = quantity.write(cell.estimate.mean, 0)
    if cell.estimate.has_interval:
        text += f"\n{quantity.interval(cell.estimate, 0)}"
    axes.text(
        _middle(left, right, axes.get_xscale()),
        _middle(low, high, axes.get_yscale()),
        text,
        ha="center",
        va="center",
        fontsize=9.5,
        linespacing=1.1,
        zorder=5,
    )


def _middle(low: float, high: float, scale: str) -> float:
    return math.sqrt(low * high) if scale == "log" else (low + high) / 2


def _range(dimension: Dimension, edges: NDArray[np.float64], index: int) -> str:
    return f"{dimension.symbol} {edges[index]:.3g} to {edges[index + 1]:.3g}"
