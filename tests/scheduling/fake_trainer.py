"""Trainers for tests: no torch, no environment; what they do depends on the run's seed.

Workers find this module by its name, with this directory on PYTHONPATH.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import signal
import stat
import struct
import sys
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from suite.disk import write_atomically
from suite.environments.engines.backend import PROCESSES
from suite.errors import StoredDataError
from suite.records.provenance import numerics
from suite.runs.directory import RunsDirectory
from suite.runs.spec import RunSpec
from suite.training.checkpoint import CHECKPOINT_FORMAT
from suite.training.events import Emit, Event, Failed, Finished, Measured, Progress

# Seeds with a meaning; others train without incident.
RAISES, DIES, NOISY, FILLS_DISK, FINDS_DAMAGE, FILLS_MEMORY = 101, 102, 103, 104, 105, 106
UNKNOWN_RUN, WRONG_TYPE, NO_EVENT, NOT_UNICODE = 107, 108, 109, 110
FAILS_IN_TRAINING = 111


def train(runs: Sequence[RunSpec], runs_dir: Path, emit: Emit, device: str, **_: object) -> None:
    """Ten tests per run, win rate rising to 1; every run trained leaves a line in trained.txt."""
    for run in runs:
        with (runs_dir / "trained.txt").open("a") as file:
            file.write(run.run_id + "\n")
        _misbehave(run)
        for test in range(1, 11):
            _emit_test(run, test, emit)
        _finish(run, runs_dir, emit, 1.5)


def train_and_tell(
    runs: Sequence[RunSpec], runs_dir: Path, emit: Emit, device: str, **more: object
) -> None:
    """As `train`; says how many processes of a game a worker may use."""
    (runs_dir / "processes.txt").write_text(os.environ[PROCESSES])
    train(runs, runs_dir, emit, device, **more)


def train_unevenly(
    runs: Sequence[RunSpec], runs_dir: Path, emit: Emit, device: str, **_: object
) -> None:
    """Four tests, three of them in the last tenth of training."""
    for run in runs:
        total = run.training.total_env_steps
        for part, value in ((0.5, 0.0), (0.92, 0.9), (0.95, 0.5), (1.01, 0.4)):
            point = ("test/win_rate/decentralised", round(part * total), value, _now())
            emit(Measured(run.run_id, (point,)))
        _finish(run, runs_dir, emit, 1.0)


def train_apart(
    runs: Sequence[RunSpec], runs_dir: Path, emit: Emit, device: str, **_: object
) -> None:
    """Win rates that differ by arm, and a little by seed; losses and updates as of real runs."""
    for run in runs:
        base = 28 if run.algorithm.framework == "cadp" else 6
        noise = int(run.run_id[:4], 16) / 2**16
        for test in range(1, 11):
            step = run.training.total_env_steps * test // 10
            value = round((base + 3 * noise) * test / 10) / run.training.n_test_episodes
            modes = ["decentralised"] + ["centralised"] * (base > 16)
            worth = {"win_rate": value, "return": 10 * value + noise, "episode_length": 20 + noise}
            points = [
                (f"test/{what}/{mode}", step, one, _now())
                for mode in modes
                for what, one in worth.items()
            ]
            points.append(("train/loss_td", step, noise / test, _now()))
            points.append(("train/n_updates", step, 10 * test, _now()))
            emit(Measured(run.run_id, tuple(points)))
        _finish(run, runs_dir, emit, 1.0)


def train_slowly(
    runs: Sequence[RunSpec], runs_dir: Path, emit: Emit, device: str, **_: object
) -> None:
    """As `train`, a tenth of a second per test, with a checkpoint to resume from."""
    checkpoint = RunsDirectory(runs_dir).checkpoint_path([runs[0].run_id])
    done = _read(checkpoint) if checkpoint.exists() else 0
    for test in range(1, 11):
        if test > done:
            time.sleep(0.1)
        _emit_test(runs[0], test, emit)
        _write(checkpoint, runs, max(test, done))
    _finish(runs[0], runs_dir, emit, 1.0)


def train_by_alpha(
    runs: Sequence[RunSpec], runs_dir: Path, emit: Emit, device: str, **_: object
) -> None:
    """Ten tests of a win rate that rises to 1 / (1 + α), a moment each; with a checkpoint."""
    (run,) = runs
    checkpoint = RunsDirectory(runs_dir).checkpoint_path([run.run_id])
    with (runs_dir / "trained.txt").open("a") as file:
        file.write(run.run_id + "\n")
    for test in range(1, 11):
        _write(checkpoint, runs, test)
        step = run.training.total_env_steps * test // 10
        emit(Progress(run.run_id, step))
        value = test / 10 / (1 + float(run.hyperparameters["alpha"]))
        modes = ("decentralised", "centralised")
        points = tuple((f"test/win_rate/{mode}", step, value, _now()) for mode in modes)
        emit(Measured(run.run_id, points))
        time.sleep(0.1)
    _finish(run, runs_dir, emit, 1.0)


def train_together(
    runs: Sequence[RunSpec],
    runs_dir: Path,
    emit: Emit,
    device: str,
    *,
    recorded: Collection[str],
    **_: object,
) -> None:
    """A cohort whose first member needs six tests, the next eight, the third ten.

    A member that `FAILS_IN_TRAINING` does so at its last. A line of cohorts.txt per call: the
    tests done before, ids, and whether each is recorded. It waits for ever after the test that
    hold.txt names.
    """
    hold = runs_dir / "hold.txt"
    last_test = int(hold.read_text()) if hold.exists() else None
    checkpoint = RunsDirectory(runs_dir).checkpoint_path([run.run_id for run in runs])
    done = _read(checkpoint) if checkpoint.exists() else 0
    with (runs_dir / "cohorts.txt").open("a") as file:
        members = [f"{run.run_id}{'*' * (run.run_id in recorded)}" for run in runs]
        file.write(f"{done} {' '.join(members)}\n")
    told = [(run, 6 + 2 * n) for n, run in enumerate(runs) if run.run_id not in recorded]
    for test in range(1, 5 + 2 * len(runs)):
        ending = [run for run, last in told if test == last]
        for run in ending:
            _store_weights(run, runs_dir)
        _write(checkpoint, runs, max(test, done))
        for run, last in told:
            if test <= last:
                _emit_test(run, test, emit)
        for run in ending:
            is_failure = run.seed == FAILS_IN_TRAINING
            emit(Failed(run.run_id, "diverged") if is_failure else _finished(run))
        if test == last_test:
            time.sleep(3600)


def stop_together_once(
    runs: Sequence[RunSpec], runs_dir: Path, emit: Emit, device: str, **more: Any
) -> None:
    """As `train_together`, but falls silent when the first member has finished, once."""

    def emit_and_stop(event: Event) -> None:
        emit(event)
        marker = runs_dir / f"stopped-{runs[0].run_id}"
        if isinstance(event, Finished) and not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGSTOP)

    train_together(runs, runs_dir, emit_and_stop, device, **more)


def fail_once(
    runs: Sequence[RunSpec], runs_dir: Path, emit: Emit, device: str, **_: object
) -> None:
    """Fails the first time it sees a run."""
    marker = runs_dir / f"seen-{runs[0].run_id}"
    if not marker.exists():
        marker.touch()
        raise ValueError("the first attempt fails")
    train(runs, runs_dir, emit, device)


def do_nothing(
    runs: Sequence[RunSpec], runs_dir: Path, emit: Emit, device: str, **_: object
) -> None:
    """Returns without a word."""


def stop_once(
    runs: Sequence[RunSpec], runs_dir: Path, emit: Emit, device: str, **_: object
) -> None:
    """Falls silent (a stopped process) the first time it sees a run, at its fifth test."""
    run, marker = runs[0], runs_dir / f"stopped-{runs[0].run_id}"
    for test in range(1, 11):
        _emit_test(run, test, emit)
        if test == 5 and not marker.exists():
            _write(RunsDirectory(runs_dir).checkpoint_path([run.run_id]), runs, test)
            marker.touch()
            os.kill(os.getpid(), signal.SIGSTOP)
    _finish(run, runs_dir, emit, 1.0)


def stop_always(
    runs: Sequence[RunSpec], runs_dir: Path, emit: Emit, device: str, **_: object
) -> None:
    """Falls silent whenever it is asked for seed 1."""
    if runs[0].seed == 1:
        time.sleep(3600)
    train(runs, runs_dir, emit, device)


def forget_weights(
    runs: Sequence[RunSpec], runs_dir: Path, emit: Emit, device: str, **_: object
) -> None:
    """Says that it has finished, and leaves no weights."""
    for run in runs:
        _emit_test(run, 10, emit)
        emit(_finished(run))


def never_end(
    runs: Sequence[RunSpec], runs_dir: Path, emit: Emit, device: str, **_: object
) -> None:
    """Goes on telling for ever when it is asked for seed 1."""
    while runs[0].seed == 1:
        emit(Progress(runs[0].run_id, 100))
        time.sleep(0.05)
    train(runs, runs_dir, emit, device)


def talk_nonsense(
    runs: Sequence[RunSpec], runs_dir: Path, emit: Emit, device: str, **_: object
) -> None:
    """What no trainer should say; which, the seed decides."""
    emit(Progress(runs[0].run_id, 1))
    if runs[0].seed == UNKNOWN_RUN:
        emit(Finished("f" * 16, 1.0, "0" * 64))
    if runs[0].seed == WRONG_TYPE:
        emit(Progress(runs[0].run_id, -1))
    if runs[0].seed == NO_EVENT:
        channel = next(n for n in range(3, 100) if stat.S_ISFIFO(_mode(n)))
        os.write(channel, b'{"event": "perhaps \xff"}\n')
    if runs[0].seed == NOT_UNICODE:
        raise ValueError(os.fsdecode(b"a path \xff"))
    time.sleep(3600 if runs[0].seed in (UNKNOWN_RUN, WRONG_TYPE, NO_EVENT) else 0)
    train(runs, runs_dir, emit, device)


def _mode(descriptor: int) -> int:
    try:
        return os.fstat(descriptor).st_mode
    except OSError:
        return 0


def _finish(run: RunSpec, runs_dir: Path, emit: Emit, elapsed_seconds: float) -> None:
    _store_weights(run, runs_dir)
    emit(_finished(run, elapsed_seconds))


def _store_weights(run: RunSpec, runs_dir: Path) -> None:
    path = RunsDirectory(runs_dir).weights_path(run.run_id)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"weights")


def _finished(run: RunSpec, elapsed_seconds: float = 1.0) -> Finished:
    return Finished(run.run_id, elapsed_seconds, "0" * 64)


def _write(checkpoint: Path, runs: Sequence[RunSpec], n_tests: int) -> None:
    """A checkpoint as the trainer writes it, but for its archive."""
    sitting = {"git_commit": "abc", "git_dirty": "true"}
    run_ids = [run.run_id for run in runs]
    sittings = {run_id: [sitting] for run_id in run_ids}
    header = {"run_ids": run_ids, "numerics": numerics(), "sittings": sittings}
    text = json.dumps(header).encode()
    rest = struct.pack("<I", len(text)) + text + bytes([n_tests])
    prefix = struct.pack("<8sI32s", b"CADPCKPT", CHECKPOINT_FORMAT, hashlib.sha256(rest).digest())
    write_atomically(checkpoint, prefix + rest)


def _read(checkpoint: Path) -> int:
    return checkpoint.read_bytes()[-1]


def _misbehave(run: RunSpec) -> None:
    if run.seed == RAISES:
        raise ValueError("the networks have exploded")
    if run.seed == DIES:
        os.kill(os.getpid(), signal.SIGKILL)
    if run.seed == NOISY:
        print("a library prints where events belong")
        os.write(1, b"and so does one written in C\n")
        print("and on standard error", file=sys.stderr)
    if run.seed == FINDS_DAMAGE:
        raise StoredDataError("checkpoint is damaged", where="run.ckpt", cure="delete this file")
    if run.seed == FILLS_MEMORY:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 8 TB")
    if run.seed == FILLS_DISK:
        raise OSError(errno.ENOSPC, "No space left on device", "weights.pt")


def _emit_test(run: RunSpec, test: int, emit: Emit) -> None:
    step = run.training.total_env_steps * test // 10
    emit(Progress(run.run_id, step))
    now = _now()
    points = [("test/win_rate/decentralised", step, test / 10, now)]
    if run.algorithm.framework == "cadp":
        points.append(("test/win_rate/centralised", step, test / 10, now))
    points.append(("train/loss_td", step, float("nan") if test == 1 else 1.0 / test, now))
    emit(Measured(run.run_id, tuple(points)))


def _now() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000
