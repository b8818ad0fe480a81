"""Recording runs that were trained elsewhere, as they were recorded there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from suite.records import layout
from suite.records.store import Origin, RecordStore, RunRecord
from suite.records.writer import RecordWriter, _flat

# MLflow refuses more at once.
_MOST_METRICS, _MOST_PARAMS = 1_000, 100


class RecordImporter(RecordWriter):
    """As `RecordWriter`, for runs that come in packs."""

    def __init__(self, runs_dir: Path) -> None:
        super().__init__(runs_dir)
        self._runs_dir = runs_dir

    def take_over(
        self, record: RunRecord, origin: Origin, times: Mapping[int, int] | None = None
    ) -> None:
        """Record a finished or failed run; what is here of it is set aside.

        times: step → when it was measured, see `Pack.times`; the step stands in where it is not
        known. The run id comes last: before, no reader sees the run, and no attempt that was begun
        here goes on from it.
        """
        from mlflow.entities import Metric, Param

        spec, run_id = record.spec, record.run_id
        params = [Param(key, str(value)) for key, value in _flat(spec).items()]
        metrics = [
            Metric(key, value, (times or {}).get(step, step), step)
            for key, (steps, values) in record.histories.items()
            for step, value in zip(steps.tolist(), values.tolist(), strict=True)
        ]
        with self._boundary():
            run = self._client.create_run(
                self._experiment_id,
                start_time=_milliseconds(record.started),
                tags=_tags(record, origin),
                run_name=f"{spec.arm} {spec.scenario} seed {spec.seed}",
            )
            mlflow_id = run.info.run_id
            for first in range(0, len(params), _MOST_PARAMS):
                batch = params[first : first + _MOST_PARAMS]
                self._client.log_batch(mlflow_id, params=batch)
            for first in range(0, len(metrics), _MOST_METRICS):
                self._client.log_batch(mlflow_id, metrics=metrics[first : first + _MOST_METRICS])
            end = _milliseconds(record.ended or record.started)
            self._client.set_terminated(mlflow_id, record.status.upper(), end)
            self._client.set_tag(mlflow_id, layout.RUN_ID_TAG, run_id)
            if run_id in self._mlflow_ids:
                self._client.delete_run(self._mlflow_ids[run_id])
            self._mlflow_ids[run_id] = mlflow_id

    def note_origin(self, run_id: str, origin: Origin) -> None:
        """Change what is said about where a run came from."""
        with self._boundary():
            self._client.set_tag(self._mlflow_ids[run_id], layout.IMPORT_TAG, _told(origin))

    def clear_half_imported(self) -> None:
        """Set aside what a killed `take_over` left; nobody may be importing here."""
        for mlflow_id in RecordStore.open(self._runs_dir).half_imported():
            with self._boundary():
                self._client.delete_run(mlflow_id)


def _tags(record: RunRecord, origin: Origin) -> dict[str, str]:
    """All that is stored as tags, but for the run id."""
    tags = {
        layout.SPEC_TAG: record.spec.model_dump_json(),
        layout.ARM_TAG: record.arm,
        layout.IMPORT_TAG: _told(origin),
    }
    tags |= {layout.PROVENANCE_PREFIX + key: value for key, value in record.provenance.items()}
    for number, sitting in enumerate(record.sittings):
        tags[f"{layout.SITTING_PREFIX}{number:05d}"] = json.dumps(sitting, sort_keys=True)
    if record.failure is not None:
        tags[layout.FAILURE_TAG] = record.failure
    if record.elapsed_seconds is not None:
        tags[layout.ELAPSED_TAG] = f"{record.elapsed_seconds:.3f}"
    if record.weights_sha256 is not None:
        tags[layout.WEIGHTS_TAG] = record.weights_sha256
    return tags


def _told(origin: Origin) -> str:
    return json.dumps(asdict(origin))


def _milliseconds(moment: datetime) -> int:
    return round(1000 * moment.timestamp())
