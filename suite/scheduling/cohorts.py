"""Which runs go to a worker together."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Sequence
from typing import TypeAlias

from suite.environments import backend_of
from suite.runs.cohorts import cohort_shape
from suite.runs.spec import RunSpec
from suite.scheduling.recovery import FoundCheckpoint

Cohort: TypeAlias = tuple[RunSpec, ...]


def ids_of(cohort: Cohort) -> tuple[str, ...]:
    """Run ids, in the cohort's order."""
    return tuple(run.run_id for run in cohort)


def resumable(
    checkpoints: Iterable[FoundCheckpoint], run_ids: Collection[str]
) -> list[FoundCheckpoint]:
    """Checkpoints of cohorts whose every member is in `run_ids`, a whole plan.

    No run is in two of them: should checkpoints share one, the larger cohort is resumed.
    """
    taken: set[str] = set()
    found = []
    for checkpoint in sorted(checkpoints, key=lambda one: (-len(one.run_ids), one.path)):
        members = set(checkpoint.run_ids)
        if members.issubset(run_ids) and members.isdisjoint(taken):
            taken |= members
            found.append(checkpoint)
    return found


def form_cohorts(
    runs: Sequence[RunSpec],
    settled: Collection[str],
    checkpoints: Iterable[FoundCheckpoint],
    size: int,
) -> list[Cohort]:
    """Every run that is not settled once, in cohorts in the order of their first such run.

    runs: a whole plan. Cohorts of checkpoints stay as they were, with the members that have
    finished meanwhile; the other runs share new ones of at most `size` with those of their shape.
    Where copies of a game are few, each run has its own: shares of them would change what it plays.
    """
    known = {run.run_id: run for run in runs}
    interrupted = {
        run_id: tuple(known[member] for member in checkpoint.run_ids)
        for checkpoint in checkpoints
        for run_id in checkpoint.run_ids
    }
    cohorts: list[Sequence[RunSpec]] = []
    filling: dict[Hashable, list[RunSpec]] = {}
    placed = set(settled)
    for run_id, run in known.items():
        if run_id in placed:
            continue
        if run_id in interrupted:
            cohorts.append(interrupted[run_id])
            placed.update(ids_of(interrupted[run_id]))
            continue
        shape = cohort_shape(run)
        group = filling.get(shape)
        most = size if backend_of(run.scenario).most_copies is None else 1
        if group is None or len(group) == most:
            group = filling[shape] = []
            cohorts.append(group)
        group.append(run)
    return [tuple(cohort) for cohort in cohorts]
