"""Settings of MAPPO and what its releases set per scenario. No torch here: study files use it too.

Two releases stand behind the values: *on-policy* is github.com/marlbenchmark/on-policy (MAPPO's
own, arXiv 2103.01955) at commit de66d7a, *CADP-PG* the on-policy part of CADP's at 2b70029.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from pydantic import Field

from suite.algorithms.settings import ArmSettings, Positive, Width

# CADP-PG, onpolicy/algorithms/r_mappo/r_mappo.py:151, a number in the code.
PUBLISHED_ALPHA = 0.5


class MappoSettings(ArmSettings):
    """One arm on MAPPO. Defaults hold for every scenario that `PUBLISHED` does not name.

    Where a default has no other source it is on-policy's onpolicy/config.py, whose flags also say
    what is on: orthogonal initialisation, layer normalisation of the inputs, ReLU, clipped value
    loss, Huber loss; and what is off: weight decay (0) and decay of the learning rates.
    """

    framework: Literal["ctde"] = "ctde"
    backbone: Literal["mappo"] = "mappo"

    # Networks. layer_N 1 in config.py means two hidden layers.
    hidden_size: Width = 64
    # --algorithm_name "rmappo" (GRU) or "mappo" (none), of actor and critic alike.
    is_recurrent: bool = True
    # Gain of the action layer's initial weights.
    action_gain: Positive = 0.01
    # Returns and advantages.
    gamma: float = Field(0.99, ge=0, le=1)
    gae_lambda: float = Field(0.95, ge=0, le=1)

    # Losses.
    clip: float = Field(0.2, gt=0, le=10)
    entropy_coefficient: float = Field(0.01, ge=0, le=1e6)
    value_coefficient: float = Field(1.0, ge=0, le=1e6)
    huber_delta: Positive = 10.0
    # The scripts pass --use_value_active_masks, which is store_false in config.py: masks are off.
    masks_dead_in_value_loss: bool = False

    # Normalisation of values, onpolicy/utils/valuenorm.py.
    normalises_values: bool = True
    value_norm_beta: float = Field(0.99999, ge=0, lt=1)

    # Optimisation.
    learning_rate: Positive = 5e-4
    critic_learning_rate: Positive = 5e-4
    adam_epsilon: Positive = 1e-5
    gradient_clip: Positive = 10.0
    # config.py says 15; what most scripts of the hard scenarios pass, CADP-PG's among them, is 5.
    n_epochs: int = Field(5, ge=1, le=1_000)
    n_minibatches: int = Field(1, ge=1, le=1_000)
    # Steps through which a recurrent network is differentiated.
    chunk_length: int = Field(10, ge=2, le=10_000)


class CadpMappoSettings(MappoSettings):
    """One arm of CADP on MAPPO.

    protocol: "as_released" trains the attention on shuffled agents, as CADP-PG does (D17, see
    `released_teams`).
    """

    framework: Literal["cadp"] = "cadp"  # type: ignore[assignment]

    # CADP-PG, r_actor_critic_cadp.py:18.
    n_attention_heads: int = Field(4, ge=1, le=64)
    attention_head_size: int = Field(32, ge=1, le=1_024)
    # CADP-PG, r_mappo.py:150: the mean over all entries of the attention matrices.
    pruning_normalisation: Literal["agents_squared", "agents"] = "agents_squared"


def _differences(**values: float | bool) -> Mapping[str, float | bool]:
    return MappingProxyType(values)


# 8 threads of 400 steps each in every script; we collect whole episodes.
EPISODES_PER_COLLECTION = 8

# Per map of SMAC, what on-policy's scripts/train_smac_scripts/train_smac_<map>.sh passes other than
# the defaults above. CADP-PG's three scripts (5m_vs_6m, corridor, 3s5z_vs_3s6z) agree with it.
# 3s_vs_4z and 3s_vs_5z also stack four frames there, which this suite does not do.
PUBLISHED: Mapping[str, Mapping[str, float | bool]] = MappingProxyType(
    {
        "10m_vs_11m": _differences(n_epochs=10),
        "1c3s5z": _differences(n_epochs=15),
        "25m": _differences(n_epochs=10),
        "27m_vs_30m": _differences(),
        "2c_vs_64zg": _differences(),
        "2m_vs_1z": _differences(n_epochs=15),
        "2s_vs_1sc": _differences(n_epochs=15),
        "3m": _differences(n_epochs=15),
        "3s5z": _differences(),
        "3s5z_vs_3s6z": _differences(),
        "3s_vs_3z": _differences(n_epochs=15),
        "3s_vs_4z": _differences(n_epochs=15, is_recurrent=False),
        "3s_vs_5z": _differences(n_epochs=15, is_recurrent=False, clip=0.05),
        "5m_vs_6m": _differences(n_epochs=10, clip=0.05),
        "6h_vs_8z": _differences(is_recurrent=False),
        "8m": _differences(n_epochs=15),
        "8m_vs_9m": _differences(n_epochs=15, clip=0.05),
        "MMM": _differences(n_epochs=15),
        "MMM2": _differences(n_minibatches=2, action_gain=1.0),
        "bane_vs_bane": _differences(n_epochs=15),
        "corridor": _differences(is_recurrent=False),
    }
)
