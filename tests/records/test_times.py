"""Every point is stored once, with the time at which it was first measured."""

from __future__ import annotations

import math
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from suite.errors import StoredDataError
from suite.records import RecordStore
from suite.records.writer import RecordWriter
from suite.runs.spec import RunSpec
from suite.study.load import load_study
from suite.study.plan import expand

NOON = 1_700_000_000_000


@pytest.fixture
def spec(make_study) -> RunSpec:
    return expand(load_study(make_study())).runs[0]


def rows(runs_dir: Path) -> list[tuple[int, int]]:
    with sqlite3.connect(runs_dir / "mlflow.db") as connection:
        return connection.execute("SELECT step, timestamp FROM metrics ORDER BY 1, 2").fetchall()


def test_points_carry_the_time_at_which_they_were_measured(runs_dir: Path, spec: RunSpec) -> None:
    writer = RecordWriter(runs_dir)
    writer.begin(spec, {}, resuming=False)
    writer.log(
        spec.run_id, [("a", 100, 1.0, NOON), ("b", 100, 2.0, NOON), ("a", 200, 3.0, NOON + 9)]
    )
    store = RecordStore.open(runs_dir)
    assert store.times() == {spec.run_id: {100: NOON, 200: NOON + 9}}
    assert store.times([]) == {}
    np.testing.assert_array_equal(store.load()[0].histories["a"][0], [100, 200])


def test_steps_in_the_place_of_times_are_no_times(runs_dir: Path, spec: RunSpec) -> None:
    """Records of earlier versions, and points whose time nobody knows."""
    writer = RecordWriter(runs_dir)
    writer.begin(spec, {}, resuming=False)
    writer.log(spec.run_id, [("a", 100, 1.0), ("a", 200, 2.0)])
    assert rows(runs_dir) == [(100, 100), (200, 200)]
    assert RecordStore.open(runs_dir).times() == {}
    np.testing.assert_array_equal(
        RecordStore.open(runs_dir).load()[0].histories["a"][1], [1.0, 2.0]
    )


@pytest.mark.parametrize("value", [0.1, math.nan, math.inf, -0.0])
def test_what_is_measured_again_after_a_kill_stays_one_point(
    runs_dir: Path, spec: RunSpec, value: float
) -> None:
    """Killed between the record and the checkpoint, a run comes to the same point once more."""
    writer = RecordWriter(runs_dir)
    writer.begin(spec, {}, resuming=False)
    writer.log(spec.run_id, [("a", 100, 0.5, NOON), ("a", 200, value, NOON + 1)])
    writer = RecordWriter(runs_dir)
    writer.begin(spec, {}, resuming=True)
    again = [
        ("a", 100, 0.5, NOON),
        ("a", 200, value, NOON + 60_000),
        ("a", 300, 0.0, NOON + 70_000),
    ]
    writer.log(spec.run_id, again)
    writer.begin(spec, {}, resuming=True)
    writer.log(spec.run_id, [("a", 300, 0.0, NOON + 99_000)])
    assert rows(runs_dir) == [(100, NOON), (200, NOON + 1), (300, NOON + 70_000)]


def test_another_value_at_the_same_step_counts(runs_dir: Path, spec: RunSpec) -> None:
    """Continued with other code, say: what is true of the run is what it measured last."""
    writer = RecordWriter(runs_dir)
    writer.begin(spec, {}, resuming=False)
    writer.log(spec.run_id, [("a", 100, 0.5, NOON)])
    writer.begin(spec, {}, resuming=True)
    writer.log(spec.run_id, [("a", 100, 0.25, NOON + 5)])
    np.testing.assert_array_equal(RecordStore.open(runs_dir).load()[0].histories["a"][1], [0.25])
    assert RecordStore.open(runs_dir).times() == {spec.run_id: {100: NOON + 5}}


def test_a_run_begun_anew_measures_anew(runs_dir: Path, spec: RunSpec) -> None:
    writer = RecordWriter(runs_dir)
    for time in (NOON, NOON + 5):
        writer.begin(spec, {}, resuming=False)
        writer.log(spec.run_id, [("a", 100, 0.5, time)])
    assert RecordStore.open(runs_dir).times() == {spec.run_id: {100: NOON + 5}}


def test_altered_times_are_one_line(runs_dir: Path, spec: RunSpec) -> None:
    writer = RecordWriter(runs_dir)
    writer.begin(spec, {}, resuming=False)
    writer.log(spec.run_id, [("a", 100, 0.5, NOON)])
    with sqlite3.connect(runs_dir / "mlflow.db") as connection:
        connection.execute("UPDATE metrics SET timestamp = 'noon'")
    with pytest.raises(StoredDataError, match="times that are no numbers"):
        RecordStore.open(runs_dir).times()
