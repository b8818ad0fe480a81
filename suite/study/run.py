"""A run: one scenario, arm, hyperparameter point and seed; the unit of training and resuming."""

from __future__ import annotations

import hashlib
import json

from pydantic import BaseModel, ConfigDict, Field

from suite.algorithms.settings import AlgorithmSettings
from suite.training.settings import TrainingSettings

# Raised when the meaning of stored runs changes, so that old records are not mistaken for new ones.
RUN_FORMAT = 1


class RunSpec(BaseModel):
    """Everything that can change a run's result, and nothing else but its arm's label.

    pruning_start_env_steps: the paper's T; None for arms that do not prune.
    alpha: the paper's α, weight of the pruning loss; None for arms that do not prune.
    environment_version: `EnvironmentInfo.backend_version` of the scenario's backend.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    scenario: str
    arm: str
    algorithm: AlgorithmSettings
    training: TrainingSettings
    alpha: float | None = Field(None, ge=0)
    pruning_start_env_steps: int | None = Field(None, ge=0)
    seed: int = Field(ge=0)
    environment_version: str

    @property
    def run_id(self) -> str:
        """16 hex digits; equal content gives an equal id, whatever the arm is called."""
        content = self.model_dump(mode="json", exclude={"arm"})
        text = json.dumps({"format": RUN_FORMAT, **content}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]
