"""The same study from two places: final win rates side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reports.data import ReportData
from reports.measures import WIN_RATE
from reports.numbers import interval, number, signed
from reports.series import SeriesResult, evaluate, series_keys
from reports.statistics.intervals import Estimate
from reports.statistics.verdicts import pair_by_seed, paired_estimate


@dataclass(frozen=True)
class Comparison:
    """One series in both places. difference: ours − theirs, paired by seed; None without pairs."""

    ours: SeriesResult
    theirs: SeriesResult
    difference: Estimate | None


def comparison(ours: ReportData, theirs: ReportData) -> list[Comparison]:
    """Every series of the plan, which both share, on final win rate."""
    found = []
    for scenario in ours.scenarios:
        for key in series_keys(ours, scenario):
            sides = [evaluate(data, key, WIN_RATE) for data in (ours, theirs)]
            pairs = pair_by_seed(sides[0].finals, sides[1].finals)
            difference = paired_estimate(pairs.differences, 0.95)
            found.append(Comparison(sides[0], sides[1], difference))
    return found


def table(rows: Sequence[Comparison], ours: str, theirs: str) -> str:
    """Aligned text: scenario, arm, A, n, B, n, A − B with its 95 % interval."""
    header = ("scenario", "arm", "A", "n", "B", "n", "A-B", "95 % interval", "pairs")
    cells = [header, *(_cells(row) for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(header))]
    lines = ["  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) for line in cells]
    top = f"Final test win rate (%), mean over finished runs. A: {ours}  B: {theirs}"
    return "\n".join([top, "", *(line.rstrip() for line in lines)])


def _cells(row: Comparison) -> tuple[str, ...]:
    difference = row.difference
    return (
        row.ours.key.scenario,
        row.ours.key.label,
        _mean(row.ours),
        str(len(row.ours.per_run)),
        _mean(row.theirs),
        str(len(row.theirs.per_run)),
        signed(difference.mean if difference else None),
        interval(difference, sign=True),
        str(difference.n if difference else 0),
    )


def _mean(side: SeriesResult) -> str:
    return number(side.estimate.mean if side.estimate else None)
