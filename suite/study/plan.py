"""The runs a profile of a study expands to, in the order they are trained."""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from suite.algorithms.registry import algorithm_spec, hyperparameters_of, method_of
from suite.algorithms.settings import ArmSettings
from suite.environments import backend_of, describe, short_name
from suite.environments.interface import EnvironmentInfo
from suite.errors import InputError
from suite.runs.hyperparameters import Hyperparameter, Value, point_label
from suite.runs.protocol import TrainingProtocol
from suite.runs.spec import AlgorithmSpec, RunSpec
from suite.study.definition import LARGEST_PLAN, Profile, StudyDefinition
from suite.study.messages import in_one_line, nearest


@dataclass(frozen=True)
class Trial:
    """Scenario × arm × hyperparameter point; its runs differ in their seed only.

    hyperparameters: name → value of what the arm's method declares, in that order.
    """

    scenario: str
    arm: str
    hyperparameters: Mapping[str, Value]
    runs: tuple[RunSpec, ...]

    @property
    def key(self) -> str:
        """16 hex digits; equal exactly when the trial would train the same runs."""
        joined = ",".join(run.run_id for run in self.runs)
        return hashlib.sha256(joined.encode()).hexdigest()[:16]

    @property
    def label(self) -> str:
        """For people: `skirmish/3m cadp_qmix α=0.5 T=70,000`."""
        point = point_label(self.declared, self.hyperparameters)
        return " ".join(part for part in (self.scenario, self.arm, point) if part)

    @property
    def declared(self) -> tuple[Hyperparameter, ...]:
        """The hyperparameters that the arm's method declares."""
        return hyperparameters_of(self.runs[0].algorithm)


@dataclass(frozen=True)
class Plan:
    """One profile of a study, expanded.

    environments: what each scenario of the plan is, by its full name.
    """

    study: StudyDefinition
    profile_name: str
    trials: tuple[Trial, ...]
    environments: dict[str, EnvironmentInfo]

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
        return self._runs(0, self.looks[-1])

    def runs_of_look(self, look: int) -> tuple[RunSpec, ...]:
        """The runs that a look adds, 1 being the first, in the order of `runs`."""
        return self._runs((0, *self.looks)[look - 1], self.looks[look - 1])

    def _runs(self, begin: int, end: int) -> tuple[RunSpec, ...]:
        by_seed = zip(*(trial.runs[begin:end] for trial in self.trials), strict=True)
        return tuple(itertools.chain.from_iterable(by_seed))

    @property
    def arm_of_run(self) -> dict[str, str]:
        """Run id → the name this study gives its arm; other studies may call it otherwise."""
        return {run.run_id: run.arm for run in self.runs}

    @property
    def total_env_steps(self) -> int:
        """Training environment steps of all runs."""
        return sum(run.training.total_env_steps for run in self.runs)

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
    grids = [
        (scenario, arm, grid(profile, scenario, study.arms[arm]))
        for scenario in profile.scenarios
        for arm in profile.arms
    ]
    n_trials = sum(math.prod(len(values) for values in lists.values()) for _, _, lists in grids)
    # Counted before it is built: a few long lists multiply to more runs than memory holds.
    n_seeds = len(profile.all_seeds)
    if n_trials * n_seeds > LARGEST_PLAN:
        what = f"{n_trials:,} trials × {n_seeds:,} seeds are too many runs"
        where, cure = f"study {study.name}: profiles.{name}", f"a plan has at most {LARGEST_PLAN:,}"
        raise InputError(what, where=where, cure=f"{cure}; shorten its lists")
    environments = {scenario: describe(scenario) for scenario in profile.scenarios}
    trials = tuple(
        _trial(
            profile,
            environments[scenario],
            arm,
            study.arms[arm],
            point,
        )
        for scenario, arm, lists in grids
        for point in points(lists)
    )
    return Plan(study=study, profile_name=name, trials=trials, environments=environments)


def grid(profile: Profile, scenario: str, settings: ArmSettings) -> dict[str, tuple[Value, ...]]:
    """Every value of every hyperparameter of one arm on one scenario, by name."""
    table = profile.hyperparameters_for(scenario)
    total = profile.training_for(scenario).total_env_steps
    return {
        one.name: table.values(one, total) or (() if one.published is None else (one.published,))
        for one in hyperparameters_of(settings)
    }


def points(lists: Mapping[str, tuple[Value, ...]]) -> Iterator[dict[str, Value]]:
    """Every combination of one value each."""
    return (dict(zip(lists, one, strict=True)) for one in itertools.product(*lists.values()))


def protocol_for(profile: Profile, scenario: str, settings: ArmSettings) -> TrainingProtocol:
    """The training protocol of an arm on a scenario, everything decided.

    Where the study leaves it open, the time limit is what the backend says, and other settings what
    the arm's method says. Those that the method has no use for have their defaults, so that they
    make no other run.
    """
    method, protocol = method_of(settings), profile.training_for(scenario)
    said = profile.training_said_for(scenario)
    defaults = {"time_limit": backend_of(scenario).time_limit, **method.protocol_defaults()}
    changes = {name: value for name, value in defaults.items() if name not in said}
    for unused in method.protocol_unused():
        changes[unused] = TrainingProtocol.model_fields[unused].default
    return protocol.model_copy(update=changes)


def algorithm_for(scenario: str, settings: ArmSettings) -> AlgorithmSpec:
    """What an arm trains on a scenario, everything decided."""
    own = method_of(settings).on_scenario(settings, short_name(scenario))
    return algorithm_spec(own)


def _trial(
    profile: Profile,
    environment: EnvironmentInfo,
    arm: str,
    settings: ArmSettings,
    point: dict[str, Value],
) -> Trial:
    training = protocol_for(profile, environment.name, settings)
    algorithm = algorithm_for(environment.name, settings)
    runs = tuple(
        RunSpec(
            scenario=environment.name,
            arm=arm,
            algorithm=algorithm,
            training=training,
            hyperparameters=point,
            seed=seed,
            environment_version=environment.backend_version,
        )
        for seed in profile.all_seeds
    )
    return Trial(environment.name, arm, point, runs)
