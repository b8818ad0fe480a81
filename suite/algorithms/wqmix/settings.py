"""Settings of Weighted QMIX beside those of value learning and QMIX.

Source: wqmix, config/algs/ow_qmix.yaml and cw_qmix.yaml.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from suite.algorithms.mixers.qmix import QmixSettings
from suite.algorithms.settings import Width
from suite.algorithms.value.settings import ValueSettings

Alpha = Annotated[float, Field(ge=0, le=1)]


class WqmixSettings(ValueSettings, QmixSettings):
    """hypernet_layers: two, as in PyMARL. central_embedding: `central_mixing_embed_dim`.

    weighting_alpha: α, the weight of joint actions that seem bad. Both files have 0.1; the defaults
    are the paper's for StarCraft.
    """

    framework: Literal["ctde"]
    hypernet_layers: int = Field(2, ge=1, le=2)
    central_embedding: Width = 256
    weighting_alpha: Alpha


class OwQmixSettings(WqmixSettings):
    """α: also that of the example for StarCraft in wqmix's README."""

    backbone: Literal["ow_qmix"]
    weighting_alpha: Alpha = 0.5


class CwQmixSettings(WqmixSettings):
    """α: the paper's."""

    backbone: Literal["cw_qmix"]
    weighting_alpha: Alpha = 0.75
