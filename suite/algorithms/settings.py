"""What names an algorithm, apart from its sizes. No torch here: study files use it too."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

# Where the paper's release sets them: config/algs/{VDN,QMIX,QPLEX}_CADP.yaml, key `alpha`.
PUBLISHED_ALPHA = {"vdn": 1.0, "qmix": 0.5, "qplex": 1.0}


class AlgorithmSettings(BaseModel):
    """One arm of a study: framework × backbone and its fixed settings.

    Source of every default: the paper's release at commit 2b70029 (see docs/deviations.md).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    framework: Literal["ctde", "cadp"]
    backbone: Literal["iql", "vdn", "qmix", "qplex"]
    protocol: Literal["repaired", "as_released"] = "repaired"
    optimiser: Literal["adam", "rmsprop"] = "adam"
    learning_rate: float = Field(5e-4, gt=0)
    gamma: float = Field(0.99, ge=0, le=1)
    gradient_clip: float = Field(10.0, gt=0)
    hidden_size: int = Field(64, ge=1)
    mixer_embedding: int = Field(32, ge=1)
    hypernet_layers: Literal[1, 2] = 1
    hypernet_embedding: int = Field(64, ge=1)
    n_attention_heads: int = Field(4, ge=1)
    attention_head_size: int = Field(32, ge=1)
    # The release divides the sum over heads and agents by H N^2 (D10); "agents" divides by H N.
    pruning_normalisation: Literal["agents_squared", "agents"] = "agents_squared"
    # algorithms: "qatten" is form (b), what CADP uses; "dmaq" is form (a), the QPLEX paper's own.
    # "auto" takes qatten where the state has per-agent blocks and dmaq where it has none.
    qplex_form: Literal["auto", "qatten", "dmaq"] = "auto"
