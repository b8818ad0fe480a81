"""Random episodes with dead agents, as the update wants them, and weights for them to matter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace

import torch
from episodes import SMALL, members, random_batch
from torch import Tensor

from suite.algorithms import EpisodeBatch
from suite.algorithms.inputs import living_agents
from suite.algorithms.mappo.update import MappoLearner
from suite.algorithms.rows import Rows, pack

# Two members whose episodes differ in length; with six steps, the longest runs into the limit.
LENGTHS = [[5, 2, 6], [3, 3, 1]]


def played(
    lengths: Sequence[Sequence[int]] = LENGTHS, n_steps: int = 6, seed: int = 0
) -> tuple[Rows, EpisodeBatch, Tensor]:
    """rows, batch, living: agents die at random and then can only do nothing."""
    batch = random_batch(SMALL, lengths, n_steps, seed)
    g = torch.Generator().manual_seed(seed + 100)
    p, b, n_observations, n, _ = batch.available_actions.shape
    death = torch.randint(1, n_observations + 3, (p, b, 1, n), generator=g)
    is_dead = torch.arange(n_observations).view(1, 1, -1, 1) >= death
    available = batch.available_actions.clone()
    available[..., 1] |= ~available[..., 1:].any(dim=-1)
    available[..., 1:] &= ~is_dead.unsqueeze(4)
    available[..., 0] |= is_dead
    actions = batch.actions.masked_fill(is_dead[:, :, :-1], 0)
    taken = available[:, :, :-1].gather(4, actions.unsqueeze(4)).squeeze(4)
    actions = torch.where(taken, actions, available[:, :, :-1].float().argmax(dim=4))
    batch = replace(batch, available_actions=available, actions=actions * batch.filled.unsqueeze(3))
    rows = pack(batch)
    return rows, batch, living_agents(rows.of_observations(available))


def alone(batch: EpisodeBatch, m: int) -> EpisodeBatch:
    """One member's episodes, cut to its own longest."""
    own = members(batch, slice(m, m + 1))
    n = int(own.filled.sum(dim=2).max())
    longer = {"observations", "state", "available_actions"}
    cut = {
        f.name: getattr(own, f.name)[:, :, : n + (f.name in longer)]
        for f in fields(own)
        if f.name != "extra"
    }
    return EpisodeBatch(**cut)


def unpadded(batch: EpisodeBatch, member: int) -> list[dict[str, Tensor]]:
    """One member's episodes as `plain_mappo` takes them, in float64."""
    episodes = []
    for b in range(batch.filled.shape[1]):
        n = int(batch.filled[member, b].sum())
        available = batch.available_actions[member, b, : n + 1]
        episodes.append(
            {
                "observations": batch.observations[member, b, : n + 1].double(),
                "state": batch.state[member, b, : n + 1].double(),
                "available": available,
                "living": living_agents(available),
                "actions": batch.actions[member, b, :n],
                "reward": batch.reward[member, b, :n].double(),
                "terminated": batch.terminated[member, b, :n].any(),
            }
        )
    return episodes


def spoiled(learner: MappoLearner) -> MappoLearner:
    """Weights with a head large enough to matter and biases that are not 0."""
    for member in range(learner.n_members):
        g = torch.Generator().manual_seed(member)
        weights = {
            name: w + 0.2 * torch.randn(w.shape, generator=g)
            for name, w in learner.member_weights(member).items()
        }
        learner.load_member_weights(member, weights)
    return learner
