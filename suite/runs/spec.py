"""A run: one scenario, arm, hyperparameter point and seed; the unit of training and resuming."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from suite.algorithms.settings import AlgorithmSettings, Alpha
from suite.runs.protocol import LARGEST_ENV_STEPS, Seed, TrainingProtocol

# Raised when the meaning of stored runs changes, so that old records are not mistaken for new ones.
RUN_FORMAT = 1

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=100)]
ScenarioName = Annotated[str, StringConstraints(max_length=200)]
PruningStart = Annotated[int, Field(ge=0, le=LARGEST_ENV_STEPS)]


class RunSpec(BaseModel):
    """Everything that can change a run's result, and nothing else but its arm's label.

    pruning_start_env_steps: the paper's T; None for arms that do not prune.
    alpha: the paper's α, weight of the pruning loss; None for arms that do not prune.
    environment_version: `EnvironmentInfo.backend_version` of the scenario's backend.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    scenario: ScenarioName
    arm: Name
    algorithm: AlgorithmSettings
    training: TrainingProtocol
    alpha: Alpha | None = None
    pruning_start_env_steps: PruningStart | None = None
    seed: Seed
    environment_version: Annotated[str, StringConstraints(max_length=100)]

    @property
    def run_id(self) -> str:
        """16 hex digits; equal content gives an equal id, whatever the arm is called."""
        content = self.model_dump(mode="json", exclude={"arm"})
        text = json.dumps({"format": RUN_FORMAT, **content}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]
