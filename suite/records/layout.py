"""Names that writers and readers of the databases share; part of the format on disk."""

from __future__ import annotations

EXPERIMENT = "cadp-suite"
# MLflow's pages show the experiment as training, not as conversations with a language model.
EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}

# Tags of an MLflow run.
RUN_ID_TAG = "cadp.run_id"
ARM_TAG = "cadp.arm"
SPEC_TAG = "cadp.spec"  # the RunSpec as JSON
FAILURE_TAG = "cadp.failure"  # the traceback of a failed run, its end if it is long
ELAPSED_TAG = "cadp.elapsed_seconds"
WEIGHTS_TAG = "cadp.weights_sha256"  # digest of the final weights of a finished run
IMPORT_TAG = "cadp.import"  # of a run that came in a pack: which one, as JSON
PROVENANCE_PREFIX = "cadp.provenance."  # of the latest sitting, for the eye
SITTING_PREFIX = "cadp.sitting."  # one per sitting, numbered: its provenance as JSON

# User attributes of an Optuna trial that stands for a run.
SCHEDULED_ID = "run_id"
SCHEDULED_RUN = "run"  # the RunSpec as JSON
ATTEMPT = "attempt"  # 1 for the first
REASON = "reason"  # why it failed, was pruned or withdrawn, in a line
# Of one that stands for a point of a search: the ids of its runs, one per seed.
POINT_RUNS = "run_ids"
# Of an Optuna study that is a search: whose it is, `SearchSpace.key`, and the number of the point
# that was trained on other seeds, where arms are tuned.
SEARCH_OF = "cadp.search_of"
SEARCH_KEY = "cadp.key"
CHOSEN = "cadp.chosen"

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


def schedule_name(study: str, profile: str) -> str:
    """Optuna's name of the study that holds the runs of a profile; what others begin with."""
    return f"{study}/{profile}"


def search_name(schedule: str, scenario: str, arm: str) -> str:
    """Optuna's name of the study that holds the points of one search."""
    return f"{schedule} {scenario} {arm}"
