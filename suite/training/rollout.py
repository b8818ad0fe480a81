"""Playing episodes: one loop for training, testing and playing again what was stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suite.algorithms.interface import Actor, EpisodeWriter
from suite.environments.interface import BatchedEnvironment, Step


@dataclass(frozen=True)
class Outcomes:
    """What came of one episode per slot; zeros where a slot did not play. All shaped (slots,)."""

    total_reward: NDArray[np.float64]
    length: NDArray[np.int64]
    won: NDArray[np.bool_]


def play(
    environment: BatchedEnvironment,
    slots: NDArray[np.int64],
    episode_seeds: NDArray[np.int64],
    choose: Actor,
    writer: EpisodeWriter | None = None,
    ends_at_limit: bool = False,
) -> Outcomes:
    """Play one episode in each of `slots`, all side by side, to the end.

    `writer`, if given, stores every slot's transitions; it must cover all slots of the environment.
    ends_at_limit: whether an end by the step limit is stored as terminal.
    """
    n = environment.n_environments
    total_reward, length = np.zeros(n), np.zeros(n, np.int64)
    won, active = np.zeros(n, np.bool_), np.zeros(n, np.bool_)
    environment.reset(slots, episode_seeds)
    active[slots] = True
    seen = seen_arrays(environment)
    if writer is not None:
        writer.observe(0, slots, seen)
    for t in range(environment.info.episode_limit):
        actions = choose(t, slots)
        step = environment.step(actions, active)
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
    return Outcomes(total_reward, length, won)


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
