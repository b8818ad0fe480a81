"""One invocation after another in one directory, with trainers that need no torch."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import optuna
import pytest

from reports.load import load_report_data
from reports.statistics.performance import summarise
from suite.environments.engines.backend import PROCESSES
from suite.errors import InputError, StoredDataError
from suite.records import RecordStore
from suite.runs.directory import RunsDirectory
from suite.scheduling import capacity
from suite.scheduling.coordinator import run_plan
from suite.scheduling.lock import coordinator_lock, coordinator_pid
from suite.study.load import load_study
from suite.study.plan import Plan, expand

RAISES, DIES, NOISY, FILLS_DISK, FINDS_DAMAGE, FILLS_MEMORY = 101, 102, 103, 104, 105, 106
UNKNOWN_RUN, WRONG_TYPE, NO_EVENT, NOT_UNICODE = 107, 108, 109, 110
TRAINER = "fake_trainer:train"


def plan_of(make_study, seeds: str = "1, 2", *more: tuple[str, str]) -> Plan:
    return expand(load_study(make_study(("seeds = [1, 2]", f"seeds = [{seeds}]"), *more)))


def trained(runs_dir: Path) -> list[str]:
    """Run ids in the order in which workers took them up."""
    path = runs_dir / "trained.txt"
    return path.read_text().split() if path.exists() else []


def optuna_trials(runs_dir: Path, name: str = "example/tiny") -> list[optuna.trial.FrozenTrial]:
    storage = f"sqlite:///{runs_dir / 'optuna.db'}"
    return optuna.load_study(study_name=name, storage=storage).get_trials()


def test_every_run_is_trained_recorded_and_told(make_study, runs_dir: Path) -> None:
    plan = plan_of(make_study)
    (runs_dir / "checkpoints").mkdir()
    checkpoint = runs_dir / "checkpoints" / f"{plan.runs[0].run_id}.ckpt"
    checkpoint.touch()
    outcome = run_plan(plan, runs_dir, 2, trainer=TRAINER)
    ids = {run.run_id for run in plan.runs}
    assert set(outcome.finished) == ids
    assert (outcome.finished_before, outcome.failed) == ([], [])
    records = {record.run_id: record for record in RecordStore.open(runs_dir).load()}
    assert records.keys() == ids
    for run in plan.runs:
        record = records[run.run_id]
        assert (record.status, record.spec, record.elapsed_seconds) == ("finished", run, 1.5)
        assert list(record.histories["train/loss_td"][0]) == [100 * i for i in range(1, 11)]
        assert record.provenance["device"] == "cpu"
        assert record.weights_sha256 == "0" * 64
    assert not checkpoint.exists()
    # The last tenth of ten tests is the last one: win rate 1.
    told = optuna_trials(runs_dir)
    assert [trial.state.name for trial in told] == ["COMPLETE"] * 4
    assert [trial.value for trial in told] == [1.0] * 4
    assert [trial.user_attrs["run_id"] for trial in told] == [run.run_id for run in plan.runs]
    assert told[1].params == {"alpha": 0.5, "pruning_start_env_steps": 500}
    assert coordinator_pid(RunsDirectory(runs_dir)) is None


def test_the_schedule_and_the_report_call_the_same_number_final(make_study, runs_dir: Path) -> None:
    """Tests at uneven steps: of the last tenth of training are three, of the tests but one."""
    plan = plan_of(make_study, "1, 2")
    run_plan(plan, runs_dir, 1, trainer="fake_trainer:train_unevenly")
    views = load_report_data(runs_dir.parent / "study.toml", None, runs_dir).runs
    reported: dict[str, list[float]] = {}
    for view in views:
        history = view.histories["test/win_rate/decentralised"]
        final = summarise(history, view.total_env_steps)
        assert final.n_final_tests == 3
        reported.setdefault(view.arm, []).append(final.final)
    told: dict[str, list[float]] = {}
    for trial in optuna_trials(runs_dir):
        told.setdefault(trial.user_attrs["arm"], []).append(trial.value)
    assert told == reported
    assert told["qmix"] == [pytest.approx((0.9 + 0.5 + 0.4) / 3)] * 2


@pytest.mark.parametrize(
    ("n_workers", "said", "processes"),
    [(1, None, "12"), (2, None, "6"), (5, None, "3"), (64, None, "3"), (1, "2", "2")],
)
def test_workers_share_the_cores_for_processes_of_games(
    make_study,
    runs_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    n_workers: int,
    said: str | None,
    processes: str,
) -> None:
    """Twelve cores, four runs: no more workers are started. The user may say otherwise."""
    monkeypatch.setattr(capacity, "n_usable_cores", lambda: 12)
    if said is not None:
        monkeypatch.setenv(PROCESSES, said)
    run_plan(plan_of(make_study), runs_dir, n_workers, trainer="fake_trainer:train_and_tell")
    assert (runs_dir / "processes.txt").read_text() == processes


def test_a_number_of_processes_that_is_none_is_told_before_anything_starts(
    make_study, runs_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PROCESSES, "many")
    with pytest.raises(InputError, match=rf"{PROCESSES}: not a number of processes"):
        run_plan(plan_of(make_study), runs_dir, 2, trainer=TRAINER)
    assert trained(runs_dir) == []


@pytest.mark.parametrize(
    ("memory", "n_workers", "processes"),
    [(None, 1, 12), (24e9, 1, 12), (8e9, 1, 7), (8e9, 2, 3), (1e9, 1, 1), (8e9, 12, 1)],
)
def test_games_are_no_more_than_memory_holds(
    make_study,
    games: Any,
    monkeypatch: pytest.MonkeyPatch,
    memory: float | None,
    n_workers: int,
    processes: int,
) -> None:
    """A gigabyte for each copy, as of StarCraft II; the run itself has half of one, and a copy."""
    monkeypatch.setattr(games.LOOSE, "copy_bytes", 1e9, raising=False)
    monkeypatch.setattr(games.LOOSE, "most_copies", 1)
    monkeypatch.setattr(capacity, "n_usable_cores", lambda: 12)
    monkeypatch.setattr(capacity, "memory_bytes", lambda: memory)
    moved = ('scenarios = ["skirmish/3m"]', 'scenarios = ["loose/adding"]')
    plan = plan_of(make_study, "1, 2, 3, 4, 5, 6", moved)
    assert capacity.engine_processes(plan, n_workers) == processes


def test_one_worker_trains_in_plan_order(make_study, runs_dir: Path) -> None:
    plan = plan_of(make_study, "7, 5")
    run_plan(plan, runs_dir, 1, trainer=TRAINER)
    assert trained(runs_dir) == [run.run_id for run in plan.runs]


def test_finished_runs_are_not_repeated_also_across_studies(make_study, runs_dir: Path) -> None:
    plan = plan_of(make_study)
    run_plan(plan, runs_dir, 2, trainer=TRAINER)
    again = run_plan(plan, runs_dir, 2, trainer=TRAINER)
    assert len(again.finished_before) == 4
    assert again.finished == []
    other = plan_of(
        make_study,
        "1, 2, 3",
        ('name = "example"', 'name = "other"'),
        ("[arms.qmix]", "[arms.plain]"),
        ('["qmix", "cadp_qmix"]', '["plain"]'),
        ('right = "qmix/', 'right = "plain/'),
        ("pruning_start_fraction = [0.5]", ""),
    )
    outcome = run_plan(other, runs_dir, 1, trainer=TRAINER)
    assert len(outcome.finished_before) == 2
    assert outcome.finished == [other.runs[2].run_id]
    assert len(trained(runs_dir)) == 5
    told = optuna_trials(runs_dir, "other/tiny")
    assert [trial.state.name for trial in told] == ["COMPLETE"] * 3
    assert {trial.user_attrs["run_id"] for trial in told} == {run.run_id for run in other.runs}


def test_a_failure_is_recorded_and_the_rest_goes_on(make_study, runs_dir: Path) -> None:
    plan = plan_of(make_study, f"{RAISES}, 1")
    outcome = run_plan(plan, runs_dir, 1, trainer=TRAINER)
    assert [failure.spec.seed for failure in outcome.failed] == [RAISES, RAISES]
    assert outcome.failed[0].reason == "ValueError: the networks have exploded"
    assert len(outcome.finished) == 2
    failed = [r for r in RecordStore.open(runs_dir).load() if r.status == "failed"]
    assert len(failed) == 2
    assert failed[0].failure is not None
    assert failed[0].failure.startswith("Traceback")
    assert "_misbehave" in failed[0].failure
    told = {(trial.state.name, trial.user_attrs["seed"]) for trial in optuna_trials(runs_dir)}
    assert told == {("FAIL", RAISES), ("COMPLETE", 1)}
    reasons = {trial.user_attrs.get("reason") for trial in optuna_trials(runs_dir)}
    assert reasons == {None, "ValueError: the networks have exploded"}


def test_a_damaged_checkpoint_is_one_line_with_its_cure(make_study, runs_dir: Path) -> None:
    outcome = run_plan(plan_of(make_study, f"1, {FINDS_DAMAGE}"), runs_dir, 1, trainer=TRAINER)
    assert len(outcome.finished) == 2  # the other seed, of both trials
    assert {failure.exit_code for failure in outcome.failed} == {2}
    assert {failure.reason for failure in outcome.failed} == {
        "run.ckpt: checkpoint is damaged; delete this file"
    }


@pytest.mark.parametrize(
    ("seed", "told"),
    [
        (UNKNOWN_RUN, "news of run ffffffffffffffff, which it does not have"),
        (WRONG_TYPE, "no event (Input should be greater than or equal to 0): "),
        (NO_EVENT, "no event (Input tag 'perhaps \ufffd' found using 'event' does not match "),
    ],
)
def test_what_is_no_event_is_one_line_and_another_worker_goes_on(
    make_study, runs_dir: Path, seed: int, told: str
) -> None:
    plan = plan_of(make_study, f"{seed}, 1")
    outcome = run_plan(plan, runs_dir, 1, trainer="fake_trainer:talk_nonsense")
    assert len(outcome.finished) == 2  # the other seed, of both trials
    assert {failure.spec.seed for failure in outcome.failed} == {seed}
    for failure in outcome.failed:
        assert failure.reason.startswith(f"the worker told what cannot be: {told}")
    stored = [record.failure for record in RecordStore.open(runs_dir).load()]
    assert sorted(filter(None, stored)) == sorted(failure.reason for failure in outcome.failed)


def test_a_traceback_that_is_no_unicode_is_recorded(make_study, runs_dir: Path) -> None:
    plan = plan_of(make_study, str(NOT_UNICODE))
    outcome = run_plan(plan, runs_dir, 1, trainer="fake_trainer:talk_nonsense")
    assert {failure.reason for failure in outcome.failed} == {"ValueError: a path \\udcff"}


def test_memory_that_runs_out_is_one_line(make_study, runs_dir: Path) -> None:
    outcome = run_plan(plan_of(make_study, str(FILLS_MEMORY)), runs_dir, 1, trainer=TRAINER)
    assert {failure.exit_code for failure in outcome.failed} == {2}
    assert outcome.failed[0].reason.startswith("memory: ran out; free some, ")


def test_failed_runs_are_tried_again_by_the_next_invocation(make_study, runs_dir: Path) -> None:
    plan = plan_of(make_study, "1")
    first = run_plan(plan, runs_dir, 2, trainer="fake_trainer:fail_once")
    assert len(first.failed) == 2
    second = run_plan(plan, runs_dir, 2, trainer="fake_trainer:fail_once")
    assert (len(second.finished), second.failed) == (2, [])
    assert {record.status for record in RecordStore.open(runs_dir).load()} == {"finished"}
    told = optuna_trials(runs_dir)
    attempts = sorted((trial.state.name, trial.user_attrs["attempt"]) for trial in told)
    assert attempts == [("COMPLETE", 2), ("COMPLETE", 2), ("FAIL", 1), ("FAIL", 1)]


def test_a_worker_that_dies_is_replaced(make_study, runs_dir: Path) -> None:
    plan = plan_of(make_study, f"{DIES}, 1")
    outcome = run_plan(plan, runs_dir, 1, trainer=TRAINER)
    assert [failure.spec.seed for failure in outcome.failed] == [DIES, DIES]
    assert outcome.failed[0].reason.startswith("worker process died with signal 9 (SIGKILL)")
    assert len(outcome.finished) == 2


def test_a_trainer_that_returns_early_has_failed(make_study, runs_dir: Path) -> None:
    outcome = run_plan(plan_of(make_study, "1"), runs_dir, 1, trainer="fake_trainer:do_nothing")
    reasons = [failure.reason for failure in outcome.failed]
    assert reasons == ["the trainer returned without finishing this run"] * 2


def test_a_trainer_that_cannot_be_imported_fails_its_runs(make_study, runs_dir: Path) -> None:
    outcome = run_plan(plan_of(make_study, "1"), runs_dir, 1, trainer="no_such_module:train")
    assert len(outcome.failed) == 2
    assert "No module named 'no_such_module'" in outcome.failed[0].reason


def test_prints_of_libraries_do_not_disturb_events(make_study, runs_dir: Path) -> None:
    plan = plan_of(make_study, str(NOISY))
    assert len(run_plan(plan, runs_dir, 1, trainer=TRAINER).finished) == 2
    log = (runs_dir / "logs" / "worker-1.log").read_text()
    assert "one written in C" in log
    assert "where events belong" in log


def test_a_full_disk_stops_with_one_line_and_loses_nothing(make_study, runs_dir: Path) -> None:
    plan = plan_of(make_study, f"1, {FILLS_DISK}")
    with pytest.raises(InputError, match="no space left on the disk; free some space and give"):
        run_plan(plan, runs_dir, 1, trainer=TRAINER)
    statuses = RecordStore.open(runs_dir).statuses()
    assert [statuses.get(run.run_id) for run in plan.runs[:2]] == ["finished", "finished"]
    assert "failed" not in statuses.values()


def test_a_database_that_is_full_is_a_full_disk(
    make_study, runs_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow.tracking import MlflowClient
    from sqlalchemy.exc import OperationalError

    def full(*_: object, **__: object) -> None:
        raise OperationalError("INSERT", {}, Exception("database or disk is full"))

    monkeypatch.setattr(MlflowClient, "log_batch", full)
    with pytest.raises(InputError, match="no space left on the disk"):
        run_plan(plan_of(make_study, "1"), runs_dir, 1, trainer=TRAINER)


def test_only_one_coordinator_per_directory(make_study, runs_dir: Path) -> None:
    with (
        coordinator_lock(RunsDirectory(runs_dir)),
        pytest.raises(InputError, match=rf"another coordinator \(process {os.getpid()}\)"),
    ):
        run_plan(plan_of(make_study), runs_dir, 1, trainer=TRAINER)
    assert coordinator_pid(RunsDirectory(runs_dir)) is None
    assert coordinator_pid(RunsDirectory(runs_dir / "nowhere")) is None


@pytest.mark.parametrize("name", ["optuna.db", "mlflow.db"])
def test_a_damaged_database_is_one_line(make_study, runs_dir: Path, name: str) -> None:
    (runs_dir / name).write_bytes(b"garbage" * 1000)
    with pytest.raises(StoredDataError, match=rf"{name}: .*not a database.*; (move|restore)"):
        run_plan(plan_of(make_study, "1"), runs_dir, 1, trainer=TRAINER)


PROGRAM = """
import sys
from pathlib import Path
from suite.scheduling.coordinator import run_plan
from suite.study.load import load_study
from suite.study.plan import expand
try:
    plan = expand(load_study(Path(sys.argv[1])))
    run_plan(plan, Path(sys.argv[2]), 2, trainer="fake_trainer:train_slowly")
