"""Speed of remembering episodes, each beside its floor: a copy of the arrays as they are.

Battles of random available actions, one slot; batches of 32 episodes from 256. Times are CPU time
of one thread. `extra_info` holds the bytes an episode takes as arrays (of its own length) and in
the buffer.
Run `pytest benchmarks/test_buffer_speed.py`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch

from suite.algorithms.allocator import keep_freed_memory
from suite.algorithms.buffers import EpisodeBuffer, EpisodeWriter, Field
from suite.environments import make

pytestmark = pytest.mark.benchmark(timer=time.process_time, warmup=False)

MAPS = ["3m", "5m_vs_6m", "MMM2", "corridor"]
N_PLAYED, N_STORED, BATCH = 32, 256, 32
SLOT, ACTIVE = np.array([0]), np.array([True])
SEEN = ("observations", "state", "available_actions")


@pytest.fixture(autouse=True)
def as_a_worker_runs() -> None:
    torch.set_num_threads(1)
    keep_freed_memory()


@dataclass
class Battle:
    """seen: what one slot sees, per step and after the last. done: actions, reward, terminated."""

    seen: list[dict[str, Any]]
    done: list[tuple[Any, Any, Any]]

    def write(self, writer: EpisodeWriter) -> None:
        writer.observe(0, SLOT, self.seen[0])
        for t, (step, seen) in enumerate(zip(self.done, self.seen[1:], strict=True)):
            writer.act(t, SLOT, *step)
            writer.observe(t + 1, SLOT, seen)

    def copy(self, into: dict[str, Any]) -> None:
        for t, seen in enumerate(self.seen):
            for name, array in seen.items():
                into[name][t] = array[0]


class Battles:
    """The first battles of a map, played at random, and a buffer to keep them in."""

    def __init__(self, name: str) -> None:
        environment, random = make(f"skirmish/{name}", 1, seed=0), np.random.default_rng(0)
        info = environment.info
        fields = {
            "observations": Field((info.n_agents, info.observation_size)),
            "state": Field((info.state_size,)),
            "available_actions": Field((info.n_agents, info.n_actions), "bool"),
        }
        self.buffer = EpisodeBuffer(fields, 1, N_STORED, info.episode_limit)
        self.arrays = {
            name: np.zeros((info.episode_limit + 1, *field.shape), field.dtype)
            for name, field in fields.items()
        }

        def see() -> dict[str, Any]:
            return {name: getattr(environment, name).copy() for name in SEEN}

        def play(seed: int) -> Battle:
            environment.reset(SLOT, np.array([seed]))
            battle, is_over = Battle([see()], []), False
            while not is_over:
                available = environment.available_actions
                actions = (random.random(available.shape) * available).argmax(axis=-1)
                step = environment.step(actions)
                battle.done.append((actions, step.reward.copy(), step.terminated.copy()))
                battle.seen.append(see())
                is_over = bool(step.terminated[0] or step.truncated[0])
            return battle

        self.played = [play(seed) for seed in range(N_PLAYED)]

    def remember(self) -> None:
        """Every battle once."""
        for seed, battle in enumerate(self.played):
            battle.write(self.buffer.writer(SLOT, SLOT, np.array([seed])))
        self.buffer.n_stored(0)  # packs the last

    def fill(self) -> None:
        for _ in range(N_STORED // N_PLAYED):
            self.remember()


@pytest.mark.parametrize("what", ["floor", "ours"])
@pytest.mark.parametrize("name", MAPS)
def test_writing(benchmark: Any, name: str, what: str) -> None:
    battles = Battles(name)
    n_steps = sum(len(battle.done) for battle in battles.played)
    benchmark.group = f"writing {N_PLAYED} episodes of {name}"
    benchmark.extra_info["steps"] = n_steps

    def copy() -> None:
        for battle in battles.played:
            battle.copy(battles.arrays)

    run = battles.remember if what == "ours" else copy
    benchmark.pedantic(run, rounds=20, warmup_rounds=2)


@pytest.mark.parametrize("what", ["floor", "ours"])
@pytest.mark.parametrize("name", MAPS)
def test_sampling(benchmark: Any, name: str, what: str) -> None:
    battles, random = Battles(name), [np.random.default_rng(0)]
    battles.fill()
    benchmark.group = f"sampling {BATCH} of {name}"
    as_arrays = sum(a.nbytes for battle in battles.played for s in battle.seen for a in s.values())
    benchmark.extra_info["bytes_as_arrays"] = as_arrays // N_PLAYED
    benchmark.extra_info["bytes_in_buffer"] = battles.buffer.n_bytes() // N_STORED

    def ours() -> object:
        return battles.buffer.sample(BATCH, random, ACTIVE, "cpu")

    batches = [battles.buffer.sample(BATCH, random, ACTIVE, "cpu") for _ in range(8)]
    tensors = [[batch.observations, batch.state, batch.available_actions] for batch in batches]

    def floor() -> object:
        tensors.append(tensors.pop(0))
        return [tensor.clone() for tensor in tensors[0]]

    run = ours if what == "ours" else floor
    benchmark.pedantic(run, rounds=40, iterations=5, warmup_rounds=3)
