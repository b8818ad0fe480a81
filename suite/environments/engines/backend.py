"""A backend whose environments are engines in processes of their own. Cheap."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Sequence

from suite.environments.backend import Backend
from suite.environments.engines.interface import Blueprint, Patience
from suite.environments.interface import BatchedEnvironment
from suite.errors import InputError

PROCESSES = "CADP_SUITE_ENGINE_PROCESSES"
_MOST_PROCESSES = 1024


def n_processes() -> int:
    """How many processes of a game one batch may use: of `PROCESSES` in the environment, else 1.

    Raises InputError for what is no such number.
    """
    given = os.environ.get(PROCESSES, "1")
    is_number = given.isascii() and given.isdecimal() and len(given) <= len(str(_MOST_PROCESSES))
    if not is_number or not 1 <= int(given) <= _MOST_PROCESSES:
        cure = f"give a whole number from 1 to {_MOST_PROCESSES}"
        what = "not a number of processes"
        raise InputError(what, where=f"environment variable {PROCESSES}", value=given, cure=cure)
    return int(given)


class EngineBackend(Backend):
    """What its environments need beside what every backend says.

    patience: how long its processes may take for what they do.
    most_episodes: after so many a process makes room for a new one; None for any number.
    """

    patience = Patience()
    most_episodes: int | None = None

    @abstractmethod
    def blueprint(self, scenario: str) -> Blueprint:
        """How an engine of a scenario is made."""

    def make(
        self, scenario: str, n_environments: int, seed: int, extra: Sequence[str]
    ) -> BatchedEnvironment:
        from suite.environments.engines.batch import EngineBatch

        return EngineBatch(
            self.describe(scenario),
            self.blueprint(scenario),
            n_environments,
            seed,
            patience=self.patience,
            n_processes=n_processes(),
            replays_exactly=self.replays_exactly,
            most_episodes=self.most_episodes,
        )

    def silence_seconds(self, scenario: str) -> float:
        """As long as a process with all copies is waited for, twice: what takes its place may hang
        as well."""
        patience = self.patience
        once = patience.start + (self.most_copies or 1) * max(patience.reset, patience.step)
        return 2 * once

    def n_breakdowns(self, environment: BatchedEnvironment) -> int:
        """Processes that had to be replaced."""
        return int(environment.n_breakdowns)  # type: ignore[attr-defined]
