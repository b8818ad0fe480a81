"""Greedy tests: the same fresh episodes for every execution mode, apart from training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from suite.algorithms.interface import Actor, Algorithm
from suite.environments.interface import BatchedEnvironment
from suite.runs.metrics import EPISODE_LENGTH, RETURN, TEST, WIN_RATE
from suite.runs.seeding import Stream, episode_seeds
from suite.training.rollout import Outcomes, joined, of_slots, play


def run_tests(
    algorithm: Algorithm,
    environment: BatchedEnvironment,
    members: Sequence[int],
    seeds: Sequence[int],
    n_tests_done: Sequence[int],
    n_episodes: int,
) -> list[dict[str, float]]:
    """Test `members` once in each execution mode they have.

    environment: an equal number of slots for each member of the algorithm; with fewer than
    `n_episodes` the episodes are played one wave after the other. Test number k of a seed uses the
    same episode seeds in every mode and arm, so that modes and arms are compared on the same
    battles.
    Returns, per tested member, the metrics of ARCHITECTURE.md's table.
    """
    width = environment.n_environments // algorithm.n_members
    drawn = np.array(
        [
            episode_seeds(seeds[m], Stream.TEST_EPISODES, n_tests_done[m] * n_episodes, n_episodes)
            for m in members
        ]
    )
    results: list[dict[str, float]] = [{} for _ in members]
    for mode in algorithm.modes:
        new_actor = partial(algorithm.actor, environment, mode.name)
        waves = [
            _play_wave(environment, members, width, drawn[:, first : first + width], new_actor)
            for first in range(0, n_episodes, width)
        ]
        for i, result in enumerate(results):
            outcomes = joined([wave[i] for wave in waves])
            result |= summarise(outcomes, slice(None), TEST, f"/{mode.name}")
    return results


def _play_wave(
    environment: BatchedEnvironment,
    members: Sequence[int],
    width: int,
    seeds: NDArray[np.int64],
    new_actor: Callable[[], Actor],
) -> list[Outcomes]:
    """One episode per seed, (members, up to width): what came of it, per member."""
    slots = np.array(members)[:, None] * width + np.arange(seeds.shape[1])
    outcomes = play(environment, slots.ravel(), seeds.ravel(), new_actor)
    return [of_slots(outcomes, own) for own in slots]


def summarise(outcomes: Outcomes, block: slice, phase: str, suffix: str = "") -> dict[str, float]:
    """Means over the episodes of a block of slots."""
    return {
        f"{phase}/{WIN_RATE}{suffix}": float(outcomes.won[block].mean()),
        f"{phase}/{RETURN}{suffix}": float(outcomes.total_reward[block].mean()),
        f"{phase}/{EPISODE_LENGTH}{suffix}": float(outcomes.length[block].mean()),
    }
