"""optuna-dashboard opens the schedule of a runs directory, and what it shows can be read."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults

import optuna
import pytest

from suite.scheduling.coordinator import run_plan
from suite.study.load import load_study
from suite.study.plan import expand

dashboard = pytest.importorskip("optuna_dashboard")

SEARCH = """
[profiles.tiny.search]
n_trials = 3
seeds = [11, 12]
[profiles.tiny.search.ranges]
alpha = {low = 0.01, high = 10.0, log = true}
learning_rate = {low = 1e-4, high = 1e-3}
[profiles.tiny.hyperparameters]
pruning_start_fraction = [0.5]
"""


@pytest.fixture
def ask(make_study, runs_dir: Path) -> Callable[[str], dict[str, Any]]:
    """What the dashboard answers, of a search that has been run."""
    path = make_study(
        ("seeds = [1, 2]", ""),
        ("[profiles.tiny.hyperparameters]\npruning_start_fraction = [0.5]", SEARCH),
    )
    run_plan(expand(load_study(path)), runs_dir, 2, trainer="fake_trainer:train")
    storage = optuna.storages.RDBStorage(f"sqlite:///{runs_dir / 'optuna.db'}")
    app = dashboard.wsgi(storage)

    def ask(address: str) -> dict[str, Any]:
        environ: dict[str, Any] = {"PATH_INFO": address, "wsgi.input": io.BytesIO()}
        setup_testing_defaults(environ)
        environ["QUERY_STRING"] = "after=0"
        statuses: list[str] = []
        body = b"".join(app(environ, lambda status, headers, *_: statuses.append(status)))
        assert statuses == ["200 OK"]
        return json.loads(body)

    return ask


def test_the_dashboard_shows_runs_and_searches(ask: Callable[[str], dict[str, Any]]) -> None:
    studies = {one["study_name"]: one["study_id"] for one in ask("/api/studies")["study_summaries"]}
    assert list(studies) == [
        "example/tiny",
        "example/tiny skirmish/3m qmix",
        "example/tiny skirmish/3m cadp_qmix",
    ]
    search = ask(f"/api/studies/{studies['example/tiny skirmish/3m cadp_qmix']}")
    assert search["objective_names"] == ["final test win rate of agents that act alone"]
    assert search["directions"] == ["maximize"]
    said = {one["key"]: one["value"] for one in search["user_attrs"]}
    assert said["sampler"] == "TPESampler"
    assert said["seeds"] == "[11, 12]"
    points = search["trials"]
    assert [one["state"] for one in points] == ["Complete"] * 3
    assert {one["name"] for one in points[0]["params"]} == {"alpha", "learning_rate"}
    assert len(search["union_search_space"]) == 2
    runs = ask(f"/api/studies/{studies['example/tiny']}")["trials"]
    assert len(runs) == 12
    shown = {one["key"]: one["value"] for one in runs[0]["user_attrs"]}
    assert shown["scenario"] == "skirmish/3m"
    assert shown["attempt"] == "1"
