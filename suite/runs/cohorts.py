"""Which runs may be trained together, as one population, and what such a cohort is called."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from suite.runs.spec import LABELS, RunSpec


def cohort_id(run_ids: Sequence[str]) -> str:
    """Name of a cohort: of one run the run's own id, of several a hash of all ids, in order."""
    if len(run_ids) == 1:
        return run_ids[0]
    return hashlib.sha256(" ".join(run_ids).encode()).hexdigest()[:16]


def cohort_shape(run: RunSpec) -> str:
    """Equal for runs that may share a cohort: all but what each member has of its own.

    That is its seed, the values of its hyperparameters and, of the settings, the learning rate.
    """
    content = run.model_dump(mode="json", exclude={*LABELS, "seed", "hyperparameters"})
    content["algorithm"].pop("learning_rate", None)
    return json.dumps([content, sorted(run.hyperparameters)], sort_keys=True)
