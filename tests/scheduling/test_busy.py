"""Databases that another program holds: work goes on, and nothing calls them damaged."""

from __future__ import annotations

import fcntl
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from suite.records import RecordStore
from suite.records.database import BusyError, patiently
from suite.runs.directory import RunsDirectory
from suite.scheduling.bookkeeping import Bookkeeper
from suite.scheduling.coordinator import run_plan
from suite.scheduling.display import SilentDisplay
from suite.scheduling.lock import coordinator_lock, coordinator_pid
from suite.scheduling.tracking import Tracker
from suite.study.load import load_study
from suite.study.plan import Plan, expand


@pytest.fixture
def plan(make_study) -> Plan:
    return expand(load_study(make_study()))


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Another program writes to the database for as long as this lasts."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


class Watch(SilentDisplay):
    """Keeps the tracker, and which runs were called finished."""

    def __init__(self) -> None:
        self.ready = threading.Event()
        self.called_finished: list[str] = []

    def begin(self, tracker: Tracker) -> None:
        self.tracker = tracker
        self.ready.set()

    def finished(self, run, elapsed_seconds: float) -> None:
        self.called_finished.append(run.label)


@pytest.mark.parametrize("name", ["mlflow.db", "optuna.db"])
def test_training_goes_on_while_a_database_is_in_use(plan: Plan, runs_dir: Path, name: str) -> None:
    """The books are opened, then the database is taken; all runs end before it is given back.

    None is called finished before its record says so.
    """
    run_plan(plan, runs_dir, 2, trainer="fake_trainer:fail_once")  # databases know the study
    watch, seen = Watch(), []

    def take() -> None:
        watch.ready.wait(30)
        with held(runs_dir / name):
            deadline = time.monotonic() + 15
            while watch.tracker.n_finished < 4 and time.monotonic() < deadline:
                time.sleep(0.02)
            seen.append((watch.tracker.n_finished, len(watch.called_finished)))

    thread = threading.Thread(target=take)
    thread.start()
    outcome = run_plan(plan, runs_dir, 2, watch, trainer="fake_trainer:train")
    thread.join()
    assert seen == [(4, 0)]
    assert len(watch.called_finished) == 4
    assert len(outcome.finished) == 4
    assert set(RecordStore.open(runs_dir).statuses().values()) == {"finished"}


def test_waiting_is_said_grows_and_ends() -> None:
    pauses: list[float] = []
    lines: list[str] = []
    attempts = iter([True] * 7 + [False])

    def action() -> str:
        if next(attempts):
            raise BusyError("in use by another program", where="mlflow.db", cure="close it")
        return "done"

    assert patiently(action, lines.append, sleep=pauses.append) == "done"
    assert pauses == [0.5, 1, 2, 4, 8, 16, 30]
    assert lines[0] == "mlflow.db: in use by another program; waiting, training goes on"

    def always() -> None:
        raise BusyError("in use by another program", where="mlflow.db", cure="close it")

    with pytest.raises(BusyError, match=r"in use by another program for 0 s; close it"):
        patiently(always, lines.append, patience_seconds=0)


def test_the_bookkeeper_keeps_order_and_stops_at_the_first_failure() -> None:
    books, done = Bookkeeper(), []
    for number in range(100):
        books.later(lambda number=number: done.append(number))
    assert books.now(lambda: len(done), lambda: None) == 100
    assert done == list(range(100))
    books.later(lambda: 1 // 0)
    books.later(lambda: done.append("never"))
    books.close(lambda: None)
    with pytest.raises(ZeroDivisionError):
        books.check()
    assert "never" not in done


def test_readers_call_a_database_in_use_so(runs_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("suite.records.store._BUSY_SECONDS", 0.05)
    with (
        held(runs_dir / "mlflow.db"),
        pytest.raises(BusyError, match=r"in use by another program; nothing is lost"),
    ):
        RecordStore.open(runs_dir)


def test_status_cannot_look_like_a_coordinator(tmp_path: Path) -> None:
    """A reader in mid-look, held there: the lock is to be had all the same."""
    directory = RunsDirectory(tmp_path)
    with coordinator_lock(directory):
        pass
    with directory.pid_path.open() as reader:
        fcntl.flock(reader, fcntl.LOCK_SH)
        release = threading.Timer(0.3, lambda: fcntl.flock(reader, fcntl.LOCK_UN))
        release.start()
        with coordinator_lock(directory):
            assert coordinator_pid(directory) is not None
        release.join()
    assert coordinator_pid(directory) is None
