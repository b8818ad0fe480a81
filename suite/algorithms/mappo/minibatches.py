"""The steps of an update: epochs over the batch, each in minibatches of chunks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from suite.algorithms.mappo.chunks import Chunks, Cutter
from suite.algorithms.mappo.experience import Experience
from suite.algorithms.mappo.released_teams import released_teams
from suite.algorithms.mappo.settings import CadpMappoSettings, MappoSettings


@dataclass(frozen=True)
class Minibatch:
    """Some chunks, the experience on their rows, and for the release's protocol its teams.

    teams: (P, K·N) order of single agents, see `released_teams`; None for the teams as they are.
    """

    chunks: Chunks
    experience: Experience
    teams: Tensor | None


def minibatches(
    cutter: Cutter,
    experience: Experience,
    settings: MappoSettings,
    generators: Sequence[np.random.Generator],
) -> Iterator[Minibatch]:
    """All minibatches of all epochs. One that holds everything is packed once for all epochs.

    generators: one per member; draw the order of its chunks and the release's teams.
    """
    n_agents = experience.actions.shape[2]
    is_shuffled = isinstance(settings, CadpMappoSettings) and settings.protocol == "as_released"
    parts: list[Tensor | None] = [None]
    packed: list[tuple[Chunks, Experience]] = []
    for epoch in range(settings.n_epochs):
        if settings.n_minibatches > 1:
            counts = cutter.count()
            pairs = zip(generators, counts, strict=True)
            orders = [torch.from_numpy(generator.permutation(n)) for generator, n in pairs]
            parts = [*cutter.split(settings.n_minibatches, orders)]
        if settings.n_minibatches > 1 or epoch == 0:
            chunked = [cutter.pack(part) for part in parts]
            packed = [(chunks, experience.of_chunks(chunks)) for chunks in chunked]
        for chunks, seen in packed:
            teams = None
            if is_shuffled:
                teams = released_teams(chunks, n_agents, settings.is_recurrent, generators)
            yield Minibatch(chunks, seen, teams)
