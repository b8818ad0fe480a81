"""The training protocol of a run. No torch here: study files are checked against it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

# The bounds say what can be held, not what is wise.
# Steps: years of training; floats, JSON and SQLite hold them exactly (all do below 2⁵³).
LARGEST_ENV_STEPS = 10**12
EnvSteps = Annotated[int, Field(ge=1, le=LARGEST_ENV_STEPS)]
# numpy and torch take larger seeds; tools that read the records back may not.
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Fraction = Annotated[float, Field(ge=0, le=1)]


class TrainingProtocol(BaseModel):
    """Budget, exploration, replay and test schedule; defaults are the release's (PyMARL's).

    Everything counted in `env_steps` counts training environment steps only.

    time_limit: what an episode's end by the step limit is to a learner: "terminal", as the rules'
    own ends, or "bootstrap", going on. A study that does not say takes the backend's.
    episodes_per_collection, updates_per_collection: a run plays so many episodes side by side, then
    makes so many updates.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    total_env_steps: EnvSteps = 1_050_000
    test_interval_env_steps: EnvSteps = 10_000
    # All test episodes are played side by side; a batch and its activations are held at once. Ten
    # thousand of either take gigabytes. How much a full replay takes is up to the scenario
    # (suite.study.checks); a million episodes of the smallest skirmish map take 20 GB.
    n_test_episodes: int = Field(32, ge=1, le=10_000)
    batch_size_episodes: int = Field(32, ge=1, le=10_000)
    buffer_size_episodes: int = Field(5_000, ge=1, le=1_000_000)
    target_update_interval_episodes: int = Field(200, ge=1, le=LARGEST_ENV_STEPS)
    epsilon_start: Fraction = 1.0
    epsilon_finish: Fraction = 0.05
    epsilon_anneal_env_steps: EnvSteps = 50_000
    time_limit: Literal["terminal", "bootstrap"] = "bootstrap"
    episodes_per_collection: int = Field(1, ge=1, le=1_000)
    updates_per_collection: int = Field(1, ge=1, le=1_000)
