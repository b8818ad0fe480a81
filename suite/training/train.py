"""Training runs to their end: the loop around a cohort, and what it reports.

Every member plays one whole episode, one update follows per episode, greedy tests interrupt at
fixed intervals, a checkpoint follows every test and every so many seconds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from suite.runs.directory import RunsDirectory
from suite.runs.spec import RunSpec
from suite.training.cohort import Cohort
from suite.training.progress import MemberProgress, Point
from suite.training.weights import write_weights

Emit = Callable[[dict[str, Any]], None]

# A checkpoint follows every test, and this long after the last one; writing takes some ten
# milliseconds.
CHECKPOINT_INTERVAL_SECONDS = 20.0
PROGRESS_INTERVAL_SECONDS = 0.5


def train_cohort(
    runs: Sequence[RunSpec],
    runs_dir: Path,
    emit: Emit,
    device: str = "cpu",
    *,
    accepts_changed_code: bool = False,
    sittings: Mapping[str, Mapping[str, str]] | None = None,
) -> None:
    """Train `runs` to their end, resuming from their checkpoint if there is one.

    `emit` receives dicts: {"event": "progress" | "metrics" | "alive" | "finished" | "failed", …};
    after a resume the whole history is emitted again (logging a point twice is harmless). A run is
    "finished" when its final weights lie, durably, in their place; the event has their digest.

    accepts_changed_code: continue from a checkpoint that other code or library versions wrote.
    sittings: run id → provenance of this sitting; all that took part are kept in the checkpoint,
    and told in an event "sittings" after a resume.
    Raises StoredDataError for an unusable checkpoint.
    """
    directory = RunsDirectory(runs_dir)
    path = directory.checkpoint_path([run.run_id for run in runs])
    cohort = Cohort(runs, device)
    if path.exists():
        cohort.restore(path, lambda: emit({"event": "alive"}), accepts_changed_code)
    for run_id, sitting in (sittings or {}).items():
        cohort.sittings[run_id].append(dict(sitting))
        if len(cohort.sittings[run_id]) > 1:
            told = cohort.sittings[run_id]
            emit({"event": "sittings", "run_id": run_id, "sittings": told})
    for member, (run, progress) in enumerate(zip(runs, cohort.progress, strict=True)):
        _emit_metrics(emit, run, progress.history)
        if not cohort.training[member]:
            # Killed after this checkpoint: the weights are written again, to the same bytes.
            emit(_ending(cohort, member, _save_weights(cohort, member, directory)))
    last_checkpoint = last_progress = time.monotonic()
    while cohort.training.any():
        was_training = cohort.training
        cohort.play_episodes()
        cohort.update()
        now = time.monotonic()
        tested = cohort.test_if_due()
        for member in tested:
            _emit_metrics(emit, runs[member], cohort.new_points[member])
        if now - last_progress >= PROGRESS_INTERVAL_SECONDS or not cohort.training.all():
            last_progress = now
            for run, progress in zip(runs, cohort.progress, strict=True):
                emit(_progress(run, progress))
        cohort.finish_members()
        ended = np.flatnonzero(was_training & ~cohort.training).tolist()
        # Weights first: a checkpoint that says "finished" is the promise that they are there.
        digests = [_save_weights(cohort, member, directory) for member in ended]
        is_due = tested or ended or now - last_checkpoint >= CHECKPOINT_INTERVAL_SECONDS
        # Where all have failed, the checkpoint before is where another attempt starts.
        if is_due and not all(progress.failure for progress in cohort.progress):
            last_checkpoint = now
            cohort.write(path)
        for member, digest in zip(ended, digests, strict=True):
            emit(_ending(cohort, member, digest))


def _save_weights(cohort: Cohort, member: int, directory: RunsDirectory) -> str | None:
    """Write a finished member's weights and return their digest; a failed one's mean nothing."""
    if cohort.progress[member].failure is not None:
        return None
    run_id, weights = cohort.runs[member].run_id, cohort.learner.member_weights(member)
    return write_weights(directory.weights_path(run_id), run_id, weights)


def _emit_metrics(emit: Emit, run: RunSpec, points: list[Point]) -> None:
    if points:
        emit({"event": "metrics", "run_id": run.run_id, "points": points})


def _progress(run: RunSpec, progress: MemberProgress) -> dict[str, Any]:
    return {
        "event": "progress",
        "run_id": run.run_id,
        "env_steps": progress.env_steps,
        "total_env_steps": run.training.total_env_steps,
    }


def _ending(cohort: Cohort, member: int, weights_sha256: str | None) -> dict[str, Any]:
    """The event that a member has finished, or failed."""
    run_id, failure = cohort.runs[member].run_id, cohort.progress[member].failure
    if failure is not None:
        return {"event": "failed", "run_ids": [run_id], "traceback": failure, "exit_code": 1}
    return {
        "event": "finished",
        "run_id": run_id,
        "elapsed_seconds": cohort.elapsed_seconds,
        "weights_sha256": weights_sha256,
    }
