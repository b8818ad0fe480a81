"""Settings of CADP beside those of value learning. Source: the release at commit 2b70029."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from suite.algorithms.value.settings import ValueSettings

# config/algs/{VDN,QMIX,QPLEX}_CADP.yaml, key `alpha`.
PUBLISHED_ALPHA = {"vdn": 1.0, "qmix": 0.5, "qplex": 1.0}

Weight = Annotated[float, Field(ge=1e-9, le=1e9)]


class CadpSettings(ValueSettings):
    """Heads: modules/layer/self_atten.py.

    pruning_normalisation: the release divides the sum over heads and agents by H·N² (D10);
    "agents" divides by H·N.

    What follows is ours; the defaults are the release.

    pruning_schedule: α from T on ("constant"), rising from 0 at T to α at a later step ("linear",
    "cosine"), or starting at α and adjusted so that the gap between the two modes stays at
    `gap_target` ("gap"); see `suite.algorithms.losses.schedules`.
    gap_target: share of agent-steps at which CADP(C) and CADP(D) choose differently. gap_rate: the
    most that ln α moves in an update. alpha_lowest, alpha_highest: bounds of α in that schedule.
    masks_dead: agents that can only do nothing neither give nor get advice, nor count in the
    pruning loss.
    attends_to: "self" is the same network without advice, for comparison at equal parameters: it
    always uses its own value, and its queries and keys are idle.
    adviser_counts: further modes of testing, in each of which every agent hears so many others,
    those to whom it attends most.
    """

    n_attention_heads: int = Field(4, ge=1, le=64)
    attention_head_size: int = Field(32, ge=1, le=1_024)
    pruning_normalisation: Literal["agents_squared", "agents"] = "agents_squared"
    pruning_schedule: Literal["constant", "linear", "cosine", "gap"] = "constant"
    gap_target: float = Field(0.05, ge=1e-6, le=1)
    gap_rate: float = Field(0.002, gt=0, le=1)
    alpha_lowest: Weight = 0.01
    alpha_highest: Weight = 100.0
    masks_dead: bool = False
    attends_to: Literal["all", "self"] = "all"
    adviser_counts: tuple[Annotated[int, Field(ge=1, le=1_000)], ...] = Field((), max_length=100)

    added_later: ClassVar[frozenset[str]] = frozenset(
        {
            "pruning_schedule",
            "gap_target",
            "gap_rate",
            "alpha_lowest",
            "alpha_highest",
            "masks_dead",
            "attends_to",
            "adviser_counts",
        }
    )
