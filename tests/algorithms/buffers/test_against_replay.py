"""The same battles in the buffer and in the replay of the training loop: the same batches.

Goes with `suite.training.replay`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from made_up import assert_equal

from suite.algorithms.buffers import EpisodeBuffer, EpisodeWriter, Field
from suite.environments import make
from suite.environments.interface import EnvironmentInfo
from suite.training.replay import Replay
from suite.training.rollout import play


def fields_of(info: EnvironmentInfo) -> dict[str, Field]:
    return {
        "observations": Field((info.n_agents, info.observation_size)),
        "state": Field((info.state_size,)),
        "available_actions": Field((info.n_agents, info.n_actions), "bool"),
    }


class Both:
    """Two writers as one."""

    def __init__(self, old: Any, new: EpisodeWriter) -> None:
        self.old, self.new = old, new

    def observe(self, t: int, slots: np.ndarray, environment: Any) -> None:
        self.old.observe(t, slots, environment)
        self.new.observe(t, slots, vars(environment))

    def act(self, t: int, slots: np.ndarray, actions: np.ndarray, step: Any) -> None:
        self.old.act(t, slots, actions, step)
        self.new.act(t, slots, actions, step.reward, step.terminated)


@pytest.mark.parametrize("name", ["skirmish/3m", "skirmish/MMM2", "skirmish/corridor"])
def test_battles(name: str) -> None:
    environment, random = make(name, 4, seed=0), np.random.default_rng(0)
    info = environment.info
    old = Replay(info, n_members=2, capacity=7)
    new = EpisodeBuffer(fields_of(info), 2, 7, info.episode_limit)
    member_of_slot = np.array([0, 0, 1, 1])

    def choose(t: int, slots: np.ndarray) -> np.ndarray:
        available = environment.available_actions
        return (random.random(available.shape) * available).argmax(axis=-1)

    for k in range(6):
        slots = np.array([[0, 1, 2, 3], [0, 1]][k % 2])
        seeds = random.integers(0, 2**32, len(slots))
        writers = [replay.writer(member_of_slot, slots, seeds) for replay in (old, new)]
        play(environment, slots, seeds, choose, Both(*writers))  # type: ignore[arg-type]
        for active in ([True, True], [True, False], [False, True]):
            draws = [[np.random.default_rng(m) for m in range(2)] for _ in range(2)]
            batches = [
                replay.sample(2, own, np.array(active), "cpu")
                for replay, own in zip((old, new), draws, strict=True)
            ]
            assert_equal(batches[1], batches[0])
    assert old.n_added.tolist() == new.n_added.tolist()
