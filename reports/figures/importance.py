"""Bars of how much each dimension of a search matters."""

from __future__ import annotations

from collections.abc import Sequence

from reports.figures import style
from reports.figures.learning_curves import Drawing
from reports.figures.svg import to_svg
from reports.statistics.importance import EVALUATOR, N_RESAMPLES, Importance


def bars(found: Sequence[Importance], identifier: str, title: str) -> Drawing | None:
    """A bar per dimension with its interval and what chance gives; None where nothing is told."""
    if not found:
        return None
    figure, (axes,) = style.new_figure(size=(5.0, 1.45 + 0.34 * len(found)))
    heights = [-float(i) for i in range(len(found))]
    shares = [100 * one.share for one in found]
    axes.barh(heights, shares, height=0.62, color=style.SKY, alpha=0.55, lw=0, label="share")
    for height, one in zip(heights, found, strict=True):
        axes.plot([100 * one.low, 100 * one.high], [height] * 2, color=style.INK, lw=1.4)
        chance = 100 * min(1.0, one.by_chance)
        axes.plot([chance] * 2, [height - 0.36, height + 0.36], color=style.VERMILION, lw=2)
    axes.plot([], [], color=style.INK, lw=1.4, label="95 % interval")
    axes.plot([], [], color=style.VERMILION, lw=0, marker="|", ms=9, mew=2, label="chance")
    axes.set_yticks(heights, [one.dimension.symbol for one in found])
    axes.tick_params(axis="y", length=0)
    axes.set_xlim(0, 102)
    axes.set_ylim(heights[-1] - 0.55, 0.55)
    axes.grid(visible=True, axis="x")
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("share of the importance (%)")
    axes.set_title(title)
    longest = max(len(one.dimension.symbol) for one in found)
    style.legend_below(figure, left=0.25 + 0.075 * longest)
    told = "; ".join(
        f"{one.dimension.symbol} {100 * one.share:.0f} % "
        f"[{100 * one.low:.0f}, {100 * one.high:.0f}], chance up to {100 * one.by_chance:.0f} %"
        for one in found
    )
    caption = (
        f"{EVALUATOR}: {told}. Intervals: {N_RESAMPLES} times points and their seeds drawn again, "
        f"on the wide side. Chance: what one in twenty of {N_RESAMPLES} shuffles of the values "
        "exceeds."
    )
    svg = to_svg(figure, identifier=identifier, title=title, description=told)
    return Drawing(identifier, svg, caption)
