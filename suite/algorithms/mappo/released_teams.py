"""The teams that CADP's release trains the attention on: agents of different episodes and times.

onpolicy/utils/shared_buffer.py shuffles single agents' chunks (`recurrent_generator`) or single
agents' rows (`feed_forward_generator`); r_actor_critic_cadp.py:169 then takes each N rows in a row
for a team. While acting, teams are right, so ρ = π_new / π_old compares policies that got different
advice, and the pruning loss is that of random groups. `protocol = "as_released"` does the same.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from suite.algorithms.mappo.chunks import Chunks


def released_teams(
    chunks: Chunks, n_agents: int, is_recurrent: bool, generators: Sequence[np.random.Generator]
) -> Tensor:
    """Order (P, K·N) of single agents in which each N in a row are taken for a team.

    Recurrent: agents' chunks are shuffled, and a team has N chunks at the same step of each. Where
    chunks have ended (in the release none do: rollouts go on over the ends of episodes), those that
    have not close up; all agents of an episode have chunks of one length, so none is left over.
    Feed-forward: agents' rows are shuffled. Rows that are not real stay where they are.

    generators: one per member, so that nobody's teams depend on another's.
    """
    shuffle = _of_chunks if is_recurrent else _of_rows
    is_real = chunks.is_real.cpu()
    n_places = is_real.shape[1] * n_agents
    order = torch.arange(n_places).repeat(len(is_real), 1)
    for member, generator in enumerate(generators):
        shuffle(order[member], is_real[member], chunks, n_agents, generator)
    return order.to(chunks.is_real.device)


def _of_rows(
    order: Tensor, is_real: Tensor, _chunks: Chunks, n_agents: int, generator: np.random.Generator
) -> None:
    """Shuffle one member's real single rows in `order` (K·N,)."""
    real = torch.nonzero(is_real.repeat_interleave(n_agents)).squeeze(1)
    order[real] = real[torch.from_numpy(generator.permutation(len(real)))]


def _of_chunks(
    order: Tensor, is_real: Tensor, chunks: Chunks, n_agents: int, generator: np.random.Generator
) -> None:
    """Shuffle one member's single chunks in `order` (K·N,)."""
    rows = chunks.rows
    alive = [
        int(is_real[start : start + n].sum()) * n_agents
        for start, n in zip(rows.starts, rows.n_at, strict=True)
    ]
    # Chunk of agent n with rank k: number k·N + n; the longest rank first, so those alive at a step
    # are the smallest numbers.
    shuffled = torch.from_numpy(generator.permutation(alive[0]))
    for start, n_alive in zip(rows.starts, alive, strict=True):
        first = start * n_agents
        order[first : first + n_alive] = first + shuffled[shuffled < n_alive]
