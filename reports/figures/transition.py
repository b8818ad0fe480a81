"""What happens at the step that a hyperparameter names: every mode, and what the method watches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from reports.checks import mixed
from reports.data import Moment, ReportData, RunView
from reports.figures import style
from reports.figures.learning_curves import Drawing
from reports.figures.svg import to_svg
from reports.measures import Measure
from reports.numbers import MIXED_MARK
from reports.series import SeriesKey, evidence_of
from reports.statistics.performance import Curve, mean_curve
from suite.algorithms.declaration import TrainingMetric
from suite.runs.metrics import TRAIN
from suite.runs.modes import ExecutionMode

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Shown on either side of the step, as a fraction of training.
WINDOW = 0.25


def transition(
    data: ReportData, key: SeriesKey, measure: Measure, identifier: str, title: str
) -> Drawing | None:
    """The modes of an arm over one step axis, and below it an axis for each watched metric.

    key: of any of its modes. None where no run is evidence of every mode.
    """
    runs = evidence_of(data, key)
    every = {mode: _mode_curve(runs, mode, measure) for mode in key.method.modes}
    curves = {mode: curve for mode, curve in every.items() if curve is not None}
    if len(curves) < len(every):
        return None
    watched = _watched(runs, key)
    size = (style.PANEL_INCHES[0], style.PANEL_INCHES[1] + len(watched))
    figure, (top, *below) = style.new_figure(size, [2, *[1 for _ in watched]])
    looks, mark = style.mode_looks([key.method]), MIXED_MARK if mixed(runs) else ""
    for mode, curve in curves.items():
        label = f"({mode.letter}) {mode.name}, n={curve.n_runs}{mark}"
        _draw(top, curve, looks[mode], label)
    style.value_axis(top, measure)
    top.set_title(title)
    for axes, (metric, curve) in zip(below, watched.items(), strict=True):
        _draw(axes, curve, (style.GREEN, "solid"), None)
        axes.set_ylabel(metric.label)
        if np.isfinite(span := metric.high - metric.low):
            axes.set_ylim(metric.low - 0.02 * span, metric.high + 0.05 * span)
    moments = runs[0].moments
    _step_axis(figure.axes[-1], moments, max(run.total_env_steps for run in runs))
    for axes in figure.axes:
        style.mark_moments(axes, moments)
    style.legend_below(figure)
    told = _told(curves, watched, moments)
    if mark:
        told += f" {mark}: with runs of mixed origin."
    svg = to_svg(figure, identifier=identifier, title=title, description=told)
    return Drawing(identifier, svg, told)


def _mode_curve(runs: list[RunView], mode: ExecutionMode, measure: Measure) -> Curve | None:
    histories = [history for run in runs if (history := measure.history(run, mode))]
    if not runs:
        return None
    return mean_curve(histories, runs[0].test_interval_env_steps, measure.bounds(runs[0]))


def _watched(runs: list[RunView], key: SeriesKey) -> dict[TrainingMetric, Curve]:
    """The mean of every metric that the method wants watched, where it is recorded."""
    found = {}
    for metric in key.method.metrics:
        name, bounds = f"{TRAIN}/{metric.name}", (metric.low, metric.high)
        histories = [run.histories[name] for run in runs if name in run.histories]
        if metric.is_watched and (
            curve := mean_curve(histories, runs[0].test_interval_env_steps, bounds)
        ):
            found[metric] = curve
    return found


def _draw(axes: Axes, curve: Curve, look: style.Look, label: str | None) -> None:
    colour, dashes = look
    axes.plot(curve.steps, curve.mean, color=colour, linestyle=dashes, linewidth=1.9, label=label)
    if curve.low is not None and curve.high is not None:
        axes.fill_between(curve.steps, curve.low, curve.high, color=colour, alpha=0.15, lw=0)


def _step_axis(axes: Axes, moments: Sequence[Moment], total: int) -> None:
    style.step_axis(axes, total)
    steps = [moment.step for moment in moments]
    if steps:
        low, high = min(steps) - WINDOW * total, max(steps) + WINDOW * total
        axes.set_xlim(max(0, low), min(total, high))


def _told(
    curves: Mapping[ExecutionMode, Curve],
    watched: Mapping[TrainingMetric, Curve],
    moments: Sequence[Moment],
) -> str:
    """Every curve at the last test up to each moment and at the end, in words."""
    steps = next(iter(curves.values())).steps
    text = ""
    for moment in moments:
        before = [step for step in steps if step <= moment.step]
        if before and all(curve.at(before[-1]) is not None for curve in curves.values()):
            head = f"Last test up to {moment.symbol} = {moment.step:,} steps"
            text += f"{head}: {_values(curves, watched, before[-1])}. "
    return f"{text}At the end: {_values(curves, watched, None)}. Bands: pointwise 95 % t."


def _values(
    curves: Mapping[ExecutionMode, Curve],
    watched: Mapping[TrainingMetric, Curve],
    step: float | None,
) -> str:
    """Values at a step, of None the last ones: `(C) 61, (D) 12, self-attention 0.33`."""

    def value(curve: Curve) -> float | None:
        return float(curve.mean[-1]) if step is None else curve.at(step)

    parts = [f"({mode.letter}) {value(curve):.0f}" for mode, curve in curves.items()]
    parts += [
        f"{metric.label} {found:.2f}"
        for metric, curve in watched.items()
        if (found := value(curve)) is not None
    ]
    return ", ".join(parts)
