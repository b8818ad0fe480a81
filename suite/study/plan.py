"""The runs a profile of a study expands to, in the order they are trained."""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import dataclass

from suite.algorithms.settings import PUBLISHED_ALPHA, AlgorithmSettings
from suite.environments import describe
from suite.environments.interface import EnvironmentInfo
from suite.errors import InputError
from suite.runs.spec import RunSpec
from suite.study.definition import LARGEST_PLAN, Profile, StudyDefinition
from suite.study.messages import in_one_line, nearest


@dataclass(frozen=True)
class Trial:
    """Scenario × arm × hyperparameter point; its runs differ in their seed only.

    alpha and pruning_start_env_steps are None for arms that do not prune.
    """

    scenario: str
    arm: str
    alpha: float | None
    pruning_start_env_steps: int | None
    runs: tuple[RunSpec, ...]

    @property
    def key(self) -> str:
        """16 hex digits; equal exactly when the trial would train the same runs."""
        joined = ",".join(run.run_id for run in self.runs)
        return hashlib.sha256(joined.encode()).hexdigest()[:16]

    @property
    def label(self) -> str:
        """For people: `skirmish/3m cadp_qmix α=0.5 T=70,000`."""
        parts = [self.scenario, self.arm]
        if self.alpha is not None:
            parts.append(f"α={self.alpha:.15g}")
        if self.pruning_start_env_steps is not None:
            parts.append(f"T={self.pruning_start_env_steps:,}")
        return " ".join(parts)


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
    def runs(self) -> tuple[RunSpec, ...]:
        """Every run; the first seed of every trial first, so that partial results compare early."""
        by_seed = zip(*(trial.runs for trial in self.trials), strict=True)
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
        (scenario, arm, *_grid(profile, scenario, study.arms[arm]))
        for scenario in profile.scenarios
        for arm in profile.arms
    ]
    n_trials = sum(len(alphas) * len(starts) for _, _, alphas, starts in grids)
    # Counted before it is built: a few long lists multiply to more runs than memory holds.
    if n_trials * len(profile.seeds) > LARGEST_PLAN:
        what = f"{n_trials:,} trials × {len(profile.seeds):,} seeds are too many runs"
        where, cure = f"study {study.name}: profiles.{name}", f"a plan has at most {LARGEST_PLAN:,}"
        raise InputError(what, where=where, cure=f"{cure}; shorten its lists")
    environments = {scenario: describe(scenario) for scenario in profile.scenarios}
    trials = tuple(
        _trial(profile, environments[scenario], arm, study.arms[arm], alpha, start)
        for scenario, arm, alphas, starts in grids
        for alpha, start in itertools.product(alphas, starts)
    )
    return Plan(study=study, profile_name=name, trials=trials, environments=environments)


def _grid(
    profile: Profile, scenario: str, algorithm: AlgorithmSettings
) -> tuple[tuple[float | None, ...], tuple[int | None, ...]]:
    """Every α and every T of one arm on one scenario; one of each, None, for plain arms."""
    if algorithm.framework != "cadp":
        return (None,), (None,)
    values = profile.hyperparameters_for(scenario)
    starts = values.pruning_starts(profile.training_for(scenario).total_env_steps)
    return values.alpha or (PUBLISHED_ALPHA[algorithm.backbone],), starts or ()


def _trial(
    profile: Profile,
    environment: EnvironmentInfo,
    arm: str,
    algorithm: AlgorithmSettings,
    alpha: float | None,
    pruning_start_env_steps: int | None,
) -> Trial:
    training = profile.training_for(environment.name)
    runs = tuple(
        RunSpec(
            scenario=environment.name,
            arm=arm,
            algorithm=algorithm,
            training=training,
            alpha=alpha,
            pruning_start_env_steps=pruning_start_env_steps,
            seed=seed,
            environment_version=environment.backend_version,
        )
        for seed in profile.seeds
    )
    return Trial(environment.name, arm, alpha, pruning_start_env_steps, runs)
