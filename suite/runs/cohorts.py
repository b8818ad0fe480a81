"""Which runs may be trained together, as one population, and what such a cohort is called."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Sequence

from suite.runs.spec import RunSpec


def cohort_id(run_ids: Sequence[str]) -> str:
    """Name of a cohort: of one run the run's own id, of several a hash of all ids, in order."""
    if len(run_ids) == 1:
        return run_ids[0]
    return hashlib.sha256(" ".join(run_ids).encode()).hexdigest()[:16]


def cohort_shape(run: RunSpec) -> Hashable:
    """Equal for runs that may share a cohort: all but what each member has of its own.

    They share scenario, algorithm (but for the learning rate) and training settings.
    """
    algorithm = run.algorithm.model_copy(update={"learning_rate": 1.0})
    return run.scenario, algorithm, run.training
