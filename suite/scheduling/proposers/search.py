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
from suite.scheduling.sampling import Suggestion, distributions, prospect, sampler_notes, suggest
from suite.scheduling.storage import ScheduleStorage
from suite.study.objectives import OBJECTIVES, Histories, Objective
from suite.study.plan import Plan
from suite.study.search import PRUNERS, Search
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
_IN_OPTUNA = {state: name for name, state in _STATE.items()}


@dataclass
class Point:
    """A point of a search. trial: None for one that the arm refuses.

    again_of: the number of the failed point that this one tries again. told: step → value, what the
    pruner has seen of it in this invocation; notes: what the pruner has noted of it. reason: why it
    did not complete.
    """

    number: int
    trial_id: int
    state: State
    trial: Trial | None
    values: tuple[float, ...] = ()
    again_of: int | None = None
    results: dict[str, Result] = field(default_factory=dict)
    told: dict[int, float] = field(default_factory=dict)
    notes: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""

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
        self._pruner = PRUNERS[search.pruner] if search.pruner else None
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

    def next_runs(self, point: Point) -> Sequence[RunSpec]:
        """What is to be trained of a point now: all its seeds, with a pruner one after another."""
        left = [run for run in point.runs if run.run_id not in point.results]
        is_over = point.state != "running"
        return () if is_over else left[:1] if self._pruner else left

    def measure(self, run_id: str, histories: Histories) -> list[Point]:
        """Take in the tests of a run that goes on; returns the points that are given up."""
        if self._pruner is None or not self._pruner.compares_tests:
            return []
        at = self.objectives[0].at
        assert at is not None
        given_up = []
        for point in self.running(run_id):
            first = _n_tests(point) * self._place(point, run_id)
            for step, value in enumerate(at(histories).tolist(), first):
                if self._is_hopeless(point, step, value):
                    given_up.append(point)
                    break
        return given_up

    def tell(self, run_id: str, result: Result) -> list[Point]:
        """Take in how a run ended; returns the points that have ended with it."""
        ended = []
        for point in self.running(run_id):
            point.results[run_id] = result
            are_over = all(run.run_id in point.results for run in point.runs)
            # Where seeds follow one another, those after a failed one are not trained.
            if are_over or (self._pruner is not None and result.state != "finished"):
                self._end(point)
            elif self._pruner is not None and not self._pruner.compares_tests:
                value = result.objectives[self.objectives[0].name]
                self._is_hopeless(point, self._place(point, run_id), value)
            if point.state != "running":
                ended.append(point)
        return ended

    def running(self, run_id: str) -> list[Point]:
        """Points under way that have this run."""
        return [
            point
            for point in self.points
            if point.state == "running" and any(run.run_id == run_id for run in point.runs)
        ]

    def _place(self, point: Point, run_id: str) -> int:
        """Which of a point's seeds a run has, from 0."""
        return [run.run_id for run in point.runs].index(run_id)

    def _is_hopeless(self, point: Point, step: int, value: float) -> bool:
        """Have the pruner see a value, once; a point that it gives up has ended then.

        What is noted comes last: after a BusyError all is done again.
        """
        from optuna.trial import TrialState

        if step in point.told or not math.isfinite(value):
            return False
        assert self._search.pruner is not None
        self._storage.tell_step(point.trial_id, step, value)
        # What the point could see when it was asked, and itself.
        known = self._as_known(max(0, point.number + 1 - self._search.n_parallel))
        known = known[: point.number + 1]
        told = {**point.told, step: value}
        known[-1].state, known[-1].intermediate_values = TrialState.RUNNING, told
        known[-1].system_attrs = {**self._suggested[point.number].notes, **point.notes}
        n_steps = len(point.runs)
        if self._pruner is not None and self._pruner.compares_tests:
            n_steps *= _n_tests(point)
        direction = self.objectives[0].direction
        name = self._search.pruner
        found = prospect(name, n_steps, direction, self._name, known, point.number)
        self._storage.note(point.trial_id, found.notes)
        reason = f"hopeless after step {step + 1} of {n_steps} ({name})"
        if found.is_hopeless:
            self._storage.end(point.trial_id, "PRUNED", reason=reason)
            point.state, point.reason = "pruned", reason
        point.told, point.notes = told, found.notes
        return found.is_hopeless

    @property
    def _may_ask(self) -> bool:
        """The point to be asked sees the results of all but the last few before it."""
        return all(point.state != "running" for point in self._known)

    @property
    def _known(self) -> list[Point]:
        return self.points[: max(0, len(self.points) + 1 - self._search.n_parallel)]

    def _suggestion(self) -> Suggestion:
        return suggest(
            self._search.sampler,
            self._search.seed,
            self.space.dimensions,
            [one.direction for one in self.objectives],
            self._name,
            self._as_known(len(self._known)),
        )

    def _as_known(self, n_known: int) -> list[FrozenTrial]:
        """All points as Optuna has them, of which the first few may be known to have ended."""
        from optuna.trial import TrialState

        trials = self._storage.trials(self._study)
        for trial in trials[n_known:]:
            if trial.state.is_finished():
                trial.state, trial.values = TrialState.RUNNING, None
                trial.datetime_complete = None
            trial.intermediate_values = {}
            trial.system_attrs = dict(self._suggested[trial.number].notes)
        return trials

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
        results = list(point.results.values())
        reason = next((one.reason for one in results if one.state != "finished"), "")
        values: tuple[float, ...] = ()
        if not reason:
            values = tuple(
                math.fsum(result.objectives[one.name] for result in results) / len(results)
                for one in self.objectives
            )
            if not all(map(math.isfinite, values)):
                values, reason = (), "its tests gave no value"
        state: State = "complete" if values else "failed"
        if any(result.state == "pruned" for result in results):
            state = "pruned"  # with another point that has the same runs
        self._storage.end(point.trial_id, _IN_OPTUNA[state], values=values or None, reason=reason)
        point.state, point.values, point.reason = state, values, reason

    def _stored(self, trial: FrozenTrial) -> Point:
        """A point that was asked before."""
        self._suggested[trial.number] = Suggestion(trial.params, sampler_notes(trial))
        made = None
        if layout.POINT_RUNS in trial.user_attrs:
            made = self.space.trial(trial.params, self.space.seeds)
        state = "refused" if made is None else _STATE[trial.state.name]
        values = tuple(trial.values or ())
        again_of = trial.user_attrs.get(_AGAIN_OF)
        trial_id = self._storage.trial_id(self._study, trial.number)
        return Point(trial.number, trial_id, state, made, values, again_of)

    @property
    def _attributes(self) -> dict[str, Any]:
        """What is said of the search where Optuna is looked at."""
        space, search = self.space, self._search
        return {
            layout.SEARCH_KEY: space.key,
            "scenario": space.scenario,
            "arm": space.arm,
            "seeds": list(space.seeds),
            "ranges": [one.text for one in space.dimensions],
            **search.model_dump(mode="json", exclude={"ranges", "seeds"}),
            layout.SEARCH_OF: self._schedule,  # last: readers look for it, and find all the rest
        }


