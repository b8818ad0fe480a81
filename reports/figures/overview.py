"""All means of a scenario at once: colour is the backbone, line style the way of acting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from reports.figures import style
from reports.figures.learning_curves import Drawing, DrawnSeries, furnish, told
from reports.figures.svg import to_svg
from reports.measures import Measure
from reports.numbers import MIXED_MARK
from reports.series import SeriesKey
from suite.runs.modes import DECENTRALISED, ExecutionMode

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# More lines on one pair of axes cannot be told apart; each framework then has its own.
MOST_LINES = 12
WIDTH_INCHES = 10.4
N_COLUMNS = 2


def overview(
    series: Sequence[DrawnSeries],
    measure: Measure,
    colours: Mapping[str, str],
    identifier: str,
    title: str,
) -> Drawing:
    """One pair of axes, or one per framework. colours: of every backbone, see `style.colours`."""
    dashes = _dashes(series)
    looks = {(colours[one.key.backbone], dashes[one.key]) for one in series}
    is_one = len(series) <= MOST_LINES and len(looks) == len(series)
    draw = _together if is_one else _by_framework
    figure = draw(series, measure, colours, dashes, title)
    description = "; ".join(told(one, measure) for one in series)
    svg = to_svg(figure, identifier=identifier, title=title, description=description)
    return Drawing(identifier, svg, _caption(series, dashes, is_one))


def _together(
    series: Sequence[DrawnSeries],
    measure: Measure,
    colours: Mapping[str, str],
    dashes: Mapping[SeriesKey, style.Dashes],
    title: str,
) -> Figure:
    """Every line with its name."""
    figure, (axes,) = style.new_figure(size=(WIDTH_INCHES, 4.0))
    for one in series:
        _line(axes, one, colours, dashes, label=one.label)
    furnish(axes, series, measure)
    axes.set_title(title)
    style.legend_right(figure)
    return figure


def _by_framework(
    series: Sequence[DrawnSeries],
    measure: Measure,
    colours: Mapping[str, str],
    dashes: Mapping[SeriesKey, style.Dashes],
    title: str,
) -> Figure:
    """Axes for each framework, and a legend that says what colours and line styles mean."""
    groups: dict[str, list[DrawnSeries]] = {}
    for one in series:
        groups.setdefault(one.key.framework, []).append(one)
    n_rows = -(-len(groups) // N_COLUMNS)
    figure, grid = style.new_grid(len(groups), N_COLUMNS, (WIDTH_INCHES, 1.0 + 2.6 * n_rows))
    backbones = {one.key.backbone: one.key.method.backbone_title for one in series}
    for backbone, name in backbones.items():
        grid[0].plot([], [], color=colours[backbone], linewidth=1.7, label=name)
    for mode, look in _modes(series, dashes).items():
        name = f"({mode.letter}) {mode.name}"
        grid[0].plot([], [], color=style.INK, linestyle=look, linewidth=1.2, label=name)
    for place, (axes, (framework, group)) in enumerate(zip(grid, groups.items(), strict=True)):
        for one in group:
            _line(axes, one, colours, dashes)
        furnish(axes, group, measure)
        axes.set_title(f"{title}, framework {framework}")
        axes.set_ylabel(axes.get_ylabel() if place % N_COLUMNS == 0 else "")
        axes.set_xlabel(axes.get_xlabel() if place + N_COLUMNS >= len(groups) else "")
    style.legend_right(figure, between=0.28)
    return figure


def _line(
    axes: Axes,
    one: DrawnSeries,
    colours: Mapping[str, str],
    dashes: Mapping[SeriesKey, style.Dashes],
    label: str | None = None,
) -> None:
    axes.plot(
        one.curve.steps,
        one.curve.mean,
        color=colours[one.key.backbone],
        linestyle=dashes[one.key],
        linewidth=1.7,
        label=label,
    )


def _dashes(series: Sequence[DrawnSeries]) -> dict[SeriesKey, style.Dashes]:
    """Line style of each: its mode's, which is the same for all arms that have several."""
    looks = style.mode_looks(one.key.method for one in series)
    return {
        one.key: looks[one.key.mode][1] if len(one.key.method.modes) > 1 else style.DOTTED
        for one in series
    }


def _modes(
    series: Sequence[DrawnSeries], dashes: Mapping[SeriesKey, style.Dashes]
) -> dict[ExecutionMode, style.Dashes]:
    """Line style of every mode of the arms that have several, acting alone last."""
    found = {one.key.mode: dashes[one.key] for one in series if len(one.key.method.modes) > 1}
    return dict(sorted(found.items(), key=lambda item: item[0] == DECENTRALISED))


def _caption(
    series: Sequence[DrawnSeries], dashes: Mapping[SeriesKey, style.Dashes], is_one: bool
) -> str:
    words = {style.DASHED: "Dashed", "solid": "Solid"}
    text = "Means over seeds, all arms"
    text += " together; colour is the backbone." if is_one else "; colour is the backbone."
    if any(len(one.key.method.modes) == 1 for one in series):
        text += " Dotted: arm with one way of acting."
    acting: dict[str, list[str]] = {}
    for mode, look in _modes(series, dashes).items():
        acting.setdefault(words.get(look, "Broken"), []).append(f"{mode.name} ({mode.letter})")
    for word, modes in acting.items():
        text += f" {word}: acting {', '.join(modes)}."
    if any(one.mixed for one in series):
        text += f" {MIXED_MARK}: with runs of mixed origin."
    return text
