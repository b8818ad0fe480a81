"""The paper's own curves, digitised, on their own axes and marked as another environment's."""

from __future__ import annotations

from collections.abc import Collection

from reports.figures import style
from reports.figures.learning_curves import Drawing
from reports.figures.svg import to_svg
from reports.reference import PaperCurve, Reference

# Not the overview's colours: blue and vermilion are CADP's here.
COLOURS = {
    "IQL": style.PURPLE,
    "VDN": style.GREEN,
    "QMIX": style.SKY,
    "QPLEX": style.ORANGE,
}
BASELINES = {"IQL": "iql", "VDN": "vdn", "QMIX": "qmix", "QPLEX": "qplex"}
MARK = "StarCraft II 4.10 (paper, digitised); not comparable in absolute value"


def paper_panel(
    reference: Reference, scenario: str, backbones: Collection[str], identifier: str
) -> Drawing | None:
    """CADP(C), CADP(D) and the plain arms of `backbones`; None where the paper has none."""
    available = reference.panels(scenario)
    shown = [curve for curve in available if _is_shown(curve, backbones)]
    if not shown:
        return None
    figure, (axes,) = style.new_figure()
    for curve in shown:
        colour, dashes = _look(curve)
        axes.plot(
            curve.steps,
            curve.win_rate_percent,
            color=colour,
            linestyle=dashes,
            linewidth=1.6,
            label=_label(curve),
        )
    axes.set_title(f"{MARK.replace('; ', chr(10))}", fontsize=8.5)
    axes.patch.set(facecolor=style.FAINT, alpha=0.35, hatch="///", edgecolor=style.FAINT)
    axes.set_ylabel("test win rate (%)")
    style.step_axis(axes, float(max(curve.steps[-1] for curve in shown)))
    style.percent_axis(axes)
    style.legend_below(figure, top=0.48)
    told = "; ".join(f"{_label(c)} ends at {c.win_rate_percent[-1]:.0f} %" for c in shown)
    svg = to_svg(figure, identifier=identifier, title=f"{scenario}: {MARK}", description=told)
    rest = len(available) - len(shown)
    caption = (
        f"{MARK}. Read off the paper's figure (panel {shown[0].panel} of {shown[0].figure}); "
        "seeds and backbone of “CADP” are not stated there."
    )
    if rest:
        caption += f" {rest} more lines of that figure have no counterpart in this study."
    return Drawing(identifier, svg, caption)


def _is_shown(curve: PaperCurve, backbones: Collection[str]) -> bool:
    return curve.algorithm == "CADP" or BASELINES.get(curve.algorithm) in backbones


def _label(curve: PaperCurve) -> str:
    if curve.algorithm != "CADP":
        return curve.algorithm
    return "CADP (C)" if curve.variant == "centralized" else "CADP (D)"


def _look(curve: PaperCurve) -> tuple[str, style.Dashes]:
    if curve.algorithm != "CADP":
        return COLOURS[curve.algorithm], (0, (1, 1))
    is_centralised = curve.variant == "centralized"
    return (style.BLUE, "solid") if is_centralised else (style.VERMILION, (0, (5, 2)))
