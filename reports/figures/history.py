"""The points of a search in the order in which they were asked."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

from reports.data import PointState
from reports.figures import style
from reports.figures.dimensions import LEFT, quantity_axis, reference_lines
from reports.figures.learning_curves import Drawing
from reports.figures.svg import to_svg
from reports.quantities import Quantity
from reports.sweep import SearchResult
from suite.text import plural

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# How points without a value are marked, on the lower edge.
WITHOUT_VALUE: dict[PointState, tuple[str, str]] = {
    "failed": ("x", style.VERMILION),
    "pruned": ("v", style.PURPLE),
    "left out": ("P", style.ORANGE),
    "refused": ("1", style.PLAIN),
    "running": (">", style.GREEN),
}


def history(search: SearchResult, objective: int, identifier: str, title: str) -> Drawing | None:
    """Value by number, and the best so far; None where no point has ended.

    objective: which of those of the search, counted from 0.
    """
    points, quantity = search.complete, search.objectives[objective]
    if not any(point.state != "running" for point in search.points):
        return None
    figure, (axes,) = style.new_figure()
    numbers = [point.view.number for point in points]
    values = [point.mean(objective) for point in points]
    if points:
        axes.plot(numbers, values, color=style.BLUE, marker="o", ms=4.5, lw=0, label="point")
        best = best_so_far(values, quantity)
        last = len(search.points) - 1
        axes.step(
            [*numbers, last],
            [*best, best[-1]],
            where="post",
            color=style.VERMILION,
            lw=1.6,
            label="best so far",
        )
    reference_lines(axes, search, objective)
    _mark_others(axes, search)
    quantity_axis(axes, quantity)
    n_shown = max(search.view.n_trials, len(search.points))
    axes.set_xlim(-0.5, n_shown - 0.5)
    axes.locator_params(axis="x", integer=True)
    axes.set_xlabel("number of the point")
    axes.set_title(title)
    style.legend_below(figure, left=LEFT)
    told = "; ".join(
        f"{point.view.number}: {point.worths[objective].text}"
        if point.state == "complete"
        else f"{point.view.number}: {point.state}"
        for point in search.points
    )
    caption = f"Means over seeds, in the order of asking: {plural(len(points), 'complete point')}."
    if any(point.state in WITHOUT_VALUE for point in search.points):
        caption += " On the lower edge: points without a value."
    svg = to_svg(figure, identifier=identifier, title=title, description=told)
    return Drawing(identifier, svg, caption)


def best_so_far(values: Sequence[float], quantity: Quantity) -> list[float]:
    """The best of the values up to each."""
    return list(accumulate(values, max if quantity.maximises else min))


def _mark_others(axes: Axes, search: SearchResult) -> None:
    """Points without a value, on the lower edge."""
    for state, (marker, colour) in WITHOUT_VALUE.items():
        numbers = [point.view.number for point in search.points if point.state == state]
        if numbers:
            axes.plot(
                numbers,
                [0.03] * len(numbers),
                transform=axes.get_xaxis_transform(),
                color=colour,
                marker=marker,
                ms=6,
                lw=0,
                label=state,
                clip_on=False,
                zorder=5,
            )
