"""Points that Optuna suggests: one search per scenario × arm, each an Optuna study of its own.

A point's runs are its seeds; when all have ended, the search is told their mean. What a search is
asked follows from its seed and its results alone (`suite.scheduling.sampling`), so a killed one
goes on as if nothing had happened: the points are in the database, and how their runs ended is in
the records.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from suite.algorithms.registry import run_point
from suite.errors import InputError
from suite.records import layout
from suite.runs.spec import RunSpec
from suite.scheduling.proposers.proposer import Result
from suite.scheduling.sampling import Suggestion, distributions, suggest
from suite.scheduling.storage import ScheduleStorage
from suite.study.objectives import OBJECTIVES, Objective
from suite.study.plan import Plan
from suite.study.search import Search
from suite.study.spaces import SearchSpace
from suite.study.trial import Trial

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

_AGAIN_OF = "cadp.again_of"
# A search whose points the arm refuses is told to be empty after this many per point it wants.
_MOST_REFUSED = 20

State = Literal["running", "complete", "failed", "pruned", "refused"]
_STATE: Mapping[str, State] = {
    "RUNNING": "running",
    "COMPLETE": "complete",
    "FAIL": "failed",
    "PRUNED": "pruned",
}


@dataclass
class Point:
    """A point of a search. trial: None for one that the arm refuses.

    again_of: the number of the failed point that this one tries again.
    """

    number: int
    trial_id: int
    state: State
    trial: Trial | None
    values: tuple[float, ...] = ()
    again_of: int | None = None
    results: dict[str, Result] = field(default_factory=dict)

    @property
    def runs(self) -> tuple[RunSpec, ...]:
        return () if self.trial is None else self.trial.runs


class SpaceSearch:
    """One search: its points, what is asked next, and how it stands."""

    def __init__(self, schedule: str, space: SearchSpace, search: Search) -> None:
        self.space = space
        self.objectives: tuple[Objective, ...] = tuple(OBJECTIVES[n] for n in search.objectives)
        self.points: list[Point] = []
        self._search = search
        self._name = layout.search_name(schedule, space.scenario, space.arm)
        self._schedule = schedule
        self._suggested: dict[int, Suggestion] = {}
        self._study: int
        self._storage: ScheduleStorage

    @property
    def is_over(self) -> bool:
        """Whether all its points have ended."""
        return self.n_left == 0 and all(point.state != "running" for point in self.points)

    @property
    def n_left(self) -> int:
        """Points that are still to be asked."""
        return max(0, self.space.n_trials - self._n_asked)

    @property
    def _n_asked(self) -> int:
        again = {point.again_of for point in self.points}
        return sum(p.state != "refused" and p.number not in again for p in self.points)

    @property
    def best(self) -> Point | None:
        """The complete point that is best by the first objective; of equals the earliest."""
        complete = [point for point in self.points if point.state == "complete"]
        sign = 1 if self.objectives[0].direction == "maximize" else -1
        return max(complete, key=lambda point: sign * point.values[0], default=None)

    def parameters(self, point: Point) -> Mapping[str, Any]:
        """The values that were sampled."""
        return self._suggested[point.number].parameters

    def open(self, storage: ScheduleStorage) -> None:
        """Find what was asked before; failed points are asked again."""
        from optuna.study import StudyDirection

        self._storage = storage
        directions = [StudyDirection[one.direction.upper()] for one in self.objectives]
        name, n = self._name, 1
        key = self.space.key
        while (known := storage.attributes(name)) and known.get(layout.SEARCH_KEY) != key:
            n += 1  # the study file has changed: another search
            name = f"{self._name} #{n}"
        self._name = name
        self._study = storage.study_id(name, directions, self._attributes)
        storage.name_metrics(self._study, [one.title for one in self.objectives])
        self.points = [self._stored(trial) for trial in storage.trials(self._study)]
        tried_again = {point.again_of for point in self.points}
        for point in list(self.points):
            if point.state == "failed" and point.number not in tried_again and point.trial:
                self._add(self._suggested[point.number], again_of=point.number)

    def ask(self) -> Point | None:
        """The next point, if one may be asked now."""
        n_refused = sum(point.state == "refused" for point in self.points)
        while self.n_left and self._may_ask:
            if n_refused >= _MOST_REFUSED * self.space.n_trials:
                what = f"{n_refused} points were tried that the arm refuses"
                cure = "narrow the ranges to what it can be"
                raise InputError(what, where=f"search of {self.space.label}", cure=cure)
            point = self._add(self._suggestion())
            if point.state == "running":
                return point
            n_refused += 1
        return None

    def choose(self) -> Point:
        """The best point, for good; its number is kept.

        Raises InputError if no point has finished.
        """
        best = self.best
        if best is None:
            where, cure = f"search of {self.space.label}", "mend what failed, then start it again"
            raise InputError("no point has finished", where=where, cure=cure)
        with self._storage.boundary():
            self._storage.optuna.set_study_user_attr(self._study, layout.CHOSEN, best.number)
        return best

    def tell(self, run_id: str, result: Result) -> list[Point]:
        """Take in how a run ended; returns the points that have ended with it."""
        ended = []
        for point in self.points:
            if point.state == "running" and run_id in {run.run_id for run in point.runs}:
                point.results[run_id] = result
                if all(run.run_id in point.results for run in point.runs):
                    self._end(point)
                    ended.append(point)
        return ended

    @property
    def _may_ask(self) -> bool:
        """The point to be asked sees the results of all but the last few before it."""
        return all(point.state != "running" for point in self._known)

    @property
    def _known(self) -> list[Point]:
        return self.points[: max(0, len(self.points) + 1 - self._search.n_parallel)]

    def _suggestion(self) -> Suggestion:
        from optuna.trial import TrialState

        n_known, seen = len(self._known), []
        for trial in self._storage.trials(self._study):
            if trial.number >= n_known and trial.state.is_finished():
                trial.state, trial.values = TrialState.RUNNING, None
                trial.datetime_complete, trial.intermediate_values = None, {}
            seen.append(trial)
        return suggest(
            self._search.sampler,
            self._search.seed,
            self.space.dimensions,
            [one.direction for one in self.objectives],
            self._name,
            seen,
        )

    def _add(self, suggestion: Suggestion, again_of: int | None = None) -> Point:
        """Keep a point, in one transaction: it is never seen without its runs."""
        from optuna.trial import TrialState, create_trial

        attributes: dict[str, Any] = {} if again_of is None else {_AGAIN_OF: again_of}
        trial = None
        try:
            trial = self.space.trial(suggestion.parameters, self.space.seeds)
            attributes[layout.POINT_RUNS] = [run.run_id for run in trial.runs]
        except InputError as refusal:
            attributes[layout.REASON] = str(refusal)
        stored = create_trial(
            state=TrialState.FAIL if trial is None else TrialState.RUNNING,
            params=dict(suggestion.parameters),
            distributions=distributions(self.space.dimensions),
            user_attrs=attributes,
            system_attrs=dict(suggestion.notes),
        )
        trial_id = self._storage.add(self._study, stored)
        state: State = "refused" if trial is None else "running"
        point = Point(len(self.points), trial_id, state, trial, again_of=again_of)
        self._suggested[point.number] = suggestion
        self.points.append(point)
        return point

    def _end(self, point: Point) -> None:
        """Tell Optuna a point's values: means over its seeds."""
        results = [point.results[run.run_id] for run in point.runs]
        reason = next((one.reason for one in results if one.state != "finished"), "")
        values: tuple[float, ...] = ()
        if not reason:
            values = tuple(
                math.fsum(result.objectives[one.name] for result in results) / len(results)
                for one in self.objectives
            )
            if not all(map(math.isfinite, values)):
                values, reason = (), "its tests gave no value"
        if values:
            self._storage.end(point.trial_id, "COMPLETE", values=values)
        else:
            self._storage.end(point.trial_id, "FAIL", reason=reason)
        point.state, point.values = "complete" if values else "failed", values

    def _stored(self, trial: FrozenTrial) -> Point:
        """A point that was asked before."""
        self._suggested[trial.number] = Suggestion(trial.params, trial.system_attrs)
        made = None
        if layout.POINT_RUNS in trial.user_attrs:
            made = self.space.trial(trial.params, self.space.seeds)
        state = "refused" if made is None else _STATE[trial.state.name]
        values = tuple(trial.values or ())
        again_of = trial.user_attrs.get(_AGAIN_OF)
        return Point(trial.number, trial._trial_id, state, made, values, again_of)

    @property
    def _attributes(self) -> dict[str, Any]:
        """What is said of the search where Optuna is looked at."""
        space, search = self.space, self._search
        return {
            layout.SEARCH_OF: self._schedule,
            layout.SEARCH_KEY: space.key,
            "scenario": space.scenario,
            "arm": space.arm,
            "seeds": list(space.seeds),
            "ranges": [one.text for one in space.dimensions],
            **search.model_dump(mode="json", exclude={"ranges", "seeds"}),
        }


