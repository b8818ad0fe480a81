"""Settings of methods that learn values. Source: the release at commit 2b70029, config/algs/*."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from suite.algorithms.settings import ArmSettings, Positive, Width


class ValueSettings(ArmSettings):
    """hidden_size: of the encoder, the GRU and the layers of the agent's head.

    returns: what values learn towards, see `suite.algorithms.losses.returns`; the release and
    PyMARL take one step. trace_decay: λ of the others; default: PyMARL2, config/algs/qmix.yaml,
    `td_lambda`.
    """

    optimiser: Literal["adam", "rmsprop"] = "adam"
    learning_rate: Positive = 5e-4
    gamma: float = Field(0.99, ge=0, le=1)
    gradient_clip: Positive = 10.0
    hidden_size: Width = 64
    returns: Literal["one_step", "td_lambda", "q_lambda"] = "one_step"
    trace_decay: float = Field(0.6, ge=0, le=1)

    added_later: ClassVar[frozenset[str]] = frozenset({"returns", "trace_decay"})
