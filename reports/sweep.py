"""What a search found: the worth of its points over seeds, the best of them, what mattered.

A point's value counts where each of its runs is evidence; it is computed anew from their records.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from reports.data import PointState, PointView, ReportData, RunView, SearchView
from reports.quantities import Quantity, quantities
from reports.series import BOOTSTRAP_SEED
from reports.statistics.importance import Importance, importances
from reports.statistics.intervals import Estimate, mean_interval
from reports.statistics.pareto import front
from suite.runs.hyperparameters import value_text
from suite.study.dimensions import Dimension

STATES: tuple[PointState, ...] = (
    "complete",
    "running",
    "failed",
    "pruned",
    "left out",
    "refused",
)


@dataclass(frozen=True)
class Worth:
    """A quantity over seeds. by_seed: seed → value. estimate: None without a value."""

    quantity: Quantity
    by_seed: Mapping[int, float]
    estimate: Estimate | None

    @property
    def text(self) -> str:
        """Mean and interval."""
        mean = None if self.estimate is None else self.estimate.mean
        text = self.quantity.write(mean)
        has_interval = self.estimate is not None and self.estimate.has_interval
        return f"{text} {self.quantity.interval(self.estimate)}" if has_interval else text


@dataclass(frozen=True)
class Point:
    """One point with what it is worth. worths: one per quantity of its search."""

    view: PointView
    state: PointState
    words: str
    worths: tuple[Worth, ...]
    runs: tuple[RunView, ...]

    def mean(self, place: int = 0) -> float:
        """Of a complete point, the mean of the quantity at this place."""
        estimate = self.worths[place].estimate
        assert estimate is not None
        return estimate.mean


@dataclass(frozen=True)
class Reference:
    """An arm to which no range applies, on the seeds of the search."""

    label: str
    worths: tuple[Worth, ...]


@dataclass(frozen=True)
class SearchResult:
    """A search with its results.

    quantities: its objectives, then what is watched beside them. points: by number. judged: the
    worth of the chosen point on other seeds, one per quantity; empty where arms are not tuned, or
    not yet.
    """

    view: SearchView
    quantities: tuple[Quantity, ...]
    points: tuple[Point, ...]
    references: tuple[Reference, ...]
    judged: tuple[Worth, ...]

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.view.scenario}, {self.view.arm}"

    @property
    def objectives(self) -> tuple[Quantity, ...]:
        """The quantities that the search looks for."""
        return self.quantities[: len(self.view.objectives)]

    @cached_property
    def complete(self) -> tuple[Point, ...]:
        """Points whose worth is known, by number."""
        return tuple(point for point in self.points if point.state == "complete")

    @cached_property
    def ranked(self) -> tuple[Point, ...]:
        """Complete points that train different runs, the best by the first objective first; of
        equals the earliest."""
        once = {point.view.run_ids: point for point in reversed(self.complete)}
        quantity = self.quantities[0]
        return tuple(
            sorted(once.values(), key=lambda p: (-quantity.better(p.mean()), p.view.number))
        )

    @property
    def chosen(self) -> Point | None:
        """The point that was taken to other seeds; None where arms are not tuned, or not yet."""
        return next((one for one in self.points if one.view.number == self.view.chosen), None)

    @property
    def best(self) -> Point | None:
        """The chosen point where it counts; else the best by the first objective."""
        if self.chosen is not None and self.chosen.state == "complete":
            return self.chosen
        return self.ranked[0] if self.ranked else None

    @cached_property
    def front(self) -> tuple[Point, ...]:
        """Complete points that no other beats in all objectives, in the order of the first."""
        scores = [
            [quantity.better(point.mean(i)) for i, quantity in enumerate(self.objectives)]
            for point in self.ranked
        ]
        return tuple(self.ranked[i] for i in front(scores))

    @cached_property
    def importances(self) -> tuple[tuple[Importance, ...], ...]:
        """Of the dimensions for each objective, see `statistics.importance`."""
        own_seed = zlib.crc32(f"{self.view.scenario} {self.view.arm}".encode())
        rng = np.random.default_rng([BOOTSTRAP_SEED, own_seed])
        return tuple(
            importances(
                self.view.dimensions,
                [point.view.parameters for point in self.complete],
                [[quantity.better(v) for v in p.worths[i].by_seed.values()] for p in self.complete],
                rng=rng,
            )
            for i, quantity in enumerate(self.objectives)
        )

    @property
    def typical(self) -> dict[str, Point]:
        """Role → point: the best, the median and the worst by the first objective, as far as there
        are different ones."""
        ranked = self.ranked
        roles = {"best": 0, "worst": len(ranked) - 1, "median": len(ranked) // 2}
        places: dict[int, str] = {}
        for role, place in roles.items():
            if 0 <= place < len(ranked):
                places.setdefault(place, role)
        return {role: ranked[place] for place, role in sorted(places.items())}

    @property
    def counts(self) -> dict[PointState, int]:
        """State → number of points, of states that occur."""
        counts = Counter(point.state for point in self.points)
        return {state: counts[state] for state in STATES if counts[state]}

    @property
    def core_hours(self) -> float:
        """What its finished runs took, each counted once."""
        runs = {run.run_id: run for point in self.points for run in point.runs}
        return sum(run.elapsed_seconds or 0.0 for run in runs.values()) / 3600

    @property
    def numeric(self) -> tuple[Dimension, ...]:
        """Dimensions that are ranges."""
        return tuple(one for one in self.view.dimensions if one.low is not None)

    @property
    def plane(self) -> tuple[Dimension, Dimension] | None:
        """Two ranges to draw a map over: those that matter most by the first objective if that is
        told, else the first two; None where there are not two."""
        ranges = self.numeric
        if len(ranges) < 2:
            return None
        told = [one.dimension for one in self.importances[0] if one.dimension in ranges]
        first, second = (told or ranges)[:2]
        pair = sorted((first, second), key=ranges.index)
        return pair[1], pair[0]


def evaluate_searches(data: ReportData) -> tuple[SearchResult, ...]:
    """Every search of a profile. data: weighed."""
    runs = {run.run_id: run for run in data.runs}
    return tuple(_evaluate(data, search, runs) for search in data.searches)


def _evaluate(data: ReportData, search: SearchView, runs: Mapping[str, RunView]) -> SearchResult:
    own = [run for run in data.runs if (run.scenario, run.arm) == (search.scenario, search.arm)]
    modes = dict.fromkeys(mode.name for run in own for mode in run.modes)
    shown = quantities(search.objectives, search.scenario, list(modes))
    points = tuple(_point(search, view, shown, runs) for view in search.points)
    judged = [runs[run_id] for run_id in search.judged if run_id in runs]
    return SearchResult(
        view=search,
        quantities=shown,
        points=points,
        references=tuple(_references(data, search, shown)),
        judged=_worths(judged, shown) if judged else (),
    )


def _point(
    search: SearchView,
    view: PointView,
    shown: Sequence[Quantity],
    runs: Mapping[str, RunView],
) -> Point:
    own = tuple(runs[run_id] for run_id in view.run_ids if run_id in runs)
    worths, state = _worths(own, shown), view.state
    if state == "complete" and any(len(one.by_seed) < len(search.seeds) for one in worths):
        state = "left out"
    symbols = {one.name: one.symbol for one in search.dimensions}
    words = ", ".join(
        f"{symbols[name]}={value_text(value)}" for name, value in view.parameters.items()
    )
    return Point(view, state, words, worths, own)


def _worths(runs: Sequence[RunView], shown: Sequence[Quantity]) -> tuple[Worth, ...]:
    return tuple(_worth(runs, quantity) for quantity in shown)


def _worth(runs: Sequence[RunView], quantity: Quantity) -> Worth:
    """Over runs that are evidence."""
    values = {run.seed: quantity.of_run(run) for run in runs if run.status == "finished"}
    by_seed = {seed: value for seed, value in sorted(values.items()) if value is not None}
    estimate = None
    if by_seed:
        rng = np.random.default_rng(BOOTSTRAP_SEED)
        estimate = mean_interval(list(by_seed.values()), rng=rng, bounds=quantity.bounds)
    return Worth(quantity, by_seed, estimate)


def _references(
    data: ReportData, search: SearchView, shown: Sequence[Quantity]
) -> Iterable[Reference]:
    """Arms of the scenario that nothing is searched for, where a run of theirs is evidence."""
    searched = {one.arm for one in data.searches if one.scenario == search.scenario}
    for (arm, _), runs in data.conditions.get(search.scenario, {}).items():
        if arm not in searched:
            worths = _worths(runs, shown)
            if any(one.estimate is not None for one in worths):
                yield Reference(runs[0].condition, worths)


def shown_of(data: ReportData, searches: Iterable[SearchResult]) -> ReportData:
    """What ordinary tables and figures show of a profile that searches; others stay as they are.

    Of an arm that is explored the best, the median and the worst point, named so, and no claim; of
    one that is tuned its chosen point alone, on the seeds on which it is judged. While arms are
    still being tuned there is no claim either.
    """
    searches = tuple(searches)
    if not searches:
        return data
    tried = {run_id for one in searches for point in one.points for run_id in point.view.run_ids}
    judged = {run_id for search in searches for run_id in search.view.judged}
    runs = [
        replace(run, point="", counterpart="") if run.run_id in judged else run
        for run in data.runs
        if run.run_id not in tried
    ]
    if data.explores:
        runs += [
            replace(run, point=role, counterpart=role)
            for search in searches
            for role, point in search.typical.items()
            for run in point.runs
        ]
    is_judged = not data.explores and all(one.view.judged for one in searches)
    return replace(data, runs=tuple(runs), claims=data.claims if is_judged else ())
