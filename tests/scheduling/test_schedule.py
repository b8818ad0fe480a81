"""Runs in Optuna's database: whole or not there, whatever was killed when."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from suite.errors import StoredDataError
from suite.records.database import BusyError
from suite.records.schedule import ScheduleStore
from suite.runs.directory import RunsDirectory
from suite.scheduling.schedule import Schedule
from suite.scheduling.storage import ScheduleStorage
from suite.study.load import load_study
from suite.study.plan import Plan, expand

NAME = "example/tiny"


@pytest.fixture
def plan(make_study) -> Plan:
    return expand(load_study(make_study()))


def schedule_of(runs_dir: Path) -> Schedule:
    directory = RunsDirectory(runs_dir)
    return Schedule(directory, ScheduleStorage(directory), NAME)


def stored(runs_dir: Path) -> list[optuna.trial.FrozenTrial]:
    storage = f"sqlite:///{runs_dir / 'optuna.db'}"
    return optuna.load_study(study_name=NAME, storage=storage).get_trials()


def test_a_killed_creation_leaves_no_half_database(plan: Plan, tmp_path: Path) -> None:
    for name in ("optuna.creating", "optuna.creating-journal"):
        (tmp_path / name).write_bytes(b"half of it")
    schedule_of(tmp_path)
    assert [path.name for path in tmp_path.glob("optuna*")] == ["optuna.db"]


def test_the_database_appears_whole(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the moment its name appears, all is in it: a copy made then is no foreign database."""
    replace = Path.replace

    def replace_and_copy(self: Path, target: Path) -> Path:
        moved = replace(self, target)
        if target.name == "optuna.db":
            (tmp_path / "then").mkdir()
            shutil.copy(target, tmp_path / "then" / "optuna.db")
        return moved

    monkeypatch.setattr(Path, "replace", replace_and_copy)
    schedule_of(tmp_path)
    schedule_of(tmp_path / "then").propose(plan.runs)


def test_a_run_is_never_seen_without_what_it_is(plan: Plan, runs_dir: Path) -> None:
    schedule = schedule_of(runs_dir)
    seen = []
    tables = ("trials", "trial_params", "trial_user_attributes")

    def look(connection: sqlite3.Connection) -> None:
        counts = (connection.execute(f"SELECT count(*) FROM {table}") for table in tables)
        seen.append(tuple(count.fetchone()[0] for count in counts))

    import sqlalchemy

    reader = sqlite3.connect(runs_dir / "optuna.db")

    @sqlalchemy.event.listens_for(sqlalchemy.engine.Engine, "commit")
    def after_commit(connection: object) -> None:
        look(reader)

    try:
        schedule.propose([plan.runs[1]])
    finally:
        sqlalchemy.event.remove(sqlalchemy.engine.Engine, "commit", after_commit)
    look(reader)
    assert set(seen) <= {(0, 0, 0), (1, 2, 6)}
    assert seen[-1] == (1, 2, 6)


def test_what_a_run_is_and_how_it_ended_is_read_back(plan: Plan, runs_dir: Path) -> None:
    schedule, runs = schedule_of(runs_dir), plan.runs
    schedule.propose(runs)
    schedule.begin(runs[0].run_id)
    schedule.complete(runs[1], 0.5)
    schedule.fail(runs[2].run_id, "ValueError: the networks have exploded")
    read = ScheduleStore(runs_dir).runs(NAME)
    assert [run.spec for run in read] == list(runs)
    assert [run.document for run in read] == [run.model_dump(mode="json") for run in runs]
    assert [run.state for run in read] == ["running", "complete", "failed", "waiting"]
    assert [run.reason for run in read] == [
        *(None, None),
        "ValueError: the networks have exploded",
        None,
    ]
    assert [(t.state, t.value) for t in stored(runs_dir)][1] == (TrialState.COMPLETE, 0.5)
    assert stored(runs_dir)[1].params == {"alpha": 0.5, "pruning_start_env_steps": 500}


def test_proposing_again_changes_nothing(plan: Plan, runs_dir: Path) -> None:
    schedule = schedule_of(runs_dir)
    schedule.propose(plan.runs)
    schedule.propose(plan.runs)
    schedule_of(runs_dir).propose(plan.runs)
    assert len(stored(runs_dir)) == 4


