"""Settings of QTRAN beside those of value learning. Source: PyMARL, config/algs/qtran.yaml."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from suite.algorithms.settings import Width
from suite.algorithms.value.settings import ValueSettings

LossWeight = Annotated[float, Field(ge=0, le=1e9)]


class QtranSettings(ValueSettings):
    """joint_embedding: `mixing_embed_dim`, width of the joint network and of V. optimal_weight:
    `opt_loss`. non_optimal_weight: `nopt_min_loss`."""

    framework: Literal["ctde"]
    backbone: Literal["qtran"]
    joint_embedding: Width = 64
    optimal_weight: LossWeight = 1.0
    non_optimal_weight: LossWeight = 0.1
