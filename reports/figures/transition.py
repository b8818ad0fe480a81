"""What happens at T: win rates of CADP(C) and CADP(D), and agents' attention to themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reports.checks import mixed
from reports.data import CENTRALISED, DECENTRALISED, ReportData, RunView
from reports.figures import style
from reports.figures.learning_curves import Drawing
from reports.figures.svg import to_svg
from reports.measures import Measure
from reports.numbers import MIXED_MARK
from reports.series import SeriesKey, evidence_of
from reports.statistics.performance import Curve, mean_curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SELF_ATTENTION = "train/self_attention"
# Shown on either side of T, as a fraction of training.
WINDOW = 0.25


def transition(
    data: ReportData, key: SeriesKey, measure: Measure, identifier: str, title: str
) -> Drawing | None:
    """Two axes over one step axis; None where no run is evidence of both modes."""
    runs = evidence_of(data, key)
    both = {mode: _mode_curve(runs, mode, measure) for mode in (CENTRALISED, DECENTRALISED)}
    curves = {mode: curve for mode, curve in both.items() if curve is not None}
    if len(curves) < 2:
        return None
    attention = _attention_curve(runs)
    size = (style.PANEL_INCHES[0], 4.3 if attention else 3.3)
    ratios = [2, 1] if attention else [1]
    figure, axes = style.new_figure(size, ratios)
    looks: dict[str, tuple[str, style.Dashes]] = {
        CENTRALISED: (style.BLUE, "solid"),
        DECENTRALISED: (style.VERMILION, (0, (5, 2))),
    }
    mark = MIXED_MARK if mixed(runs) else ""
    for mode, curve in curves.items():
        colour, dashes = looks[mode]
        letter = "C" if mode == CENTRALISED else "D"
        _draw(axes[0], curve, colour, dashes, f"({letter}) {mode}, n={curve.n_runs}{mark}")
    axes[0].set_ylabel(measure.label)
    if measure.bounds == (0.0, 100.0):
        style.percent_axis(axes[0])
    axes[0].set_title(title)
    if attention:
        _draw(axes[1], attention, style.GREEN, "solid", None)
        axes[1].set_ylim(-0.02, 1.05)
        axes[1].set_ylabel("self-attention")
    total, start = max(run.total_env_steps for run in runs), runs[0].pruning_start_env_steps
    style.step_axis(axes[-1], total)
    if start is not None:
        axes[-1].set_xlim(max(0, start - WINDOW * total), min(total, start + WINDOW * total))
        for one in axes:
            style.mark_pruning(one, start)
    style.legend_below(figure)
    told = _told(curves, attention, start)
    if mark:
        told += f" {mark}: with runs of mixed origin."
    svg = to_svg(figure, identifier=identifier, title=title, description=told)
    return Drawing(identifier, svg, told)


def _mode_curve(runs: list[RunView], mode: str, measure: Measure) -> Curve | None:
    histories = [history for run in runs if (history := measure.history(run, mode))]
    return mean_curve(histories, runs[0].test_interval_env_steps, measure.bounds) if runs else None


def _attention_curve(runs: list[RunView]) -> Curve | None:
    found = [r.histories[SELF_ATTENTION] for r in runs if SELF_ATTENTION in r.histories]
    return mean_curve(found, runs[0].test_interval_env_steps, (0.0, 1.0))


def _draw(axes: Axes, curve: Curve, colour: str, dashes: style.Dashes, label: str | None) -> None:
    axes.plot(curve.steps, curve.mean, color=colour, linestyle=dashes, linewidth=1.9, label=label)
    if curve.low is not None and curve.high is not None:
        axes.fill_between(curve.steps, curve.low, curve.high, color=colour, alpha=0.15, lw=0)


def _told(curves: dict[str, Curve], attention: Curve | None, start: int | None) -> str:
    """C, D and self-attention at the tests on either side of T and at the end, in words."""
    c, d = curves[CENTRALISED], curves[DECENTRALISED]
    text = f"At the end: C {c.mean[-1]:.0f}, D {d.mean[-1]:.0f}"
    if attention:
        text += f", self-attention {attention.mean[-1]:.2f}"
    before = [step for step in c.steps if start is not None and step <= start]
    if before and (d_then := d.at(before[-1])) is not None:
        head = f"Last test up to T = {start:,} steps: C {c.at(before[-1]):.0f}, D {d_then:.0f}"
        if attention and (paid := attention.at(before[-1])) is not None:
            head += f", self-attention {paid:.2f}"
        text = f"{head}. {text}"
    return text + ". Bands: pointwise 95 % t."
