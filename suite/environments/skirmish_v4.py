"""Skirmish by PettingZoo's custom of names: `skirmish_v4.parallel_env("5m_vs_6m")`.

The number is the first of the rules' version (`skirmish.SKIRMISH_VERSION`), under which results
can be compared; a release with other rules has a module of another name instead.
"""

from __future__ import annotations

from suite.environments import parallel

RULES = "4"


def parallel_env(
    map_name: str, *, seed: int = 0, render_mode: str | None = None
) -> parallel.ParallelEnvironment:
    """One map of skirmish, such as `3m`, behind PettingZoo's parallel interface."""
    return parallel.parallel_env(f"skirmish/{map_name}", seed=seed, render_mode=render_mode)
