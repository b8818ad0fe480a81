"""The matrix games, played through."""

from __future__ import annotations

import numpy as np
import pytest

from suite.environments import make

TWO_STEP = [
    ([0, 0], [0, 0], 7.0), ([0, 1], [1, 1], 7.0),
    ([1, 0], [0, 0], 0.0), ([1, 0], [0, 1], 1.0), ([1, 1], [1, 0], 1.0), ([1, 0], [1, 1], 8.0),
]  # fmt: skip


@pytest.mark.parametrize(("first", "second", "payoff"), TWO_STEP)
def test_two_step(first: list[int], second: list[int], payoff: float) -> None:
    game = make("matrix/two_step", 1, 0)
    assert game.observations.tolist() == [[[1, 0, 0], [1, 0, 0]]]
    step = game.step(np.array([first]))
    assert (step.reward[0], step.terminated[0], step.won[0]) == (0.0, False, False)
    assert game.state.tolist() == [[0, 1, 0] if first[0] == 0 else [0, 0, 1]]
    step = game.step(np.array([second]))
    assert (step.reward[0], step.terminated[0], step.won[0]) == (payoff, True, payoff == 8.0)
    assert not step.truncated[0]


def test_climbing() -> None:
    payoff = [[11, -30, 0], [-30, 7, 6], [0, 0, 5]]
    for i in range(3):
        for j in range(3):
            step = make("matrix/climbing", 1, 0).step(np.array([[i, j]]))
            assert step.reward[0] == payoff[i][j]
            assert step.terminated[0]
            assert step.won[0] == (i == j == 0)
