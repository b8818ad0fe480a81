"""Folders with any name, other versions' databases, altered contents."""

from __future__ import annotations

import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from suite.errors import StoredDataError
from suite.records import RecordStore
from suite.records.database import address
from suite.records.writer import RecordWriter
from suite.runs.directory import RunsDirectory
from suite.scheduling.schedule import Schedule
from suite.scheduling.storage import ScheduleStorage
from suite.study.load import load_study
from suite.study.plan import Plan, expand

ODD_NAMES = [
    b"runs?1",
    b"x%41y",
    b"{x}",
    b"{SCHEMA_VERSION}",
    b"not\xffutf8",
    b"sp ace#1",
    "ünïcødé 漢".encode(),
    b"new\nline",
    b"a&b=c;d'\"",
    b"%",
    b"[bold]:smile:",
    b"?mode=memory",
]


@pytest.fixture
def plan(make_study) -> Plan:
    return expand(load_study(make_study()))


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_folder_may_have_any_name(
    plan: Plan, empty_databases: Path, tmp_path: Path, name: bytes
) -> None:
    place = tmp_path / "place"
    runs_dir = place / os.fsdecode(name)
    shutil.copytree(empty_databases, runs_dir)
    writer, spec = RecordWriter(runs_dir), plan.runs[0]
    writer.begin(spec, {}, resuming=False)
    writer.log(spec.run_id, [("a", 1, 2.0)])
    directory = RunsDirectory(runs_dir)
    Schedule(directory, ScheduleStorage(directory), "example/tiny").propose([spec])
    assert list(RecordStore.open(runs_dir).statuses()) == [spec.run_id]
    with sqlite3.connect(os.fsencode(runs_dir / "optuna.db")) as connection:
        assert connection.execute("SELECT count(*) FROM trials").fetchone() == (1,)
    assert [os.fsencode(path.name) for path in place.iterdir()] == [name]
    assert sorted(path.name for path in runs_dir.iterdir()) == ["mlflow.db", "optuna.db"]


@pytest.mark.parametrize("name", [b"runs?1", b"x%41y{z}\xff"])
def test_databases_are_made_in_folders_of_any_name(plan: Plan, tmp_path: Path, name: bytes) -> None:
    place = tmp_path / "place"
    runs_dir = place / os.fsdecode(name)
    runs_dir.mkdir(parents=True)
    RecordWriter(runs_dir)
    ScheduleStorage(RunsDirectory(runs_dir))
    assert [os.fsencode(path.name) for path in place.iterdir()] == [name]
    assert sorted(path.name for path in runs_dir.iterdir()) == ["mlflow.db", "optuna.db"]


def test_a_plain_folder_is_named_as_it_is(tmp_path: Path) -> None:
    assert address(tmp_path / "mlflow.db") == f"sqlite:///{tmp_path}/mlflow.db"


def alter(runs_dir: Path, statement: str) -> None:
    with sqlite3.connect(runs_dir / "mlflow.db") as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.commit()
        connection.executescript(statement)


def test_a_newer_database_is_not_told_to_upgrade(runs_dir: Path) -> None:
    alter(runs_dir, "UPDATE alembic_version SET version_num = 'ffffffffffff'")
    with pytest.raises(StoredDataError) as caught:
        RecordWriter(runs_dir)
    assert "made by a newer MLflow than is installed (got 'ffffffffffff')" in str(caught.value)
    assert "pip install --upgrade mlflow-skinny" in str(caught.value)
    assert "db upgrade" not in str(caught.value)


def test_an_older_database_is_told_to_upgrade(runs_dir: Path) -> None:
    alter(runs_dir, "UPDATE alembic_version SET version_num = '0584bdc529eb'")
    with pytest.raises(StoredDataError, match=r"made by an older MLflow; back .* mlflow db upg"):
        RecordWriter(runs_dir)


def begun(runs_dir: Path, plan: Plan) -> RecordWriter:
    writer = RecordWriter(runs_dir)
    for spec in plan.runs:
        writer.begin(spec, {"python": "3.11"}, resuming=False)
        writer.log(spec.run_id, [("a", 1, 2.0)])
        writer.finish(spec.run_id, 1.0, "ab" * 32)
    return writer


