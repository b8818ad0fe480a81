"""Environments: batches of independent copies of a scenario; the contract is `interface`.

Importing this package, `available` and `describe` load no simulator; `make` does.
"""

from __future__ import annotations

from suite.environments.catalog import available, check_name, describe
from suite.environments.interface import ActionError, BatchedEnvironment, EnvironmentInfo, Step
from suite.environments.validation import check_count, check_seed

__all__ = [
    "ActionError",
    "BatchedEnvironment",
    "EnvironmentInfo",
    "Step",
    "available",
    "describe",
    "make",
]


def make(name: str, n_environments: int, seed: int) -> BatchedEnvironment:
    """Build a batch of `n_environments` copies of scenario `name`, each at the start of an episode.

    seed: fixes the episodes of resets that give no episode seeds.
    Raises InputError for an unknown scenario, a bad number of environments or a bad seed.
    """
    check_name(name)
    n_environments, seed = check_count(n_environments), check_seed(seed)
    backend, scenario = name.split("/", 1)
    if backend == "matrix":
        from suite.environments.matrix import MatrixEnvironment

        return MatrixEnvironment(scenario, n_environments)
    from suite.environments.skirmish.environment import SkirmishEnvironment
    from suite.environments.skirmish.scenario import load_scenario

    return SkirmishEnvironment(load_scenario(scenario), n_environments, seed)
