"""Trials in Optuna's database: whole or not there, whatever was killed when."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from suite.errors import StoredDataError
from suite.records.database import BusyError
from suite.runs.directory import RunsDirectory
from suite.scheduling.ledger import TrialLedger
from suite.study.load import load_study
from suite.study.plan import Plan, expand


@pytest.fixture
def plan(make_study) -> Plan:
    return expand(load_study(make_study()))


def stored(runs_dir: Path) -> list[optuna.trial.FrozenTrial]:
    storage = f"sqlite:///{runs_dir / 'optuna.db'}"
    return optuna.load_study(study_name="example/tiny", storage=storage).get_trials()


def study_of(runs_dir: Path) -> optuna.Study:
    storage = f"sqlite:///{runs_dir / 'optuna.db'}"
    return optuna.create_study(study_name="example/tiny", storage=storage, direction="maximize")


def test_a_killed_creation_leaves_no_half_database(plan: Plan, tmp_path: Path) -> None:
    for name in ("optuna.creating", "optuna.creating-journal"):
        (tmp_path / name).write_bytes(b"half of it")
    TrialLedger(plan, RunsDirectory(tmp_path))
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
    TrialLedger(plan, RunsDirectory(tmp_path))
    TrialLedger(plan, RunsDirectory(tmp_path / "then")).begin(plan.trials[0])


def test_a_trial_is_never_seen_without_its_parameters(plan: Plan, runs_dir: Path) -> None:
    ledger = TrialLedger(plan, RunsDirectory(runs_dir))
    seen = []

    def look(connection: sqlite3.Connection) -> None:
        rows = connection.execute("SELECT count(*) FROM trials").fetchone()[0]
        parameters = connection.execute("SELECT count(*) FROM trial_params").fetchone()[0]
        seen.append((rows, parameters))

    import sqlalchemy

    reader = sqlite3.connect(runs_dir / "optuna.db")

    @sqlalchemy.event.listens_for(sqlalchemy.engine.Engine, "commit")
    def after_commit(connection: object) -> None:
        look(reader)

    try:
        ledger.begin(plan.trials[1])
    finally:
        sqlalchemy.event.remove(sqlalchemy.engine.Engine, "commit", after_commit)
    look(reader)
    assert set(seen) <= {(0, 0), (1, 2)}
    assert seen[-1] == (1, 2)


def test_a_trial_left_running_is_taken_over(plan: Plan, runs_dir: Path) -> None:
    TrialLedger(plan, RunsDirectory(runs_dir)).begin(plan.trials[1])
    again = TrialLedger(plan, RunsDirectory(runs_dir))
    again.begin(plan.trials[1])
    again.complete(plan.trials[1], 0.5)
    assert [(t.state, t.value) for t in stored(runs_dir)] == [(TrialState.COMPLETE, 0.5)]
    assert TrialLedger(plan, RunsDirectory(runs_dir)).is_complete(plan.trials[1])


def test_what_an_older_version_left_half_asked_has_failed(plan: Plan, runs_dir: Path) -> None:
    """Asked without parameters, waiting, or of a trial that is in no plan any more."""
    study = study_of(runs_dir)
    for key in (plan.trials[1].key, "of another plan"):
        study.ask().set_user_attr("cadp.key", key)
    study.enqueue_trial({}, user_attrs={"cadp.key": plan.trials[0].key})
    ledger = TrialLedger(plan, RunsDirectory(runs_dir))
    assert {trial.state for trial in stored(runs_dir)} == {TrialState.FAIL}
    ledger.begin(plan.trials[1])
    ledger.complete(plan.trials[1], 1.0)
    last = stored(runs_dir)[-1]
    assert (last.state, last.params) == (
        TrialState.COMPLETE,
        {"alpha": 0.5, "pruning_start_env_steps": 500},
    )


@pytest.mark.parametrize(
    "damage",
    [
        "DROP TABLE trials",
        "UPDATE trial_user_attributes SET value_json = 'no json'",
        "UPDATE trial_params SET param_value = 'text'",
        "UPDATE trial_params SET distribution_json = '{}'",
        "UPDATE trials SET state = 'SLEEPING'",
        "UPDATE alembic_version SET version_num = 'v9.9.9.z'",
        "UPDATE study_directions SET direction = 'SIDEWAYS'",
        "UPDATE trials SET number = NULL",
        "UPDATE trials SET datetime_start = 'yesterday'",
    ],
)
def test_an_altered_database_is_one_line(plan: Plan, runs_dir: Path, damage: str) -> None:
    ledger = TrialLedger(plan, RunsDirectory(runs_dir))
    ledger.begin(plan.trials[1])
    with sqlite3.connect(runs_dir / "optuna.db") as connection:
        connection.execute(damage)
    with pytest.raises(StoredDataError) as caught:
        TrialLedger(plan, RunsDirectory(runs_dir)).begin(plan.trials[0])
    assert "optuna.db: the schedule cannot be used: " in str(caught.value)
    assert "move it away and give the same command again" in str(caught.value)
    assert len(str(caught.value)) < 800


@pytest.mark.parametrize("content", [b"", b"garbage" * 1000])
def test_what_is_no_schedule_is_one_line(plan: Plan, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "optuna.db").write_bytes(content)
    with pytest.raises(StoredDataError, match=r"optuna.db: the schedule cannot be used"):
        TrialLedger(plan, RunsDirectory(tmp_path))
    assert (tmp_path / "optuna.db").read_bytes() == content


def test_a_newer_database_is_not_told_to_upgrade(plan: Plan, runs_dir: Path) -> None:
    with sqlite3.connect(runs_dir / "optuna.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'v9.9.9.z'")
    with pytest.raises(StoredDataError, match=r"updating optuna to the latest version"):
        TrialLedger(plan, RunsDirectory(runs_dir))


def test_a_database_in_use_is_called_so(
    plan: Plan, runs_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *a, **o: connect(*a, **o | {"timeout": 0.05}))
    holder = connect(runs_dir / "optuna.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(BusyError, match=r"in use by another program; nothing is lost"):
        TrialLedger(plan, RunsDirectory(runs_dir))
    holder.execute("ROLLBACK")
    TrialLedger(plan, RunsDirectory(runs_dir))
