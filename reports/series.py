"""Series: one scenario, arm, hyperparameter point and execution mode, over seeds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from reports.checks import mixed
from reports.data import MethodView, ReportData, RunView, condition
from reports.measures import WIN_RATE, Measure, counts_wins, measures
from reports.statistics.intervals import (
    Estimate,
    interquartile_mean,
    mean_interval,
    plain_mean,
    stratified_interval,
)
from reports.statistics.performance import Performance, summarise
from suite.runs.modes import ExecutionMode

# Fixed, so that the same records give the same report to the last byte.
BOOTSTRAP_SEED = 20230527


@dataclass(frozen=True)
class SeriesKey:
    """Identity of a series. counterpart: see `RunView`."""

    scenario: str
    arm: str
    point: str
    counterpart: str
    mode: ExecutionMode
    framework: str
    backbone: str
    method: MethodView

    @property
    def condition(self) -> str:
        """Arm and hyperparameter point, for people."""
        return condition(self.arm, self.point)

    @property
    def label(self) -> str:
        """Name on the page; with the mode's letter where the arm is tested in several."""
        return self._in_mode(self.condition)

    @property
    def across(self) -> tuple[str, str, str]:
        """Equal for the same series in other scenarios."""
        return self.arm, self.counterpart or self.point, self.mode.name

    @property
    def label_across(self) -> str:
        """Name of the series in all scenarios together."""
        return self._in_mode(condition(self.arm, self.counterpart or self.point))

    def _in_mode(self, name: str) -> str:
        return f"{name} ({self.mode.letter})" if len(self.method.modes) > 1 else name


@dataclass(frozen=True)
class SeriesResult:
    """Performance of a series on one measure.

    planned: runs of this condition the plan asks for, in seed order. per_run: those of them that
    are evidence, with their performance. estimate: of the final performance, None without a run.
    """

    key: SeriesKey
    measure: Measure
    planned: tuple[RunView, ...]
    per_run: tuple[tuple[RunView, Performance], ...]
    estimate: Estimate | None

    @property
    def n_planned(self) -> int:
        """Number of runs the plan asks for."""
        return len(self.planned)

    @property
    def left_out(self) -> list[RunView]:
        """Finished runs that are no evidence."""
        return [run for run in self.planned if run.status == "left out"]

    @property
    def mixed(self) -> list[RunView]:
        """Runs behind the numbers that were continued with other code or elsewhere."""
        return mixed(run for run, _ in self.per_run)

    @property
    def lacking(self) -> list[int]:
        """Planned seeds that the numbers lack."""
        finals = self.finals
        return [run.seed for run in self.planned if run.seed not in finals]

    @property
    def finals(self) -> dict[int, float]:
        """Seed → final performance."""
        return {run.seed: performance.final for run, performance in self.per_run}

    def mean_of(self, name: str) -> float:
        """Mean over runs of a field of Performance ("best", "last")."""
        return float(np.mean([getattr(performance, name) for _, performance in self.per_run]))


@dataclass(frozen=True)
class Aggregate:
    """One series over all scenarios: mean and interquartile mean of per-seed final performance.

    Scenarios weigh the same, whatever their number of seeds. parts: the series, per scenario.
    """

    label: str
    parts: tuple[SeriesResult, ...]
    mean: Estimate
    iqm: Estimate

    @property
    def n_planned(self) -> int:
        """Number of runs the plan asks for, over all scenarios."""
        return sum(part.n_planned for part in self.parts)

    @property
    def incomplete(self) -> list[SeriesResult]:
        """Parts that lack seeds of the plan."""
        return [part for part in self.parts if part.lacking]

    @property
    def mixed(self) -> list[RunView]:
        """Runs behind the numbers that were continued with other code or elsewhere."""
        return [run for part in self.parts for run in part.mixed]


def series_keys(data: ReportData, scenario: str) -> list[SeriesKey]:
    """Every series the plan asks for in a scenario, in plan order; modes as they are declared."""
    return [
        SeriesKey(
            scenario,
            arm,
            point,
            runs[0].counterpart,
            mode,
            runs[0].framework,
            runs[0].backbone,
            runs[0].method,
        )
        for (arm, point), runs in data.conditions.get(scenario, {}).items()
        for mode in runs[0].modes
    ]


def runs_of(data: ReportData, key: SeriesKey) -> tuple[RunView, ...]:
    """The series' planned runs whatever their status, in seed order."""
    return data.conditions.get(key.scenario, {}).get((key.arm, key.point), ())


def evidence_of(data: ReportData, key: SeriesKey) -> list[RunView]:
    """The series' runs that are finished and count as evidence, in seed order."""
    return [run for run in runs_of(data, key) if run.status == "finished"]


def evaluate(data: ReportData, key: SeriesKey, measure: Measure) -> SeriesResult:
    """Final performance of one series with its interval."""
    per_run = [
        (run, summarise(history, run.total_env_steps))
        for run in evidence_of(data, key)
        if (history := measure.history(run, key.mode))
    ]
    estimate = None
    if per_run:
        estimate = mean_interval(
            [performance.final for _, performance in per_run],
            rng=np.random.default_rng(BOOTSTRAP_SEED),
            bounds=measure.bounds(per_run[0][0]),
        )
    return SeriesResult(key, measure, runs_of(data, key), tuple(per_run), estimate)


def evaluate_all(data: ReportData) -> list[SeriesResult]:
    """Every series on every measure of its scenario, in plan order."""
    return [
        evaluate(data, key, measure)
        for scenario in data.scenarios
        for measure in measures(scenario)
        for key in series_keys(data, scenario)
    ]


def win_rates(data: ReportData, results: Iterable[SeriesResult]) -> dict[SeriesKey, SeriesResult]:
    """Every series of scenarios that count wins on its win rate, tabulated or not."""
    found = {result.key: result for result in results if result.measure is WIN_RATE}
    for scenario in filter(counts_wins, data.scenarios):
        for key in series_keys(data, scenario):
            found[key] = found.get(key) or evaluate(data, key, WIN_RATE)
    return found


def aggregate(data: ReportData, results: Iterable[SeriesResult]) -> list[Aggregate]:
    """Series with results in every scenario of the plan; empty with fewer than two scenarios.

    results: win rates.
    """
    if len(data.scenarios) < 2:
        return []
    series: dict[tuple[str, str, str], dict[str, SeriesResult]] = {}
    for result in results:
        if result.per_run:
            series.setdefault(result.key.across, {})[result.key.scenario] = result
    found = []
    for by_scenario in series.values():
        if len(by_scenario) < len(data.scenarios):
            continue
        parts = tuple(by_scenario[scenario] for scenario in data.scenarios)
        mean, iqm = (
            stratified_interval(
                [list(part.finals.values()) for part in parts],
                statistic,
                rng=np.random.default_rng(BOOTSTRAP_SEED),
            )
            for statistic in (plain_mean, interquartile_mean)
        )
        found.append(Aggregate(name_across([part.key for part in parts]), parts, mean, iqm))
    return found


def name_across(keys: Sequence[SeriesKey]) -> str:
    """Name of one series in several scenarios: its label where that is the same in all of them."""
    labels = {key.label for key in keys}
    return labels.pop() if len(labels) == 1 else keys[0].label_across
