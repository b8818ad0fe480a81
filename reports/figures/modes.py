"""Final performance of the same networks in each of more than two ways of acting, as a curve."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from reports.figures import style
from reports.figures.learning_curves import MAX_SEED_LINES, Drawing
from reports.figures.svg import to_svg
from reports.numbers import MIXED_MARK, interval, number
from reports.series import SeriesResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def mode_curve(results: Sequence[SeriesResult], identifier: str, title: str) -> Drawing | None:
    """Mean with its interval over the modes of one arm, in the order in which they are declared.

    results: one per mode. None where a mode has no result.
    """
    estimates = [result.estimate for result in results if result.estimate is not None]
    if len(estimates) < len(results):
        return None
    figure, (axes,) = style.new_figure()
    places = range(len(results))
    means = [estimate.mean for estimate in estimates]
    n_runs = min(estimate.n for estimate in estimates)
    if 1 < n_runs <= MAX_SEED_LINES:
        _seeds(axes, results)
    axes.plot(places, means, color=style.BLUE, linewidth=1.9, marker="o", markersize=5, zorder=4)
    for place, estimate in zip(places, estimates, strict=True):
        if estimate.low is not None and estimate.high is not None:
            axes.plot([place] * 2, [estimate.low, estimate.high], color=style.BLUE, lw=1.4)
    modes = [result.key.mode for result in results]
    style.value_axis(axes, results[0].measure)
    axes.set_xticks(list(places), [f"({mode.letter})" for mode in modes])
    axes.set_xlim(-0.3, len(results) - 0.7)
    axes.set_xlabel("way of acting")
    axes.set_title(title)
    style.set_margins(figure)
    told = "; ".join(
        f"({mode.letter}) {mode.name} {number(estimate.mean)} {interval(estimate)}"
        for mode, estimate in zip(modes, estimates, strict=True)
    )
    caption = f"Final performance, mean over {n_runs} seeds with 95 % interval"
    caption += ", thin lines single seeds: " if 1 < n_runs <= MAX_SEED_LINES else ": "
    caption += f"{told}."
    if any(result.mixed for result in results):
        caption += f" {MIXED_MARK}: with runs of mixed origin."
    svg = to_svg(figure, identifier=identifier, title=title, description=told)
    return Drawing(identifier, svg, caption)


def _seeds(axes: Axes, results: Sequence[SeriesResult]) -> None:
    """A thin line for each seed that has a result in every mode."""
    common = set.intersection(*(set(result.finals) for result in results))
    for seed in sorted(common):
        values = [result.finals[seed] for result in results]
        axes.plot(range(len(results)), values, color=style.BLUE, linewidth=0.5, alpha=0.5)
