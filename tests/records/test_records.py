"""What is written comes back: points once, statuses, failures, provenance."""

from __future__ import annotations

import math
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from suite.errors import InputError, StoredDataError
from suite.records import RecordStore
from suite.records.provenance import provenance
from suite.records.writer import RecordWriter
from suite.runs.spec import RunSpec
from suite.study.load import load_study
from suite.study.plan import expand


@pytest.fixture
def specs(make_study) -> tuple[RunSpec, ...]:
    return expand(load_study(make_study())).runs


@pytest.fixture
def writer(runs_dir: Path) -> RecordWriter:
    return RecordWriter(runs_dir)


def test_a_run_comes_back_as_written(runs_dir: Path, writer: RecordWriter, specs) -> None:
    spec = specs[1]
    writer.begin(spec, {"python": "3.11"}, resuming=False)
    writer.log(spec.run_id, [["test/win_rate/centralised", 200, 0.5], ["a", 100, 1.0]])
    writer.log(spec.run_id, [("test/win_rate/centralised", 100, 0.25)])
    writer.finish(spec.run_id, 12.5, "ab" * 32)
    (record,) = RecordStore.open(runs_dir).load()
    assert (record.run_id, record.status, record.spec) == (spec.run_id, "finished", spec)
    assert (record.scenario, record.arm) == ("skirmish/3m", "cadp_qmix")
    assert record.provenance == {"python": "3.11"}
    assert record.elapsed_seconds == 12.5
    assert record.weights_sha256 == "ab" * 32
    assert record.failure is None
    assert record.ended is not None
    assert record.ended >= record.started
    steps, values = record.histories["test/win_rate/centralised"]
    assert steps.dtype == np.int64
    np.testing.assert_array_equal(steps, [100, 200])
    np.testing.assert_array_equal(values, [0.25, 0.5])


def test_points_logged_twice_are_stored_once(runs_dir: Path, writer: RecordWriter, specs) -> None:
    points = [["a", step, value] for step, value in ((1, 0.5), (2, math.nan), (3, 1.0))]
    writer.begin(specs[0], {}, resuming=False)
    for _ in range(3):
        writer.log(specs[0].run_id, points)
    with sqlite3.connect(runs_dir / "mlflow.db") as connection:
        assert connection.execute("SELECT count(*) FROM metrics").fetchone() == (3,)


def test_a_point_logged_anew_with_another_value_counts_last(
    runs_dir: Path, writer: RecordWriter, specs
) -> None:
    writer.begin(specs[0], {}, resuming=False)
    writer.log(specs[0].run_id, [["a", 1, 9.0], ["a", 2, 1.0]])
    writer.log(specs[0].run_id, [["a", 1, 3.0]])
    (record,) = RecordStore.open(runs_dir).load()
    np.testing.assert_array_equal(record.histories["a"][1], [3.0, 1.0])


def test_values_that_are_not_finite_survive(runs_dir: Path, writer: RecordWriter, specs) -> None:
    values = [math.nan, math.inf, -math.inf, 1.0]
    writer.begin(specs[0], {}, resuming=False)
    writer.log(specs[0].run_id, [["a", step, value] for step, value in enumerate(values)])
    (record,) = RecordStore.open(runs_dir).load()
    np.testing.assert_array_equal(record.histories["a"][1], values)


def test_more_points_than_mlflow_takes_at_once(runs_dir: Path, writer: RecordWriter, specs) -> None:
    writer.begin(specs[0], {}, resuming=False)
    writer.log(specs[0].run_id, [["a", step, step] for step in range(2_345)])
    (record,) = RecordStore.open(runs_dir).load()
    np.testing.assert_array_equal(record.histories["a"][0], np.arange(2_345))


def test_a_failure_keeps_the_end_of_its_traceback(
    runs_dir: Path, writer: RecordWriter, specs
) -> None:
    writer.begin(specs[0], {}, resuming=False)
    writer.fail(specs[0].run_id, "x" * 20_000 + "\nValueError: the last line")
    (record,) = RecordStore.open(runs_dir).load()
    assert record.status == "failed"
    assert record.failure is not None
    assert record.failure.endswith("xx\nValueError: the last line")


def test_beginning_anew_sets_the_earlier_attempt_aside(
    runs_dir: Path, writer: RecordWriter, specs
) -> None:
    run_id = specs[0].run_id
    writer.begin(specs[0], {}, resuming=False)
    writer.log(run_id, [["a", 50, 1.0]])
    writer.fail(run_id, "boom")
    again = RecordWriter(runs_dir)  # as after a restart
    again.begin(specs[0], {}, resuming=False)
    again.log(run_id, [["a", 60, 2.0]])
    (record,) = RecordStore.open(runs_dir).load()
    assert (record.status, record.failure) == ("running", None)
    np.testing.assert_array_equal(record.histories["a"][0], [60])


def test_resuming_keeps_earlier_points(runs_dir: Path, writer: RecordWriter, specs) -> None:
    run_id = specs[0].run_id
    writer.begin(specs[0], {"cores": "2"}, resuming=False)
    writer.log(run_id, [["a", 50, 1.0]])
    again = RecordWriter(runs_dir)
    again.begin(specs[0], {"cores": "4"}, resuming=True)
    again.log(run_id, [["a", 60, 2.0]])
    again.finish(run_id, 1.0, "")
    (record,) = RecordStore.open(runs_dir).load()
    np.testing.assert_array_equal(record.histories["a"][0], [50, 60])
    assert record.sittings == ({"cores": "2"}, {"cores": "4"})
    assert record.provenance == {"cores": "4"}


