"""Reading records, wherever they are kept: what `status` and reports need to know of a place."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Protocol

from suite.records.server import ServerStore
from suite.records.store import History, RecordStore, RunRecord, RunSummary, Status
from suite.records.tracking import TrackingServer


class RecordReader(Protocol):
    """Every method raises StoredDataError for damaged records, BusyError while out of reach."""

    def statuses(self) -> dict[str, Status]:
        """Run id → status of every run."""
        ...

    def mlflow_ids(self, run_ids: Collection[str] | None = None) -> dict[str, str]:
        """Run id → MLflow's own id, of every run or of these."""
        ...

    def experiment_id(self) -> str | None:
        """MLflow's id of the experiment that holds our runs; None if there is none."""
        ...

    def without_metrics(self) -> set[str]:
        """Ids of runs that have no metric at all."""
        ...

    def histories(self, run_id: str) -> dict[str, History]:
        """Metric key → history of one run; nothing of a run that has no record."""
        ...

    def times(self, run_ids: Collection[str] | None = None) -> dict[str, dict[int, int]]:
        """Run id → step → when it was measured, in milliseconds since 1970 (UTC)."""
        ...

    def summaries(self) -> dict[str, RunSummary]:
        """Run id → summary of every run."""
        ...

    def imported_without_weights(self) -> set[str]:
        """Ids of runs that came in a pack that had not their weights."""
        ...

    def load(
        self, run_ids: Collection[str] | None = None, *, with_histories: bool = True
    ) -> list[RunRecord]:
        """The records of `run_ids` (of all runs when None), in order of their start."""
        ...


def open_records(place: Path | TrackingServer) -> RecordReader:
    """The records of a runs directory or of a tracking server.

    Raises InputError if nothing was ever recorded there.
    """
    if isinstance(place, TrackingServer):
        return ServerStore.open(place)
    return RecordStore.open(place)
