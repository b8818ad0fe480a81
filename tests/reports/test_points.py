"""Hyperparameter points: each is a series of its own, found again in every scenario."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import synthetic_study as made_up
from test_cli import STUDY

from reports import series
from reports.analysis import analyse
from reports.build import build_html
from reports.data import History, ReportData, RunView
from reports.evidence import weigh
from reports.export import marl_eval_document
from reports.load import view
from reports.statistics.performance import Performance, summarise
from suite.study.load import load_study
from suite.study.plan import Plan, expand

Planned = Callable[..., Plan]


@pytest.fixture
def planned(tmp_path: Path) -> Planned:
    """The small study with other hyperparameters, scenarios and settings of single scenarios."""

    def make(points: str, scenarios: str = '["skirmish/3m"]', more: str = "") -> Plan:
        text = STUDY.replace('scenarios = ["skirmish/3m"]', f"scenarios = {scenarios}", 1)
        text = text.replace("pruning_start_fraction = [0.5, 0.7]", points)
        path = tmp_path / "study.toml"
        path.write_text(f"{text}\n{more}")
        return expand(load_study(path))

    return make


def finished(data: ReportData) -> ReportData:
    """Made-up records; each run id has its own."""

    def trained(run: RunView) -> RunView:
        total = run.total_env_steps
        made = made_up.run(run.scenario, run.arm, int(run.run_id[:8], 16), n_points=10, total=total)
        return replace(
            run, status="finished", histories=made.histories, test_interval_env_steps=total // 10
        )

    return made_up.with_runs(data, [trained(run) for run in data.runs])


@pytest.mark.parametrize(
    ("alphas", "words"),
    [
        ("0.1, 0.1000001, 0.5", ["α=0.1", "α=0.1000001", "α=0.5"]),
        ("0.1, 0.10000000000000002", ["α=0.1", "α=0.10000000000000002"]),
        ("1234567.0, 1234568.0, 1.0", ["α=1234567.0", "α=1234568.0", "α=1"]),
        ("0.1, 0.5", ["α=0.1", "α=0.5"]),
    ],
)
def test_every_alpha_is_a_series_of_its_own(
    planned: Planned, alphas: str, words: list[str]
) -> None:
    data = finished(view(planned(f"alpha = [{alphas}], pruning_start_fraction = [0.5]"), {}))
    assert list(dict.fromkeys(r.point for r in data.runs if r.framework == "cadp")) == words
    analysis = analyse(data)
    n_seeds = len({run.seed for run in data.runs})
    assert analysis.left_out == ()
    for result in analysis.results:
        assert [run.seed for run, _ in result.per_run] == sorted(result.finals)
        assert result.n_planned == n_seeds == len(result.per_run)
    n_pruned = sum(run.framework == "cadp" for run in data.runs)
    exported = marl_eval_document(data)["skirmish"]["3m"]
    both_modes = sum(len(seeds) for name, seeds in exported.items() if "α=" in name)
    assert both_modes == 2 * n_pruned
    page = build_html(data, None)
    for one in words:
        assert f"[{one}]" in page


def test_a_pruning_start_has_all_its_digits(planned: Planned) -> None:
    data = view(planned("pruning_start_env_steps = [1000, 9999]"), {})
    points = {run.point for run in data.runs if run.framework == "cadp"}
    assert points == {"T=1,000", "T=9,999"}


def test_an_arm_named_like_another_arms_point_is_another_series() -> None:
    made = made_up.study(arms=("qmix", "cadp_qmix", "cadp_vdn"), n_seeds=3, n_points=10)
    runs = [
        replace(run, point="α=0.1")
        if run.arm == "cadp_qmix"
        else replace(run, arm="cadp_qmix [α=0.1]")
        if run.arm == "cadp_vdn"
        else run
        for run in made.runs
    ]
    analysis = analyse(made_up.with_runs(made, runs))
    assert {result.n_planned for result in analysis.results} == {3}
    assert len(analysis.mode_differences) == 2
    assert len(analysis.parameters.rows) == 3


def test_a_seed_enters_no_series_twice() -> None:
    made = made_up.study(arms=("qmix", "cadp_qmix"), n_seeds=4, n_points=10)
    again = made_up.run("skirmish/3m", "qmix", 77, n_points=10)
    twice = made_up.with_runs(made, [*made.runs, replace(again, seed=1)])
    analysis = analyse(twice)
    assert Counter(run.seed for run in analysis.left_out) == {1: 2}
    (doubt,) = weigh(twice).runs[1].doubts
    assert doubt.kind == "a seed that its series has twice"
    assert doubt.detail == f"seed 1 is also that of {again.run_id}"
    (qmix,) = (r for r in analysis.results if r.key.arm == "qmix")
    assert list(qmix.finals) == [0, 2, 3]


def test_what_a_run_says_of_its_training_is_known(planned: Planned) -> None:
    """Of hyperparameters, those that count steps; and what a collection is."""
    side_by_side = '[profiles.tiny.scenario_settings."skirmish/3m".training]\n'
    side_by_side += "episodes_per_collection = 8\nupdates_per_collection = 3\n"
    plan = planned("alpha = [0.1], pruning_start_env_steps = [2500]", more=side_by_side)
    for run in view(plan, {}).runs:
        named = [(moment.symbol, moment.step) for moment in run.moments]
        assert named == ([("T", 2500)] if run.arm == "cadp_qmix" else [])
        assert (run.episodes_per_collection, run.updates_per_collection) == (8, 3)


TWICE_AS_LONG = '[profiles.tiny.scenario_settings."skirmish/8m".training]\ntotal_env_steps = {}\n'
BOTH = '["skirmish/3m", "skirmish/8m"]'
BOTH_NAMES = ("skirmish/3m", "skirmish/8m")


def test_points_stated_as_fractions_are_found_in_every_scenario(planned: Planned) -> None:
    plan = planned("pruning_start_fraction = [0.25, 0.5]", BOTH, TWICE_AS_LONG.format(20_000))
    starts = {trial.hyperparameters.get("pruning_start_env_steps") for trial in plan.trials}
    assert starts == {None, 2500, 5000, 10_000}
    analysis = analyse(finished(view(plan, {})))
    found = {one.label: one for one in analysis.aggregates}
    assert [name for name in found if name.endswith("(D)")] == [
        "cadp_qmix [T=0.25 of training] (D)",
        "cadp_qmix [T=0.5 of training] (D)",
    ]
    # T = 5,000 is half of one budget and a quarter of the other: no point of its own.
    parts = found["cadp_qmix [T=0.5 of training] (D)"].parts
    assert [part.key.point for part in parts] == ["T=5,000", "T=10,000"]
    assert analysis.without_aggregate == analysis.with_other_points == []


def test_points_stated_in_steps_are_found_by_their_steps(planned: Planned) -> None:
    plan = planned("pruning_start_env_steps = [2500, 5000]", BOTH, TWICE_AS_LONG.format(20_000))
    labels = [one.label for one in analyse(finished(view(plan, {}))).aggregates]
    assert "cadp_qmix [T=2,500] (D)" in labels
    assert "cadp_qmix [T=5,000] (D)" in labels


def test_one_point_in_each_scenario_is_one_series(planned: Planned) -> None:
    plan = planned("pruning_start_fraction = [0.5]", BOTH, TWICE_AS_LONG.format(20_000))
    labels = [one.label for one in analyse(finished(view(plan, {}))).aggregates]
    assert labels == [*labels[:-2], "cadp_qmix (C)", "cadp_qmix (D)"]


def test_points_of_one_scenario_alone_are_told_as_such(planned: Planned) -> None:
    own = '[profiles.tiny.scenario_settings."skirmish/8m".hyperparameters]\nalpha = [0.1, 0.7]\n'
    plan = planned("alpha = [0.1, 0.5], pruning_start_fraction = [0.5]", BOTH, own)
    data = finished(view(plan, {}))
    analysis = analyse(data)
    assert analysis.without_aggregate == []
    assert analysis.with_other_points == [
        f"cadp_qmix [α={alpha}] ({mode})" for alpha in (0.5, 0.7) for mode in "CD"
    ]
    assert "the points of the arm differ between scenarios: cadp_qmix" in build_html(data, None)
    assert "without results in some scenario" not in build_html(data, None)


def test_values_of_a_series_do_not_depend_on_other_points(planned: Planned) -> None:
    data = finished(view(planned("alpha = [0.1, 0.1000001], pruning_start_fraction = [0.5]"), {}))
    kept = made_up.with_runs(data, [run for run in data.runs if run.point in ("", "α=0.1")])
    alone = {r.key: r.estimate for r in analyse(kept).results}
    together = {r.key: r.estimate for r in analyse(data).results}
    assert all(together[key] == estimate for key, estimate in alone.items())
    assert all(np.isfinite(e.mean) for e in alone.values() if e is not None)


def test_a_series_is_evaluated_once_however_many_claims_use_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = made_up.study(BOTH_NAMES, arms=("qmix", "cadp_qmix"), n_seeds=3, n_points=10)
    evaluated: list[History] = []

    def counted(history: History, total_env_steps: int) -> Performance:
        evaluated.append(history)
        return summarise(history, total_env_steps)

    monkeypatch.setattr(series, "summarise", counted)
    analyse(replace(data, claims=data.claims * 5))
    assert len(evaluated) == 2 * 3 * 3  # scenarios, series, seeds


def test_a_scenario_named_twice_in_a_claim_is_tested_once(planned: Planned) -> None:
    plan = planned("pruning_start_fraction = [0.5]")
    (claim,) = plan.study.claims
    twice = claim.model_copy(update={"scenarios": ("skirmish/3m", "skirmish/3m")})
    study = plan.study.model_copy(update={"claims": (twice,)})
    (shown,) = view(replace(plan, study=study), {}).claims
    assert shown.scenarios == ("skirmish/3m",)