def test_a_renamed_experiment_keeps_its_runs(plan: Plan, runs_dir: Path) -> None:
    begun(runs_dir, plan)
    alter(runs_dir, "UPDATE experiments SET name = 'my thesis' WHERE name = 'cadp-suite'")
    assert set(RecordStore.open(runs_dir).statuses().values()) == {"finished"}
    again = RecordWriter(runs_dir)
    spec = plan.runs[0].model_copy(update={"seed": 99})
    again.begin(spec, {}, resuming=False)
    assert len(RecordStore.open(runs_dir).statuses()) == len(plan.runs) + 1
    with sqlite3.connect(runs_dir / "mlflow.db") as connection:
        names = connection.execute("SELECT name FROM experiments WHERE experiment_id > 0")
        assert names.fetchall() == [("my thesis",)]


@pytest.mark.parametrize("name", ["cadp-suite", "renamed"])
def test_a_deleted_experiment_is_not_trained_again_in_silence(
    plan: Plan, runs_dir: Path, name: str
) -> None:
    writer = begun(runs_dir, plan)
    if name != "cadp-suite":
        writer._client.rename_experiment(writer._experiment_id, name)
    writer._client.delete_experiment(writer._experiment_id)
    for use in (RecordStore.open, RecordWriter):
        with pytest.raises(StoredDataError) as caught:
            use(runs_dir)
        assert f"the experiment {name} was deleted in MLflow, with its runs" in str(caught.value)
        restore = f"python -m mlflow experiments restore -x {writer._experiment_id}"
        address = f"MLFLOW_TRACKING_URI=sqlite:///{runs_dir}/mlflow.db"
        assert f"({address} {restore})" in str(caught.value)
    writer._client.restore_experiment(writer._experiment_id)
    assert set(RecordStore.open(runs_dir).statuses().values()) == {"finished"}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE runs SET status = 'SLEEPING'",
        "UPDATE runs SET status = NULL",
        "UPDATE runs SET start_time = NULL",
        "UPDATE runs SET start_time = 'yesterday'",
        "UPDATE runs SET start_time = 9e18",
        "UPDATE runs SET end_time = -9e18",
        "UPDATE metrics SET step = 'first'",
        "UPDATE metrics SET step = 1.5",
        "UPDATE metrics SET value = 'high'",
        "UPDATE metrics SET value = x'ff00'",
        "UPDATE metrics SET key = CAST(x'fffe' AS TEXT)",
        "UPDATE tags SET value = 'soon' WHERE key = 'cadp.elapsed_seconds'",
        "UPDATE tags SET value = 'nan' WHERE key = 'cadp.elapsed_seconds'",
        "UPDATE tags SET value = '-5' WHERE key = 'cadp.elapsed_seconds'",
        "UPDATE tags SET value = x'fffe' WHERE key = 'cadp.spec'",
        "UPDATE tags SET value = CAST(x'fffe' AS TEXT) WHERE key = 'cadp.spec'",
        "UPDATE tags SET value = NULL WHERE key = 'cadp.spec'",
        "UPDATE tags SET value = '[]' WHERE key = 'cadp.spec'",
        "UPDATE tags SET value = replace(value, '0.0005', '0.0006') WHERE key = 'cadp.spec'",
        "UPDATE tags SET value = replace(value, '3m', '8m') WHERE key = 'cadp.spec'",
        "UPDATE tags SET value = 'no json' WHERE key = 'cadp.sitting.00000'",
        "UPDATE tags SET value = '3' WHERE key = 'cadp.sitting.00000'",
        "UPDATE tags SET value = NULL WHERE key = 'cadp.run_id'",
        "UPDATE tags SET value = hex(zeroblob(200)) WHERE key = 'cadp.run_id'",
        "UPDATE metrics SET key = CAST(key AS BLOB)",
        "UPDATE runs SET status = 'FAILED'; INSERT INTO tags (run_uuid, key, value) "
        "SELECT run_uuid, 'cadp.failure', x'ff41' FROM runs",
        "DROP TABLE metrics",
        "DROP TABLE experiments",
        "ALTER TABLE runs RENAME COLUMN status TO state",
    ],
)
def test_altered_records_are_one_line(plan: Plan, runs_dir: Path, statement: str) -> None:
    begun(runs_dir, plan)
    alter(runs_dir, statement)
    with pytest.raises(StoredDataError) as caught:
        RecordStore.open(runs_dir).load()
    message = str(caught.value)
    assert "mlflow.db" in message
    assert "\n" not in message
    assert len(message) < 800


