"""Names that writer and reader of the record database share; part of the format on disk."""

from __future__ import annotations

EXPERIMENT = "cadp-suite"
# MLflow's pages show the experiment as training, not as conversations with a language model.
RECORDS_TAG = "cadp.records"
EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development", RECORDS_TAG: "true"}
# On a server, a tag of the experiment per cohort: SHA-256 and bytes of its latest checkpoint.
CHECKPOINT_PREFIX = "cadp.checkpoint."

# Tags of an MLflow run.
RUN_ID_TAG = "cadp.run_id"
ARM_TAG = "cadp.arm"
SPEC_TAG = "cadp.spec"  # the RunSpec as JSON
FAILURE_TAG = "cadp.failure"  # the traceback of a failed run, its end if it is long
ELAPSED_TAG = "cadp.elapsed_seconds"
WEIGHTS_TAG = "cadp.weights_sha256"  # digest of the final weights of a finished run
# On a server, SHA-256 and bytes of a finished run's files in its artifact store.
WEIGHTS_FILE_TAG = "cadp.weights_file"
DESCRIPTION_FILE_TAG = "cadp.description_file"
PROVENANCE_PREFIX = "cadp.provenance."  # of the latest sitting, for the eye
SITTING_PREFIX = "cadp.sitting."  # one per sitting, numbered: its provenance as JSON

# Tags of an MLflow run that is a heading: the parent of a study's runs at one profile.
STUDY_TAG = "cadp.study"
PROFILE_TAG = "cadp.profile"
QUESTION_TAG = "cadp.question"
DEVIATIONS_TAG = "cadp.deviations"

# Tags that MLflow's own pages know.
PARENT_TAG = "mlflow.parentRunId"
DESCRIPTION_TAG = "mlflow.note.content"
COMMIT_TAG = "mlflow.source.git.commit"
SOURCE_TAG = "mlflow.source.name"
SOURCE = "cadp-suite"

# MLflow cuts a tag here, from its end; a traceback's end is what matters, so we cut first.
LONGEST_TAG = 8_000


def reason_line(failure: str) -> str:
    """The line of a stored failure that says most: a traceback's last, or a message's first."""
    lines = failure.strip().splitlines() or ["no reason was recorded"]
    return lines[-1] if lines[0].startswith("Traceback") else lines[0]