def test_only_the_wanted_runs_are_loaded(runs_dir: Path, writer: RecordWriter, specs) -> None:
    for spec in specs:
        writer.begin(spec, {}, resuming=False)
        writer.log(spec.run_id, [["a", 1, spec.seed]])
    store = RecordStore.open(runs_dir)
    wanted = [specs[2].run_id, "not a run"]
    assert [record.run_id for record in store.load(wanted)] == [specs[2].run_id]
    assert store.load([]) == []
    assert len(store.load()) == len(specs) == len(store.statuses())


def test_many_runs_are_read(runs_dir: Path, writer: RecordWriter, specs) -> None:
    """100 runs × 100 points × 12 keys; rows are copied in SQL, as writing them takes longer."""
    writer.begin(specs[0], {}, resuming=False)
    keys = [f"key{index}" for index in range(12)]
    writer.log(specs[0].run_id, [[key, step, 0.5] for key in keys for step in range(100)])
    with sqlite3.connect(runs_dir / "mlflow.db") as connection:
        (uuid,) = connection.execute("SELECT run_uuid FROM runs").fetchone()
        for table, columns in {
            "runs": "name, status, start_time, lifecycle_stage, experiment_id",
            "metrics": "key, value, timestamp, step, is_nan",
        }.items():
            connection.execute(
                "WITH RECURSIVE copies(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM copies "
                f"WHERE n < 99) INSERT INTO {table} (run_uuid, {columns}) "
                f"SELECT n, {columns} FROM {table}, copies WHERE run_uuid = '{uuid}'"
            )
        for n in range(1, 100):
            copy = specs[0].model_copy(update={"seed": 1_000 + n})
            tags = {"cadp.run_id": copy.run_id, "cadp.spec": copy.model_dump_json()}
            connection.executemany(
                "INSERT INTO tags (run_uuid, key, value) VALUES (?, ?, ?)",
                [(n, key, value) for key, value in tags.items()],
            )
    records = RecordStore.open(runs_dir).load()
    assert len(records) == 100
    assert all(len(record.histories) == 12 for record in records)
    assert all(len(steps) == 100 for record in records for steps, _ in record.histories.values())


def test_nothing_was_ever_run(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing has been run here; run a study first"):
        RecordStore.open(tmp_path)


@pytest.mark.parametrize("content", [b"not a database at all" * 500, b""])
def test_a_damaged_database_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "mlflow.db").write_bytes(content)
    for use in (RecordStore.open, RecordWriter):
        with pytest.raises(StoredDataError, match=r"mlflow.db: .*restore it from a backup"):
            use(tmp_path)


def test_a_database_cut_short_is_named(runs_dir: Path) -> None:
    path = runs_dir / "mlflow.db"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(StoredDataError, match=r"mlflow.db: .*malformed"):
        RecordStore.open(runs_dir)


def test_a_stored_run_of_another_version_is_named(
    runs_dir: Path, writer: RecordWriter, specs
) -> None:
    writer.begin(specs[0], {}, resuming=False)
    with sqlite3.connect(runs_dir / "mlflow.db") as connection:
        connection.execute("UPDATE tags SET value = '{\"old\": 1}' WHERE key = 'cadp.spec'")
    with pytest.raises(StoredDataError, match=f"run {specs[0].run_id}"):
        RecordStore.open(runs_dir).load()


def test_a_killed_creation_leaves_no_half_database(tmp_path: Path, empty_databases: Path) -> None:
    """Creation happens in a side file, which a later attempt replaces."""
    (tmp_path / "mlflow.creating").write_bytes(b"half of it")
    RecordWriter(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mlflow.db"]


def test_provenance_says_where_a_run_came_from(specs) -> None:
    facts = provenance(specs[1], "cpu", {"OMP_NUM_THREADS": "1"})
    expected = {
        *("cadp-suite", "git_commit", "git_dirty", "python", "torch", "numpy", "numba", "optuna"),
        *("mlflow-skinny", "platform", "processor", "cores", "memory", "environment"),
        *("environment_version", "device", "torch_threads", "seed", "protocol"),
    }
    assert expected <= facts.keys()
    assert all(isinstance(value, str) and value for value in facts.values())
    assert facts["torch_threads"] == "1"
    assert (facts["environment"], facts["protocol"]) == ("skirmish", "repaired")


def test_the_commit_is_that_of_our_own_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from suite.records import provenance

    ours = provenance._git_state(Path(provenance.__file__).parents[2])
    git = ["git", "-C", str(tmp_path)]
    subprocess.run([*git, "init", "-q"], check=True)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / ".git"))
    assert provenance._git_state(Path(provenance.__file__).parents[2]) == ours


KILLED_WRITER = """
import os, signal, sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("PRAGMA cache_size = 1")  # spill to the file before the transaction ends
connection.execute("BEGIN")
connection.execute("UPDATE tags SET value = value || ?", ("x" * 100_000,))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_records_survive_a_writer_killed_in_mid_transaction(
    runs_dir: Path, writer: RecordWriter, specs
) -> None:
    spec = specs[0]
    writer.begin(spec, {}, resuming=False)
    writer.finish(spec.run_id, 1.0, "")
    database = str(runs_dir / "mlflow.db")
    killed = subprocess.run([sys.executable, "-c", KILLED_WRITER, database])
    assert killed.returncode == -signal.SIGKILL
    assert (runs_dir / "mlflow.db-journal").exists()  # what the writer left half done
    assert RecordStore.open(runs_dir).statuses() == {spec.run_id: "finished"}