class SearchProposer:
    """All searches of a plan side by side, and the arms that nothing is searched for."""

    weighs_results = True

    def __init__(self, plan: Plan) -> None:
        search = plan.profile.search
        assert search is not None
        schedule = layout.schedule_name(plan.study.name, plan.profile_name)
        self.searches = [SpaceSearch(schedule, space, search) for space in plan.searches]
        proposed = {trial.key for space in plan.searches for trial in plan.proposed(space)}
        fixed = (trial for trial in plan.trials if trial.key not in proposed)
        self._waiting = [run for trial in fixed for run in trial.runs]
        self._asked: set[str] = set()
        self._results: dict[str, Result] = {}
        self._lines: list[str] = []

    @property
    def is_over(self) -> bool:
        return not self._waiting and all(search.is_over for search in self.searches)

    @property
    def to_come(self) -> int:
        n_runs = sum(search.n_left * len(search.space.seeds) for search in self.searches)
        return len(self._waiting) + n_runs

    def open(self, storage: ScheduleStorage) -> None:
        for search in self.searches:
            search.open(storage)
            for point in search.points:
                if point.state == "running":
                    self._waiting.extend(point.runs)

    def ask(self) -> Sequence[RunSpec]:
        runs, self._waiting = self._waiting, []
        asked = True
        while asked:  # one of each in turn: the first complete comparison comes early
            asked = False
            for search in self.searches:
                point = search.ask()
                if point is not None:
                    asked = True
                    runs.extend(point.runs)
                    for run in point.runs:
                        if run.run_id in self._results:  # an earlier point's as well
                            self.tell(run.run_id, self._results[run.run_id])
        once = {run.run_id: run for run in runs if run.run_id not in self._asked}
        self._asked.update(once)
        return list(once.values())

    def tell(self, run_id: str, result: Result) -> None:
        self._results[run_id] = result
        for search in self.searches:
            self._lines.extend(_told(search, point) for point in search.tell(run_id, result))

    def notices(self) -> Sequence[str]:
        lines, self._lines = self._lines, []
        return lines


def _told(search: SpaceSearch, point: Point) -> str:
    """A line about a point that has ended."""
    assert point.trial is not None
    n_ended = sum(one.state in ("complete", "failed", "pruned") for one in search.points)
    text = f"{point.trial.label}: {point.state}"
    if point.state == "complete":
        text += f", {_worth(search, point)}"
    text += f" (point {n_ended} of {search.space.n_trials})"
    best = search.best
    if best is not None and best is not point and best.trial is not None:
        text += f"; best so far {_worth(search, best)} at {run_point(best.trial.runs[0])}"
    return text


def _worth(search: SpaceSearch, point: Point) -> str:
    pairs = zip(search.objectives, point.values, strict=True)
    return ", ".join(f"{one.title} {value:.3f}" for one, value in pairs)