def test_a_run_left_running_is_taken_over(plan: Plan, runs_dir: Path) -> None:
    run = plan.runs[1]
    first = schedule_of(runs_dir)
    first.propose([run])
    first.begin(run.run_id)
    again = schedule_of(runs_dir)
    again.propose([run])
    again.begin(run.run_id)
    again.complete(run, 0.5)
    assert [(t.state, t.value) for t in stored(runs_dir)] == [(TrialState.COMPLETE, 0.5)]
    assert schedule_of(runs_dir).is_complete(run.run_id)


def test_every_attempt_is_kept(plan: Plan, runs_dir: Path) -> None:
    """Of a run that fails, of one whose weights were lost after it had finished."""
    run = plan.runs[0]
    for state in ("failed", "complete", "complete"):
        schedule = schedule_of(runs_dir)
        schedule.propose([run])
        schedule.begin(run.run_id)
        schedule.fail(run.run_id, "no") if state == "failed" else schedule.complete(run, 1.0)
    read = ScheduleStore(runs_dir).runs(NAME)
    assert [(one.attempt, one.state) for one in read] == [
        (1, "failed"),
        (2, "complete"),
        (3, "complete"),
    ]


def test_what_the_study_no_longer_has_is_withdrawn(plan: Plan, runs_dir: Path) -> None:
    schedule = schedule_of(runs_dir)
    schedule.propose(plan.runs)
    schedule.complete(plan.runs[0], 1.0)
    schedule_of(runs_dir).withdraw({plan.runs[3].run_id})
    read = ScheduleStore(runs_dir).runs(NAME)
    assert [run.state for run in read] == ["complete", "failed", "failed", "waiting"]
    assert read[1].reason == "the study no longer has it"


def test_what_an_older_version_left_open_has_failed(plan: Plan, runs_dir: Path) -> None:
    storage = f"sqlite:///{runs_dir / 'optuna.db'}"
    study = optuna.create_study(study_name=NAME, storage=storage, direction="maximize")
    study.ask().set_user_attr("cadp.key", plan.trials[1].key)
    study.enqueue_trial({}, user_attrs={"cadp.key": plan.trials[0].key})
    schedule = schedule_of(runs_dir)
    assert {trial.state for trial in stored(runs_dir)} == {TrialState.FAIL}
    schedule.propose(plan.runs)
    assert len(ScheduleStore(runs_dir).runs(NAME)) == 4


@pytest.mark.parametrize(
    "damage",
    [
        "DROP TABLE trials",
        "UPDATE trial_user_attributes SET value_json = 'no json'",
        "UPDATE trials SET state = 'SLEEPING'",
        "UPDATE alembic_version SET version_num = 'v9.9.9.z'",
        "UPDATE trials SET number = 'first'",
        "DELETE FROM trial_user_attributes WHERE key = 'run'",
    ],
)
def test_an_altered_database_is_one_line(plan: Plan, runs_dir: Path, damage: str) -> None:
    schedule_of(runs_dir).propose(plan.runs)
    with sqlite3.connect(runs_dir / "optuna.db") as connection:
        connection.execute(damage)
    with pytest.raises(StoredDataError) as caught:
        schedule_of(runs_dir)
    assert "optuna.db: the schedule cannot be used: " in str(caught.value)
    assert "move it away and give the same command again" in str(caught.value)
    assert len(str(caught.value)) < 800


@pytest.mark.parametrize("content", [b"", b"garbage" * 1000])
def test_what_is_no_schedule_is_one_line(plan: Plan, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "optuna.db").write_bytes(content)
    with pytest.raises(StoredDataError, match=r"optuna.db: the schedule cannot be used"):
        schedule_of(tmp_path)
    assert (tmp_path / "optuna.db").read_bytes() == content


def test_a_newer_database_is_not_told_to_upgrade(plan: Plan, runs_dir: Path) -> None:
    with sqlite3.connect(runs_dir / "optuna.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'v9.9.9.z'")
    with pytest.raises(StoredDataError, match=r"updating optuna to the latest version"):
        schedule_of(runs_dir)


def test_a_database_in_use_is_called_so(
    plan: Plan, runs_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *a, **o: connect(*a, **o | {"timeout": 0.05}))
    holder = connect(runs_dir / "optuna.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(BusyError, match=r"in use by another program; nothing is lost"):
        schedule_of(runs_dir)
    holder.execute("ROLLBACK")
    schedule_of(runs_dir)
