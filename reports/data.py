"""The reports' own view of a study and its runs.

Statistics, figures and the page know these classes only, so that a report can be built from any
source that fills them: the record store (`reports.load`), or a test.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from suite.algorithms.declaration import TrainingMetric
from suite.runs.modes import ExecutionMode
from suite.runs.spec import Scalar
from suite.study.dimensions import Dimension
from suite.study.objectives import Objective

RunStatus = Literal["finished", "left out", "failed", "pruned", "unfinished", "missing"]
ClaimKind = Literal["greater", "equivalent"]
PointState = Literal["complete", "left out", "failed", "pruned", "refused", "running"]


@dataclass(frozen=True)
class History:
    """One metric of one run.

    steps: (points,) float64, training environment steps, ascending.
    values: (points,) float64.
    """

    steps: NDArray[np.float64]
    values: NDArray[np.float64]


def condition(arm: str, point: str) -> str:
    """Name of what replicates over seeds: `cadp_qmix [α=0.5]`."""
    return f"{arm} [{point}]" if point else arm


@dataclass(frozen=True)
class MethodView:
    """What the method of an arm declares of itself, as far as a report asks.

    title, backbone_title: for people. modes: ways in which its models act, that of training first.
    published_as: the name of its lines in the paper's figures. metrics: that it records in training
    beside what the training loop does.
    """

    title: str
    backbone_title: str
    modes: tuple[ExecutionMode, ...]
    published_as: str | None = None
    metrics: tuple[TrainingMetric, ...] = ()


@dataclass(frozen=True)
class Moment:
    """A training step that a hyperparameter of a run names. symbol, meaning: of it, for people."""

    symbol: str
    meaning: str
    step: int


@dataclass(frozen=True)
class Doubt:
    """Why a finished run is no evidence. kind: in a few words; detail: what was found, a clause."""

    kind: str
    detail: str


@dataclass(frozen=True)
class RunView:
    """One planned run and what is known about it.

    point: the hyperparameter point as words, "" where its arm has only one in this scenario. No two
    points of an arm and scenario have the same words.
    counterpart: the same, for finding the point in other scenarios: T as a fraction of training
    where the study states it so; "" where the arm has only one point in each scenario.
    moments: in the order in which the method declares them.
    episodes_per_collection, updates_per_collection: see `TrainingProtocol`.
    status: "left out" once `reports.evidence` has found a finished run to be no evidence.
    sources: where its record was read, each runs directory and pack that has it.
    elsewhere: (place, status) of records of it that do not count beside that one.
    doubts: why it is left out.
    episode_limit: most steps of an episode; None where not known.
    return_bounds: possible range of an episode's return.
    parameters: every setting of the run, flattened to dotted names.
    sittings: the provenance of every sitting that trained the run, in order.
    failure: the traceback of a failed run.
    started, ended: UTC, ISO 8601 to the second; "" where not recorded.
    is_tuning: whether it only served to choose the point at which its arm is then judged.
    """

    run_id: str
    scenario: str
    arm: str
    point: str
    seed: int
    status: RunStatus
    framework: str
    backbone: str
    method: MethodView
    total_env_steps: int
    test_interval_env_steps: int
    n_test_episodes: int
    counterpart: str = ""
    moments: tuple[Moment, ...] = ()
    episodes_per_collection: int = 1
    updates_per_collection: int = 1
    episode_limit: int | None = None
    return_bounds: tuple[float, float] = (-np.inf, np.inf)
    parameters: Mapping[str, str] = field(default_factory=dict)
    sittings: tuple[Mapping[str, str], ...] = ()
    histories: Mapping[str, History] = field(default_factory=dict)
    failure: str | None = None
    elapsed_seconds: float | None = None
    started: str = ""
    ended: str = ""
    sources: tuple[str, ...] = ()
    elsewhere: tuple[tuple[str, str], ...] = ()
    doubts: tuple[Doubt, ...] = ()
    is_tuning: bool = False

    @property
    def backend(self) -> str:
        """Name of the environment backend, the part before the slash of the scenario."""
        return self.scenario.partition("/")[0]

    @property
    def modes(self) -> tuple[ExecutionMode, ...]:
        """Ways of acting in which its model is tested, that of training first."""
        return self.method.modes

    @property
    def provenance(self) -> Mapping[str, str]:
        """That of the last sitting; empty where nothing was recorded."""
        return self.sittings[-1] if self.sittings else {}

    @property
    def name(self) -> str:
        """For people: arm, seed and run id."""
        return f"{self.condition} seed {self.seed} ({self.run_id})"

    @property
    def condition(self) -> str:
        """Arm and hyperparameter point, for people."""
        return condition(self.arm, self.point)


@dataclass(frozen=True)
class ClaimView:
    """A sentence of the paper made testable.

    left, right: (arm, name of the execution mode). scenarios: where it is tested.
    margin: win rate as a fraction (0.05 is five percentage points); see `statistics.verdicts`.
    primary: whether it gets a verdict; else it is descriptive.
    """

    name: str
    text: str
    kind: ClaimKind
    left: tuple[str, str]
    right: tuple[str, str]
    margin: float
    scenarios: tuple[str, ...]
    primary: bool = True


@dataclass(frozen=True)
class PointView:
    """One point that a search has asked for.

    parameters: name of a dimension → value as trained, of those that have an effect at this point;
    of a point that the arm refuses, all. run_ids: in the order of the search's seeds. reason: why
    it failed, was pruned or refused.
    """

    number: int
    state: PointState
    parameters: Mapping[str, Scalar]
    run_ids: tuple[str, ...]
    reason: str = ""


@dataclass(frozen=True)
class SearchView:
    """One search: scenario × arm, with every point that it has asked for, by number.

    n_trials: how many points it may try. seeds: over which each is judged. chosen: number of the
    point that was taken to other seeds, where arms are tuned; judged: the ids of its runs there.
    """

    scenario: str
    arm: str
    sampler: str
    sampler_seed: int
    pruner: str | None
    n_trials: int
    seeds: tuple[int, ...]
    objectives: tuple[Objective, ...]
    dimensions: tuple[Dimension, ...]
    points: tuple[PointView, ...] = ()
    chosen: int | None = None
    judged: tuple[str, ...] = ()


@dataclass(frozen=True)
class ReportData:
    """Everything a report is built from.

    runs: every run the plan asks for, in plan order; those without a record have status "missing".
        Where seeds are added look by look: every run that it may ask for, until it is weighed.
    scenarios: those of the profile that the plan covers, in plan order.
    missing_scenarios: the study's scenarios this profile leaves out, with the reason.
    looks: all seeds that are there at each look; one look or none where seeds are a list.
    searches: in plan order. explores: whether they serve no judgement, so that no claim has one.
    n_to_come: runs that searches have not proposed yet.
    """

    study: str
    question: str
    profile: str
    profile_description: str
    deviations: tuple[str, ...]
    missing_scenarios: Mapping[str, str]
    scenarios: tuple[str, ...]
    claims: tuple[ClaimView, ...]
    runs: tuple[RunView, ...]
    searches: tuple[SearchView, ...] = ()
    explores: bool = False
    n_to_come: int = 0
    looks: tuple[tuple[int, ...], ...] = ()

    @property
    def is_sequential(self) -> bool:
        """Whether seeds are added look by look."""
        return len(self.looks) > 1

    @cached_property
    def conditions(self) -> Mapping[str, Mapping[tuple[str, str], tuple[RunView, ...]]]:
        """Scenario → (arm, hyperparameter point) → its planned runs, once each, in seed order.

        Without those that only tune: they judge nothing.
        """
        found: dict[str, dict[tuple[str, str], dict[str, RunView]]] = {}
        for run in self.runs:
            if run.is_tuning:
                continue
            of_scenario = found.setdefault(run.scenario, {})
            of_scenario.setdefault((run.arm, run.point), {})[run.run_id] = run
        return {
            scenario: {
                key: tuple(sorted(runs.values(), key=lambda run: run.seed))
                for key, runs in by_key.items()
            }
            for scenario, by_key in found.items()
        }

    def finished(self, scenario: str | None = None) -> list[RunView]:
        """Finished runs, of one scenario where one is named, in plan order."""
        return [
            run
            for run in self.runs
            if run.status == "finished" and scenario in (None, run.scenario)
        ]
