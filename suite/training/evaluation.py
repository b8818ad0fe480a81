"""Greedy tests: the same fresh episodes for every execution mode, apart from training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from suite.algorithms.interface import Algorithm
from suite.environments.interface import BatchedEnvironment
from suite.runs.metrics import EPISODE_LENGTH, RETURN, TEST, WIN_RATE
from suite.runs.seeding import Stream, episode_seeds
from suite.training.rollout import Outcomes, play


def run_tests(
    algorithm: Algorithm,
    environment: BatchedEnvironment,
    members: Sequence[int],
    seeds: Sequence[int],
    n_tests_done: Sequence[int],
    n_episodes: int,
) -> list[dict[str, float]]:
    """Test `members` once in each execution mode they have.

    environment: members × n_episodes slots. Test number k of a seed uses the same episode seeds in
    every mode and arm, so that modes and arms are compared on the same battles.
    Returns, per tested member, the metrics of ARCHITECTURE.md's table.
    """
    slots = (np.array(members)[:, None] * n_episodes + np.arange(n_episodes)).ravel()
    drawn = [
        episode_seeds(seeds[m], Stream.TEST_EPISODES, n_tests_done[m] * n_episodes, n_episodes)
        for m in members
    ]
    results: list[dict[str, float]] = [{} for _ in members]
    for mode in algorithm.modes:
        actor = algorithm.actor(environment, mode.name)
        outcomes = play(environment, slots, np.concatenate(drawn), actor)
        for result, member in zip(results, members, strict=True):
            block = slice(member * n_episodes, (member + 1) * n_episodes)
            result |= summarise(outcomes, block, TEST, f"/{mode.name}")
    return results


def summarise(outcomes: Outcomes, block: slice, phase: str, suffix: str = "") -> dict[str, float]:
    """Means over the episodes of a block of slots."""
    return {
        f"{phase}/{WIN_RATE}{suffix}": float(outcomes.won[block].mean()),
        f"{phase}/{RETURN}{suffix}": float(outcomes.total_reward[block].mean()),
        f"{phase}/{EPISODE_LENGTH}{suffix}": float(outcomes.length[block].mean()),
    }
