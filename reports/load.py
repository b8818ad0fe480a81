"""Fills the reports' own view from a study file and a record store."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from reports.data import ClaimView, History, MethodView, Moment, ReportData, RunStatus, RunView
from reports.points import points
from reports.searches import is_tuning, search_views
from suite.algorithms.registry import method_of, settings_of
from suite.environments import backend_of, short_name
from suite.environments.interface import EnvironmentInfo
from suite.errors import InputError
from suite.records import RecordStore, RunRecord
from suite.records.proposals import stored_searches, with_proposals
from suite.records.schedule import StoredSearch
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
    study_path: Path, profile: str | None, runs_dir: Path, backend: str | None = None
) -> ReportData:
    """Everything recorded so far for one profile of a study, on another backend if one is named.

    Raises InputError for an unusable study file or profile, for a runs directory without records,
    and where none of the plan's runs was ever started.
    """
    plan = with_proposals(expand(load_study(study_path, backend, profile), profile), runs_dir)
    store = RecordStore.open(runs_dir)
    records = {record.run_id: record for record in store.load({run.run_id for run in plan.runs})}
    if not records:
        moved = "" if backend is None else f"--backend {backend} "
        raise InputError(
            f"none of the {plan.n_runs} runs of study {plan.study.name}, profile "
            f"{plan.profile_name}, has been started",
            where=str(runs_dir),
            cure=f"run them first: cadp-suite run {study_path} --profile {plan.profile_name} "
            f"{moved}--runs-dir {runs_dir}",
        )
    return view(plan, records, stored_searches(plan, runs_dir))


def view(
    plan: Plan, records: dict[str, RunRecord], stored: Mapping[str, StoredSearch] | None = None
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
    record: RunRecord | None,
    tuning: bool,
) -> RunView:
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
        is_tuning=tuning,
    )


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
