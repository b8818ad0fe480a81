"""Forest plot: every paired difference with its interval, its margin and its verdict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from reports.claims import ClaimResult, Contrast
from reports.figures import style
from reports.figures.learning_curves import Drawing
from reports.figures.svg import to_svg
from reports.numbers import MIXED_MARK

if TYPE_CHECKING:
    from matplotlib.axes import Axes

VERDICT_LOOKS = {
    "reproduced": (style.GREEN, "o"),
    "not reproduced": (style.VERMILION, "X"),
    "undecided": (style.PLAIN, "D"),
}
DESCRIPTIVE_LOOKS = (style.PLAIN, "|")


def forest(results: Sequence[ClaimResult], identifier: str) -> Drawing | None:
    """One row per contrast with an estimate, grouped by claim; None where there is none."""
    rows = [(r, c) for r in results for c in r.contrasts if c.estimate is not None]
    if not rows:
        return None
    n_lines = len(rows) + len({result.claim.name for result, _ in rows})
    figure, (axes,) = style.new_figure(size=(10.4, 0.9 + 0.3 * n_lines))
    axes.set_xlim(*_limits(rows))
    height, ticks, claim_name = 0.0, {}, ""
    for result, contrast in rows:
        if result.claim.name != claim_name:
            claim_name, height = result.claim.name, height - 1
            _heading(axes, result, height)
        height -= 1
        mark = MIXED_MARK if contrast.mixed else ""
        ticks[height] = f"{contrast.place} (n={len(contrast.pairs.seeds)}{mark})"
        _row(axes, result, contrast, height)
    axes.axvline(0, color=style.INK, linewidth=0.8)
    axes.set_ylim(height - 0.7, -0.3)
    axes.set_yticks(list(ticks), list(ticks.values()))
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=True, axis="x")
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("left minus right, percentage points of final test win rate")
    style.set_margins(figure, left=0.2 + 0.072 * max(map(len, ticks.values())), top=0.1)
    told = "; ".join(_told(result, contrast) for result, contrast in rows)
    svg = to_svg(figure, identifier=identifier, title="Paired differences", description=told)
    caption = (
        "Mean paired difference with its interval: 95 % for “exceeds”, 90 % for “equivalent”, "
        "the one that decides. Shaded: where the claim is true. Marker: verdict of the comparison "
        "alone, before correction (circle reproduced, cross not reproduced, diamond undecided)."
    )
    if not all(result.claim.primary for result, _ in rows):
        caption += " Bar: of a descriptive claim, without a verdict."
    if any(result.n_seeds is not None for result, _ in rows):
        caption += (
            " Seeds were added look by look: sequential p values decide, not these intervals, "
            "which do not allow for it."
        )
    if any(contrast.mixed for _, contrast in rows):
        caption += f" {MIXED_MARK}: with runs of mixed origin."
    return Drawing(identifier, svg, caption)


def _limits(rows: Sequence[tuple[ClaimResult, Contrast]]) -> tuple[float, float]:
    """X limits that hold zero, every margin and every interval, with a little air."""
    ends = [0.0]
    for result, contrast in rows:
        margin = 100 * result.claim.margin
        ends += [margin, -margin if result.claim.kind == "equivalent" else 0.0]
        for estimate in (contrast.estimate, contrast.tost):
            if estimate is not None:
                ends += [estimate.mean, estimate.low or 0.0, estimate.high or 0.0]
    air = max(2.0, 0.06 * (max(ends) - min(ends)))
    return min(ends) - air, max(ends) + air


def _heading(axes: Axes, result: ClaimResult, height: float) -> None:
    axes.text(
        0.0,
        height,
        f"{result.claim.name}: {result.statement}",
        transform=axes.get_yaxis_transform(),
        fontsize=9,
        fontweight="bold",
        va="center",
        bbox={"facecolor": style.CARD, "edgecolor": "none", "pad": 1.5},
        zorder=5,
    )


def _row(axes: Axes, result: ClaimResult, contrast: Contrast, height: float) -> None:
    margin, is_equivalence = 100 * result.claim.margin, result.claim.kind == "equivalent"
    estimate = contrast.tost if is_equivalence else contrast.estimate
    assert estimate is not None
    colour, marker = VERDICT_LOOKS[contrast.verdict] if result.claim.primary else DESCRIPTIVE_LOOKS
    low, high = (-margin, margin) if is_equivalence else (margin, axes.get_xlim()[1])
    bottom, top = height - 0.42, height + 0.42
    axes.fill_betweenx([bottom, top], low, high, color=style.SKY, alpha=0.18, lw=0, zorder=0)
    if estimate.low is not None and estimate.high is not None:
        axes.plot([estimate.low, estimate.high], [height] * 2, color=colour, lw=2.2, zorder=3)
    axes.plot([estimate.mean], [height], color=colour, marker=marker, markersize=6.5, zorder=4)


def _told(result: ClaimResult, contrast: Contrast) -> str:
    estimate = contrast.estimate
    assert estimate is not None
    interval = "no interval"
    if estimate.low is not None and estimate.high is not None:
        interval = f"{estimate.low:+.1f} to {estimate.high:+.1f}"
    return (
        f"{result.claim.name} in {contrast.place}: {estimate.mean:+.1f} points ({interval}), "
        f"{contrast.verdict if result.claim.primary else 'descriptive'}"
    )
