"""Playing episodes: one loop for training, testing and playing again what was stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suite.algorithms.interface import Actor, EpisodeWriter
from suite.environments.interface import BatchedEnvironment, Step
from suite.errors import InputError

# A game that breaks down so often in the same episode will do it again.
_MOST_TRIES = 4


@dataclass(frozen=True)
class Outcomes:
    """What came of one episode per slot; zeros where a slot did not play. All shaped (slots,)."""

    total_reward: NDArray[np.float64]
    length: NDArray[np.int64]
    won: NDArray[np.bool_]


def of_slots(outcomes: Outcomes, slots: NDArray[np.int64]) -> Outcomes:
    """What came of some slots."""
    return Outcomes(outcomes.total_reward[slots], outcomes.length[slots], outcomes.won[slots])


def joined(parts: Sequence[Outcomes]) -> Outcomes:
    """One after the other."""
    return Outcomes(
        np.concatenate([part.total_reward for part in parts]),
        np.concatenate([part.length for part in parts]),
        np.concatenate([part.won for part in parts]),
    )


def play(
    environment: BatchedEnvironment,
    slots: NDArray[np.int64],
    episode_seeds: NDArray[np.int64],
    new_actor: Callable[[], Actor],
    writer: EpisodeWriter | None = None,
    ends_at_limit: bool = False,
) -> Outcomes:
    """Play one episode in each of `slots`, all side by side, to the end.

    Episodes that are lost (`Step.lost`) are played anew when the others are over; InputError if
    that happens to one again and again.

    new_actor: makes who plays, for one episode in each slot.
    `writer`, if given, stores every slot's transitions; it must cover all slots of the environment.
    ends_at_limit: whether an end by the step limit is stored as terminal.
    """
    n = environment.n_environments
    outcomes = Outcomes(np.zeros(n), np.zeros(n, np.int64), np.zeros(n, np.bool_))
    seed_of_slot = np.zeros(n, np.int64)
    seed_of_slot[slots] = episode_seeds
    for _ in range(_MOST_TRIES):
        seeds = seed_of_slot[slots]
        slots = _play_once(environment, slots, seeds, new_actor(), writer, ends_at_limit, outcomes)
        if not len(slots):
            return outcomes
    raise InputError(
        f"an episode was lost {_MOST_TRIES} times in a row",
        where=f"the game behind {environment.info.name}",
        cure="see why it breaks down in what it printed; the run can then be taken up again",
    )


def _play_once(
    environment: BatchedEnvironment,
    slots: NDArray[np.int64],
    episode_seeds: NDArray[np.int64],
    choose: Actor,
    writer: EpisodeWriter | None,
    ends_at_limit: bool,
    outcomes: Outcomes,
) -> NDArray[np.int64]:
    """Play to the end what can be; returns the slots whose episode was lost."""
    total_reward, length, won = outcomes.total_reward, outcomes.length, outcomes.won
    active = np.zeros(environment.n_environments, np.bool_)
    lost = np.zeros(environment.n_environments, np.bool_)
    environment.reset(slots, episode_seeds)
    total_reward[slots], length[slots], active[slots] = 0.0, 0, True
    seen = seen_arrays(environment)
    if writer is not None:
        writer.observe(0, slots, seen)
    for t in range(environment.info.episode_limit):
        actions = choose(t, slots)
        step = environment.step(actions, active)
        if step.lost is not None and step.lost.any():
            lost |= step.lost
            active &= ~lost
            slots = slots[~lost[slots]]
            if not len(slots):
                break
        if writer is not None:
            writer.act(t, slots, actions, step.reward, _terminal(step, ends_at_limit))
            writer.observe(t + 1, slots, seen)
        total_reward[slots] += step.reward[slots]
        length[slots] += 1
        ended = (step.terminated | step.truncated)[slots]
        if ended.any():
            won[slots[ended]] = step.won[slots[ended]]
            active[slots[ended]] = False
            slots = slots[~ended]
            if not len(slots):
                break
    return np.flatnonzero(lost)


def _terminal(step: Step, ends_at_limit: bool) -> NDArray[np.bool_]:
    return step.terminated | step.truncated if ends_at_limit else step.terminated


def seen_arrays(environment: BatchedEnvironment) -> dict[str, NDArray[Any]]:
    """The arrays of a batch that change with every step, by name; they stay the same objects."""
    return {
        "observations": environment.observations,
        "state": environment.state,
        "available_actions": environment.available_actions,
        **environment.extra_observations,
    }
