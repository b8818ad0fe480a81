"""What a plan finds in a runs directory: what is to do, and what a user might not expect."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from suite.runs.directory import RunsDirectory
from suite.runs.spec import RunSpec
from suite.scheduling.cohorts import Cohort, form_cohorts, ids_of, resumable
from suite.scheduling.recovery import (
    FinishedRuns,
    FoundCheckpoint,
    IfChanged,
    clear_leftovers,
    find_checkpoints,
    settle_changed_code,
)
from suite.text import plural


@dataclass(frozen=True)
class Stock:
    """cohorts: what is to be trained, in this order. notices: lines for the user."""

    cohorts: list[Cohort]
    notices: list[str]


def take_stock(
    directory: RunsDirectory,
    runs: Sequence[RunSpec],
    finished: FinishedRuns,
    if_changed: IfChanged,
    cohort_size: int,
) -> Stock:
    """Mend what an interrupted ending left, and put what is to do into cohorts.

    runs: a whole plan. Raises InputError as `settle_changed_code` does.
    """
    plan_ids = {run.run_id for run in runs}
    checkpoints = clear_leftovers(directory, find_checkpoints(directory), finished.whole)
    resumed = resumable(checkpoints, plan_ids)
    left = [one for one in checkpoints if one not in resumed]
    resumed = settle_changed_code(resumed, finished.whole, if_changed)
    cohorts = form_cohorts(runs, finished.whole, resumed, cohort_size)
    new = [c for c in cohorts if not directory.checkpoint_path(ids_of(c)).exists()]
    begun_anew = {run_id for cohort in new for run_id in ids_of(cohort)}
    notices = [
        *_about_finished(directory, plan_ids, finished, begun_anew),
        *_about_checkpoints(left, finished, begun_anew),
    ]
    return Stock(cohorts, notices)


def _about_finished(
    directory: RunsDirectory,
    plan_ids: Collection[str],
    finished: FinishedRuns,
    begun_anew: Collection[str],
) -> Iterator[str]:
    place = directory.weights_folder
    if n := len(finished.incomplete.intersection(plan_ids)):
        yield (
            f"{plural(n, 'run')} recorded as finished, but without metrics, or without weights "
            f"in {place}: trained again (put the files back to avoid that)"
        )
    if n := len(finished.unknown.intersection(begun_anew)):
        yield (
            f"{plural(n, 'run')} with weights in {place} and no record: trained again "
            f"(was {directory.records_path.name} moved away, or were they deleted in MLflow?)"
        )


def _about_checkpoints(
    left: Sequence[FoundCheckpoint], finished: FinishedRuns, begun_anew: Collection[str]
) -> Iterator[str]:
    """left: those that no cohort of the plan is resumed from."""
    for checkpoint in left:
        if checkpoint.header is None and finished.recorded.isdisjoint(checkpoint.run_ids):
            yield f"{checkpoint.path}: damaged or renamed, so that its runs are not known"
        elif n := len(set(begun_anew).intersection(checkpoint.run_ids)):
            yield (
                f"{plural(n, 'run')} trained anew: in {checkpoint.path} together with others that "
                "this study has not, or goes on with in another checkpoint"
            )
