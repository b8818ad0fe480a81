"""The pruning loss of CADP (arXiv 2305.17352): every agent should listen to itself alone."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

# Release, learners/q_learner_teacher.py: kl_div((attention + eps).log(), identity).
EPSILON = 1e-8


def pruning_loss(
    self_attention: Tensor,
    normalisation: Literal["agents_squared", "agents"],
    living: Tensor | None = None,
) -> Tensor:
    """KL(identity ‖ C) of each row: C_nn (P, M, heads, N) -> (P, M).

    Σ_h Σ_n -log(C_nn + 1e-8), divided by heads·N² as in the release, which averages over all
    entries of the matrices ("agents_squared": uniform attention costs ln(N)/N), or by heads·N
    ("agents": uniform attention costs ln N).

    living (P, M, N) bool: sum and mean over living agents only, which leaves one factor 1/N of
    "agents_squared", the width of their rows; 0 where nobody lives. The release counts the dead.
    """
    n_agents = self_attention.shape[-1]
    cost = -(self_attention + EPSILON).log()
    if living is None:
        loss = cost.mean(dim=(2, 3))
    else:
        loss = (cost.mean(dim=2) * living).sum(dim=2) / living.sum(dim=2).clamp_min(1)
    return loss / n_agents if normalisation == "agents_squared" else loss
