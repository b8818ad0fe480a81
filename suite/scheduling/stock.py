"""What a plan finds in a runs directory: what is to do, and what a user might not expect."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

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


class Stock:
    """What lies in a runs directory when work begins, and what of it runs are resumed from.

    Mends what an interrupted ending left. notices: lines for the user, each once.
    Raises InputError as `settle_changed_code` does: for checkpoints of `known` runs at once.
    """

    def __init__(
        self,
        directory: RunsDirectory,
        known: Sequence[RunSpec],
        finished: FinishedRuns,
        if_changed: IfChanged,
        cohort_size: int,
    ) -> None:
        self.notices: list[str] = []
        self._said: set[str] = set()
        self._proposed: dict[str, RunSpec] = {}
        self._directory = directory
        self._finished = finished
        self._if_changed = if_changed
        self._cohort_size = cohort_size
        found = find_checkpoints(directory)
        self._checkpoints = clear_leftovers(directory, found, finished.whole)
        self._resumed({run.run_id for run in known})

    def cohorts(self, runs: Sequence[RunSpec]) -> list[Cohort]:
        """What is proposed now, but for what is finished, as it is to be trained."""
        directory, finished = self._directory, self._finished
        placed = finished.whole.union(self._proposed)
        self._proposed.update((run.run_id, run) for run in runs)
        resumed = self._resumed(self._proposed)
        left = [one for one in self._checkpoints if one not in resumed]
        proposed = list(self._proposed.values())
        cohorts = form_cohorts(proposed, placed, resumed, self._cohort_size)
        ids = {run.run_id for run in runs}
        new = [c for c in cohorts if not directory.checkpoint_path(ids_of(c)).exists()]
        begun_anew = {run_id for cohort in new for run_id in ids_of(cohort)}
        for line in (
            *_about_finished(directory, ids, finished, begun_anew),
            *_about_checkpoints(left, finished, begun_anew),
        ):
            if line not in self._said:
                self._said.add(line)
                self.notices.append(line)
        return cohorts

    def _resumed(self, run_ids: Collection[str]) -> list[FoundCheckpoint]:
        """Checkpoints of these runs that can be gone on with."""
        wanted = resumable(self._checkpoints, run_ids)
        stay = settle_changed_code(wanted, self._finished.whole, self._if_changed)
        gone = [one for one in wanted if one not in stay]
        self._checkpoints = [one for one in self._checkpoints if one not in gone]
        return stay


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
