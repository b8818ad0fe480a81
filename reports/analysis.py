"""Everything the page says, computed once: series, verdicts, checks. No drawing, no HTML."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import get_args

from reports.checks import ProvenanceEntry, mixed, provenance
from reports.claims import ClaimResult, ClaimVerdict, Contrast, contrast, judge
from reports.data import ReportData, RunStatus, RunView
from reports.evidence import agreeing, left_out, weigh
from reports.looks import Judgement, summed_up
from reports.measures import Measure, backend
from reports.series import (
    Aggregate,
    SeriesKey,
    SeriesResult,
    aggregate,
    evaluate_all,
    name_across,
    win_rates,
)
from reports.statistics.verdicts import VERDICTS
from reports.sweep import SearchResult, evaluate_searches, shown_of
from suite.environments.backend import Backend
from suite.runs.modes import DECENTRALISED

# For the table of modes where no claim of the study states a margin for that arm.
DEFAULT_MARGIN_POINTS = 5.0


@dataclass(frozen=True)
class Analysis:
    """What a report shows.

    data: weighed, see `reports.evidence`. shown: what of it tables, figures and claims are about;
    all of it, but for a profile that searches, see `sweep.shown_of`. left_out: finished runs that
    are no evidence. agreeing: see `evidence.agreeing`. mixed: runs continued with other code,
    versions or elsewhere.
    mode_differences: (contrast, margin in points) of every condition that is tested in several
    modes, in every scenario: that of training minus acting alone.
    counts: run status → number of runs. parameters: see `parameter_table`.
    """

    data: ReportData
    shown: ReportData
    searches: tuple[SearchResult, ...]
    results: tuple[SeriesResult, ...]
    claims: tuple[ClaimResult, ...]
    judgement: Judgement
    mode_differences: tuple[tuple[Contrast, float], ...]
    aggregates: tuple[Aggregate, ...]
    counts: Mapping[str, int]
    left_out: tuple[RunView, ...]
    agreeing: tuple[tuple[str, tuple[str, ...]], ...]
    mixed: tuple[RunView, ...]
    provenance: tuple[ProvenanceEntry, ...]
    parameters: ParameterTable

    @property
    def verdict_counts(self) -> dict[ClaimVerdict, int]:
        """Number of primary claims with each verdict, then of those not tested, if any."""
        counts = Counter(result.verdict for result in self.claims if result.claim.primary)
        return {word: counts[word] for word in VERDICTS} | counts

    @property
    def n_tested(self) -> int:
        """Number of primary claims that this profile can test: the family of Holm's correction."""
        return sum(self.verdict_counts[word] for word in VERDICTS)

    @property
    def n_primary(self) -> int:
        """Number of claims that get a verdict where they can be tested."""
        return sum(claim.primary for claim in self.data.claims)

    @property
    def without_aggregate(self) -> list[str]:
        """Series that lack results in some scenario, in plan order."""
        return [name for name, has_other_points in self._not_aggregated() if not has_other_points]

    @property
    def with_other_points(self) -> list[str]:
        """Series whose arm has other hyperparameter points in some scenario, in plan order."""
        return [name for name, has_other_points in self._not_aggregated() if has_other_points]

    def _not_aggregated(self) -> list[tuple[str, bool]]:
        """Name of each, and whether some scenario has its arm but not its point."""
        shown = {one.parts[0].key.across for one in self.aggregates}
        series: dict[tuple[str, str, str], list[SeriesKey]] = {}
        scenarios: dict[str, set[str]] = {}
        for result in self.results:
            series.setdefault(result.key.across, []).append(result.key)
            scenarios.setdefault(result.key.arm, set()).add(result.key.scenario)
        return [
            (name_across(keys), {key.scenario for key in keys} < scenarios[keys[0].arm])
            for across, keys in series.items()
            if across not in shown
        ]

    @property
    def measures(self) -> tuple[Measure, ...]:
        """What is tabulated, in order of first use."""
        return tuple(dict.fromkeys(result.measure for result in self.results))

    @property
    def backends(self) -> tuple[Backend, ...]:
        """Environment backends of the plan, in plan order."""
        return tuple(dict.fromkeys(backend(scenario) for scenario in self.data.scenarios))


@dataclass(frozen=True)
class ParameterTable:
    """Settings that all runs share, and those that differ.

    rows: scenario, condition and settings of each scenario, arm and hyperparameter point.
    """

    shared: Mapping[str, str]
    differing: tuple[str, ...]
    rows: tuple[tuple[str, str, Mapping[str, str]], ...]


def analyse(data: ReportData) -> Analysis:
    """Compute a report's contents; the same data gives the same result."""
    data = weigh(data)
    searches = evaluate_searches(data)
    shown = shown_of(data, searches)
    results = evaluate_all(shown)
    rates = win_rates(shown, results)
    claims = judge(shown, rates)
    statuses = [run.status for run in data.runs]
    return Analysis(
        data=data,
        shown=shown,
        searches=searches,
        results=tuple(results),
        claims=tuple(claims),
        judgement=summed_up(shown, claims),
        mode_differences=tuple(_mode_differences(shown, rates)),
        aggregates=tuple(aggregate(shown, rates.values())),
        counts={status: statuses.count(status) for status in get_args(RunStatus)},
        left_out=tuple(left_out(data)),
        agreeing=tuple(agreeing(data)),
        mixed=tuple(mixed(data.runs)),
        provenance=tuple(provenance(data.runs)),
        parameters=parameter_table(shown.runs),
    )


def parameter_table(runs: tuple[RunView, ...]) -> ParameterTable:
    """Split settings into shared and differing; seeds are not settings."""
    by_condition = {(run.scenario, run.arm, run.point): run for run in runs}
    rows = tuple((r.scenario, r.condition, r.parameters) for r in by_condition.values())
    names = dict.fromkeys(name for _, _, row in rows for name in row)
    values = {name: {row.get(name, "none") for _, _, row in rows} for name in names}
    shared = {name: next(iter(values[name])) for name in names if len(values[name]) == 1}
    return ParameterTable(shared, tuple(n for n in names if n not in shared), rows)


def _mode_differences(
    data: ReportData, rates: Mapping[SeriesKey, SeriesResult]
) -> list[tuple[Contrast, float]]:
    found = []
    for key, left in rates.items():
        alone = replace(key, mode=DECENTRALISED)
        if key.mode == key.method.modes[0] and key != alone:
            margin = _margin(data, key)
            found.append((contrast(left, rates[alone], "equivalent", margin), margin))
    return found


def _margin(data: ReportData, key: SeriesKey) -> float:
    """Margin in points of the study's own equivalence claim on this mode and acting alone."""
    sides = {(key.arm, key.mode.name), (key.arm, DECENTRALISED.name)}
    for claim in data.claims:
        if claim.kind == "equivalent" and {claim.left, claim.right} == sides:
            return 100 * claim.margin
    return DEFAULT_MARGIN_POINTS
