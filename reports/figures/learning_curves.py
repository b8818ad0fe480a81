"""Learning curves: means with bands and single seeds, of arms that belong together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reports.checks import mixed
from reports.data import History, Moment, ReportData
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
    moments: tuple[Moment, ...]
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
    curve = mean_curve(histories, runs[0].test_interval_env_steps, measure.bounds(runs[0]))
    if curve is None:
        return None
    return DrawnSeries(
        key,
        tuple(histories),
        curve,
        max(run.total_env_steps for run in runs),
        runs[0].moments,
        bool(mixed(runs)),
    )


def panel(series: Sequence[DrawnSeries], measure: Measure, identifier: str, title: str) -> Drawing:
    """Mean, interval band and single seeds of each series."""
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
    furnish(axes, series, measure)
    axes.set_title(title)
    style.legend_below(figure)
    description = "; ".join(told(one, measure) for one in series)
    svg = to_svg(figure, identifier=identifier, title=title, description=description)
    return Drawing(identifier, svg, _caption(series))


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


def furnish(axes: Axes, series: Sequence[DrawnSeries], measure: Measure) -> None:
    """Both axes, and the steps that hyperparameters of the series name."""
    style.step_axis(axes, max(one.total_env_steps for one in series))
    style.value_axis(axes, measure)
    style.mark_moments(axes, (moment for one in series for moment in one.moments))


def told(one: DrawnSeries, measure: Measure) -> str:
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
