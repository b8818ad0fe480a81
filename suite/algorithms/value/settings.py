"""Settings of methods that learn values. Source: the release at commit 2b70029, config/algs/*."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from suite.algorithms.settings import ArmSettings, Positive, Width


class ValueSettings(ArmSettings):
    """hidden_size: of the encoder, the GRU and the layers of the agent's head."""

    optimiser: Literal["adam", "rmsprop"] = "adam"
    learning_rate: Positive = 5e-4
    gamma: float = Field(0.99, ge=0, le=1)
    gradient_clip: Positive = 10.0
    hidden_size: Width = 64
