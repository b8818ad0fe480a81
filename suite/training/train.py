"""Training runs to their end: the loop around a cohort, and what it reports.

Every member plays one whole episode, one update follows per episode, greedy tests interrupt at
fixed intervals, a checkpoint follows every test and every so many seconds.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from suite.runs.directory import RunsDirectory
from suite.runs.spec import RunSpec
from suite.training.cohort import Cohort
from suite.training.events import Alive, Emit, Failed, Finished, Measured, Progress, Sittings
from suite.training.progress import Point
from suite.training.weights import write_weights

# A checkpoint follows every test, and this long after the last one. Writing takes some ten
# milliseconds; where it takes longer than this, the interval is longer in proportion.
CHECKPOINT_INTERVAL_SECONDS = 20.0
CHECKPOINT_WRITE_SECONDS = 0.4
PROGRESS_INTERVAL_SECONDS = 0.5


def train_cohort(
    runs: Sequence[RunSpec],
    runs_dir: Path,
    emit: Emit,
    device: str = "cpu",
    *,
    accepts_changed_code: bool = False,
    sittings: Mapping[str, Mapping[str, str]] | None = None,
    recorded: Collection[str] = (),
) -> None:
    """Train `runs` to their end, resuming from their checkpoint if there is one.

    `emit` receives the events (`suite.training.events`); after a resume the whole history is
    emitted again (storing a point twice leaves one).

    accepts_changed_code: continue from a checkpoint that other code or library versions wrote.
    sittings: run id → provenance of this sitting; all that took part are kept in the checkpoint,
    and told after a resume.
    recorded: ids of runs that have ended, and are here because the checkpoint is theirs as well:
    nothing of them is told or written again.
    Raises StoredDataError for an unusable checkpoint.
    """
    directory = RunsDirectory(runs_dir)
    cohort = Cohort(runs, device)
    try:
        _train(cohort, directory, emit, accepts_changed_code, sittings or {}, recorded)
    except BaseException:
        with suppress(Exception):  # what went wrong first is told
            cohort.close()
        raise
    cohort.close()


def _train(
    cohort: Cohort,
    directory: RunsDirectory,
    emit: Emit,
    accepts_changed_code: bool,
    sittings: Mapping[str, Mapping[str, str]],
    recorded: Collection[str],
) -> None:
    runs = cohort.runs
    path = directory.checkpoint_path([run.run_id for run in runs])
    if path.exists():
        cohort.restore(path, lambda: emit(Alive()), accepts_changed_code)
    for run_id, sitting in sittings.items():
        cohort.sittings[run_id].append(dict(sitting))
        if len(cohort.sittings[run_id]) > 1:
            emit(Sittings(run_id, tuple(cohort.sittings[run_id])))
    is_told = np.array([run.run_id not in recorded for run in runs])
    told = np.flatnonzero(is_told).tolist()
    for member in told:
        _emit_metrics(emit, runs[member], cohort.progress[member].history)
        if not cohort.training[member]:
            # Killed after this checkpoint: the weights are written again, to the same bytes.
            emit(_ending(cohort, member, directory))
    last_checkpoint = last_progress = time.monotonic()
    interval = CHECKPOINT_INTERVAL_SECONDS
    while (cohort.training & is_told).any():
        was_training = cohort.training
        cohort.collect()
        cohort.update()
        now = time.monotonic()
        tested = cohort.test_if_due()
        for member in tested:
            if member in told:
                _emit_metrics(emit, runs[member], cohort.new_points[member])
        if now - last_progress >= PROGRESS_INTERVAL_SECONDS or not cohort.training.all():
            last_progress = now
            for member in told:
                emit(Progress(runs[member].run_id, cohort.progress[member].env_steps))
        cohort.finish_members()
        ended = np.flatnonzero(was_training & ~cohort.training).tolist()
        # Weights first: a checkpoint that says "finished" is the promise that they are there.
        endings = [_ending(cohort, member, directory) for member in ended if member in told]
        is_due = tested or ended or now - last_checkpoint >= interval
        # Where all have failed, the checkpoint before is where another attempt starts.
        if is_due and not all(progress.failure for progress in cohort.progress):
            before = time.monotonic()
            cohort.write(path)
            last_checkpoint = time.monotonic()
            slowness = (last_checkpoint - before) / CHECKPOINT_WRITE_SECONDS
            interval = CHECKPOINT_INTERVAL_SECONDS * max(1.0, slowness)
        for ending in endings:
            if cohort.note_breakdowns():
                emit(Sittings(ending.run_id, tuple(cohort.sittings[ending.run_id])))
            emit(ending)


def _ending(cohort: Cohort, member: int, directory: RunsDirectory) -> Finished | Failed:
    """The event that a member has ended, after its weights have been written.

    A failed one's mean nothing.
    """
    run, failure = cohort.runs[member], cohort.progress[member].failure
    if failure is not None:
        return Failed(run.run_id, failure)
    digest = write_weights(directory, run, cohort.algorithm.member_weights(member))
    return Finished(run.run_id, cohort.elapsed_seconds, digest)


def _emit_metrics(emit: Emit, run: RunSpec, points: list[Point]) -> None:
    if points:
        emit(Measured(run.run_id, tuple(points)))
