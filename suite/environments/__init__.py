"""Environments: batches of independent copies of a scenario; the contract is `interface`.

Importing this package, `available` and `describe` load no simulator; `make` does. (To describe one
of PettingZoo's environments it has to be made; one of StarCraft II's, the game has to be here.)
"""

from __future__ import annotations

from collections.abc import Sequence

from suite.environments.interface import ActionError, BatchedEnvironment, EnvironmentInfo, Step
from suite.environments.registry import (
    available,
    backend_of,
    backends,
    copies,
    counts_wins,
    describe,
    full_name,
    is_scenario,
    short_name,
    usable,
)
from suite.environments.validation import check_batch, check_count, check_seed
from suite.errors import InputError

__all__ = [
    "ActionError",
    "BatchedEnvironment",
    "EnvironmentInfo",
    "Step",
    "available",
    "backend_of",
    "backends",
    "copies",
    "counts_wins",
    "describe",
    "full_name",
    "is_scenario",
    "make",
    "short_name",
    "usable",
]


def make(
    name: str, n_environments: int, seed: int, extra: Sequence[str] = ()
) -> BatchedEnvironment:
    """Build a batch of `n_environments` copies of scenario `name`, each at the start of an episode.

    seed: fixes the episodes of resets that give no episode seeds. extra: names of further
    observations to give, of those in `EnvironmentInfo.extra_observations`.
    Raises InputError for an unknown scenario, a bad number of environments, a bad seed, an
    observation that the scenario does not offer, or a backend that makes something else.
    """
    backend = backend_of(name)
    n_environments, seed = check_count(n_environments), check_seed(seed)
    if backend.most_copies is not None and n_environments > backend.most_copies:
        raise InputError(
            f"{backend.name} runs at most {backend.most_copies} environments side by side",
            where="make: n_environments",
            value=n_environments,
            cure="ask for fewer (`suite.environments.copies`)",
        )
    info = describe(name)
    offered = info.extra_observations
    for wanted in extra:
        if wanted not in offered:
            raise InputError(
                f"{name} offers no such observation",
                where="make: extra",
                value=wanted,
                cure=f"use {', '.join(offered) or 'none: it offers none'}",
            )
    batch = backend.make(short_name(name), n_environments, seed, extra)
    check_batch(batch, info, n_environments, extra)
    return batch
