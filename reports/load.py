"""Fills the reports' own view from a study file and records: runs directories, packs, or both."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from reports.data import (
    ClaimView,
    Doubt,
    History,
    MethodView,
    Moment,
    ReportData,
    RunStatus,
    RunView,
)
from reports.points import points
from reports.searches import is_tuning, search_views, stored_in
from suite.algorithms.registry import method_of, settings_of
from suite.environments import backend_of, short_name
from suite.environments.interface import EnvironmentInfo
from suite.errors import InputError
from suite.records import RunRecord
from suite.records.proposals import with_proposals
from suite.records.schedule import StoredSearch
from suite.records.sources import FoundRun, gather
from suite.runs.spec import AlgorithmSpec, RunSpec
from suite.study.definition import Claim
from suite.study.load import load_study
from suite.study.plan import Plan, Trial, expand

STATUS: dict[str, RunStatus] = {
    "finished": "finished",
    "failed": "failed",
    "running": "unfinished",
    "pruned": "pruned",
}


def load_report_data(
    study_path: Path,
    profile: str | None,
    places: Path | Sequence[Path],
    backend: str | None = None,
) -> ReportData:
    """Everything recorded so far for one profile of a study, on another backend if one is named.

    places: runs directories, packs, or folders of packs; together they are one.
    Raises InputError for an unusable study file or profile, for a place without records, and where
    none of the plan's runs was ever started.
    """
    places = [places] if isinstance(places, Path) else places
    plan = expand(load_study(study_path, backend, profile), profile)
    for place in places:
        plan = with_proposals(plan, place)
    records = gather(places, {run.run_id for run in plan.runs})
    if not records:
        moved = "" if backend is None else f"--backend {backend} "
        directory = next((place for place in places if place.is_dir()), Path("runs"))
        raise InputError(
            f"none of the {plan.n_runs} runs of study {plan.study.name}, profile "
            f"{plan.profile_name}, has been started",
            where=", ".join(map(str, places)),
            cure=f"run them first: cadp-suite run {study_path} --profile {plan.profile_name} "
            f"{moved}--runs-dir {directory}",
        )
    return view(plan, records, stored_in(plan, places))


def view(
    plan: Plan,
    records: Mapping[str, FoundRun],
    stored: Mapping[str, StoredSearch] | None = None,
) -> ReportData:
    """The plan with what is recorded of it; records are by run id, and may be absent.

    stored: of the searches that were begun, by `SearchSpace.key`.
    """
    profile = plan.profile
    methods = {_method_key(trial): method_view(trial.runs[0].algorithm) for trial in plan.trials}
    return ReportData(
        study=plan.study.name,
        question=plan.study.question,
        profile=plan.profile_name,
        profile_description=profile.description,
        deviations=plan.deviations,
        missing_scenarios=dict(profile.missing_scenarios),
        scenarios=tuple(dict.fromkeys(trial.scenario for trial in plan.trials)),
        claims=tuple(
            _claim(claim, profile.scenarios, primary=claim in plan.study.primary_claims)
            for claim in plan.study.claims
        ),
        looks=profile.looks,
        runs=tuple(
            _run(
                spec,
                trial,
                methods[_method_key(trial)],
                point,
                plan.environments[trial.scenario],
                records.get(spec.run_id),
                tuning=is_tuning(plan, trial),
            )
            for trial, point in zip(plan.trials, points(plan), strict=True)
            for spec in trial.runs
        ),
        searches=search_views(plan, stored or {}),
        explores=profile.is_exploratory,
        n_to_come=sum(n for _, n in plan.to_come),
    )


def _method_key(trial: Trial) -> tuple[str, str]:
    """A search may give the points of an arm different backbones."""
    return trial.arm, trial.runs[0].algorithm.backbone


def _claim(claim: Claim, profile_scenarios: tuple[str, ...], *, primary: bool) -> ClaimView:
    return ClaimView(
        name=claim.name,
        text=claim.text,
        kind=claim.kind,
        left=(claim.left_arm, claim.left_mode),
        right=(claim.right_arm, claim.right_mode),
        margin=claim.margin,
        scenarios=tuple(dict.fromkeys(claim.scenarios or profile_scenarios)),
        primary=primary,
    )


def method_view(algorithm: AlgorithmSpec) -> MethodView:
    """What the method of an arm declares."""
    method, settings = method_of(algorithm), settings_of(algorithm)
    return MethodView(
        title=method.title,
        backbone_title=method.backbone_title,
        modes=method.modes(settings),
        published_as=method.published_as(settings),
        metrics=method.metrics(settings),
    )


def moments(trial: Trial) -> tuple[Moment, ...]:
    """The hyperparameters that count training steps."""
    return tuple(
        Moment(one.symbol, one.meaning, int(trial.hyperparameters[one.name]))
        for one in trial.declared
        if one.fraction and one.name in trial.hyperparameters
    )


def _run(
    spec: RunSpec,
    trial: Trial,
    method: MethodView,
    point: tuple[str, str],
    environment: EnvironmentInfo,
    found: FoundRun | None,
    tuning: bool,
) -> RunView:
    record = None if found is None else found.record
    return RunView(
        run_id=spec.run_id,
        scenario=trial.scenario,
        arm=trial.arm,
        point=point[0],
        counterpart=point[1],
        seed=spec.seed,
        status="missing" if record is None else STATUS[record.status],
        framework=spec.algorithm.framework,
        backbone=spec.algorithm.backbone,
        method=method,
        total_env_steps=spec.training.total_env_steps,
        test_interval_env_steps=spec.training.test_interval_env_steps,
        n_test_episodes=spec.training.n_test_episodes,
        moments=moments(trial),
        episodes_per_collection=spec.training.episodes_per_collection,
        updates_per_collection=spec.training.updates_per_collection,
        episode_limit=environment.episode_limit,
        return_bounds=backend_of(environment.name).return_bounds(short_name(environment.name)),
        parameters=dict(_flatten(spec.model_dump(exclude={"scenario", "arm", "seed"}))),
        sittings=() if record is None else tuple(map(_as_text, record.sittings)),
        histories={} if record is None else _histories(record),
        failure=None if record is None else record.failure,
        elapsed_seconds=None if record is None else _seconds(record.elapsed_seconds),
        started="" if record is None else _time(record.started),
        ended="" if record is None else _time(record.ended),
        sources=() if found is None else found.sources,
        elsewhere=() if found is None else tuple(_elsewhere(found)),
        doubts=() if found is None else tuple(_contradictions(found)),
        is_tuning=tuning,
    )


def _elsewhere(found: FoundRun) -> Iterator[tuple[str, str]]:
    for place, status in found.others:
        yield place, STATUS[status]


def _contradictions(found: FoundRun) -> Iterator[Doubt]:
    """Nothing tells which of two records that differ is the run's."""
    if found.differing:
        yield Doubt("records that contradict each other", f"by {' and '.join(found.differing)}")


def _histories(record: RunRecord) -> dict[str, History]:
    return {
        key: History(np.asarray(steps, dtype=np.float64), np.asarray(values, dtype=np.float64))
        for key, (steps, values) in record.histories.items()
    }


def _as_text(sitting: Mapping[str, object]) -> dict[str, str]:
    return {key: str(value) for key, value in sitting.items()}


def _seconds(recorded: float | None) -> float | None:
    """A duration; None where none was recorded, or what was recorded is none."""
    return recorded if recorded is not None and 0 <= recorded < math.inf else None


def _time(moment: datetime | None) -> str:
    return "" if moment is None else moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def _flatten(table: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", "none" if value is None else str(value)
