"""The pruning loss of CADP (arXiv 2305.17352): every agent should listen to itself alone."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

# Release, learners/q_learner_teacher.py: kl_div((attention + eps).log(), identity).
EPSILON = 1e-8


def pruning_loss(
    self_attention: Tensor, normalisation: Literal["agents_squared", "agents"]
) -> Tensor:
    """KL(identity ‖ C) of each row: C_nn (P, M, heads, N) -> (P, M).

    Σ_h Σ_n -log(C_nn + 1e-8), divided by heads·N² as in the release, which averages over all
    entries of the matrices ("agents_squared": uniform attention costs ln(N)/N), or by heads·N
    ("agents": uniform attention costs ln N).
    """
    n_agents = self_attention.shape[-1]
    loss = -(self_attention + EPSILON).log().mean(dim=(2, 3))
    return loss / n_agents if normalisation == "agents_squared" else loss
