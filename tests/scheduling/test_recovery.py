"""What an interrupted ending left is mended; what other code began is not continued unasked."""

from __future__ import annotations

import shutil
import sqlite3
import time
from pathlib import Path

import pytest

from suite.errors import InputError
from suite.records import RecordStore
from suite.records.provenance import numerics
from suite.runs.directory import RunsDirectory
from suite.scheduling import recovery
from suite.scheduling.coordinator import run_plan
from suite.scheduling.display import SilentDisplay
from suite.scheduling.recovery import finished_runs
from suite.study.load import load_study
from suite.study.plan import Plan, expand


@pytest.fixture
def plan(make_study) -> Plan:
    return expand(load_study(make_study(("seeds = [1, 2]", "seeds = [1]"))))


class Notes(SilentDisplay):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def notice(self, line: str) -> None:
        self.lines.append(line)


def trained(runs_dir: Path) -> list[str]:
    return (runs_dir / "trained.txt").read_text().split()


def test_a_run_whose_weights_are_gone_is_not_finished(plan: Plan, runs_dir: Path) -> None:
    first = run_plan(plan, runs_dir, 1, trainer="fake_trainer:train")
    lost = plan.runs[0].run_id
    RunsDirectory(runs_dir).weights_path(lost).unlink()
    assert finished_runs(RunsDirectory(runs_dir)).incomplete == {lost}
    notes = Notes()
    again = run_plan(plan, runs_dir, 1, notes, trainer="fake_trainer:train")
    assert (again.finished, again.incomplete) == ([lost], [lost])
    assert again.finished_before == [plan.runs[1].run_id]
    assert notes.lines[0].startswith("1 run recorded as finished, but without metrics, or without")
    assert RunsDirectory(runs_dir).weights_path(lost).exists()
    assert len(first.finished) == 2
    assert set(RecordStore.open(runs_dir).statuses().values()) == {"finished"}


def test_weights_without_any_record_are_told(plan: Plan, runs_dir: Path) -> None:
    """`mlflow.db` was moved away: the runs are trained again, not without a word."""
    run_plan(plan, runs_dir, 1, trainer="fake_trainer:train")
    bare = runs_dir.with_name("bare")
    shutil.copytree(runs_dir, bare, ignore=shutil.ignore_patterns("*.db"))
    notes = Notes()
    assert len(run_plan(plan, bare, 1, notes, trainer="fake_trainer:train").finished) == 2
    assert notes.lines[0].startswith("2 runs with weights in ")
    assert "was mlflow.db moved away, or were they deleted in MLflow?" in notes.lines[0]


def test_a_run_is_called_finished_when_its_record_is(
    plan: Plan, runs_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from suite.records.writer import RecordWriter

    order: list[str] = []
    finish = RecordWriter.finish

    def slowly(self: RecordWriter, run_id: str, *given) -> None:
        time.sleep(0.3)
        finish(self, run_id, *given)
        order.append(f"recorded {run_id}")

    class Order(SilentDisplay):
        def finished(self, run, elapsed_seconds: float) -> None:
            order.append(f"shown {run.spec.run_id}")

    monkeypatch.setattr(RecordWriter, "finish", slowly)
    run_plan(plan, runs_dir, 1, Order(), trainer="fake_trainer:train")
    assert len(order) == 4
    for run in plan.runs:
        assert order.index(f"recorded {run.run_id}") < order.index(f"shown {run.run_id}")


def test_a_trainer_that_leaves_no_weights_has_not_finished(plan: Plan, runs_dir: Path) -> None:
    outcome = run_plan(plan, runs_dir, 1, trainer="fake_trainer:forget_weights")
    reasons = {failure.reason for failure in outcome.failed}
    assert reasons == {"the trainer said that it had finished, and left no weights"}
    assert set(RecordStore.open(runs_dir).statuses().values()) == {"failed"}


def test_weights_that_cannot_be_written_fail_the_run_and_later_do_not(
    plan: Plan, runs_dir: Path
) -> None:
    """`weights` is a file at first: nothing counts as finished; then the way is free."""
    (runs_dir / "weights").touch()
    first = run_plan(plan, runs_dir, 1, trainer="fake_trainer:train")
    assert len(first.failed) == 2
    (runs_dir / "weights").unlink()
    second = run_plan(plan, runs_dir, 1, trainer="fake_trainer:train")
    assert len(second.finished) == 2
    assert all(RunsDirectory(runs_dir).weights_path(run.run_id).exists() for run in plan.runs)


def test_what_a_killed_ending_left_is_cleared(plan: Plan, runs_dir: Path) -> None:
    run_plan(plan, runs_dir, 1, trainer="fake_trainer:train")
    leftovers = [
        RunsDirectory(runs_dir).checkpoint_path([plan.runs[0].run_id]),
        runs_dir / "checkpoints" / ".abc.ckpt.123.tmp",
        runs_dir / "weights" / ".abc.pt.123.tmp",
        runs_dir / "weights" / "abc.tmp",
    ]
    for path in leftovers:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"left")
    run_plan(plan, runs_dir, 1, trainer="fake_trainer:train")
    assert [path for path in leftovers if path.exists()] == []
    assert len(trained(runs_dir)) == 2


