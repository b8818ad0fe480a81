"""One contract for all environments; every scenario must pass it, those of plug-ins too.

Of the backend that takes any name, small environments written for it stand for all; of SMAX's maps
three do (`conftest`).

Whether seeds fix what is random is asked of backends that say so (`Backend.seeds_episodes`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from suite.environments import ActionError, available, backend_of, describe, make, short_name
from suite.errors import InputError

EXAMPLES = [
    f"pettingzoo/parallel_examples:{example}"
    for example in ("Walk", "Walk?n=3#episode_limit=4", "Race?n=3", "Guarded", "talkative")
]
pytestmark = pytest.mark.parametrize("name", [*available(), *EXAMPLES])


def snapshot(environment: Any) -> list[np.ndarray]:
    arrays = (environment.observations, environment.state, environment.available_actions)
    return [array.copy() for array in arrays]


def rollout(environment: Any, seeds: list[int], actions_seed: int, players: Any) -> list[Any]:
    """Play from episode seeds with the random player until every slot is over."""
    rngs = [np.random.default_rng(actions_seed) for _ in seeds]
    environment.reset(episode_seeds=np.array(seeds))
    active = np.ones(len(seeds), np.bool_)
    trace = [snapshot(environment)]
    while active.any():
        mask = environment.available_actions
        chosen = [(rng.random(m.shape) * m).argmax(-1) for rng, m in zip(rngs, mask, strict=True)]
        step = environment.step(np.array(chosen), active)
        trace.append(
            [
                *snapshot(environment),
                step.reward.copy(),
                step.terminated.copy(),
                step.truncated.copy(),
                step.won.copy(),
            ]
        )
        active &= ~(step.terminated | step.truncated)
    return trace


def skip_unless_seeded(name: str) -> None:
    if not backend_of(name).seeds_episodes:
        pytest.skip("seeds do not fix its episodes")


def test_describe_equals_made(name: str) -> None:
    assert describe(name) == make(name, 2, 0).info
    assert describe(name).name == name
    assert isinstance(describe(name).backend_version, str)


def test_shapes_and_dtypes(name: str, players: Any) -> None:
    environment = make(name, 3, 0)
    info = environment.info
    assert environment.n_environments == 3
    for _ in range(2):
        assert environment.observations.shape == (3, info.n_agents, info.observation_size)
        assert environment.observations.dtype == np.float32
        assert environment.state.shape == (3, info.state_size)
        assert environment.state.dtype == np.float32
        assert environment.available_actions.shape == (3, info.n_agents, info.n_actions)
        assert environment.available_actions.dtype == np.bool_
        assert environment.available_actions.any(-1).all()
        step = environment.step(players.random_actions(environment, np.random.default_rng(0)))
        assert step.reward.shape == (3,)
        assert step.reward.dtype == np.float64
        for flag in (step.terminated, step.truncated, step.won):
            assert flag.shape == (3,)
            assert flag.dtype == np.bool_
        environment.reset()


def test_buffers_stay_the_same_arrays(name: str, players: Any) -> None:
    environment = make(name, 2, 0)
    before = (environment.observations, environment.state, environment.available_actions)
    environment.step(players.random_actions(environment, np.random.default_rng(0)))
    environment.reset()
    after = (environment.observations, environment.state, environment.available_actions)
    assert all(a is b for a, b in zip(before, after, strict=True))


def test_episodes_end_within_the_limit_by_rule_or_by_time(name: str, players: Any) -> None:
    environment = make(name, 8, 0)
    trace = rollout(environment, list(range(8)), 3, players)
    assert len(trace) - 1 <= environment.info.episode_limit
    for step in trace:
        assert step[2].any(-1).all(), "someone has no available action"
    for step in trace[1:]:
        terminated, truncated, won = step[4:7]
        assert not (terminated & truncated).any()
        assert not (won & ~terminated).any()


def test_returns_are_within_their_bounds(name: str, players: Any) -> None:
    """Played at random, and with each action whenever it can be chosen."""
    low, high = backend_of(name).return_bounds(short_name(name))
    assert low <= high
    n_actions = describe(name).n_actions
    wanted = [*[None] * 32, *range(n_actions)]
    rng = np.random.default_rng(0)
    for first in range(0, len(wanted), 8):
        chosen = wanted[first : first + 8]
        environment = make(name, len(chosen), first)
        total, active = np.zeros(len(chosen)), np.ones(len(chosen), np.bool_)
        while active.any():
            actions = players.random_actions(environment, rng)
            for slot, action in enumerate(chosen):
                if action is not None:
                    can = environment.available_actions[slot, :, action]
                    actions[slot] = np.where(can, action, actions[slot])
            step = environment.step(actions, active)
            total += step.reward
            active &= ~(step.terminated | step.truncated)
        assert (low <= total).all(), f"return_bounds: {total.min()} is below {low}"
        assert (total <= high).all(), f"return_bounds: {total.max()} is above {high}"


def test_same_seeds_and_actions_same_trajectory(name: str, players: Any) -> None:
    skip_unless_seeded(name)
    first = rollout(make(name, 4, 0), [5, 6, 7, 8], 1, players)
    second = rollout(make(name, 4, 99), [5, 6, 7, 8], 1, players)
    assert len(first) == len(second)
    for a, b in zip(first, second, strict=True):
        assert all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def test_slot_and_batch_size_do_not_matter(name: str, players: Any) -> None:
    skip_unless_seeded(name)
    alone = rollout(make(name, 1, 0), [7], 1, players)
    many = rollout(make(name, 5, 0), [1, 2, 3, 7, 4], 1, players)
    for a, b in zip(alone, many, strict=False):
        assert all(np.array_equal(x[0], y[3]) for x, y in zip(a, b, strict=True))


def test_make_seed_fixes_all_later_episodes(name: str, players: Any) -> None:
    skip_unless_seeded(name)

    def run(seed: int) -> list[np.ndarray]:
        environment = make(name, 4, seed)
        rng = np.random.default_rng(0)
        frames = []
        for _ in range(3):
            environment.reset()
            for _ in range(min(2, environment.info.episode_limit)):
                environment.step(players.random_actions(environment, rng))
            frames += snapshot(environment)
        return frames

    first, again = run(1), run(1)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


def test_inactive_slots_are_untouched(name: str, players: Any) -> None:
    environment = make(name, 3, 0)
    before = snapshot(environment)
    actions = players.random_actions(environment, np.random.default_rng(0))
    actions[1] = -1
    step = environment.step(actions, np.array([True, False, True]))
    for old, new in zip(before, snapshot(environment), strict=True):
        assert np.array_equal(old[1], new[1])
    assert step.reward[1] == 0.0
    for flag in (step.terminated, step.truncated, step.won):
        assert not flag[1]


def test_reset_of_one_slot_leaves_the_others(name: str, players: Any) -> None:
    skip_unless_seeded(name)
    environment = make(name, 3, 0)
    environment.step(players.random_actions(environment, np.random.default_rng(0)))
    before = snapshot(environment)
    environment.reset(np.array([1]), np.array([4]))
    after = snapshot(environment)
    fresh = make(name, 1, 0)
    fresh.reset(episode_seeds=np.array([4]))
    for old, new, first in zip(before, after, snapshot(fresh), strict=True):
        assert np.array_equal(old[[0, 2]], new[[0, 2]])
        assert np.array_equal(new[1], first[0])


def test_unavailable_action_is_refused_before_any_slot_moves(name: str, players: Any) -> None:
    environment = make(name, 3, 0)
    good = players.random_actions(environment, np.random.default_rng(0))
    before = snapshot(environment)
    for bad_action in (-1, environment.info.n_actions):
        actions = good.copy()
        actions[2, -1] = bad_action
        last = environment.info.n_agents - 1
        with pytest.raises(
            ActionError, match=rf"slot 2, agent {last}: action {bad_action} .*available: \["
        ):
            environment.step(actions)
    for old, new in zip(before, snapshot(environment), strict=True):
        assert np.array_equal(old, new)
    environment.step(good)


def test_wrong_shapes_and_dtypes_are_refused(name: str) -> None:
    environment = make(name, 3, 0)
    n = environment.info.n_agents
    for actions in (
        np.ones((3, n)),
        np.ones((2, n), np.int64),
        np.ones(3 * n, np.int64),
        np.ones((3, n), np.bool_),
    ):
        with pytest.raises(ActionError, match=rf"\(3, {n}\)"):
            environment.step(actions)
    for active in (np.ones(2, np.bool_), np.ones(3, np.int64)):
        with pytest.raises(ActionError, match=r"\(3,\)"):
            environment.step(np.ones((3, n), np.int64), active)


def test_finished_slot_is_refused_until_reset(name: str, players: Any) -> None:
    environment = make(name, 2, 0)
    rng = np.random.default_rng(0)
    active = np.array([False, True])
    for _ in range(environment.info.episode_limit):
        step = environment.step(players.random_actions(environment, rng), active)
        if step.terminated[1] or step.truncated[1]:
            break
    actions = players.random_actions(environment, rng)
    with pytest.raises(ActionError, match="slot 1: its episode is over"):
        environment.step(actions)
    environment.step(actions, np.array([True, False]))
    environment.reset(np.array([1]))
    environment.step(players.random_actions(environment, rng), active)


def test_what_is_handed_out_is_its_own(name: str, players: Any) -> None:
    """Two batches share no memory, nor do the arrays of one; writing into a step changes none."""
    environment, other = make(name, 2, 0), make(name, 2, 0)
    step = environment.step(players.random_actions(environment, np.random.default_rng(0)))
    arrays = [environment.observations, environment.state, environment.available_actions]
    others = [other.observations, other.state, other.available_actions]
    for i, array in enumerate(arrays):
        for one in [*arrays[:i], *others, *vars(step).values()]:
            assert not np.shares_memory(array, one)


def test_close_can_be_the_last_word(name: str, players: Any) -> None:
    """At the start of an episode and in it; other batches go on."""
    first, second, third = (make(name, 2, seed) for seed in range(3))
    first.close()
    second.step(players.random_actions(second, np.random.default_rng(0)))
    second.close()
    third.step(players.random_actions(third, np.random.default_rng(0)))
    third.close()


def test_bad_reset_arguments_are_refused(name: str) -> None:
    environment = make(name, 3, 0)
    for slots in ([3], [-1], [0, 0], [0.5], [[0]]):
        with pytest.raises(InputError, match="slots"):
            environment.reset(np.array(slots))
    for seeds in ([1, 2], [1, 2, -3], [0.5, 1, 2]):
        with pytest.raises(InputError, match="seeds"):
            environment.reset(episode_seeds=np.array(seeds))
    environment.reset(np.array([], np.int64))


def test_bad_make_arguments_are_refused(name: str) -> None:
    for n_environments in (0, -1, 1.5, "2", True):
        with pytest.raises(InputError, match="n_environments"):
            make(name, n_environments, 0)  # type: ignore[arg-type]
    for seed in (-1, 2**63, 0.5, None):
        with pytest.raises(InputError, match="seed"):
            make(name, 1, seed)  # type: ignore[arg-type]
