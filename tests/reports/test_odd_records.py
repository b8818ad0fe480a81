"""Readable but odd records: the page is built, nothing is hidden, nothing is a traceback."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import synthetic_study as made_up
from test_cli import STUDY

from reports.analysis import analyse
from reports.build import build_html
from reports.compare import comparison, notes, table
from reports.data import ReportData
from reports.export import as_json, marl_eval_document, results_document
from reports.load import view
from suite.records import RunRecord
from suite.records.sources import FoundRun
from suite.study.load import load_study
from suite.study.plan import Plan, expand

EVENING = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    path = tmp_path_factory.mktemp("study") / "small.toml"
    path.write_text(STUDY)
    return expand(load_study(path))


def loaded(plan: Plan, **changes: Any) -> ReportData:
    """All runs finished and sound, but the first as `changes` say."""
    records = {}
    for spec in plan.runs:
        source = made_up.run(spec.scenario, spec.arm, spec.seed, n_points=10, total=10_000)
        histories = {k: (h.steps.astype(np.int64), h.values) for k, h in source.histories.items()}
        records[spec.run_id] = RunRecord(
            run_id=spec.run_id,
            status="finished",
            spec=spec,
            sittings=({"processor": "a test"},),
            histories=histories,
            failure=None,
            elapsed_seconds=1.0,
            started=EVENING,
            ended=EVENING,
        )
    first = plan.runs[0].run_id
    records[first] = replace(records[first], **changes)
    return view(plan, {run_id: FoundRun(one, ("runs",)) for run_id, one in records.items()})


def history(steps: list[int], values: list[float]) -> tuple[Any, Any]:
    return np.array(steps, np.int64), np.array(values)


ODD: dict[str, dict[str, Any]] = {
    "no histories": {"histories": {}},
    "one test": {"histories": {"test/win_rate/decentralised": history([10_001], [0.5])}},
    "no points": {"histories": {"test/win_rate/decentralised": history([], [])}},
    "only training": {"histories": {"train/loss_td": history([5], [0.5])}},
    "only NaN": {"histories": {"test/win_rate/decentralised": history([10_001], [np.nan])}},
    "huge steps": {"histories": {"test/win_rate/decentralised": history([2**62], [0.5])}},
    "negative steps": {"histories": {"test/win_rate/decentralised": history([-(2**62)], [0.5])}},
    "huge values": {"histories": {"test/return/decentralised": history([1], [1e308])}},
    "foreign metrics": {"histories": {"test": history([1], [1]), "loss": history([1], [1])}},
}


@pytest.mark.parametrize("changes", ODD.values(), ids=ODD)
def test_odd_histories_are_left_out_and_everything_else_is_shown(
    plan: Plan, changes: dict[str, Any]
) -> None:
    data = loaded(plan, **changes)
    analysis = analyse(data)
    assert [run.run_id for run in analysis.left_out] == [plan.runs[0].run_id]
    assert "1 finished run left out of every number below" in build_html(data, None)
    rows = comparison(data, loaded(plan))
    assert table(rows, "a", "b")
    assert sum("A without a run that is no evidence" in n for n in notes(data, data, rows)) == 1
    exported = json.loads(as_json(results_document(data)))["runs"]
    (out,) = (run for run in exported if run["run_id"] == plan.runs[0].run_id)
    assert out["status"] == "left out"
    assert out["left_out"]
    assert sum(run["status"] == "finished" for run in exported) == len(plan.runs) - 1
    first = plan.runs[0]
    algorithms = marl_eval_document(data)["skirmish"]["3m"]
    assert f"seed_{first.seed}" not in algorithms[f"{first.arm} (decentralised)"]


@pytest.mark.parametrize(
    "changes",
    [
        {"sittings": ()},
        {"sittings": ({},)},
        {"sittings": ({}, {})},
        {"sittings": ({"cores": 2, "processor": ["a", "list"]},)},
        {"sittings": ({"processor": "half a pair \ud800"},)},
        {"elapsed_seconds": None},
        {"elapsed_seconds": float("nan")},
        {"elapsed_seconds": float("inf")},
        {"elapsed_seconds": -5.0},
        {"ended": None},
    ],
)
def test_odd_circumstances_leave_the_numbers_alone(plan: Plan, changes: dict[str, Any]) -> None:
    data = loaded(plan, **changes)
    page = build_html(data, None)
    page.encode()
    as_json(results_document(data)).encode()
    assert not any(duration in page for duration in (">nan s<", ">inf h<", ">-"))
    sound = analyse(loaded(plan))
    assert [r.estimate for r in analyse(data).results] == [r.estimate for r in sound.results]


def test_half_a_surrogate_pair_survives_the_export(plan: Plan) -> None:
    data = loaded(plan, sittings=({"processor": "\ud800"},))
    exported = json.loads(as_json(results_document(data)).encode())
    assert "\ud800" in {run["provenance"]["processor"] for run in exported["runs"]}


def test_limits_of_the_environment_are_known(plan: Plan) -> None:
    run = loaded(plan).runs[0]
    assert run.episode_limit == plan.environments["skirmish/3m"].episode_limit


def test_a_games_returns_are_known(tmp_path: Path) -> None:
    path = tmp_path / "games.toml"
    path.write_text(STUDY.replace('["skirmish/3m"]', '["matrix/climbing", "matrix/two_step"]'))
    bounds = {run.scenario: run.return_bounds for run in view(expand(load_study(path)), {}).runs}
    assert bounds == {"matrix/climbing": (-30.0, 11.0), "matrix/two_step": (0.0, 8.0)}


TEXTS = {
    '<script>"x"</script> & <b>': "&lt;script&gt;&#34;x&#34;&lt;/script&gt; &amp; &lt;b&gt;",
    "back \u202e to front": "back \\u202e to front",
    "bell \x07 escape \x1b[31m": "bell \\x07 escape \\x1b[31m",
    "{{ 7 * 7 }} {% raw %} :smile: $x^2$": "{{ 7 * 7 }} {% raw %} :smile: $x^2$",
    "naïve 日本語 🙂": "naïve 日本語 🙂",
}


@pytest.mark.parametrize(("text", "shown"), TEXTS.items())
def test_texts_of_a_study_are_shown_as_they_are(text: str, shown: str) -> None:
    made = made_up.study(arms=("qmix", "cadp_qmix"), n_seeds=2, n_points=5)
    runs = [replace(made.runs[0], status="failed", failure=text, histories={}), *made.runs[1:]]
    data = replace(
        made_up.with_runs(made, runs),
        question=text,
        profile_description=text,
        deviations=(text,),
        missing_scenarios={"skirmish/8m": text},
        claims=(replace(made.claims[0], text=text), *made.claims[1:]),
    )
    page = build_html(data, None)
    assert page.count(shown) == 7  # a claim's text twice
    if text != shown:
        assert text not in page
