import subprocess
import sys

import numpy as np
import pytest
import torch

from suite.algorithms.replay import Replay
from suite.environments import describe, make
from suite.training.rollout import play

SCENARIO = "matrix/two_step"


def fill(replay, member_of_slot, slots, seeds, actions):
    environment = make(SCENARIO, len(member_of_slot), seed=0)
    writer = replay.writer(np.asarray(member_of_slot), np.asarray(slots), np.asarray(seeds))
    return play(environment, np.asarray(slots), np.asarray(seeds), lambda t, _: actions[t], writer)


def test_two_step_game_is_stored_step_by_step():
    replay = Replay(describe(SCENARIO).sizes, n_members=1, capacity=4)
    outcomes = fill(replay, [0], [0], [7], np.array([[[1, 0]], [[1, 1]]]))
    assert outcomes.total_reward.tolist() == [8.0]  # second matrix, best corner
    assert outcomes.won.tolist() == [True]
    batch = replay.sample(1, [np.random.default_rng(0)], np.array([True]), "cpu")
    assert batch.actions[0, 0].tolist() == [[1, 0], [1, 1]]
    assert batch.reward[0, 0].tolist() == [0.0, 8.0]
    assert batch.terminated[0, 0].tolist() == [False, True]
    assert batch.filled[0, 0].tolist() == [True, True]
    assert batch.observations.shape[2] == 3  # two transitions and the state they end in


def test_ring_keeps_the_last_episodes_and_clears_what_it_overwrites():
    replay = Replay(describe(SCENARIO).sizes, n_members=1, capacity=2)
    for seed in range(3):
        fill(replay, [0], [0], [seed], np.full((2, 1, 2), 1))
    assert replay.n_stored(0) == 2
    assert replay.episode_seed[0].tolist() == [2, 1]
    replay.length[0, 0] = 2
    replay._clear(0, 0)
    assert not replay.observations[0, 0].any()
    assert not replay.actions[0, 0].any()
    assert replay.observations[0, 1].any()


def test_members_sample_their_own_episodes_with_their_own_stream():
    replay = Replay(describe(SCENARIO).sizes, n_members=2, capacity=8)
    for seed in range(8):
        actions = np.zeros((2, 2, 2), np.int64)
        actions[:, 1] = 1  # member 1 always plays action 1
        fill(replay, [0, 1], [0, 1], [seed, seed], actions)
    both = replay.sample(
        4, [np.random.default_rng(5), np.random.default_rng(6)], np.array([True, True]), "cpu"
    )
    assert (both.actions[0] == 0).all()
    assert (both.actions[1] == 1).all()
    alone = replay.sample(
        4, [np.random.default_rng(9), np.random.default_rng(6)], np.array([True, True]), "cpu"
    )
    assert torch.equal(both.observations[1], alone.observations[1])


def test_sampling_is_without_replacement():
    replay = Replay(describe(SCENARIO).sizes, n_members=1, capacity=6)
    for seed in range(6):
        fill(replay, [0], [0], [seed], np.full((2, 1, 2), seed % 2))
    random = np.random.default_rng(0)
    for _ in range(20):
        batch = replay.sample(6, [random], np.array([True]), "cpu")
        assert batch.actions[0, :, 0, 0].sum() == 3  # every episode exactly once


def test_members_may_own_several_slots():
    replay = Replay(describe(SCENARIO).sizes, n_members=1, capacity=4)
    fill(replay, [0, 0, 0], [0, 1, 2], [10, 11, 12], np.zeros((2, 3, 2), np.int64))
    assert replay.episode_seed[0, :3].tolist() == [10, 11, 12]
    assert replay.length[0].tolist() == [2, 2, 2, 0]


def test_asking_for_more_than_is_stored_is_an_error():
    replay = Replay(describe(SCENARIO).sizes, n_members=1, capacity=4)
    fill(replay, [0], [0], [1], np.zeros((2, 1, 2), np.int64))
    with pytest.raises(ValueError, match="larger sample"):
        replay.sample(2, [np.random.default_rng(0)], np.array([True]), "cpu")


MEMORY = """
import gc
import numpy as np
from suite.algorithms.allocator import keep_freed_memory
from suite.environments import describe
from suite.algorithms.replay import Replay

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096

assert keep_freed_memory()
for _ in range(2):  # the second run of a worker finds memory that the first has freed
    used = np.ones(400_000_000, np.uint8)
    del used
    before = resident()
    replay = Replay(describe("skirmish/27m_vs_30m"), 1, 5_000)
    assert resident() - before < 50_000_000, resident() - before
    del replay
    gc.collect()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, sets glibc's options")
def test_a_replay_takes_memory_only_as_episodes_arrive():
    """28 GB, were it full: also in a worker that has trained another run before."""
    subprocess.run([sys.executable, "-c", MEMORY], check=True)
