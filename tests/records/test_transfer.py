"""Runs go from one directory to another: whole, once, and whatever moment a kill chooses."""

from __future__ import annotations

import contextlib
import itertools
import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from made_records import RATE, failed, history, made_record, other

from suite.errors import InputError, StoredDataError
from suite.records import RecordStore, RunRecord
from suite.records.packs import write_pack
from suite.records.sources import results
from suite.records.writer import RecordWriter
from suite.runs.directory import RunsDirectory
from suite.runs.spec import RunSpec
from suite.scheduling.coordinator import run_plan
from suite.scheduling.lock import coordinator_lock
from suite.scheduling.recovery import finished_runs
from suite.status import status_document
from suite.study.load import load_study
from suite.study.plan import Plan, expand
from suite.training.weights import read_weights, write_weights
from suite.transfer import Exported, Imported, export_runs, import_packs

FAKE_TRAINERS = Path(__file__).parents[1] / "scheduling"


@pytest.fixture
def plan(make_study) -> Plan:
    return expand(load_study(make_study()))


@pytest.fixture
def pack(tmp_path: Path, specs: tuple[RunSpec, ...]) -> Path:
    """Three finished runs and a failed one."""
    path = tmp_path / "some.pack"
    write_pack(path, [*map(made_record, specs[:3]), failed(made_record(specs[3]))])
    return path


def take(*packs: Path, into: Path, keep: bool = False) -> Imported:
    lines: list[str] = []
    return import_packs(packs, into, lines.append, if_different="keep" if keep else "refuse")


def records(runs_dir: Path) -> dict[str, RunRecord]:
    return {record.run_id: record for record in RecordStore.open(runs_dir).load()}


def export(runs_dir: Path, path: Path, *, with_weights: bool = False) -> Exported:
    return export_runs(runs_dir, path, None, with_weights=with_weights)


def weigh(runs_dir: Path, spec: RunSpec, value: float = 0.5) -> str:
    """Store weights for a run; returns their digest."""
    return write_weights(RunsDirectory(runs_dir), spec, {"a": torch.full((2, 3), value)})


def record_here(runs_dir: Path, record: RunRecord) -> None:
    """As if it had been trained here."""
    writer = RecordWriter(runs_dir)
    writer.begin(record.spec, {}, resuming=False)
    for key, (steps, values) in record.histories.items():
        writer.log(record.run_id, list(zip([key] * len(steps), steps, values, strict=True)))
    if record.status == "finished":
        digest = weigh(runs_dir, record.spec)
        writer.finish(record.run_id, 1.0, digest)
    elif record.status == "failed":
        writer.fail(record.run_id, "here")


def test_what_was_imported_is_exported_as_the_same_file(pack: Path, runs_dir: Path) -> None:
    """Through MLflow's database and back: times, provenance, points, all of it."""
    outcome = take(pack, into=runs_dir)
    assert (outcome.n_finished, outcome.n_failed, outcome.n_weights) == (3, 1, 0)
    again = pack.with_name("again.pack")
    exported = export(runs_dir, again)
    assert (exported.n_finished, exported.n_failed, exported.n_left_out) == (3, 1, 0)
    assert again.read_bytes() == pack.read_bytes()


def test_a_directory_that_is_not_there_is_made(pack: Path, tmp_path: Path) -> None:
    take(pack, into=tmp_path / "new" / "runs")
    assert len(records(tmp_path / "new" / "runs")) == 4


def test_times_at_which_points_were_measured_travel(
    tmp_path: Path, runs_dir: Path, specs: tuple[RunSpec, ...]
) -> None:
    path, run_id = tmp_path / "timed.pack", specs[0].run_id
    write_pack(path, [made_record(specs[0])], times={run_id: {1000: 1_700_000_000_000}})
    take(path, into=runs_dir)
    with sqlite3.connect(runs_dir / "mlflow.db") as connection:
        stored = connection.execute("SELECT step, timestamp FROM metrics ORDER BY step").fetchall()
    assert stored == [(100, 100), (1000, 1_700_000_000_000)]


def test_imported_runs_are_not_trained_again(
    tmp_path: Path, plan: Plan, runs_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(FAKE_TRAINERS))
    path = tmp_path / "some.pack"
    last = made_record(plan.runs[3])
    write_pack(path, [*map(made_record, plan.runs[:3]), failed(last)])
    take(path, into=runs_dir)
    imported = [run.run_id for run in plan.runs[:3]]
    outcome = run_plan(plan, runs_dir, 1, trainer="fake_trainer:train")
    assert outcome.finished_before == imported
    assert outcome.finished == [last.run_id]  # which had failed
    assert (runs_dir / "trained.txt").read_text().split() == [last.run_id]
    assert records(runs_dir)[last.run_id].origin is None
    assert results(records(runs_dir)[imported[0]]) == results(made_record(plan.runs[0]))
    run_plan(plan, runs_dir, 1, trainer="fake_trainer:train")
    assert (runs_dir / "trained.txt").read_text().split() == [last.run_id]