except KeyboardInterrupt:
    sys.exit(130)
"""


def children_of(pid: int) -> set[int]:
    children: set[int] = set()
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        children |= {int(child) for child in path.read_text().split()}
    return children


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="looks processes up in /proc")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_coordinator_leaves_no_worker_and_can_be_continued(
    make_study, runs_dir: Path, how: signal.Signals
) -> None:
    plan = plan_of(make_study, "1, 2, 3")
    study = str(make_study(("seeds = [1, 2]", "seeds = [1, 2, 3]")))
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, study, str(runs_dir)])
    deadline = time.monotonic() + 30
    while not any((runs_dir / "checkpoints").glob("*.ckpt")) and time.monotonic() < deadline:
        time.sleep(0.02)
    workers = children_of(process.pid)
    assert len(workers) == 2
    process.send_signal(how)
    code = process.wait(20)
    assert code == (-signal.SIGKILL if how == signal.SIGKILL else 130)
    while any(map(is_alive, workers)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(map(is_alive, workers))
    outcome = run_plan(plan, runs_dir, 2, trainer="fake_trainer:train_slowly")
    assert len(outcome.finished) + len(outcome.finished_before) == 6
    assert outcome.finished
    for record in RecordStore.open(runs_dir).load():
        assert record.status == "finished"
        steps, _ = record.histories["test/win_rate/decentralised"]
        assert list(steps) == [100 * i for i in range(1, 11)]
    assert {trial.state.name for trial in optuna_trials(runs_dir)} == {"COMPLETE"}


HOSTILE = """
import os, signal, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
os.execv(sys.executable, [sys.executable, "-c", *sys.argv[1:]])
"""


def test_blocked_signals_and_children_do_not_keep_it_from_stopping(
    make_study, runs_dir: Path
) -> None:
    program = [sys.executable, "-c", HOSTILE, PROGRAM, str(make_study()), str(runs_dir)]
    process = subprocess.Popen(program)
    deadline = time.monotonic() + 30
    while not any((runs_dir / "checkpoints").glob("*.ckpt")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.terminate()
    assert process.wait(20) == 130


def test_a_terminal_that_closes_does_not_stop_training(make_study, runs_dir: Path) -> None:
    study = str(make_study())
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, study, str(runs_dir)])
    deadline = time.monotonic() + 30
    while not any((runs_dir / "checkpoints").glob("*.ckpt")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGHUP)
    assert process.wait(30) == 0
    assert set(RecordStore.open(runs_dir).statuses().values()) == {"finished"}


def test_run_plan_works_outside_the_main_thread(make_study, runs_dir: Path) -> None:
    """Where no signal handler can be set."""
    outcomes: list[object] = []
    plan = plan_of(make_study, "1")
    thread = threading.Thread(
        target=lambda: outcomes.append(run_plan(plan, runs_dir, 1, trainer=TRAINER))
    )
    thread.start()
    thread.join(60)
    assert len(outcomes) == 1
