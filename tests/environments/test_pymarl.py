"""The interface of PyMARL against the batched environment it stands on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from suite.environments import ActionError, backend_of, make, usable
from suite.environments.pymarl import PyMARLEnvironment
from suite.environments.skirmish.fields import HEALTH
from suite.errors import InputError

# What plays the same from the same seeds, whichever way it is reached.
NAMES = [name for name in usable() if backend_of(name).seeds_episodes]


def random_actions(environment: PyMARLEnvironment, rng: np.random.Generator) -> list[int]:
    return [int(rng.choice(np.flatnonzero(mask))) for mask in environment.get_avail_actions()]


def stop_all(environment: PyMARLEnvironment) -> list[int]:
    """Stop for the living, no-op for the dead."""
    return [mask[1] for mask in environment.get_avail_actions()]


def snapshot(environment: PyMARLEnvironment) -> tuple[Any, ...]:
    return (
        np.array(environment.get_obs()).tolist(),
        environment.get_state().tolist(),
        environment.get_avail_actions(),
        environment.get_stats(),
    )


@pytest.mark.parametrize("name", NAMES)
def test_equals_the_batched_environment(name: str) -> None:
    environment, batch = PyMARLEnvironment(name, seed=3), make(name, 1, 3)
    rng = np.random.default_rng(0)
    for _ in range(2):
        obs, state = environment.reset()
        batch.reset()
        has_ended = False
        while not has_ended:
            assert np.array_equal(obs, batch.observations[0])
            assert np.array_equal(state, batch.state[0])
            assert np.array_equal(environment.get_avail_actions(), batch.available_actions[0])
            assert np.array_equal(environment.get_obs_agent(1), batch.observations[0, 1])
            actions = random_actions(environment, rng)
            reward, has_ended, info = environment.step(actions)
            step = batch.step(np.array([actions]))
            assert reward == step.reward[0]
            assert has_ended == (step.terminated[0] or step.truncated[0])
            assert info["battle_won"] == step.won[0]
            obs, state = environment.get_obs(), environment.get_state()
        assert np.array_equal(state, batch.state[0])


def test_sizes() -> None:
    environment = PyMARLEnvironment("skirmish/5m_vs_6m", seed=4)
    assert environment.get_env_info() == {
        "state_shape": 98, "obs_shape": 55, "n_actions": 12, "n_agents": 5, "episode_limit": 70,
    }  # fmt: skip
    assert environment.get_total_actions() == environment.n_actions == 12
    assert (environment.n_agents, environment.episode_limit) == (5, 70)
    assert environment.seed() == 4
    environment.close()


def test_what_it_returned_does_not_change_later() -> None:
    environment = PyMARLEnvironment("skirmish/3m")
    obs, state = environment.reset()
    available_actions = environment.get_avail_actions()
    before = (np.array(obs), state.copy(), [list(mask) for mask in available_actions])
    while not environment.step(stop_all(environment))[1]:
        pass
    assert np.array_equal(obs, before[0])
    assert np.array_equal(state, before[1])
    assert available_actions == before[2]


def test_info_and_stats_of_a_lost_battle() -> None:
    environment = PyMARLEnvironment("skirmish/3m", reports_episode_limit=True)
    assert environment.get_stats()["win_rate"] == 0.0
    environment.reset()
    deaths, has_ended = [], False
    while not has_ended:
        _, has_ended, info = environment.step(stop_all(environment))
        deaths.append(info["dead_allies"])
    assert info == {"battle_won": False, "dead_allies": 3, "dead_enemies": 0}
    assert deaths == sorted(deaths)
    assert environment.get_stats() == {
        "battles_won": 0, "battles_game": 1, "battles_draw": 0, "win_rate": 0.0,
        "timeouts": 0, "restarts": 0,
    }  # fmt: skip


def test_stats_of_a_win() -> None:
    environment = PyMARLEnvironment("matrix/climbing")
    for actions in ([0, 0], [2, 2]):
        environment.reset()
        _, _, info = environment.step(actions)
        assert info == {"battle_won": actions == [0, 0]}
    stats = environment.get_stats()
    assert (stats["battles_won"], stats["battles_game"], stats["win_rate"]) == (1, 2, 0.5)


@pytest.mark.parametrize("reports", [False, True])
def test_the_time_limit_terminates_as_in_smac(reports: bool) -> None:
    environment: Any = PyMARLEnvironment("skirmish/3m", reports_episode_limit=reports)
    environment.reset()
    n_steps, has_ended = 0, False
    while not has_ended:
        environment._batch.units[0, :3, HEALTH] = 1e6  # nobody dies
        _, has_ended, info = environment.step([1, 1, 1])
        n_steps += 1
        assert has_ended == (n_steps == environment.episode_limit == 60)
    assert info.get("episode_limit", "absent") == (True if reports else "absent")
    assert not info["battle_won"]
    stats = environment.get_stats()
    assert (stats["timeouts"], stats["battles_draw"], stats["battles_game"]) == (1, 1, 1)


@pytest.mark.parametrize(("actions", "message"), [
    ([1, 1], "expected 3 actions, one per agent, got 2"),
    ([1, 1, 1, 1], "expected 3 actions, one per agent, got 4"),
    ([[1, 1, 1]], "expected 3 actions, one per agent, got 1"),
    ([1, 1.0, 1], r"agent 1: action 1.0 is not one of the available integers \[1, 2"),
    ([1, 1, None], "agent 2: action None is not"),
    ([1, 1, 6], "agent 2: action 6 is not"),
    ([1, 0, 1], "agent 1: action 0 is not"),
    ([-1, 1, 1], "agent 0: action -1 is not"),
    ([1, 1, 9], "agent 2: action 9 is not"),
    ([1, 1, 2**70], "agent 2: action 1180591620717411303424 is not"),
])  # fmt: skip
def test_bad_actions_change_nothing(actions: list[Any], message: str) -> None:
    environment = PyMARLEnvironment("skirmish/3m")
    environment.reset()
    before = snapshot(environment)
    with pytest.raises(ActionError, match=message):
        environment.step(actions)
    assert snapshot(environment) == before
    environment.step(np.array([1, 1, 1]))


def test_no_step_outside_an_episode() -> None:
    environment = PyMARLEnvironment("matrix/climbing")
    with pytest.raises(ActionError, match="call reset first"):
        environment.step([0, 0])
    environment.reset()
    environment.step([0, 0])
    before = snapshot(environment)
    with pytest.raises(ActionError, match="call reset first"):
        environment.step([0, 0])
    assert snapshot(environment) == before


def test_bad_scenario_and_seed() -> None:
    with pytest.raises(InputError, match="unknown scenario"):
        PyMARLEnvironment("skirmish/4m")
    with pytest.raises(InputError, match="seed"):
        PyMARLEnvironment("skirmish/3m", seed=-1)


def test_nothing_is_drawn_or_replayed() -> None:
    environment = PyMARLEnvironment("matrix/climbing")
    with pytest.raises(NotImplementedError):
        environment.render()
    with pytest.raises(NotImplementedError):
        environment.save_replay()
