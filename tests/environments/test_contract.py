"""One contract for all environments; every scenario must pass it, those of plug-ins too.

Of the backend that takes any name, small environments written for it stand for all. Of a game in
processes of its own, one scenario does, since each has to be started anew for every test; a
stand-in for SMAC plays StarCraft II, whether the game is here or not. A backend whose packages are
not here is skipped, with the reason. SMAX compiles each of its maps anew: three are tried.

Whether seeds fix what is random is asked of backends that say so (`Backend.seeds_episodes`);
whether they outlive a breakdown, of those that can have one (`Backend.n_breakdowns`).
"""

from __future__ import annotations

import os
import signal
from typing import Any

import numpy as np
import pytest

from suite.environments import (
    ActionError,
    available,
    backend_of,
    copies,
    describe,
    make,
    short_name,
)
from suite.errors import InputError, MissingDependencyError

EXAMPLES = [
    f"pettingzoo/parallel_examples:{example}"
    for example in ("Walk", "Walk?n=3#episode_limit=4", "Race?n=3", "Guarded", "talkative")
]
# Of these some scenarios stand for all.
EXAMPLES_OF = {
    "exact": ["adding"],
    "loose": ["adding"],
    "starcraft": ["3m"],
    "football": ["academy_3_vs_1_with_keeper"],
    # Same and other numbers on both sides, of one type and of two, drawn places and types.
    "smax": ["3m", "3s5z_vs_3s6z", "smacv2_5_units"],
}
NAMES = [name for name in available() if backend_of(name).name not in EXAMPLES_OF]
NAMES += [f"{backend}/{name}" for backend, names in EXAMPLES_OF.items() for name in names]
pytestmark = pytest.mark.parametrize("name", [*NAMES, *EXAMPLES])


@pytest.fixture(autouse=True)
def is_here(name: str, games: Any, request: pytest.FixtureRequest) -> None:
    if backend_of(name).name == "starcraft":
        request.getfixturevalue("starcraft")
    try:
        describe(name)
    except MissingDependencyError as error:
        pytest.skip(str(error))


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
    environment = make(name, copies(name, 8), 0)
    trace = rollout(environment, list(range(environment.n_environments)), 3, players)
    assert len(trace) - 1 <= environment.info.episode_limit
    bound = backend_of(name).largest_observation
    for step in trace:
        assert step[2].any(-1).all(), "someone has no available action"
        assert np.abs(step[0]).max() <= bound, "largest_observation"
    for step in trace[1:]:
        terminated, truncated, won = step[4:7]
        assert not (terminated & truncated).any()
        assert not (won & ~terminated).any()


def test_returns_are_within_their_bounds(name: str, players: Any) -> None:
    """Played at random, and with each action whenever it can be chosen; with some if it is slow."""
    low, high = backend_of(name).return_bounds(short_name(name))
    assert low <= high
    n_actions = describe(name).n_actions
    is_slow = backend_of(name).step_seconds(short_name(name)) > 1e-3
    wanted = (
        [*[None] * 4, *range(0, n_actions, 5)] if is_slow else [*[None] * 32, *range(n_actions)]
    )
    rng = np.random.default_rng(0)
    width = copies(name, 8)
    for first in range(0, len(wanted), width):
        chosen = wanted[first : first + width]
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
    seeds = [1, 2, 3, 7, 4][: copies(name, 5)]
    many = rollout(make(name, len(seeds), 0), seeds, 1, players)
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
    given = [array for array in vars(step).values() if array is not None]
    for i, array in enumerate(arrays):
        for one in [*arrays[:i], *others, *given]:
            assert not np.shares_memory(array, one)


def test_close_can_be_the_last_word(name: str, players: Any) -> None:
    """At the start of an episode and in it; other batches go on."""
    first, second, third = (make(name, 2, seed) for seed in range(3))
    first.close()
    second.step(players.random_actions(second, np.random.default_rng(0)))
    second.close()
    third.step(players.random_actions(third, np.random.default_rng(0)))
    third.close()


def test_what_breaks_down_in_mid_episode_is_replaced(name: str, players: Any) -> None:
    """The episode goes on as if nothing had happened, or is lost, said so, and begun anew."""
    environment, backend = make(name, 2, 0), backend_of(name)
    if backend.n_breakdowns(environment) is None:
        pytest.skip("nothing of it can break down")
    same = make(name, 2, 0)
    seeds, rng = np.array([3, 4]), np.random.default_rng(0)
    environment.reset(episode_seeds=seeds)
    same.reset(episode_seeds=seeds)
    first = players.random_actions(environment, rng)
    environment.step(first)
    same.step(first)
    for process in environment._processes:  # type: ignore[attr-defined]
        os.killpg(process.pid, signal.SIGKILL)
    second = players.random_actions(environment, rng)
    step = environment.step(second)
    assert backend.n_breakdowns(environment) == len(environment._processes)  # type: ignore[attr-defined]
    if backend.replays_exactly:
        assert not step.lost.any()
        expected = same.step(second)
        assert np.array_equal(step.reward, expected.reward)
        for one, other in zip(snapshot(environment), snapshot(same), strict=True):
            assert np.array_equal(one, other)
    else:
        assert step.lost.all()
        with pytest.raises(ActionError, match="slot 0: its episode is over"):
            environment.step(second)
    environment.reset(episode_seeds=seeds)
    environment.step(players.random_actions(environment, rng))
    environment.close()
    same.close()


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
