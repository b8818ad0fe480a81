"""The paper's own curves, digitised, on their own axes and marked as the paper's."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from reports.figures import style
from reports.figures.learning_curves import Drawing
from reports.figures.svg import to_svg
from reports.measures import WIN_RATE, backend
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
Line = tuple[str | None, str]  # name in the paper's figures, and of the execution mode
ELSEWHERE = "not comparable in absolute value"
SAME_GAME = "the same game; versions may differ"


def paper_panels(
    reference: Reference, scenario: str, keys: Collection[SeriesKey], identifier: str
) -> list[Drawing]:
    """The paper's panels, with the lines of what the study has as well; those that add a line.

    keys: of the study's series in this scenario.
    """
    letters = {(key.method.published_as, key.mode.name): key.mode.letter for key in keys}
    found: list[Drawing] = []
    before: set[Line] = set()
    for available in reference.panels(scenario):
        shown = [curve for curve in available if _line(curve) in letters]
        if not before.issuperset(map(_line, shown)):
            before |= {_line(curve) for curve in shown}
            n_other = len(available) - len(shown)
            own = f"{identifier}-{shown[0].panel}"
            found.append(_draw(reference, scenario, shown, letters, n_other, own))
    return found


def _line(curve: PaperCurve) -> Line:
    return curve.algorithm, curve.mode


def _draw(
    reference: Reference,
    scenario: str,
    shown: Sequence[PaperCurve],
    letters: Mapping[Line, str],
    n_other: int,
    identifier: str,
) -> Drawing:
    """One panel. n_other: its lines that are not shown."""
    names = [_name(curve, letters[_line(curve)]) for curve in shown]
    is_same = backend(scenario).game == shown[0].game
    mark = f"{shown[0].environment} (paper, digitised); {SAME_GAME if is_same else ELSEWHERE}"
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
    if not is_same:
        axes.patch.set(facecolor=style.FAINT, alpha=0.35, hatch="///", edgecolor=style.FAINT)
    style.step_axis(axes, float(max(curve.steps[-1] for curve in shown)))
    style.value_axis(axes, WIN_RATE)
    style.legend_below(figure, top=0.48)
    ends = [f"{curve.win_rate_percent[-1]:.0f} %" for curve in shown]
    told = "; ".join(f"{name} ends at {end}" for name, end in zip(names, ends, strict=True))
    svg = to_svg(figure, identifier=identifier, title=f"{scenario}: {mark}", description=told)
    caption = (
        f"{mark}. Read off the paper's figure (panel {shown[0].panel} of {shown[0].figure}); "
        "seeds and backbone of “CADP” are not stated there."
    )
    if n_other:
        caption += f" {n_other} more lines of that panel have no counterpart in this study."
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