@pytest.fixture
def interrupted(plan: Plan, runs_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Both runs have a checkpoint of half of their tests, by the present code."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    import fake_trainer

    for run in plan.runs:
        fake_trainer._write(RunsDirectory(runs_dir).checkpoint_path([run.run_id]), [run], 5)
    return runs_dir


def change_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """As an update would: coordinator and workers see another fingerprint than the checkpoint."""
    now = {**recovery.numerics(), "training_code": "another", "numba": "0.1"}
    monkeypatch.setattr(recovery, "numerics", lambda: now)


def test_checkpoints_of_other_code_are_refused_with_a_choice(
    plan: Plan, interrupted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change_code(monkeypatch)
    with pytest.raises(InputError) as caught:
        run_plan(plan, interrupted, 1, trainer="fake_trainer:train_slowly")
    message = str(caught.value)
    assert "2 interrupted runs were begun with other code or versions" in message
    assert f"numba was {numerics()['numba']}, is 0.1" in message
    assert "written by commit abc with uncommitted changes" in message
    assert "--if-changed restart" in message
    assert "--if-changed continue" in message
    assert all(
        RunsDirectory(interrupted).checkpoint_path([run.run_id]).exists() for run in plan.runs
    )


@pytest.mark.parametrize(("choice", "n_sittings"), [("restart", 1), ("continue", 2)])
def test_the_user_chooses_what_becomes_of_them(
    plan: Plan, runs_dir: Path, monkeypatch: pytest.MonkeyPatch, choice: str, n_sittings: int
) -> None:
    with pytest.raises(KeyboardInterrupt):
        run_plan(plan, runs_dir, 1, InterruptAfter(1), trainer="fake_trainer:train_slowly")
    change_code(monkeypatch)
    outcome = run_plan(
        plan,
        runs_dir,
        1,
        trainer="fake_trainer:train_slowly",
        if_changed=choice,  # type: ignore[arg-type]
    )
    assert len(outcome.finished) == 2
    records = {record.run_id: record for record in RecordStore.open(runs_dir).load()}
    assert len(records[plan.runs[0].run_id].sittings) == n_sittings


class InterruptAfter(SilentDisplay):
    """Ctrl-C once so many tests have been seen."""

    def __init__(self, n_tests: int) -> None:
        self.n_tests = n_tests

    def begin(self, tracker) -> None:
        self.tracker = tracker

    def refresh(self) -> None:
        if any(run.env_steps >= 100 * (self.n_tests + 1) for run in self.tracker.current.values()):
            raise KeyboardInterrupt


def test_a_worker_started_after_an_update_does_not_train(
    plan: Plan, runs_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from suite.scheduling import processes

    old = {**recovery.numerics(), "torch": "1.0"}
    monkeypatch.setattr(processes, "numerics", lambda: old)
    outcome = run_plan(plan, runs_dir, 1, trainer="fake_trainer:train")
    assert len(outcome.failed) == 2
    assert "have changed while this command was running" in outcome.failed[0].reason
    assert outcome.failed[0].exit_code == 2


def test_a_worker_whose_code_changed_while_it_was_imported_does_not_train(
    plan: Plan, runs_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fingerprint is taken before the import and once more when all has been imported."""
    slow = tmp_path / "changes_sources.py"
    slow.write_text(
        "import __main__\n"  # the worker
        "__main__.training_code = lambda: 'other sources'\n"
        "from fake_trainer import train\n"
    )
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{Path(__file__).parent}")
    outcome = run_plan(plan, runs_dir, 1, trainer="changes_sources:train")
    assert len(outcome.failed) == 2
    assert "have changed while this command was running" in outcome.failed[0].reason
    assert "is other sources" in outcome.failed[0].reason


def test_a_run_without_a_single_metric_is_not_finished(plan: Plan, runs_dir: Path) -> None:
    run_plan(plan, runs_dir, 1, trainer="fake_trainer:train")
    with sqlite3.connect(runs_dir / "mlflow.db") as connection:
        connection.execute("DELETE FROM metrics")
    assert len(finished_runs(RunsDirectory(runs_dir)).incomplete) == 2
    outcome = run_plan(plan, runs_dir, 1, trainer="fake_trainer:train")
    assert len(outcome.finished) == 2
    assert all(record.histories for record in RecordStore.open(runs_dir).load())
