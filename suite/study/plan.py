"""The runs a profile of a study expands to, in the order they are trained."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from suite.environments import describe
from suite.environments.interface import EnvironmentInfo
from suite.errors import InputError
from suite.runs.spec import RunSpec
from suite.study.definition import Profile, StudyDefinition
from suite.study.messages import in_one_line, nearest
from suite.study.spaces import SearchSpace, search_space
from suite.study.table import LARGEST_PLAN
from suite.study.trial import Trial, grid, points, trial_at


@dataclass(frozen=True)
class Plan:
    """One profile of a study, expanded.

    trials: those that are certain; of a profile that searches also those proposed so far
    (`with_trials`). environments: what each scenario of the plan is, by its full name. searches:
    one per scenario × arm that is searched.
    """

    study: StudyDefinition
    profile_name: str
    trials: tuple[Trial, ...]
    environments: dict[str, EnvironmentInfo]
    searches: tuple[SearchSpace, ...] = ()

    @property
    def profile(self) -> Profile:
        """The profile that was expanded."""
        return self.study.profiles[self.profile_name]

    @property
    def looks(self) -> tuple[int, ...]:
        """Number of seeds at each look, ascending; one look where seeds are a list."""
        return tuple(map(len, self.profile.looks))

    @property
    def runs(self) -> tuple[RunSpec, ...]:
        """Every run; the first seed of every trial first, so that partial results compare early.

        Where seeds are added look by look: every run that there may be.
        """
        return _by_seed(self.trials)

    def runs_of_look(self, look: int) -> tuple[RunSpec, ...]:
        """The runs that a look adds, 1 being the first, in the order of `runs`."""
        begin, end = (0, *self.looks)[look - 1], self.looks[look - 1]
        return _by_seed([replace(one, runs=one.runs[begin:end]) for one in self.judged])

    @property
    def judged(self) -> tuple[Trial, ...]:
        """The trials whose runs claims are judged on: those on the profile's own seeds."""
        seeds = self.profile.all_seeds
        return tuple(one for one in self.trials if one.seeds == seeds)

    def with_trials(self, trials: Iterable[Trial]) -> Plan:
        """The plan with trials that were proposed; those it has already are not added again."""
        joined = {trial.key: trial for trial in (*self.trials, *trials)}
        return replace(self, trials=tuple(joined.values()))

    def proposed(self, space: SearchSpace) -> tuple[Trial, ...]:
        """The trials of the plan that a search has proposed."""
        return tuple(one for one in self.trials if _is_of(one, space) and one.seeds == space.seeds)

    def tuned(self, space: SearchSpace) -> Trial | None:
        """The trial in which the best point of a search is judged; None while it is not known."""
        return next((one for one in self.judged if _is_of(one, space)), None)

    @property
    def to_come(self) -> tuple[tuple[RunSpec, int], ...]:
        """What is not proposed yet: per search a run at a typical point, and how many such."""
        found = []
        for space in self.searches:
            n_runs = max(0, space.n_trials - len(self.proposed(space))) * len(space.seeds)
            n_runs += 0 if self.tuned(space) else len(self.profile.all_seeds)
            if n_runs:
                found.append((space.trial(space.typical, space.seeds).runs[0], n_runs))
        return tuple(found)

    @property
    def foreseen(self) -> tuple[tuple[RunSpec, int], ...]:
        """Every run with how many such there will be: those to come are typical ones."""
        return (*((run, 1) for run in self.runs), *self.to_come)

    @property
    def n_runs(self) -> int:
        """Runs, those to come among them."""
        return sum(n for _, n in self.foreseen)

    @property
    def arm_of_run(self) -> dict[str, str]:
        """Run id → the name this study gives its arm; other studies may call it otherwise."""
        return {run.run_id: run.arm for run in self.runs}

    @property
    def total_env_steps(self) -> int:
        """Training environment steps of all runs, those to come among them."""
        return sum(n * run.training.total_env_steps for run, n in self.foreseen)

    @property
    def backends(self) -> tuple[str, ...]:
        """Names of the environment backends, in order of first use."""
        return tuple(dict.fromkeys(info.backend for info in self.environments.values()))

    @property
    def deviations(self) -> tuple[str, ...]:
        """What the profile does otherwise than its subject: by its backends, then by itself."""
        said = self.study.backend_deviations
        return (*(said[name] for name in self.backends if name in said), *self.profile.deviations)


def expand(study: StudyDefinition, profile_name: str | None = None) -> Plan:
    """The plan of a profile (the study's default when None); the same input gives the same order.

    Raises
    ------
    InputError: the study has no such profile, or it has more than `LARGEST_PLAN` runs.
    """
    return in_one_line(lambda: _expanded(study, profile_name), f"study {study.name}")


def _expanded(study: StudyDefinition, profile_name: str | None) -> Plan:
    name = study.default_profile if profile_name is None else profile_name
    if name not in study.profiles:
        cure = nearest(name, study.profiles, noun="profiles")
        raise InputError("unknown profile", where=f"study {study.name}", value=name, cure=cure)
    profile = study.profiles[name]
    environments = {scenario: describe(scenario) for scenario in profile.scenarios}
    seeds, searches, grids = profile.all_seeds, [], []
    for scenario, arm in itertools.product(profile.scenarios, profile.arms):
        settings, space = study.arms[arm], None
        if profile.search is not None:
            seeds = profile.search.seeds
            environment = environments[scenario]
            space = search_space(profile, profile.search, environment, arm, settings)
        if space is None:
            grids.append((scenario, arm, grid(profile, scenario, settings)))
        else:
            searches.append(space)
    n_trials = sum(math.prod(len(values) for values in lists.values()) for _, _, lists in grids)
    n_runs = n_trials * len(seeds)
    n_runs += sum(one.n_trials * len(one.seeds) + len(profile.all_seeds) for one in searches)
    # Counted before it is built: a few long lists multiply to more runs than memory holds.
    if n_runs > LARGEST_PLAN:
        n_trials += sum(one.n_trials for one in searches)
        what = f"{n_trials:,} trials × {len(seeds):,} seeds are too many runs"
        where, cure = f"study {study.name}: profiles.{name}", f"a plan has at most {LARGEST_PLAN:,}"
        raise InputError(what, where=where, cure=f"{cure}; shorten its lists")
    trials = tuple(
        trial_at(profile, environments[scenario], arm, study.arms[arm], point, seeds)
        for scenario, arm, lists in grids
        for point in points(lists)
    )
    return Plan(study, name, trials, environments, tuple(searches))


def _by_seed(trials: Iterable[Trial]) -> tuple[RunSpec, ...]:
    by_seed = itertools.zip_longest(*(trial.runs for trial in trials))
    return tuple(run for runs in by_seed for run in runs if run is not None)


def _is_of(trial: Trial, space: SearchSpace) -> bool:
    is_there = (trial.scenario, trial.arm) == (space.scenario, space.arm)
    return is_there and bool(trial.searched)
