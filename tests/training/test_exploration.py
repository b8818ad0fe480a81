import numpy as np
import pytest

from suite.algorithms.value.exploration import epsilon, explore, greedy_actions
from suite.runs.protocol import TrainingProtocol


@pytest.mark.parametrize(
    ("env_steps", "expected"), [(0, 1.0), (25_000, 0.525), (50_000, 0.05), (1_000_000, 0.05)]
)
def test_epsilon_is_linear_then_constant(env_steps, expected):
    assert epsilon(env_steps, TrainingProtocol()) == pytest.approx(expected, abs=1e-12)


def test_greedy_never_takes_an_unavailable_action():
    q = np.array([[5.0, 1.0, 2.0], [-9.0, -8.0, -7.0]], np.float32)
    available = np.array([[False, True, True], [True, False, False]])
    assert greedy_actions(q, available).tolist() == [2, 0]


def test_exploration_is_uniform_over_available_actions():
    available = np.tile(np.array([[True, False, True, True]]), (30_000, 1))[:, None, :]
    greedy = np.full((30_000, 1), 2)
    actions = explore(greedy, available, 0.6, np.random.default_rng(0))
    share = np.bincount(actions.ravel(), minlength=4) / actions.size
    # 0.6 spread over three actions, 0.4 greedy; standard errors are below 0.003
    assert share == pytest.approx([0.2, 0.0, 0.6, 0.2], abs=0.012)


def test_no_exploration_at_zero_and_only_exploration_at_one():
    available = np.ones((200, 3, 5), np.bool_)
    greedy = np.zeros((200, 3), np.int64)
    assert (explore(greedy, available, 0.0, np.random.default_rng(1)) == 0).all()
    share = np.mean(explore(greedy, available, 1.0, np.random.default_rng(1)) == 0)
    assert 0.1 < share < 0.3