def test_status_says_what_was_imported_and_what_lacks_weights(
    pack: Path, plan: Plan, runs_dir: Path
) -> None:
    take(pack, into=runs_dir)
    document = status_document(plan, runs_dir)
    assert document["counts"]["finished"] == 3
    for run in document["runs"]:
        assert run["imported_from"].startswith("some.pack (SHA-256 ")
        assert (run["has_weights"], run["is_incomplete"]) == (False, False)


def test_weights_travel_if_asked_for(
    tmp_path: Path, runs_dir: Path, plan: Plan, empty_databases: Path
) -> None:
    record_here(runs_dir, made_record(plan.runs[0]))
    record_here(runs_dir, failed(made_record(plan.runs[1])))
    bare, full, there = tmp_path / "bare.pack", tmp_path / "full.pack", tmp_path / "there"
    shutil.copytree(empty_databases, there)
    assert export(runs_dir, bare).n_with_weights == 0
    assert export(runs_dir, full, with_weights=True).n_with_weights == 1
    assert take(bare, into=there).n_weights == 0
    run_id = plan.runs[0].run_id
    outcome = take(full, into=there)  # the record was here, now its weights come
    assert (outcome.n_finished, outcome.n_same, outcome.n_weights) == (0, 1, 1)
    origin = records(there)[run_id].origin
    assert origin is not None
    assert (origin.pack, origin.with_weights) == ("full.pack", True)
    for name in (f"{run_id}.safetensors", f"{run_id}.json"):
        assert (there / "weights" / name).read_bytes() == (runs_dir / "weights" / name).read_bytes()
    read_weights(
        RunsDirectory(there).weights_path(run_id), run_id, records(there)[run_id].weights_sha256
    )
    assert export(there, tmp_path / "back.pack", with_weights=True).n_with_weights == 1
    assert (tmp_path / "back.pack").read_bytes() == full.read_bytes()
    assert take(full, into=there).n_weights == 0
    # What came with weights owes them from then on, as what was trained here does.
    RunsDirectory(there).weights_path(run_id).unlink()
    assert finished_runs(RunsDirectory(there)).incomplete == {run_id}


def test_weights_come_with_their_run(
    tmp_path: Path, runs_dir: Path, plan: Plan, empty_databases: Path
) -> None:
    record_here(runs_dir, made_record(plan.runs[0]))
    export(runs_dir, tmp_path / "full.pack", with_weights=True)
    there = tmp_path / "there"
    shutil.copytree(empty_databases, there)
    weigh(there, plan.runs[0], 0.25)  # of an attempt whose record was lost
    outcome = take(tmp_path / "full.pack", into=there)
    assert (outcome.n_finished, outcome.n_weights) == (1, 1)
    found = records(there)[plan.runs[0].run_id]
    read_weights(
        RunsDirectory(there).weights_path(found.run_id), found.run_id, found.weights_sha256
    )
    assert found.origin is not None
    assert found.origin.with_weights


@pytest.mark.parametrize(
    "spoil",
    [
        lambda weights, text: (weights[:-1] + b"x", text),
        lambda weights, text: (b"\x80\x04N.", text),
        lambda weights, text: (b"PK\3\4" + weights, text),
        lambda weights, text: (weights, b"{}"),
        lambda weights, text: (weights, b"not json"),
        lambda weights, text: (weights, b"[" * 100_000),
    ],
)
def test_weights_that_are_not_the_runs_are_refused(
    tmp_path: Path,
    runs_dir: Path,
    plan: Plan,
    spoil: Callable[[bytes, bytes], tuple[bytes, bytes]],
) -> None:
    source, path, run = tmp_path / "source", tmp_path / "some.pack", plan.runs[1]
    digest = weigh(source, run)
    directory = RunsDirectory(source)
    sound = directory.weights_path(run.run_id).read_bytes()
    described = directory.description_path(run.run_id).read_bytes()
    record = replace(made_record(run), weights_sha256=digest)
    first = made_record(plan.runs[0])
    write_pack(path, [first, record], lambda r: spoil(sound, described) if r is record else None)
    with pytest.raises(StoredDataError, match=f"weights of run {run.run_id}: ") as caught:
        take(path, into=runs_dir)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)
    assert records(runs_dir) == {}  # nor any other of the pack
    write_pack(path, [first, record], lambda r: (sound, described) if r is record else None)
    assert take(path, into=runs_dir).n_weights == 1


