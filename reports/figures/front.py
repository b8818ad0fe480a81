"""Two objectives against each other, and the points that no other beats in both."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.figures import style
from reports.figures.dimensions import LEFT, quantity_axis, sentence
from reports.figures.learning_curves import Drawing
from reports.figures.svg import to_svg
from reports.sweep import Point, SearchResult
from suite.text import plural

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def pareto(search: SearchResult, identifier: str, title: str) -> Drawing | None:
    """Every complete point of a search for two objectives; None for others and without a point."""
    if len(search.objectives) != 2 or not search.complete:
        return None
    figure, (axes,) = style.new_figure(size=(5.0, 3.7))
    front = search.front
    others = [point for point in search.ranked if point not in front]
    for points, colour, marker, label in (
        (others, style.BLUE, "o", "point"),
        (front, style.VERMILION, "D", "point of the front"),
    ):
        if points:
            x, y = ([point.mean(i) for point in points] for i in (0, 1))
            axes.plot(x, y, color=colour, marker=marker, ms=5, lw=0, label=label, zorder=4)
    for point in front:
        _cross(axes, point)
    for marker, reference in zip("sP*Xhv", search.references, strict=False):
        first, second = (worth.estimate for worth in reference.worths[:2])
        if first is not None and second is not None:
            label = f"{reference.label}, n={first.n}"
            look = {"color": style.PLAIN, "marker": marker, "lw": 0}
            axes.plot([first.mean], [second.mean], label=label, **look)  # type: ignore[arg-type]
    quantity_axis(axes, search.objectives[0], "x")
    quantity_axis(axes, search.objectives[1], "y")
    axes.grid(visible=True, axis="both")
    axes.set_title(title)
    style.legend_below(figure, left=LEFT)
    better = [
        f"{quantity.objective.title}: {'more' if quantity.maximises else 'less'} is better"
        for quantity in search.objectives
    ]
    caption = (
        f"Means over seeds, of the front with 95 % intervals. {sentence('; '.join(better))}. "
        f"{plural(len(front), 'point')} of {len(search.ranked)} that no other beats in both; other "
        "seeds would give another front."
    )
    told = "; ".join(
        f"{point.words}: {', '.join(worth.text for worth in point.worths[:2])}" for point in front
    )
    svg = to_svg(figure, identifier=identifier, title=title, description=told)
    return Drawing(identifier, svg, caption)


def _cross(axes: Axes, point: Point) -> None:
    """Both intervals of a point."""
    first, second = (worth.estimate for worth in point.worths[:2])
    assert first is not None
    assert second is not None
    if first.low is not None and first.high is not None:
        ends = [first.low, first.high]
        axes.plot(ends, [second.mean] * 2, color=style.VERMILION, lw=0.8, alpha=0.6)
    if second.low is not None and second.high is not None:
        ends = [second.low, second.high]
        axes.plot([first.mean] * 2, ends, color=style.VERMILION, lw=0.8, alpha=0.6)
