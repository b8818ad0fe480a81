"""Learning curves: one panel per backbone with bands and seeds, and an overview of all means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reports.checks import mixed
from reports.data import CENTRALISED, History, ReportData
from reports.figures import style
from reports.figures.svg import to_svg
from reports.measures import Measure
from reports.numbers import MIXED_MARK
from reports.series import SeriesKey, evidence_of
from reports.statistics.performance import Curve, mean_curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# With more seeds the single lines only blur the band.
MAX_SEED_LINES = 5


@dataclass(frozen=True)
class Drawing:
    """An SVG with the caption that belongs under it."""

    identifier: str
    svg: str
    caption: str


@dataclass(frozen=True)
class DrawnSeries:
    """A series ready to draw: its runs' histories and their mean curve.

    histories: of the runs that are evidence, in seed order. mixed: whether some of them were
    continued with other code or elsewhere.
    """

    key: SeriesKey
    histories: tuple[History, ...]
    curve: Curve
    total_env_steps: int
    pruning_start_env_steps: int | None
    mixed: bool

    @property
    def label(self) -> str:
        """Name and number of seeds, for the legend."""
        mark = MIXED_MARK if self.mixed else ""
        return f"{self.key.label}, n={self.curve.n_runs}{mark}"


def drawn_series(data: ReportData, key: SeriesKey, measure: Measure) -> DrawnSeries | None:
    """The series' runs that are evidence; None where none has tests."""
    runs = evidence_of(data, key)
    histories = [history for run in runs if (history := measure.history(run, key.mode))]
    if not histories:
        return None
    curve = mean_curve(histories, runs[0].test_interval_env_steps, measure.bounds)
    if curve is None:
        return None
    return DrawnSeries(
        key,
        tuple(histories),
        curve,
        max(run.total_env_steps for run in runs),
        runs[0].pruning_start_env_steps,
        bool(mixed(runs)),
    )


def backbone_panel(
    series: Sequence[DrawnSeries], measure: Measure, identifier: str, title: str
) -> Drawing:
    """Mean, interval band and single seeds of the series that share a backbone."""
    figure, (axes,) = style.new_figure()
    keys = [one.key for one in series]
    for one in series:
        colour, dashes = style.line_look(one.key, keys)
        _draw_band(axes, one, colour)
        axes.plot(
            one.curve.steps,
            one.curve.mean,
            color=colour,
            linestyle=dashes,
            linewidth=1.9,
            label=one.label,
            zorder=4,
        )
    _furnish(axes, series, measure, title)
    for start in _pruning_starts(series):
        style.mark_pruning(axes, start)
    style.legend_below(figure)
    description = "; ".join(_told(one, measure) for one in series)
    svg = to_svg(figure, identifier=identifier, title=title, description=description)
    return Drawing(identifier, svg, _caption(series))


def overview(
    series: Sequence[DrawnSeries], measure: Measure, identifier: str, title: str
) -> Drawing:
    """All means on one pair of axes: colour is the backbone, line style the way of acting."""
    figure, (axes,) = style.new_figure(size=(10.4, 4.0))
    for one in series:
        plain = one.key.framework != "cadp"
        dashes: style.Dashes = (0, (1, 1))
        if not plain:
            dashes = "solid" if one.key.mode == CENTRALISED else (0, (5, 2))
        axes.plot(
            one.curve.steps,
            one.curve.mean,
            color=style.BACKBONE_COLOURS.get(one.key.backbone, style.PLAIN),
            linestyle=dashes,
            linewidth=1.7,
            label=one.label,
        )
    _furnish(axes, series, measure, title)
    for start in _pruning_starts(series):
        style.mark_pruning(axes, start)
    style.legend_right(figure)
    description = "; ".join(_told(one, measure) for one in series)
    svg = to_svg(figure, identifier=identifier, title=title, description=description)
    caption = (
        "Means over seeds, all arms together; colour is the backbone. Dotted: plain arm. "
        "Solid: CADP acting centralised (C). Dashed: CADP acting decentralised (D)."
    )
    if any(one.mixed for one in series):
        caption += f" {MIXED_MARK}: with runs of mixed origin."
    return Drawing(identifier, svg, caption)


def _pruning_starts(series: Sequence[DrawnSeries]) -> list[int]:
    """Every T among the series, ascending."""
    starts = {one.pruning_start_env_steps for one in series}
    return sorted(start for start in starts if start is not None)


def _draw_band(axes: Axes, one: DrawnSeries, colour: str) -> None:
    if len(one.histories) <= MAX_SEED_LINES and len(one.histories) > 1:
        for history in one.histories:
            axes.plot(
                history.steps, history.values, color=colour, linewidth=0.5, alpha=0.5, zorder=2
            )
    if one.curve.low is not None and one.curve.high is not None:
        axes.fill_between(
            one.curve.steps, one.curve.low, one.curve.high, color=colour, alpha=0.15, lw=0, zorder=3
        )


def _furnish(axes: Axes, series: Sequence[DrawnSeries], measure: Measure, title: str) -> None:
    axes.set_title(title)
    axes.set_ylabel(measure.label)
    style.step_axis(axes, max(one.total_env_steps for one in series))
    if measure.bounds == (0.0, 100.0):
        style.percent_axis(axes)


def _told(one: DrawnSeries, measure: Measure) -> str:
    """One series in words, for the text alternative."""
    mean, steps = one.curve.mean, one.curve.steps
    return (
        f"{one.key.label}, {one.curve.n_runs} seeds: {measure.label} {mean[0]:.0f} at "
        f"{steps[0]:,.0f} steps, {mean[len(mean) // 2]:.0f} at {steps[len(mean) // 2]:,.0f}, "
        f"{mean[-1]:.0f} at {steps[-1]:,.0f}"
    )


def _caption(series: Sequence[DrawnSeries]) -> str:
    counts = {one.curve.n_runs for one in series}
    parts = ["Mean over seeds"]
    if max(counts) > 1:
        parts.append("with pointwise 95 % t band")
    if 1 < max(counts) <= MAX_SEED_LINES:
        parts.append("and single seeds as thin lines")
    text = " ".join(parts) + "."
    if any(one.mixed for one in series):
        text += f" {MIXED_MARK}: with runs of mixed origin."
    if 1 in counts:
        text += " One seed where n=1: no band."
    dropped = sum(one.curve.n_dropped for one in series)
    if dropped:
        text += f" {dropped} test times that not every seed reached are left out of the means."
    return text
