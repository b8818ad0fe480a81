"""One look for all figures: colours that survive colour blindness, sizes, axis furniture."""

from __future__ import annotations

import itertools
import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from reports.data import MethodView, Moment
from reports.measures import Measure
from reports.series import SeriesKey
from suite.algorithms.registry import methods
from suite.runs.modes import DECENTRALISED, ExecutionMode

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Dashes = str | tuple[int, tuple[float, ...]]
Look = tuple[str, Dashes]  # colour and line style

# Stand-ins that `svg.to_svg` swaps for CSS variables, so that ink follows the light or dark page.
INK, FAINT, PLAIN, CARD = "#010203", "#040506", "#070809", "#0a0b0c"
THEME_COLOURS = {
    INK: "var(--ink)",
    FAINT: "var(--rule)",
    PLAIN: "var(--plain)",
    CARD: "var(--card)",
}

# Okabe and Ito's palette ("Color universal design", 2008), without black and yellow.
BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
)
# For more lines: each at least 3 to 1 against the light and against the dark page.
OLIVE, INDIGO, BROWN, MAGENTA = "#8A8A00", "#7A6FD0", "#A0622D", "#B5379F"
CYCLE = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, OLIVE, INDIGO, BROWN, MAGENTA)

DOTTED: Dashes = (0, (1, 1))
DASHED: Dashes = (0, (5, 2))
PLAIN_DASHES: tuple[Dashes, ...] = (DOTTED, (0, (4, 1, 1, 1)))
BETWEEN_COLOURS = (GREEN, PURPLE, ORANGE, SKY)
BETWEEN_DASHES: tuple[Dashes, ...] = ((0, (6, 1.5, 1.5, 1.5)), (0, (9, 1.5)), (0, (3, 1.5)))

PANEL_INCHES = (5.0, 3.3)
LEGEND_ROW_INCHES = 0.18
RC = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9.0,
    "axes.labelsize": 9.0,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "legend.fontsize": 8.5,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "text.color": INK,
    "text.parse_math": False,  # names are no formulas
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.edgecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": FAINT,
    "grid.linewidth": 0.7,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.linewidth": 0.8,
    "axes.axisbelow": True,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "legend.frameon": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "cadp-suite",
    "path.simplify": False,
}


@contextmanager
def drawing_style() -> Iterator[None]:
    """Settings for drawing and writing every figure; matplotlib's own stay as found.

    The user's configuration plays no part: it may ask for LaTeX, for hand-drawn lines, for a
    display, or be unreadable, which would end the first import.
    """
    os.environ.update(MATPLOTLIBRC=os.devnull, MPLBACKEND="svg")
    import matplotlib as mpl
    import seaborn as sns

    with mpl.rc_context():
        mpl.rcdefaults()
        settings: Any = {**sns.axes_style("ticks"), **RC}
        mpl.rcParams.update(settings)
        yield


def new_figure(
    size: tuple[float, float] = PANEL_INCHES, height_ratios: Sequence[float] = (1.0,)
) -> tuple[Figure, list[Axes]]:
    """A figure of axes one above the other sharing their x axis, outside pyplot's global state.

    Call `set_margins`, `legend_below` or `legend_right` last: fixed margins take a third of the
    time of matplotlib's own layout, and keep panels side by side aligned.
    """
    import seaborn as sns
    from matplotlib.figure import Figure

    figure = Figure(figsize=size)
    axes = figure.subplots(
        len(height_ratios), 1, sharex=True, squeeze=False, height_ratios=height_ratios
    )[:, 0]
    sns.despine(fig=figure)
    return figure, list(axes)


