"""The same study from two places: final win rates side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reports.checks import mixed, told_changes
from reports.data import ReportData
from reports.evidence import left_out, told, weigh
from reports.measures import WIN_RATE
from reports.numbers import interval, listed, number, signed
from reports.series import SeriesResult, evaluate, series_keys
from reports.statistics.intervals import Estimate
from reports.statistics.verdicts import pair_by_seed, paired_estimate
from suite.text import one_line

# Beside numbers that one of the notes under the table is about.
NOTED = "*"


@dataclass(frozen=True)
class Comparison:
    """One series in both places. difference: ours − theirs, paired by seed; None without pairs."""

    ours: SeriesResult
    theirs: SeriesResult
    difference: Estimate | None

    @property
    def has_other_seeds(self) -> bool:
        """True if the two means are over different seeds, so that their difference is not A-B."""
        return self.ours.finals.keys() != self.theirs.finals.keys()


def comparison(ours: ReportData, theirs: ReportData) -> list[Comparison]:
    """Every series of the plan, which both share, on final win rate."""
    places = [weigh(ours), weigh(theirs)]
    found = []
    for scenario in ours.scenarios:
        for key in series_keys(ours, scenario):
            sides = [evaluate(data, key, WIN_RATE) for data in places]
            pairs = pair_by_seed(sides[0].finals, sides[1].finals)
            difference = paired_estimate(pairs.differences, 0.95)
            found.append(Comparison(sides[0], sides[1], difference))
    return found


def notes(ours: ReportData, theirs: ReportData, rows: Sequence[Comparison]) -> list[str]:
    """What the numbers lack or rest on, a line each; none where there is nothing to beware of."""
    found = []
    for name, data in (("A", weigh(ours)), ("B", weigh(theirs))):
        for run in left_out(data):
            found.append(f"{name} without a run that is no evidence: {told(run)}")
        for run in mixed(data.finished()):
            found.append(f"{name} with a run of mixed origin: {run.name}: {told_changes(run)}")
    for row in rows:
        if row.has_other_seeds:
            sides = [sorted(side.finals) for side in (row.ours, row.theirs)]
            a, b = (listed(seeds) or "none" for seeds in sides)
            found.append(
                f"{row.ours.key.scenario} {row.ours.key.label}: the means are over different seeds "
                f"(A: {a}; B: {b}), A-B is over the pairs"
            )
    return [f"{NOTED} {one_line(note)}" for note in found]


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
        _count(row.ours),
        _mean(row.theirs),
        _count(row.theirs),
        signed(difference.mean if difference else None),
        interval(difference, sign=True),
        f"{difference.n if difference else 0}{NOTED if row.has_other_seeds else ''}",
    )


def _mean(side: SeriesResult) -> str:
    return number(side.estimate.mean if side.estimate else None)


def _count(side: SeriesResult) -> str:
    """Number of runs behind a mean, marked where some were left out or are of mixed origin."""
    return f"{len(side.per_run)}{NOTED if side.left_out or side.mixed else ''}"