def _n_tests(point: Point) -> int:
    """More tests than a run has: one after the first episode, one per interval, one at the end."""
    training = point.runs[0].training
    return 3 + training.total_env_steps // training.test_interval_env_steps


class SearchProposer:
    """All searches of a plan side by side, and the arms that nothing is searched for."""

    weighs_results = True

    def __init__(self, plan: Plan) -> None:
        search = plan.profile.search
        assert search is not None
        self.watches_tests = search.pruner is not None
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
                self._waiting.extend(search.next_runs(point))

    def ask(self) -> Sequence[RunSpec]:
        asked = True
        while asked:  # one of each in turn: the first complete comparison comes early
            asked = False
            for search in self.searches:
                point = search.ask()
                if point is not None:
                    asked = True
                    self._waiting.extend(search.next_runs(point))
                    for run in point.runs:
                        if run.run_id in self._results:  # an earlier point's as well
                            self.tell(run.run_id, self._results[run.run_id])
        once = {run.run_id: run for run in self._waiting if run.run_id not in self._asked}
        self._waiting = []
        self._asked.update(once)
        return list(once.values())

    def measure(self, run_id: str, histories: Histories) -> str:
        reason = ""
        for search in self.searches:
            for point in search.measure(run_id, histories):
                reason = point.reason
                self._lines.append(_told(search, point))
        is_wanted = any(search.running(run_id) for search in self.searches)
        return "" if is_wanted else reason

    def tell(self, run_id: str, result: Result) -> None:
        self._results[run_id] = result
        for search in self.searches:
            points = search.running(run_id)
            self._lines.extend(_told(search, point) for point in search.tell(run_id, result))
            for point in points:
                self._waiting.extend(search.next_runs(point))

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
    elif point.reason:
        text += f", {point.reason}"
    text += f" (point {n_ended} of {search.space.n_trials})"
    best = search.best
    if best is not None and best is not point and best.trial is not None:
        text += f"; best so far {_worth(search, best)} at {run_point(best.trial.runs[0])}"
    return text


def _worth(search: SpaceSearch, point: Point) -> str:
    pairs = zip(search.objectives, point.values, strict=True)
    return ", ".join(f"{one.title} {value:.3f}" for one, value in pairs)
