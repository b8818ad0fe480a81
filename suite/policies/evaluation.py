"""Episodes of a policy played side by side, and what they say of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from suite.environments import backend_of, copies, counts_wins, describe, make, short_name
from suite.policies.policy import Policy
from suite.runs.intervals import CONFIDENCE, is_constant, t_half_width, wilson_interval
from suite.runs.metrics import EPISODE_LENGTH, RETURN, WIN_RATE
from suite.runs.seeding import Stream, episode_seeds
from suite.training.rollout import Outcomes, joined, of_slots, play

# More at once make an episode hardly cheaper (measured on 3m, 27m_vs_30m and corridor).
_SIDE_BY_SIDE = 64


@dataclass(frozen=True)
class Estimate:
    """A mean over episodes with its 95 % interval; None where the episodes cannot give one.

    method: how the interval was made, or why there is none; for people.
    """

    mean: float
    low: float | None
    high: float | None
    method: str


def evaluation_seeds(seed: int, n_episodes: int) -> NDArray[np.int64]:
    """Seeds of the episodes of an evaluation: others than any run is trained or tested on."""
    return episode_seeds(seed, Stream.EVALUATION_EPISODES, 0, n_episodes)


def play_episodes(
    scenario: str, policy: Policy, seeds: NDArray[np.int64], tell: Callable[[int], None]
) -> Outcomes:
    """One episode per seed, in batches of about equal size.

    tell: called with the number of episodes that are over, after each batch.
    """
    most = copies(scenario, _SIDE_BY_SIDE)
    batches = np.array_split(seeds, -(-len(seeds) // most))
    environment = make(scenario, len(batches[0]), seed=0, extra=policy.extra)
    played: list[Outcomes] = []
    try:
        for batch in batches:
            slots = np.arange(len(batch))
            outcomes = play(environment, slots, batch, partial(policy.actor, environment))
            played.append(of_slots(outcomes, slots))
            tell(sum(len(one.won) for one in played))
    finally:
        environment.close()
    return joined(played)


def estimates(scenario: str, outcomes: Outcomes) -> Mapping[str, Estimate]:
    """Win rate, return and episode length with their intervals, by the names of metrics.

    No win rate where nothing says which episodes were won.
    """
    backend, info = backend_of(scenario), describe(scenario)
    wins = {WIN_RATE: _fraction(outcomes.won)} if counts_wins(scenario) else {}
    return {
        **wins,
        RETURN: _mean(outcomes.total_reward, backend.return_bounds(short_name(scenario))),
        EPISODE_LENGTH: _mean(outcomes.length.astype(np.float64), (1, info.episode_limit)),
    }


def _fraction(won: NDArray[np.bool_]) -> Estimate:
    low, high = wilson_interval(int(won.sum()), len(won))
    return Estimate(float(won.mean()), low, high, f"Wilson; {won.sum()} of {len(won)}")


def _mean(values: NDArray[np.float64], bounds: tuple[float, float]) -> Estimate:
    """Student's interval, cut at what is possible, which leaves its coverage as it is."""
    mean = float(values.mean())
    if len(values) == 1:
        return Estimate(mean, None, None, "one episode: no interval")
    if is_constant(values):
        return Estimate(mean, None, None, "all episodes equal: no interval")
    half = float(t_half_width(values, CONFIDENCE))
    return Estimate(mean, max(mean - half, bounds[0]), min(mean + half, bounds[1]), "t")
