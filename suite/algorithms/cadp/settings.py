"""Settings of CADP beside those of value learning. Source: the release at commit 2b70029."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from suite.algorithms.value.settings import ValueSettings

# config/algs/{VDN,QMIX,QPLEX}_CADP.yaml, key `alpha`.
PUBLISHED_ALPHA = {"vdn": 1.0, "qmix": 0.5, "qplex": 1.0}


class CadpSettings(ValueSettings):
    """Heads: modules/layer/self_atten.py.

    pruning_normalisation: the release divides the sum over heads and agents by H·N² (D10);
    "agents" divides by H·N.
    """

    n_attention_heads: int = Field(4, ge=1, le=64)
    attention_head_size: int = Field(32, ge=1, le=1_024)
    pruning_normalisation: Literal["agents_squared", "agents"] = "agents_squared"