def test_weights_of_another_training_are_refused(
    tmp_path: Path, runs_dir: Path, plan: Plan
) -> None:
    source, path, run = tmp_path / "source", tmp_path / "some.pack", plan.runs[0]
    weigh(source, run)
    files = (
        RunsDirectory(source).weights_path(run.run_id),
        RunsDirectory(source).description_path(run.run_id),
    )
    content = (files[0].read_bytes(), files[1].read_bytes())
    write_pack(path, [made_record(run)], lambda record: content)
    with pytest.raises(StoredDataError, match="not the weights that were recorded"):
        take(path, into=runs_dir)


def test_damaged_weights_are_not_exported(tmp_path: Path, runs_dir: Path, plan: Plan) -> None:
    record_here(runs_dir, made_record(plan.runs[0]))
    weigh(runs_dir, plan.runs[0], 0.25)
    with pytest.raises(StoredDataError, match="not the weights that were recorded"):
        export(runs_dir, tmp_path / "some.pack", with_weights=True)
    assert list(tmp_path.glob("*.pack")) == []


def test_what_is_finished_here_is_never_replaced(
    pack: Path, tmp_path: Path, runs_dir: Path, specs: tuple[RunSpec, ...]
) -> None:
    mine = other(made_record(specs[0]))
    record_here(runs_dir, mine)
    before = (runs_dir / "mlflow.db").read_bytes()
    with pytest.raises(InputError, match=rf"1 run is finished here .*results \({mine.run_id}\)"):
        take(pack, into=runs_dir)
    assert (runs_dir / "mlflow.db").read_bytes() == before
    outcome = take(pack, into=runs_dir, keep=True)
    assert (outcome.kept, outcome.n_finished, outcome.n_failed) == ([mine.run_id], 2, 1)
    found = records(runs_dir)
    assert len(found) == 4
    assert results(found[mine.run_id]).digest == results(mine).digest
    assert found[mine.run_id].origin is None


def test_packs_that_contradict_each_other_are_refused(
    pack: Path, tmp_path: Path, runs_dir: Path, specs: tuple[RunSpec, ...]
) -> None:
    write_pack(tmp_path / "other.pack", [other(made_record(specs[0]))])
    with pytest.raises(
        InputError, match="1 run is finished here already, or in a pack before, with other"
    ):
        take(pack, tmp_path / "other.pack", into=runs_dir)
    assert records(runs_dir) == {}


def test_the_same_again_changes_nothing(pack: Path, runs_dir: Path) -> None:
    take(pack, into=runs_dir)
    before = (runs_dir / "mlflow.db").read_bytes()
    outcome = take(pack, pack, into=runs_dir)
    assert (outcome.n_finished, outcome.n_failed) == (0, 0)
    assert (outcome.n_same, outcome.n_not_needed) == (6, 2)
    assert (runs_dir / "mlflow.db").read_bytes() == before


def test_what_did_not_finish_here_makes_way(
    pack: Path, runs_dir: Path, specs: tuple[RunSpec, ...]
) -> None:
    stopped = replace(made_record(specs[0]), status="running")
    stopped = replace(stopped, histories={RATE: history([50], [0.1])})
    record_here(runs_dir, stopped)
    record_here(runs_dir, failed(made_record(specs[1])))
    record_here(runs_dir, replace(made_record(specs[3]), status="running"))
    lost = made_record(specs[2])
    record_here(runs_dir, lost)
    RunsDirectory(runs_dir).weights_path(lost.run_id).unlink()  # would be trained again
    outcome = take(pack, into=runs_dir)
    assert (outcome.n_finished, outcome.n_not_needed) == (3, 1)
    found = records(runs_dir)
    assert [found[spec.run_id].status for spec in specs] == ["finished"] * 3 + ["running"]
    for spec in specs[:3]:
        assert results(found[spec.run_id]) == results(made_record(spec))
    assert found[specs[3].run_id].origin is None
    assert finished_runs(RunsDirectory(runs_dir)).whole == {spec.run_id for spec in specs[:3]}


def test_nothing_is_taken_from_a_pack_that_is_damaged_somewhere(
    pack: Path, tmp_path: Path, runs_dir: Path
) -> None:
    content = bytearray(pack.read_bytes())
    content[content.rindex(b"a test")] ^= 1  # in the last run
    bad = tmp_path / "bad.pack"
    bad.write_bytes(content)
    for packs in ([bad], [pack, bad]):
        with pytest.raises(StoredDataError, match=r"bad.pack: damaged, or no pack"):
            take(*packs, into=runs_dir)
    assert records(runs_dir) == {}


def test_while_a_coordinator_is_at_work_nothing_is_imported(pack: Path, runs_dir: Path) -> None:
    with (
        coordinator_lock(RunsDirectory(runs_dir)),
        pytest.raises(InputError, match="another coordinator"),
    ):
        take(pack, into=runs_dir)


