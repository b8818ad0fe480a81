"""A trial, and how an arm at a point becomes one: everything decided."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from suite.algorithms.registry import algorithm_spec, hyperparameters_of, method_of, run_point
from suite.algorithms.settings import ArmSettings
from suite.environments import backend_of, short_name
from suite.environments.interface import EnvironmentInfo
from suite.runs.hyperparameters import Hyperparameter, Value
from suite.runs.protocol import TrainingProtocol
from suite.runs.spec import AlgorithmSpec, RunSpec, Scalar
from suite.study.definition import Profile


@dataclass(frozen=True)
class Trial:
    """Scenario × arm × point; its runs differ in their seed only.

    hyperparameters: name → value of what the arm's method declares, in that order. searched: of a
    trial of a search, dimension → value, for those that have an effect at this point; some of them
    are hyperparameters, all others settings.
    """

    scenario: str
    arm: str
    hyperparameters: Mapping[str, Value]
    runs: tuple[RunSpec, ...]
    searched: Mapping[str, Scalar] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """16 hex digits; equal exactly when the trial would train the same runs."""
        joined = ",".join(run.run_id for run in self.runs)
        return hashlib.sha256(joined.encode()).hexdigest()[:16]

    @property
    def label(self) -> str:
        """For people: `skirmish/3m cadp_qmix α=0.5 T=70,000 learning_rate=0.001`."""
        return " ".join(part for part in (self.scenario, self.arm, run_point(self.runs[0])) if part)

    @property
    def declared(self) -> tuple[Hyperparameter, ...]:
        """The hyperparameters that the arm's method declares."""
        return hyperparameters_of(self.runs[0].algorithm)

    @property
    def settings(self) -> dict[str, Scalar]:
        """The settings of its arm that a search chose: name → value."""
        names = self.runs[0].searched
        return {name: value for name, value in self.searched.items() if name in names}

    @property
    def seeds(self) -> tuple[int, ...]:
        """Those of its runs, in order."""
        return tuple(run.seed for run in self.runs)


def trial_at(
    profile: Profile,
    environment: EnvironmentInfo,
    arm: str,
    settings: ArmSettings,
    point: Mapping[str, Value],
    seeds: Sequence[int],
    searched: Mapping[str, Scalar] | None = None,
) -> Trial:
    """The trial of an arm with these settings at a point of its hyperparameters."""
    training = protocol_for(profile, environment.name, settings)
    algorithm = algorithm_for(environment.name, settings)
    searched = searched or {}
    runs = tuple(
        RunSpec(
            scenario=environment.name,
            arm=arm,
            algorithm=algorithm,
            training=training,
            hyperparameters=dict(point),
            seed=seed,
            environment_version=environment.backend_version,
            searched=tuple(name for name in searched if name in type(settings).model_fields),
        )
        for seed in seeds
    )
    return Trial(environment.name, arm, point, runs, searched)


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
