"""What names an algorithm, apart from its sizes. No torch here: study files use it too."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

# Where the paper's release sets them: config/algs/{VDN,QMIX,QPLEX}_CADP.yaml, key `alpha`.
PUBLISHED_ALPHA = {"vdn": 1.0, "qmix": 0.5, "qplex": 1.0}

# The bounds say what can be held, not what is wise.
# α: up to the range of its parameter in Optuna (suite/scheduling/ledger.py).
Alpha = Annotated[float, Field(ge=0, le=1e9)]
# Far inside what float32 holds, which networks are trained in: neither rounded to 0 nor to inf.
Positive = Annotated[float, Field(ge=1e-30, le=1e30)]
# A layer between two of the widest has 67 MB of weights.
Width = Annotated[int, Field(ge=1, le=4_096)]


class AlgorithmSettings(BaseModel):
    """One arm of a study: framework × backbone and its fixed settings.

    Source of every default: the paper's release at commit 2b70029 (see docs/deviations.md).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    framework: Literal["ctde", "cadp"]
    backbone: Literal["iql", "vdn", "qmix", "qplex"]
    protocol: Literal["repaired", "as_released"] = "repaired"
    optimiser: Literal["adam", "rmsprop"] = "adam"
    learning_rate: Positive = 5e-4
    gamma: float = Field(0.99, ge=0, le=1)
    gradient_clip: Positive = 10.0
    hidden_size: Width = 64
    mixer_embedding: Width = 32
    hypernet_layers: int = Field(1, ge=1, le=2)
    hypernet_embedding: Width = 64
    n_attention_heads: int = Field(4, ge=1, le=64)
    attention_head_size: int = Field(32, ge=1, le=1_024)
    # The release divides the sum over heads and agents by H N^2 (D10); "agents" divides by H N.
    pruning_normalisation: Literal["agents_squared", "agents"] = "agents_squared"
    # algorithms: "qatten" is form (b), what CADP uses; "dmaq" is form (a), the QPLEX paper's own.
    # "auto" takes qatten where the state has per-agent blocks and dmaq where it has none.
    qplex_form: Literal["auto", "qatten", "dmaq"] = "auto"
