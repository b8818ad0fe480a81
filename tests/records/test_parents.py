"""What somebody finds who opens the records with MLflow's own pages."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from suite.records import RecordStore
from suite.records.writer import RecordWriter
from suite.runs.directory import RunsDirectory
from suite.scheduling.recovery import finished_runs
from suite.study.load import load_study
from suite.study.plan import Plan, expand


@pytest.fixture
def plan(make_study) -> Plan:
    return expand(load_study(make_study()))


def tags_by_run(runs_dir: Path) -> dict[str, dict[str, str]]:
    """Name of an MLflow run → its tags, and its own id and status as `id` and `status`."""
    with sqlite3.connect(runs_dir / "mlflow.db") as connection:
        tags: dict[str, dict[str, str]] = {}
        runs = connection.execute(
            "SELECT run_uuid, name, status FROM runs WHERE lifecycle_stage = 'active'"
        )
        for uuid, name, status in runs.fetchall():
            own = connection.execute("SELECT key, value FROM tags WHERE run_uuid = ?", (uuid,))
            assert name not in tags
            tags[name] = {"id": uuid, "status": status, **dict(own)}
        return tags


def test_the_runs_of_a_study_stand_under_one_heading(plan: Plan, runs_dir: Path) -> None:
    for run in plan.runs:
        RecordWriter(runs_dir, plan).begin(run, {}, resuming=False)
    tags = tags_by_run(runs_dir)
    heading = tags.pop("example/tiny")
    assert (heading["cadp.study"], heading["cadp.profile"]) == ("example", "tiny")
    assert heading["cadp.question"] == "does it work?"
    assert "everything is smaller" in heading["cadp.deviations"].splitlines()
    assert "**does it work?**\n\nProfile tiny: for tests" in heading["mlflow.note.content"]
    assert "\n- everything is smaller" in heading["mlflow.note.content"]
    assert heading["status"] == "FINISHED"
    assert {own["mlflow.parentRunId"] for own in tags.values()} == {heading["id"]}
    assert set(tags) == {
        f"{arm} skirmish/3m {point}seed {seed}"
        for arm, point in (("qmix", ""), ("cadp_qmix", "α=0.5 T=500 "))
        for seed in (1, 2)
    }


def test_a_heading_is_no_run_for_readers(plan: Plan, runs_dir: Path) -> None:
    writer = RecordWriter(runs_dir, plan)
    store = RecordStore.open(runs_dir)
    assert store.statuses() == {}
    writer.begin(plan.runs[0], {}, resuming=False)
    only = {plan.runs[0].run_id}
    assert set(store.statuses()) == set(store.mlflow_ids()) == store.without_metrics() == only
    assert [record.run_id for record in store.load()] == [plan.runs[0].run_id]
    assert finished_runs(RunsDirectory(runs_dir)).recorded == only


def test_every_profile_has_its_own_heading_which_follows_the_study(
    make_study, plan: Plan, runs_dir: Path
) -> None:
    RecordWriter(runs_dir, plan)
    RecordWriter(runs_dir, expand(load_study(make_study(("does it work?", "does it?")))))
    other = make_study(("profiles.tiny]", "profiles.larger]"), ('"tiny"', '"larger"'))
    text = other.read_text().replace("profiles.tiny", "profiles.larger")
    other.write_text(text)
    RecordWriter(runs_dir, expand(load_study(other)))
    tags = tags_by_run(runs_dir)
    questions = {name: own["cadp.question"] for name, own in tags.items()}
    assert questions == {"example/tiny": "does it?", "example/larger": "does it work?"}


def test_a_run_that_is_continued_by_another_study_moves_there(plan: Plan, runs_dir: Path) -> None:
    run = plan.runs[0]
    RecordWriter(runs_dir).begin(run, {}, resuming=False)  # as versions without headings did
    RecordWriter(runs_dir, plan).begin(run, {}, resuming=True)
    tags = tags_by_run(runs_dir)
    assert tags["qmix skirmish/3m seed 1"]["mlflow.parentRunId"] == tags["example/tiny"]["id"]


@pytest.mark.parametrize(
    ("commit", "is_shown"), [("a1" * 20, True), ("not a checkout", False), ("", False)]
)
def test_the_commit_is_shown_where_there_is_one(
    plan: Plan, runs_dir: Path, commit: str, is_shown: bool
) -> None:
    RecordWriter(runs_dir, plan).begin(plan.runs[0], {"git_commit": commit}, resuming=False)
    tags = tags_by_run(runs_dir)["qmix skirmish/3m seed 1"]
    assert tags.get("mlflow.source.git.commit") == (commit if is_shown else None)
    assert tags["mlflow.source.name"] == "cadp-suite"
    assert "mlflow.user" not in tags  # records travel


def test_texts_longer_than_a_tag_takes_are_shortened(make_study, runs_dir: Path) -> None:
    path = make_study(
        ('"everything is smaller"', ", ".join(f'"{n} {"x" * 4_000}"' for n in range(5)))
    )
    RecordWriter(runs_dir, expand(load_study(path)))
    heading = tags_by_run(runs_dir)["example/tiny"]
    assert 7_000 < len(heading["cadp.deviations"]) <= 8_000
    assert 7_000 < len(heading["mlflow.note.content"]) <= 8_000
