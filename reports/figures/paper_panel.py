"""The paper's own curves, digitised, on their own axes and marked as another environment's."""

from __future__ import annotations

from collections.abc import Collection

from reports.figures import style
from reports.figures.learning_curves import Drawing
from reports.figures.svg import to_svg
from reports.measures import WIN_RATE
from reports.reference import PaperCurve, Reference
from reports.series import SeriesKey
from suite.runs.modes import DECENTRALISED

# Blue and vermilion are the two ways of acting of the paper's own method.
COLOURS = (
    style.PURPLE,
    style.GREEN,
    style.SKY,
    style.ORANGE,
    style.OLIVE,
    style.INDIGO,
    style.BROWN,
)
PLAIN = "none"
MARK = "paper, digitised); not comparable in absolute value"


def paper_panel(
    reference: Reference, scenario: str, keys: Collection[SeriesKey], identifier: str
) -> Drawing | None:
    """The paper's lines of what the study has as well; None where there is none.

    keys: of the study's series in this scenario.
    """
    letters = {(key.method.published_as, key.mode.name): key.mode.letter for key in keys}
    available = reference.panels(scenario)
    shown = [curve for curve in available if (curve.algorithm, curve.mode) in letters]
    if not shown:
        return None
    names = [_name(curve, letters[curve.algorithm, curve.mode]) for curve in shown]
    mark = f"{shown[0].environment} ({MARK}"
    figure, (axes,) = style.new_figure()
    for curve, name in zip(shown, names, strict=True):
        colour, dashes = _look(reference, curve)
        axes.plot(
            curve.steps,
            curve.win_rate_percent,
            color=colour,
            linestyle=dashes,
            linewidth=1.6,
            label=name,
        )
    axes.set_title(mark.replace("; ", "\n"), fontsize=8.5)
    axes.patch.set(facecolor=style.FAINT, alpha=0.35, hatch="///", edgecolor=style.FAINT)
    style.step_axis(axes, float(max(curve.steps[-1] for curve in shown)))
    style.value_axis(axes, WIN_RATE)
    style.legend_below(figure, top=0.48)
    ends = [f"{curve.win_rate_percent[-1]:.0f} %" for curve in shown]
    told = "; ".join(f"{name} ends at {end}" for name, end in zip(names, ends, strict=True))
    svg = to_svg(figure, identifier=identifier, title=f"{scenario}: {mark}", description=told)
    letters_there = sorted({curve.panel for curve in shown})
    panels = f"panel{'s' if len(letters_there) > 1 else ''} {', '.join(letters_there)}"
    rest = len(available) - len(shown)
    caption = (
        f"{mark}. Read off the paper's figure ({panels} of {shown[0].figure}); "
        "seeds and backbone of “CADP” are not stated there."
    )
    if rest:
        caption += f" {rest} more lines of that figure have no counterpart in this study."
    return Drawing(identifier, svg, caption)


def _name(curve: PaperCurve, letter: str) -> str:
    return curve.algorithm if curve.variant == PLAIN else f"{curve.algorithm} ({letter})"


def _look(reference: Reference, curve: PaperCurve) -> style.Look:
    """The same for the same line in every scenario: a colour by its place in the paper's legend.

    Lines of two ways of acting are told apart by colour where they are the first, else by dashes.
    """
    several, single = (
        list(dict.fromkeys(c.algorithm for c in reference.curves if (c.variant == PLAIN) == plain))
        for plain in (False, True)
    )
    if curve.variant == PLAIN:
        return COLOURS[single.index(curve.algorithm) % len(COLOURS)], style.DOTTED
    alone = curve.mode == DECENTRALISED.name
    dashes = style.DASHED if alone else "solid"
    place = several.index(curve.algorithm)
    if place == 0:
        return style.VERMILION if alone else style.BLUE, dashes
    return style.BETWEEN_COLOURS[(place - 1) % len(style.BETWEEN_COLOURS)], dashes