def test_nothing_to_export(runs_dir: Path, tmp_path: Path, specs: tuple[RunSpec, ...]) -> None:
    record_here(runs_dir, replace(made_record(specs[0]), status="running"))
    with pytest.raises(InputError, match="no run has ended that could be exported"):
        export(runs_dir, tmp_path / "some.pack")
    record_here(runs_dir, made_record(specs[1]))
    assert export(runs_dir, tmp_path / "some.pack").n_left_out == 1


class Killed(BaseException):
    """Nothing catches it, as nothing catches SIGKILL."""


@pytest.mark.slow
def test_a_kill_between_any_two_writes_leaves_what_the_same_import_completes(
    pack: Path, tmp_path: Path, specs, empty_databases: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of MLflow's writes in turn. Seed 1 was interrupted here, at half of its tests."""
    from mlflow.tracking import MlflowClient

    begun = tmp_path / "begun"
    shutil.copytree(empty_databases, begun)
    stopped = replace(made_record(specs[0]), status="running")
    record_here(begun, replace(stopped, histories={RATE: history([50], [0.1])}))
    whole = {spec.run_id: results(made_record(spec)) for spec in specs[:3]}
    whole[specs[3].run_id] = results(failed(made_record(specs[3])))

    for n_writes in itertools.count():
        there = tmp_path / f"after-{n_writes}"
        shutil.copytree(begun, there)
        with monkeypatch.context() as patched:
            left = die_after(n_writes, MlflowClient, patched)
            with contextlib.suppress(Killed):
                take(pack, into=there)
        found = records(there)
        assert specs[0].run_id in found
        for run_id, record in found.items():
            is_as_before = record.status == "running" and run_id == specs[0].run_id
            assert is_as_before or results(record) == whole[run_id], n_writes
        take(pack, into=there)
        assert {k: results(record) for k, record in records(there).items()} == whole, n_writes
        assert RecordStore.open(there).half_imported() == []
        if left[0] > 0:
            break
    assert n_writes > 4 * 5  # four runs; each is made, gets metrics, its end and its name


def die_after(n_writes: int, client: type, patched: pytest.MonkeyPatch) -> list[int]:
    """Have MLflow's client die at the write after these; returns how many are left, kept up."""
    left = [n_writes]

    def dying(original: Callable[..., Any]) -> Callable[..., Any]:
        def write(*given: Any, **more: Any) -> Any:
            if left[0] == 0:
                raise Killed
            left[0] -= 1
            return original(*given, **more)

        return write

    for name in ("create_run", "log_batch", "set_tag", "set_terminated", "delete_run"):
        patched.setattr(client, name, dying(getattr(client, name)))
    return left


@pytest.mark.slow
def test_killed_imports_are_completed_by_the_same_command(
    tmp_path: Path, specs: tuple[RunSpec, ...], empty_databases: Path
) -> None:
    """SIGKILL when so many runs can be seen, and a little later."""
    path = tmp_path / "some.pack"
    seeds = [specs[0].model_copy(update={"seed": seed}) for seed in range(1, 31)]
    many = {RATE: history(list(range(0, 3_000, 3)), [0.5] * 1_000)}
    write_pack(path, [replace(made_record(spec), histories=many) for spec in seeds])
    there = tmp_path / "runs"
    shutil.copytree(empty_databases, there)
    command = [sys.executable, "-m", "suite", "import", str(path), "--runs-dir", str(there)]
    for n_seen in (0, 3, 11, 22):
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 120
        while (
            len(RecordStore.open(there).statuses()) < n_seen
            or not (there / "coordinator.pid").exists()
        ):
            assert process.poll() is None, "the import ended before it could be killed"
            assert time.monotonic() < deadline
        time.sleep(0.003 * n_seen)
        process.send_signal(signal.SIGKILL)
        process.wait()
        for record in records(there).values():
            assert record.status == "finished"
            assert results(record) == results(replace(made_record(record.spec), histories=many))
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert "here already, with the same results" in done.stderr
    found = records(there)
    assert found.keys() == {spec.run_id for spec in seeds}
    again = tmp_path / "again.pack"
    export(there, again)
    assert again.read_bytes() == path.read_bytes()
    assert RecordStore.open(there).half_imported() == []


def test_pages_of_runs_say_where_they_came_from(pack: Path, runs_dir: Path) -> None:
    """In MLflow, as a tag."""
    take(pack, into=runs_dir)
    with sqlite3.connect(runs_dir / "mlflow.db") as connection:
        (tag, *_), *_ = connection.execute("SELECT value FROM tags WHERE key = 'cadp.import'")
    told = json.loads(tag)
    assert told["pack"] == "some.pack"
    assert len(told["sha256"]) == 64
