"""From claims and series to contrasts and verdicts."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from reports.data import ClaimKind, ClaimView, ReportData, RunView
from reports.evidence import complete_looks
from reports.series import SeriesKey, SeriesResult, series_keys
from reports.statistics.intervals import Estimate
from reports.statistics.sequential import p_values_by_look
from reports.statistics.verdicts import (
    Pairs,
    Verdict,
    combine_scenarios,
    decide,
    holm,
    is_at_floor,
    p_values,
    pair_by_seed,
    paired_estimate,
)

# A claim is "not tested" where the profile runs nothing that could tell, "descriptive" where it is
# tested, but the study has marked others as primary.
ClaimVerdict = Verdict | Literal["not tested", "descriptive"]
Looks = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Contrast:
    """Left minus right in one scenario at one hyperparameter point, in percentage points.

    estimate: mean difference with its 95 % interval, None without pairs. tost: the same with the
    90 % interval that decides equivalence. p_for, p_against: sequential where seeds are added look
    by look. verdict: of this contrast alone, uncorrected. is_at_floor: equivalence, withheld
    because neither side wins enough to differ. by_look: the two p values as they stood after each
    complete look; empty where seeds are a list.
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
    by_look: tuple[tuple[float, float], ...] = ()

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
    """A claim with its contrasts and its verdict after Holm's correction over all primary claims.

    absent: scenarios and arms that the claim names and this profile does not run.
    uncorrected: the verdict without the correction. n_seeds: of the last complete look, on which it
    rests; None where seeds are a list. decided_at: number of seeds at the look that decided it.
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
    n_seeds: int | None = None
    decided_at: int | None = None

    @property
    def statement(self) -> str:
        """The claim as tested."""
        left, right = (f"{arm}/{mode}" for arm, mode in (self.claim.left, self.claim.right))
        margin = f"{100 * self.claim.margin:g} points"
        if self.claim.kind == "equivalent":
            return f"{left} and {right} differ by less than {margin}"
        return f"{left} exceeds {right}" + (f" by more than {margin}" if self.claim.margin else "")


def judge(data: ReportData, results: Mapping[SeriesKey, SeriesResult]) -> list[ClaimResult]:
    """Every claim of the study, in its order. data: weighed. results: of every series on its win
    rate. Where seeds are added look by look, complete looks alone decide."""
    looks = complete_looks(data) if data.is_sequential else None
    contrasts = [_contrasts(data, results, claim, looks) for claim in data.claims]
    raw = [_combine([(c.p_for, c.p_against) for c in found]) for found in contrasts]
    adjusted = _adjusted(data.claims, contrasts, raw)
    decided_at = {} if looks is None else _decided_at(data.claims, contrasts, looks)
    judged = []
    for index, claim in enumerate(data.claims):
        verdict: ClaimVerdict = "not tested"
        if contrasts[index]:
            verdict = decide(*adjusted[index]) if claim.primary else "descriptive"
        judged.append(
            ClaimResult(
                claim=claim,
                contrasts=contrasts[index],
                absent=_absent(data, claim),
                p_for=raw[index][0],
                p_against=raw[index][1],
                adjusted_for=adjusted[index][0],
                adjusted_against=adjusted[index][1],
                verdict=verdict,
                uncorrected=decide(*raw[index]) if contrasts[index] else "not tested",
                n_seeds=None if looks is None else len(looks[-1]) if looks else 0,
                decided_at=decided_at.get(index),
            )
        )
    return judged


def _adjusted(
    claims: Sequence[ClaimView],
    contrasts: Sequence[Sequence[Contrast]],
    raw: Sequence[tuple[float, float]],
) -> list[tuple[float, float]]:
    """Holm's correction over the primary claims that this profile can test; others stay as is."""
    family = [i for i, claim in enumerate(claims) if claim.primary and contrasts[i]]
    adjusted = list(raw)
    sides = (holm([raw[i][side] for i in family]) for side in (0, 1))
    for index, both in zip(family, zip(*sides, strict=True), strict=True):
        adjusted[index] = both
    return adjusted


def _decided_at(
    claims: Sequence[ClaimView], contrasts: Sequence[Sequence[Contrast]], looks: Looks
) -> dict[int, int]:
    """Index of each decided primary claim → number of seeds at the look that decided it."""
    found: dict[int, int] = {}
    for look, seeds in enumerate(looks):
        raw = [_combine([c.by_look[look] for c in one]) for one in contrasts]
        for index, both in enumerate(_adjusted(claims, contrasts, raw)):
            if claims[index].primary and contrasts[index] and decide(*both) != "undecided":
                found.setdefault(index, len(seeds))
    return found


def _absent(data: ReportData, claim: ClaimView) -> tuple[str, ...]:
    """Scenarios and arms the claim names and this profile does not run."""
    arms = {run.arm for run in data.runs}
    names = (*claim.scenarios, claim.left[0], claim.right[0])
    return tuple(dict.fromkeys(n for n in names if n not in arms and n not in data.scenarios))


def contrast(
    left: SeriesResult,
    right: SeriesResult,
    kind: ClaimKind,
    margin_points: float,
    looks: Looks | None = None,
    most: int = 0,
) -> Contrast:
    """Compare two series by seed; margin in percentage points.

    looks: the complete ones, where seeds are added look by look up to `most`; then other seeds are
    left aside.
    """
    pairs = pair_by_seed(left.finals, right.finals)
    by_look: list[tuple[float, float]] = []
    if looks is None:
        for_, against = p_values(kind, pairs, margin_points)
    else:
        pairs = pairs.of(looks[-1] if looks else ())
        by_look = p_values_by_look(kind, pairs, margin_points, looks, most)
        for_, against = by_look[-1] if by_look else (1.0, 1.0)
    return Contrast(
        left,
        right,
        pairs,
        paired_estimate(pairs.differences, 0.95),
        paired_estimate(pairs.differences, 0.90),
        for_,
        against,
        decide(for_, against),
        kind == "equivalent" and is_at_floor(pairs, margin_points),
        tuple(by_look),
    )


def _contrasts(
    data: ReportData,
    results: Mapping[SeriesKey, SeriesResult],
    claim: ClaimView,
    looks: Looks | None,
) -> tuple[Contrast, ...]:
    """One per scenario and hyperparameter point; none where the profile leaves out an arm."""
    found, most = [], len(data.looks[-1]) if data.looks else 0
    for scenario in claim.scenarios:
        if scenario not in data.scenarios:
            continue
        keys = series_keys(data, scenario)
        lefts = [key for key in keys if (key.arm, key.mode.name) == claim.left]
        rights = [key for key in keys if (key.arm, key.mode.name) == claim.right]
        for left, right in _partners(lefts, rights):
            sides, margin = (results[left], results[right]), 100 * claim.margin
            found.append(contrast(*sides, claim.kind, margin, looks, most))
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


def _combine(p_values: Sequence[tuple[float, float]]) -> tuple[float, float]:
    return combine_scenarios([for_ for for_, _ in p_values], [against for _, against in p_values])
