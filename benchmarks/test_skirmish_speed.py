"""Speed of skirmish beside its floor: the copy of what a step hands out.

One batch of 32 on one core, random available actions, observations, state and availability
encoded in every step; choosing the actions and resets are not timed. The clock counts CPU time.
`extra_info` holds env steps per second.
Run `pytest benchmarks/test_skirmish_speed.py`.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from numba import njit

from suite.environments import make

BATCH = 32
ROUNDS = 3000
MAPS = ["3m", "8m", "5m_vs_6m", "3s5z_vs_3s6z", "MMM2", "corridor", "27m_vs_30m", "2c_vs_64zg"]


@njit(cache=True)  # type: ignore[untyped-decorator, unused-ignore]
def choose_random(available: Any, actions: Any, stream: Any) -> None:
    """Fill actions (slots, agents) with uniform available ones; stream (1,) uint64."""
    for slot in range(available.shape[0]):
        for agent in range(available.shape[1]):
            count = 0
            for action in range(available.shape[2]):
                count += available[slot, agent, action]
            stream[0] = stream[0] * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)
            rank = np.int64(stream[0] >> np.uint64(33)) % count
            for action in range(available.shape[2]):
                if available[slot, agent, action]:
                    if rank == 0:
                        actions[slot, agent] = action
                        break
                    rank -= 1


@pytest.mark.benchmark(timer=time.process_time)
@pytest.mark.parametrize("name", MAPS)
def test_step(benchmark: Any, name: str) -> None:
    environment = make(f"skirmish/{name}", BATCH, 0)
    actions = np.zeros((BATCH, environment.info.n_agents), np.int64)
    stream = np.array([1], np.uint64)
    is_over = np.zeros(BATCH, np.bool_)

    def prepare() -> tuple[tuple[Any, ...], dict[str, Any]]:
        if is_over.any():
            environment.reset(np.flatnonzero(is_over))
        choose_random(environment.available_actions, actions, stream)
        return (actions,), {}

    def step(chosen: Any) -> None:
        result = environment.step(chosen)
        np.logical_or(result.terminated, result.truncated, out=is_over)

    benchmark.pedantic(step, setup=prepare, rounds=ROUNDS, warmup_rounds=100)
    benchmark.extra_info["env_steps_per_second"] = BATCH / benchmark.stats.stats.mean


@pytest.mark.benchmark(timer=time.process_time)
@pytest.mark.parametrize("name", MAPS)
def test_floor_copy_of_outputs(benchmark: Any, name: str) -> None:
    environment = make(f"skirmish/{name}", BATCH, 0)
    outputs = (environment.observations, environment.state, environment.available_actions)
    copies = [np.empty_like(array) for array in outputs]

    def copy() -> None:
        for target, source in zip(copies, outputs, strict=True):
            np.copyto(target, source)

    benchmark.pedantic(copy, rounds=ROUNDS, warmup_rounds=100)
    benchmark.extra_info["env_steps_per_second"] = BATCH / benchmark.stats.stats.mean
