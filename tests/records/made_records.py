"""Records made by hand: nothing is trained, and no database is needed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from suite.records import RunRecord
from suite.records.store import History
from suite.runs.spec import RunSpec

NOON = datetime(2026, 5, 17, 12, 0, 0, 123_000, tzinfo=UTC)
RATE = "test/win_rate/decentralised"


def history(steps: list[int], values: list[float]) -> History:
    """A metric's points."""
    return np.array(steps, np.int64), np.array(values, np.float64)


def made_record(spec: RunSpec) -> RunRecord:
    """A finished run."""
    return RunRecord(
        run_id=spec.run_id,
        status="finished",
        spec=spec,
        sittings=({"python": "3.11", "processor": "a test"},),
        histories={RATE: history([100, 1000], [0.25, 0.5])},
        failure=None,
        elapsed_seconds=12.5,
        started=NOON,
        ended=NOON.replace(hour=13),
        weights_sha256="ab" * 32,
    )


def failed(record: RunRecord) -> RunRecord:
    """The same run, had it failed."""
    return replace(record, status="failed", failure="boom", weights_sha256=None)


def other(record: RunRecord) -> RunRecord:
    """The same run with another win rate in the end."""
    return replace(record, histories={RATE: history([100, 1000], [0.25, 0.75])})
