"""ε-greedy exploration (PyMARL, components/epsilon_schedules.py and action_selectors.py)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from suite.runs.protocol import TrainingProtocol


def epsilon(env_steps: int, settings: TrainingProtocol) -> float:
    """Linear decay from start to finish over the annealing time, constant afterwards."""
    start, finish = settings.epsilon_start, settings.epsilon_finish
    progress = min(1.0, env_steps / settings.epsilon_anneal_env_steps)
    return start + (finish - start) * progress


def greedy_actions(
    q: NDArray[np.float32], available_actions: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Available action of the highest value; first one on ties.

    q, available_actions: (..., actions). Returns (...).
    """
    return np.where(available_actions, q, -np.inf).argmax(axis=-1)


def explore(
    greedy: NDArray[np.int64],
    available_actions: NDArray[np.bool_],
    probability: float,
    random: np.random.Generator,
) -> NDArray[np.int64]:
    """Replace each agent's action, with `probability` and independently, by a random available one.

    greedy: (slots, agents); available_actions: (slots, agents, actions). Always draws the same
    amount from `random`, whatever the probability.
    """
    draws = random.random((2, *greedy.shape))
    n_available = available_actions.sum(axis=-1)
    rank = (draws[1] * n_available).astype(np.int64)  # uniform in 0 .. n_available - 1
    uniform = (available_actions.cumsum(axis=-1) > rank[..., None]).argmax(axis=-1)
    return np.where(draws[0] < probability, uniform, greedy)
