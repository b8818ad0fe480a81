"""The interface of EPyMARL against PyMARL's, on which it stands."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import yaml

from suite.environments import ActionError
from suite.environments.epymarl import CONFIGURATION, EPyMARLEnvironment, register
from suite.environments.pymarl import PyMARLEnvironment
from suite.errors import InputError


def stop_all(environment: PyMARLEnvironment) -> list[int]:
    """Stop for the living, no-op for the dead."""
    return [mask[1] for mask in environment.get_avail_actions()]


def test_is_made_as_epymarl_makes_environments() -> None:
    registry: dict[str, Any] = {}
    register(registry)
    arguments = {"common_reward": True, "reward_scalarisation": "sum", "seed": 5}
    environment = registry["skirmish"](map_name="3m", **arguments)
    assert environment.get_env_info() == PyMARLEnvironment("skirmish/3m").get_env_info()
    with pytest.raises(InputError, match="share the team's reward"):
        registry["skirmish"](map_name="3m", common_reward=False, reward_scalarisation="sum")
    with pytest.raises(InputError, match="no_such_map"):
        registry["skirmish"](map_name="no_such_map")


def test_plays_pymarl_s_episodes_and_tells_ends_apart() -> None:
    ours, theirs = EPyMARLEnvironment("3m", seed=3), PyMARLEnvironment("skirmish/3m", seed=3)
    rng = np.random.default_rng(0)
    n_decided = n_cut = 0
    for episode in range(4):
        observations, info = ours.reset()
        theirs.reset()
        assert info == {}
        np.testing.assert_array_equal(observations, theirs.get_obs())
        has_ended = False
        while not has_ended:
            masks = ours.get_avail_actions()
            if episode % 2:  # who runs away is not decided upon in time
                actions = [5 if mask[5] else int(np.argmax(mask)) for mask in masks]
            else:
                actions = [int(rng.choice(np.flatnonzero(mask))) for mask in masks]
            observations, reward, terminated, truncated, info = ours.step(actions)
            their_reward, has_ended, their_info = theirs.step(actions)
            np.testing.assert_array_equal(observations, theirs.get_obs())
            assert (reward, info) == (their_reward, their_info)
            assert (terminated or truncated) == has_ended
            assert not (terminated and truncated)
            n_decided += terminated
            n_cut += truncated
    assert ours.get_stats() == theirs.get_stats()
    assert n_cut == ours.get_stats()["timeouts"]
    assert n_decided >= 2


def test_the_time_limit_truncates() -> None:
    environment = EPyMARLEnvironment("2s_vs_1sc")
    environment.reset()
    truncated = terminated = False
    n_steps = 0
    while not (terminated or truncated):
        _, _, terminated, truncated, info = environment.step(stop_all(environment))
        n_steps += 1
    assert truncated
    assert not terminated
    assert n_steps == environment.episode_limit
    assert "episode_limit" not in info
    with pytest.raises(ActionError, match="reset"):
        environment.step(stop_all(environment))


def test_a_seeded_reset_plays_that_episode_whatever_came_before() -> None:
    first, second = EPyMARLEnvironment("5m_vs_6m", seed=1), EPyMARLEnvironment("5m_vs_6m", seed=2)
    second.reset()
    for environment in (first, second):
        environment.reset(seed=7, options={})
    for _ in range(8):
        np.testing.assert_array_equal(first.get_state(), second.get_state())
        assert first.step(stop_all(first))[1] == second.step(stop_all(second))[1]
    with pytest.raises(InputError):
        first.reset(seed=-1)


def test_the_configuration_that_is_printed_is_yaml_for_this_environment() -> None:
    command = [sys.executable, "-m", "suite.environments.epymarl"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    configuration = yaml.safe_load(printed)
    registry: dict[str, Any] = {}
    register(registry)
    environment = registry[configuration["env"]](**configuration["env_args"])
    assert environment.n_agents == 3
    assert printed == CONFIGURATION
