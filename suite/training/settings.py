"""The training protocol of a run. No torch here: study files are checked against it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class TrainingSettings(BaseModel):
    """Budget, exploration, replay and test schedule; defaults are the release's (PyMARL's).

    Everything counted in `env_steps` counts training environment steps only.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    total_env_steps: int = Field(1_050_000, ge=1)
    test_interval_env_steps: int = Field(10_000, ge=1)
    n_test_episodes: int = Field(32, ge=1)
    batch_size_episodes: int = Field(32, ge=1)
    buffer_size_episodes: int = Field(5_000, ge=1)
    target_update_interval_episodes: int = Field(200, ge=1)
    epsilon_start: float = Field(1.0, ge=0, le=1)
    epsilon_finish: float = Field(0.05, ge=0, le=1)
    epsilon_anneal_env_steps: int = Field(50_000, ge=1)
