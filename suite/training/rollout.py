"""Playing episodes: one loop for training, testing and rebuilding a replay."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from suite.algorithms import Learner
from suite.algorithms.agents.interface import ExecutionMode
from suite.environments.interface import BatchedEnvironment
from suite.training.exploration import explore, greedy_actions
from suite.training.replay import EpisodeWriter

# Called with the time step and the slots still playing; returns actions (all slots, agents).
ChooseActions = Callable[[int, NDArray[np.int64]], NDArray[np.int64]]


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
    choose: ChooseActions,
    writer: EpisodeWriter | None = None,
) -> Outcomes:
    """Play one episode in each of `slots`, all side by side, to the end.

    `writer`, if given, stores every slot's transitions; it must cover all slots of the environment.
    """
    n = environment.n_environments
    total_reward, length = np.zeros(n), np.zeros(n, np.int64)
    won, active = np.zeros(n, np.bool_), np.zeros(n, np.bool_)
    environment.reset(slots, episode_seeds)
    active[slots] = True
    if writer is not None:
        writer.observe(0, slots, environment)
    for t in range(environment.info.episode_limit):
        actions = choose(t, slots)
        step = environment.step(actions, active)
        if writer is not None:
            writer.act(t, slots, actions, step)
            writer.observe(t + 1, slots, environment)
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


class Policy:
    """A cohort's networks choosing actions in one execution mode, ε-greedily.

    The environment's slots are laid out member by member: (members, environments per member).
    `epsilon` and `random` (one per member) are absent in greedy tests. A member draws only while
    one of its own slots plays, so that its exploration does not depend on how long others play.
    """

    def __init__(
        self,
        learner: Learner,
        environment: BatchedEnvironment,
        mode: ExecutionMode,
        *,
        epsilon: NDArray[np.float64] | None = None,
        random: Sequence[np.random.Generator] = (),
    ) -> None:
        self._learner, self._mode = learner, mode
        self._epsilon, self._random = epsilon, random
        info = environment.info
        self._lead = (learner.n_members, environment.n_environments // learner.n_members)
        self._available = environment.available_actions.reshape(
            *self._lead, info.n_agents, info.n_actions
        )
        self._observations = torch.from_numpy(environment.observations).view(
            *self._lead, info.n_agents, info.observation_size
        )
        self._hidden = learner.initial_hidden(self._lead[1])
        self._device = self._hidden.device
        self._last_actions = torch.full(
            (*self._lead, info.n_agents), -1, dtype=torch.int64, device=self._device
        )

    def __call__(self, t: int, slots: NDArray[np.int64]) -> NDArray[np.int64]:
        """Actions (slots, agents) for what the environment shows now."""
        q, self._hidden = self._learner.act_values(
            self._observations.to(self._device), self._last_actions, self._hidden, self._mode
        )
        actions = greedy_actions(q.cpu().numpy(), self._available)
        if self._epsilon is not None:
            for m in np.unique(slots // self._lead[1]).tolist():
                actions[m] = explore(
                    actions[m], self._available[m], self._epsilon[m], self._random[m]
                )
        self._last_actions = torch.from_numpy(actions).to(self._device)
        return actions.reshape(-1, actions.shape[-1])
