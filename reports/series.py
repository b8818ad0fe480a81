"""Series: one scenario, arm, hyperparameter point and execution mode, over seeds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from reports.data import CENTRALISED, DECENTRALISED, ReportData, RunView
from reports.measures import Measure, measures
from reports.statistics.intervals import (
    Estimate,
    interquartile_mean,
    mean_interval,
    plain_mean,
    stratified_interval,
)
from reports.statistics.performance import Performance, summarise

# Fixed, so that the same records give the same report to the last byte.
BOOTSTRAP_SEED = 20230527
MODE_LETTER = {CENTRALISED: "C", DECENTRALISED: "D"}


@dataclass(frozen=True)
class SeriesKey:
    """Identity of a series. condition: arm and hyperparameter point."""

    scenario: str
    arm: str
    point: str
    condition: str
    mode: str
    framework: str
    backbone: str

    @property
    def label(self) -> str:
        """Name on the page; (C) or (D) where the arm is tested in both modes."""
        if self.framework != "cadp":
            return self.condition
        return f"{self.condition} ({MODE_LETTER[self.mode]})"


@dataclass(frozen=True)
class SeriesResult:
    """Performance of a series on one measure.

    per_run: finished runs and their performance, in seed order. estimate: of the final performance,
    None where no run finished. n_planned: runs of this condition the plan asks for.
    """

    key: SeriesKey
    measure: Measure
    per_run: tuple[tuple[RunView, Performance], ...]
    estimate: Estimate | None
    n_planned: int

    @property
    def finals(self) -> dict[int, float]:
        """Seed → final performance."""
        return {run.seed: performance.final for run, performance in self.per_run}

    def mean_of(self, name: str) -> float:
        """Mean over runs of a field of Performance ("best", "last")."""
        return float(np.mean([getattr(performance, name) for _, performance in self.per_run]))


@dataclass(frozen=True)
class Aggregate:
    """One series over all scenarios: mean and interquartile mean of per-seed final performance."""

    label: str
    n_scenarios: int
    mean: Estimate
    iqm: Estimate


def series_keys(data: ReportData, scenario: str) -> list[SeriesKey]:
    """Every series the plan asks for in a scenario, in plan order; (C) before (D)."""
    keys: dict[SeriesKey, None] = {}
    for run in data.runs:
        if run.scenario != scenario:
            continue
        modes = (CENTRALISED, DECENTRALISED) if run.framework == "cadp" else (DECENTRALISED,)
        for mode in modes:
            keys[
                SeriesKey(
                    scenario, run.arm, run.point, run.condition, mode, run.framework, run.backbone
                )
            ] = None
    return list(keys)


def runs_of(data: ReportData, key: SeriesKey) -> list[RunView]:
    """The series' planned runs whatever their status, in seed order."""
    found = [r for r in data.runs if r.scenario == key.scenario and r.condition == key.condition]
    return sorted(found, key=lambda run: run.seed)


def evaluate(data: ReportData, key: SeriesKey, measure: Measure) -> SeriesResult:
    """Final performance of one series with its interval."""
    planned = runs_of(data, key)
    per_run = []
    for run in planned:
        history = measure.history(run, key.mode) if run.status == "finished" else None
        performance = summarise(history, run.total_env_steps) if history is not None else None
        if performance is not None:
            per_run.append((run, performance))
    finals = [performance.final for _, performance in per_run]
    estimate = None
    if finals:
        rng = np.random.default_rng(BOOTSTRAP_SEED)
        estimate = mean_interval(finals, rng=rng, bounds=measure.bounds)
    return SeriesResult(key, measure, tuple(per_run), estimate, len(planned))


def evaluate_all(data: ReportData) -> list[SeriesResult]:
    """Every series on every measure of its scenario, in plan order."""
    return [
        evaluate(data, key, measure)
        for scenario in data.scenarios
        for measure in measures(scenario)
        for key in series_keys(data, scenario)
    ]


def aggregate(data: ReportData, results: Iterable[SeriesResult]) -> list[Aggregate]:
    """Series with results in every scenario of the plan; empty with fewer than two scenarios."""
    if len(data.scenarios) < 2:
        return []
    by_label: dict[str, dict[str, list[float]]] = {}
    for result in results:
        if result.measure.key == "test/win_rate" and result.per_run:
            finals = by_label.setdefault(result.key.label, {})
            finals[result.key.scenario] = list(result.finals.values())
    found = []
    for label, by_scenario in by_label.items():
        if len(by_scenario) < len(data.scenarios):
            continue
        strata = [by_scenario[scenario] for scenario in data.scenarios]
        mean, iqm = (
            stratified_interval(strata, statistic, rng=np.random.default_rng(BOOTSTRAP_SEED))
            for statistic in (plain_mean, interquartile_mean)
        )
        found.append(Aggregate(label, len(by_scenario), mean, iqm))
    return found
