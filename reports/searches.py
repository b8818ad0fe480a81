"""Fills the reports' view of searches from a plan and the points that were stored."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from reports.data import PointState, PointView, SearchView
from suite.records import layout
from suite.records.proposals import stored_searches
from suite.records.schedule import SearchPoint, StoredSearch
from suite.study.objectives import OBJECTIVES
from suite.study.plan import Plan
from suite.study.search import Search
from suite.study.spaces import SearchSpace
from suite.study.trial import Trial


def search_views(plan: Plan, stored: Mapping[str, StoredSearch]) -> tuple[SearchView, ...]:
    """Every search of the plan, in its order. stored: by `SearchSpace.key`, of those begun."""
    search = plan.profile.search
    if search is None:
        return ()
    return tuple(_view(plan, search, space, stored.get(space.key)) for space in plan.searches)


def stored_in(plan: Plan, places: Iterable[Path]) -> dict[str, StoredSearch]:
    """`SearchSpace.key` → what is stored of each search; where several places have it, that which
    has got furthest: the same search asks for the same points wherever it goes on."""
    found: dict[str, StoredSearch] = {}
    for place in places:
        for key, one in stored_searches(plan, place).items():
            found[key] = max(found.get(key, one), one, key=_progress)
    return found


def _progress(stored: StoredSearch) -> tuple[bool, int, int]:
    n_ended = sum(point.state not in ("waiting", "running") for point in stored.points)
    return layout.CHOSEN in stored.attributes, len(stored.points), n_ended


def is_tuning(plan: Plan, trial: Trial) -> bool:
    """Whether a trial only serves to choose the point that is then judged on other seeds."""
    search = plan.profile.search
    return search is not None and not plan.profile.is_exploratory and trial.seeds == search.seeds


def _view(
    plan: Plan, search: Search, space: SearchSpace, stored: StoredSearch | None
) -> SearchView:
    tuned = plan.tuned(space)
    chosen = None if stored is None else stored.attributes.get(layout.CHOSEN)
    return SearchView(
        scenario=space.scenario,
        arm=space.arm,
        sampler=search.sampler,
        sampler_seed=search.seed,
        pruner=search.pruner,
        n_trials=space.n_trials,
        seeds=space.seeds,
        objectives=tuple(OBJECTIVES[name] for name in search.objectives),
        dimensions=space.dimensions,
        points=() if stored is None else tuple(_points(space, stored)),
        chosen=None if chosen is None else int(chosen),
        judged=() if tuned is None else tuple(run.run_id for run in tuned.runs),
    )


def _points(space: SearchSpace, stored: StoredSearch) -> Iterator[PointView]:
    for point in stored.points:
        written = {one.name: one.written(point.parameters[one.name]) for one in space.dimensions}
        parameters = written
        if point.run_ids:
            parameters = dict(space.trial(point.parameters, space.seeds).searched)
        yield PointView(
            number=point.number,
            state=_state(point),
            parameters=parameters,
            run_ids=point.run_ids,
            reason=point.reason or "",
        )


def _state(point: SearchPoint) -> PointState:
    if point.state == "waiting":
        return "running"
    return "refused" if not point.run_ids else point.state
