"""Builds a report: view of the records in, HTML text out."""

from __future__ import annotations

from collections.abc import Sequence

from reports.analysis import analyse
from reports.data import ReportData
from reports.reference import Reference
from suite.replays.files import Replay


def build_html(
    data: ReportData, reference: Reference | None, replays: Sequence[Replay] = ()
) -> str:
    """The report as text; the same data gives the same bytes."""
    from reports.figures.compose import draw
    from reports.html.render import render

    analysis = analyse(data)
    return render(analysis, draw(analysis, reference), replays)