def new_grid(n: int, n_columns: int, size: tuple[float, float]) -> tuple[Figure, list[Axes]]:
    """A figure of `n` axes in rows, sharing both axes; the same otherwise."""
    import seaborn as sns
    from matplotlib.figure import Figure

    figure = Figure(figsize=size)
    n_rows = -(-n // n_columns)
    grid = figure.subplots(n_rows, n_columns, sharex=True, sharey=True, squeeze=False).ravel()
    for surplus in grid[n:]:
        surplus.remove()
    for above in grid[max(0, n - n_columns) : n]:
        above.tick_params(labelbottom=True)
    sns.despine(fig=figure)
    return figure, list(grid[:n])


def set_margins(
    figure: Figure,
    *,
    left: float = 0.62,
    right: float = 0.15,
    top: float = 0.32,
    bottom: float = 0.5,
    between: float = 0.12,
) -> None:
    """Margins around the axes in inches, and the space between axes, of their mean size."""
    width, height = figure.get_size_inches()
    figure.subplots_adjust(
        left / width,
        bottom / height,
        1 - right / width,
        1 - top / height,
        hspace=between,
        wspace=0.12,
    )


def legend_below(figure: Figure, top: float = 0.32, left: float = 0.62) -> None:
    """A legend under the axes; the figure grows where it needs more than two lines."""
    handles, labels = figure.axes[0].get_legend_handles_labels()
    longest = max(map(len, labels))
    n_columns = 3 if longest <= 10 else 2 if longest <= 27 else 1
    n_rows = -(-len(labels) // n_columns)
    n_reserved = max(2, n_rows)  # so that neighbours with one line and with two are aligned
    width, height = figure.get_size_inches()
    height += LEGEND_ROW_INCHES * (n_reserved - 2)
    figure.set_size_inches(width, height)
    legend_inches = 0.1 + LEGEND_ROW_INCHES * n_reserved
    set_margins(figure, left=left, top=top, bottom=0.47 + legend_inches)
    figure.legend(
        handles,
        labels,
        loc="upper left",
        bbox_to_anchor=(0.0, legend_inches / height),
        ncols=n_columns,
        handlelength=2.6,
        borderaxespad=0.3,
    )


def legend_right(figure: Figure, between: float = 0.12) -> None:
    """A legend beside the axes, as wide as its longest label."""
    handles, labels = figure.axes[0].get_legend_handles_labels()
    set_margins(figure, right=0.7 + 0.075 * max(map(len, labels)), between=between)
    figure.legend(handles, labels, loc="center right", handlelength=3.0, borderaxespad=0.3)


def step_axis(axes: Axes, total_env_steps: float) -> None:
    """The x axis: training environment steps, in thousands or millions."""
    unit, name = (1e6, "million") if total_env_steps >= 1e6 else (1e3, "thousand")
    if total_env_steps < 2e3:
        unit, name = 1.0, ""
    axes.xaxis.set_major_formatter(lambda value, _: f"{value / unit:g}")
    axes.set_xlim(0, total_env_steps)
    axes.set_xlabel(f"training environment steps{f' ({name})' if name else ''}")


def value_axis(axes: Axes, measure: Measure) -> None:
    """The y axis; of percentages always 0 to 100, so that panels compare at a glance."""
    axes.set_ylabel(measure.label)
    if measure.unit == "%":
        axes.set_ylim(-2, 102)
        axes.set_yticks(range(0, 101, 25))


def mark_moments(axes: Axes, moments: Iterable[Moment]) -> None:
    """A vertical line at every step that a hyperparameter names, with its symbol."""
    symbols: dict[int, dict[str, None]] = {}
    for moment in moments:
        symbols.setdefault(moment.step, {})[moment.symbol] = None
    for step, names in sorted(symbols.items()):
        axes.axvline(step, color=INK, linewidth=0.9, linestyle=(0, (2, 2)), zorder=1)
        axes.annotate(
            ", ".join(names),
            (step, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(3, -1),
            textcoords="offset points",
            va="top",
            fontsize=8.5,
            fontstyle="italic",
            color=INK,
        )


def colours(names: Collection[str]) -> dict[str, str]:
    """A colour for each backbone of a plan; those that are registered have the same in every study.

    With more backbones than colours they begin again.
    """
    registered = dict.fromkeys(backbone for _, backbone in methods())
    fixed = dict(zip(registered, itertools.cycle(CYCLE), strict=False))
    found = {name: fixed[name] for name in names if name in fixed}
    free = itertools.cycle([one for one in CYCLE if one not in found.values()] or CYCLE)
    return found | {name: next(free) for name in dict.fromkeys(names) if name not in fixed}


def mode_looks(methods: Iterable[MethodView]) -> dict[ExecutionMode, Look]:
    """(colour, line style) of each mode of those methods that have several.

    Acting alone is dashed, the first of the others solid, whatever the order within a method. Give
    all methods of a figure whose legend tells modes apart from arms.
    """
    modes = dict.fromkeys(mode for one in methods if len(one.modes) > 1 for mode in one.modes)
    others = [mode for mode in modes if mode != DECENTRALISED]
    looks: dict[ExecutionMode, Look] = {mode: (VERMILION, DASHED) for mode in modes}
    looks |= {mode: (BLUE, "solid") for mode in others[:1]}
    for mode, colour, dashes in zip(
        others[1:], itertools.cycle(BETWEEN_COLOURS), itertools.cycle(BETWEEN_DASHES), strict=False
    ):
        looks[mode] = (colour, dashes)
    return looks


def line_look(key: SeriesKey, panel: Sequence[SeriesKey]) -> Look:
    """(colour, line style) of a series among those of its panel.

    One arm with several modes: a colour for each, see `mode_looks`. Several such arms: a colour for
    each arm, line styles as if it were alone. Arms with one mode: grey, from the third on coloured.
    """
    conditions = {(one.arm, one.point): len(one.method.modes) > 1 for one in panel}
    condition = key.arm, key.point
    alike = [one for one in conditions if conditions[one] == conditions[condition]]
    place = alike.index(condition)
    if not conditions[condition]:
        if place < len(PLAIN_DASHES):
            return PLAIN, PLAIN_DASHES[place]
        return CYCLE[-1 - (place - len(PLAIN_DASHES)) % len(CYCLE)], DOTTED
    colour, dashes = mode_looks([key.method])[key.mode]
    return (colour if len(alike) == 1 else CYCLE[place % len(CYCLE)]), dashes
