"""How many bytes it takes, and that they go back."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up import FIELDS, LIMIT, fill, length_of

from suite.algorithms.buffers import EpisodeBuffer, Field, bytes_per_episode
from suite.algorithms.buffers.memory import EpisodeMemory
from suite.environments import make

MIB = 1 << 20


@given(
    st.integers(1, 40),
    st.lists(st.tuples(st.integers(1, 5), st.integers(1, 400_000)), min_size=1, max_size=30),
)
@settings(deadline=None, max_examples=50)
def test_memory_of_overwritten_blocks_is_bounded(capacity, phases):
    """Whatever their sizes, in phases of like ones: at most a segment more than what is stored."""
    memory, sizes, largest, peak, n = EpisodeMemory(), {}, 0, 0, 0
    for n_blocks, size in phases:
        for _ in range(n_blocks * 10):
            place, n_words = n % capacity, 1 + (size + n * 7919) % size
            room = memory.room(2 * n_words)
            assert len(room) >= 2 * n_words
            room[:1], room[n_words - 1 : n_words] = n, n
            memory.keep(place, n_words)
            sizes[place] = n_words
            largest, peak = max(largest, 8 * n_words), max(peak, memory.n_bytes)
            stored = 4 * sum(sizes.values())
            assert stored <= memory.n_bytes <= stored + max(MIB, peak // 32, largest)
            n += 1
    for place, n_words in sizes.items():
        block = memory.block(place)
        assert len(block) == n_words
        assert block[0] == block[-1] == max(k for k in range(n) if k % capacity == place)


def test_the_estimate_of_all_that_changes_is_never_exceeded():
    for seed in range(20):
        buffer = EpisodeBuffer(FIELDS, 1, 1, LIMIT)
        fill(buffer, [0], [seed])
        dense = bytes_per_episode(FIELDS, length_of(seed), changing=1.0)
        assert 0 < buffer._whole().n_bytes <= dense


def test_the_estimate_counted_by_hand():
    # A step: reward, 3 actions and terminated, 2 words, 1 mask. What is seen, in each of two rows:
    # 39 observations and 32 values of the state, 2 and 1 masks; 15 bools in 4 words, 1 mask.
    assert bytes_per_episode(FIELDS, 1, changing=0.5) == 4 * (
        (1 + 1) + 2 * (19.5 + 2 + 16 + 1 + 2 + 1)
    )


def test_rows_of_episodes_being_played_count_as_far_as_they_were_used():
    buffer = EpisodeBuffer(FIELDS, 1, 4, LIMIT)
    assert buffer.n_bytes() == 0
    for seed, longest in ((8, 1), (1, LIMIT), (4, LIMIT)):
        fill(buffer, [0], [seed])
        rows = 4 * (longest + 1) * (2 + 39 + 32 + 4)
        assert buffer.n_bytes() == buffer._whole().n_bytes + rows


def test_five_thousand_corridor_episodes_of_sixty_steps_fit_into_700_mb():
    environment, random = make("skirmish/corridor", 64, seed=0), np.random.default_rng(0)
    info = environment.info
    having = {
        "observations": Field((info.n_agents, info.observation_size)),
        "state": Field((info.state_size,)),
        "available_actions": Field((info.n_agents, info.n_actions), "bool"),
    }
    assert having["observations"].shape == (6, 156)
    buffer = EpisodeBuffer(having, 1, 64, info.episode_limit)
    slots, active = np.arange(64), np.ones(64, np.bool_)
    writer = buffer.writer(np.zeros(64, np.int64), slots, slots)
    writer.observe(0, slots, vars(environment))
    n_steps = t = 0
    while len(slots):
        available = environment.available_actions
        actions = (random.random(available.shape) * available).argmax(axis=-1)
        step = environment.step(actions, active)
        writer.act(t, slots, actions, step.reward, step.terminated)
        writer.observe(t + 1, slots, vars(environment))
        n_steps, t = n_steps + len(slots), t + 1
        active &= ~(step.terminated | step.truncated)
        slots = np.flatnonzero(active)
    per_row = buffer._whole().n_bytes / (n_steps + 64)
    assert 5_000 * 61 * per_row < 700e6
    assert bytes_per_episode(having, 60) == pytest.approx(61 * per_row, rel=0.2)


RESIDENT = """
import gc
import numpy as np
from suite.algorithms.allocator import keep_freed_memory
from suite.algorithms.buffers import EpisodeBuffer, Field

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096

FIELDS = {
    "observations": Field((6, 300)),
    "state": Field((200,)),
    "available_actions": Field((6, 30), "bool"),
}
LIMIT, SLOT = 400, np.array([0])
random = np.random.default_rng(0)

def add(buffer, length):
    arrays = {
        "observations": random.random((1, 6, 300), np.float32),
        "state": random.random((1, 200), np.float32),
        "available_actions": np.ones((1, 6, 30), np.bool_),
    }
    writer = buffer.writer(SLOT, SLOT, SLOT)
    writer.observe(0, SLOT, arrays)
    for t in range(length):
        arrays["observations"] += 1
        arrays["state"] += 1
        writer.act(t, SLOT, np.zeros((1, 6), np.int64), np.zeros(1), np.zeros(1, np.bool_))
        writer.observe(t + 1, SLOT, arrays)
    buffer.n_stored(0)  # packs it

assert keep_freed_memory()
add(EpisodeBuffer(FIELDS, 1, 1, LIMIT), 1)  # the kernel is loaded
used = np.ones(400_000_000, np.uint8)
del used
before = resident()
for _ in range(2):  # the second run of a worker finds memory that the first has freed
    buffer = EpisodeBuffer(FIELDS, 1, 5_000, LIMIT)
    small = EpisodeBuffer(FIELDS, 1, 100, LIMIT)
    assert resident() - before < 2e6, resident() - before
    for k in range(300):  # three times around, ever other lengths
        add(small, 1 + (k * 37) % 100)
    assert small.n_bytes() < 60e6, small.n_bytes()
    assert abs(resident() - before - small.n_bytes()) < 2e6, (resident() - before, small.n_bytes())
    small.clear()
    assert resident() - before < 2e6, resident() - before
    add(buffer, LIMIT)
    del buffer, small
    gc.collect()
    assert resident() - before < 2e6, resident() - before
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, sets glibc's options")
def test_memory_comes_as_episodes_do_and_goes_back():
    subprocess.run([sys.executable, "-c", RESIDENT], check=True)


def test_estimates_need_no_torch():
    code = (
        "import sys; from suite.algorithms.buffers import Field, bytes_per_episode; "
        "bytes_per_episode({'available_actions': Field((2, 3), 'bool')}, 10); "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