def test_an_altered_record_names_its_run(plan: Plan, runs_dir: Path) -> None:
    begun(runs_dir, plan)
    spec = plan.runs[2]
    ours = f"(SELECT run_uuid FROM tags WHERE value = '{spec.run_id}')"
    alter(
        runs_dir, f"UPDATE tags SET value = '?' WHERE key LIKE '%elapsed%' AND run_uuid IN {ours}"
    )
    with pytest.raises(StoredDataError, match=f"the record of run {spec.run_id} cannot be read"):
        RecordStore.open(runs_dir).load()


def test_a_finished_run_without_its_settings_is_damaged(plan: Plan, runs_dir: Path) -> None:
    begun(runs_dir, plan)
    alter(runs_dir, "DELETE FROM tags WHERE key = 'cadp.spec'")
    with pytest.raises(StoredDataError, match=r"the record of run \w+ cannot be read"):
        RecordStore.open(runs_dir).load()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE experiments SET lifecycle_stage = 'deleted' WHERE experiment_id = 1",
        "UPDATE experiments SET lifecycle_stage = 'deleted' WHERE experiment_id = 1; "
        "UPDATE runs SET lifecycle_stage = 'deleted'; INSERT INTO runs (run_uuid, name, status, "
        "start_time, lifecycle_stage, experiment_id) VALUES ('a', 'a', 'FINISHED', 1, 'active', 0)",
    ],
    ids=["its runs are not", "somebody else's run is active"],
)
def test_a_deleted_experiment_is_found_whatever_else_is_there(
    plan: Plan, runs_dir: Path, statement: str
) -> None:
    begun(runs_dir, plan)
    alter(runs_dir, statement)
    with pytest.raises(StoredDataError, match="was deleted in MLflow, with its runs; restore it"):
        RecordStore.open(runs_dir)


def test_an_experiment_deleted_meanwhile_is_called_so(plan: Plan, runs_dir: Path) -> None:
    writer = begun(runs_dir, plan)
    alter(runs_dir, "UPDATE experiments SET lifecycle_stage = 'deleted' WHERE experiment_id = 1")
    with pytest.raises(StoredDataError, match="the experiment was deleted in MLflow meanwhile"):
        writer.begin(plan.runs[0].model_copy(update={"seed": 99}), {}, resuming=False)


def test_a_file_that_may_not_be_written_is_not_called_damaged(
    plan: Plan, runs_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = begun(runs_dir, plan)

    def refused(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("attempt to write a readonly database")

    monkeypatch.setattr(writer._client, "log_batch", refused)
    with pytest.raises(StoredDataError, match="nothing is lost: make the file and its folder"):
        writer.log(plan.runs[0].run_id, [("a", 1, 1.0)])


def test_what_is_no_file_is_no_database(plan: Plan, tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").mkdir()
    for use in (RecordStore.open, RecordWriter):
        with pytest.raises(StoredDataError, match=r"mlflow.db: not a database; move it away"):
            use(tmp_path)


def test_sittings_are_those_that_the_checkpoint_knows(plan: Plan, runs_dir: Path) -> None:
    """The books may have missed one, or know one that left nothing."""
    writer, spec = RecordWriter(runs_dir), plan.runs[0]
    for commit in ("a", "left nothing"):
        writer.begin(spec, {"git_commit": commit}, resuming=commit != "a")
    writer.sittings(spec.run_id, [{"git_commit": "lost"}])
    (record,) = RecordStore.open(runs_dir).load()
    assert record.sittings == ({"git_commit": "lost"},)
    writer.sittings(spec.run_id, [{"git_commit": commit} for commit in "xyz"])
    (record,) = RecordStore.open(runs_dir).load()
    assert [sitting["git_commit"] for sitting in record.sittings] == ["x", "y", "z"]
