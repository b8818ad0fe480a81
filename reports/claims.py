"""From claims and series to contrasts and verdicts."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from reports.data import ClaimKind, ClaimView, ReportData, RunView
from reports.series import SeriesKey, SeriesResult, series_keys
from reports.statistics.intervals import Estimate
from reports.statistics.verdicts import (
    Pairs,
    Verdict,
    combine_scenarios,
    decide,
    holm,
    is_at_floor,
    p_against,
    p_for,
    pair_by_seed,
    paired_estimate,
)

# A claim is "not tested" where the profile runs nothing that could tell.
ClaimVerdict = Verdict | Literal["not tested"]


@dataclass(frozen=True)
class Contrast:
    """Left minus right in one scenario at one hyperparameter point, in percentage points.

    estimate: mean difference with its 95 % interval, None without pairs. tost: the same with the
    90 % interval that decides equivalence. verdict: of this contrast alone, uncorrected.
    is_at_floor: equivalence, withheld because neither side wins enough to differ.
    """

    left: SeriesResult
    right: SeriesResult
    pairs: Pairs
    estimate: Estimate | None
    tost: Estimate | None
    p_for: float
    p_against: float
    verdict: Verdict
    is_at_floor: bool

    @property
    def left_out(self) -> list[RunView]:
        """Finished runs of either side that are no evidence, once each."""
        runs = (*self.left.left_out, *self.right.left_out)
        return list({run.run_id: run for run in runs}.values())

    @property
    def mixed(self) -> list[RunView]:
        """Runs behind the pairs that were continued with other code or elsewhere, once each."""
        runs, seeds = (*self.left.mixed, *self.right.mixed), set(self.pairs.seeds)
        return list({run.run_id: run for run in runs if run.seed in seeds}.values())

    @property
    def scenario(self) -> str:
        return self.left.key.scenario

    @property
    def point(self) -> str:
        """The hyperparameter point, or both where the sides differ; "" where there is only one."""
        points = {self.left.key.point: None, self.right.key.point: None}
        return " vs ".join(point for point in points if point)

    @property
    def place(self) -> str:
        """Scenario, and the hyperparameter point where the arm has several."""
        return f"{self.scenario} at {self.point}" if self.point else self.scenario


@dataclass(frozen=True)
class ClaimResult:
    """A claim with its contrasts and its verdict after Holm's correction over all claims.

    absent: scenarios and arms that the claim names and this profile does not run.
    uncorrected: the verdict without the correction.
    """

    claim: ClaimView
    contrasts: tuple[Contrast, ...]
    absent: tuple[str, ...]
    p_for: float
    p_against: float
    adjusted_for: float
    adjusted_against: float
    verdict: ClaimVerdict
    uncorrected: ClaimVerdict

    @property
    def statement(self) -> str:
        """The claim as tested."""
        left, right = (f"{arm}/{mode}" for arm, mode in (self.claim.left, self.claim.right))
        margin = f"{100 * self.claim.margin:g} points"
        if self.claim.kind == "equivalent":
            return f"{left} and {right} differ by less than {margin}"
        return f"{left} exceeds {right}" + (f" by more than {margin}" if self.claim.margin else "")


def judge(data: ReportData, results: Mapping[SeriesKey, SeriesResult]) -> list[ClaimResult]:
    """Every claim of the study, in its order. results: of every series on its win rate."""
    contrasts = [_contrasts(data, results, claim) for claim in data.claims]
    combined = [_combine(found) for found in contrasts]
    # Claims this profile cannot test are no part of the family that is corrected for.
    tested = [index for index, found in enumerate(contrasts) if found]
    adjusted = {
        side: dict(zip(tested, holm([combined[i][side] for i in tested]), strict=True))
        for side in (0, 1)
    }
    judged = []
    for index, claim in enumerate(data.claims):
        is_tested, (raw_for, raw_against) = bool(contrasts[index]), combined[index]
        adjusted_for, adjusted_against = (adjusted[side].get(index, 1.0) for side in (0, 1))
        judged.append(
            ClaimResult(
                claim=claim,
                contrasts=contrasts[index],
                absent=_absent(data, claim),
                p_for=raw_for,
                p_against=raw_against,
                adjusted_for=adjusted_for,
                adjusted_against=adjusted_against,
                verdict=decide(adjusted_for, adjusted_against) if is_tested else "not tested",
                uncorrected=decide(raw_for, raw_against) if is_tested else "not tested",
            )
        )
    return judged


def _absent(data: ReportData, claim: ClaimView) -> tuple[str, ...]:
    """Scenarios and arms the claim names and this profile does not run."""
    arms = {run.arm for run in data.runs}
    names = (*claim.scenarios, claim.left[0], claim.right[0])
    return tuple(dict.fromkeys(n for n in names if n not in arms and n not in data.scenarios))


def contrast(
    left: SeriesResult, right: SeriesResult, kind: ClaimKind, margin_points: float
) -> Contrast:
    """Compare two series by seed; margin in percentage points."""
    pairs = pair_by_seed(left.finals, right.finals)
    differences = pairs.differences
    for_, against = (test(kind, differences, margin_points) for test in (p_for, p_against))
    at_floor = kind == "equivalent" and is_at_floor(pairs, margin_points)
    if at_floor:
        for_ = 1.0
    return Contrast(
        left,
        right,
        pairs,
        paired_estimate(differences, 0.95),
        paired_estimate(differences, 0.90),
        for_,
        against,
        decide(for_, against),
        at_floor,
    )


def _contrasts(
    data: ReportData, results: Mapping[SeriesKey, SeriesResult], claim: ClaimView
) -> tuple[Contrast, ...]:
    """One per scenario and hyperparameter point; none where the profile leaves out an arm."""
    found = []
    for scenario in claim.scenarios:
        if scenario not in data.scenarios:
            continue
        keys = series_keys(data, scenario)
        lefts = [key for key in keys if (key.arm, key.mode.name) == claim.left]
        rights = [key for key in keys if (key.arm, key.mode.name) == claim.right]
        for left, right in _partners(lefts, rights):
            found.append(contrast(results[left], results[right], claim.kind, 100 * claim.margin))
    return tuple(found)


def _partners(
    lefts: Sequence[SeriesKey], rights: Sequence[SeriesKey]
) -> Iterable[tuple[SeriesKey, SeriesKey]]:
    """Sides at the same hyperparameter point; a side with one point meets every other."""
    if 1 in (len(lefts), len(rights)):
        yield from itertools.product(lefts, rights)
        return
    at_point = {right.point: right for right in rights}
    yield from ((left, at_point[left.point]) for left in lefts if left.point in at_point)


def _combine(contrasts: Sequence[Contrast]) -> tuple[float, float]:
    return combine_scenarios([c.p_for for c in contrasts], [c.p_against for c in contrasts])
