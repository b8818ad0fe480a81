"""Names that writer and reader of the record database share; part of the format on disk."""

from __future__ import annotations

from pathlib import Path

EXPERIMENT = "cadp-suite"
DATABASE_NAME = "mlflow.db"

# Tags of an MLflow run.
RUN_ID_TAG = "cadp.run_id"
ARM_TAG = "cadp.arm"
SPEC_TAG = "cadp.spec"  # the RunSpec as JSON
FAILURE_TAG = "cadp.failure"  # the traceback of a failed run, its end if it is long
ELAPSED_TAG = "cadp.elapsed_seconds"
WEIGHTS_TAG = "cadp.weights_sha256"  # digest of the final weights of a finished run
PROVENANCE_PREFIX = "cadp.provenance."  # of the latest sitting, for the eye
SITTING_PREFIX = "cadp.sitting."  # one per sitting, numbered: its provenance as JSON

# MLflow cuts a tag here, from its end; a traceback's end is what matters, so we cut first.
LONGEST_TAG = 8_000


def database_path(runs_dir: Path) -> Path:
    """Where the records of a runs directory are."""
    return runs_dir / DATABASE_NAME


def checkpoint_path(runs_dir: Path, cohort_id: str) -> Path:
    """Where an unfinished cohort is kept; a cohort of one run has the run's id."""
    return runs_dir / "checkpoints" / f"{cohort_id}.ckpt"


def weights_path(runs_dir: Path, run_id: str) -> Path:
    """Where a finished run's networks are."""
    return runs_dir / "weights" / f"{run_id}.pt"


def reason_line(failure: str) -> str:
    """The line of a stored failure that says most: a traceback's last, or a message's first."""
    lines = failure.strip().splitlines() or ["no reason was recorded"]
    return lines[-1] if lines[0].startswith("Traceback") else lines[0]
