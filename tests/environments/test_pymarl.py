"""The interface of PyMARL against the batched environment it stands on."""

from __future__ import annotations

import os
import pickle
import re
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from suite.environments import ActionError, backend_of, describe, make, usable
from suite.environments.pymarl import CONFIGURATION, PyMARLEnvironment, register
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
        "unit_dim": 4,
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
    with pytest.raises(NotImplementedError, match="cadp-suite watch"):
        environment.save_replay()


@pytest.mark.parametrize("name", usable())
def test_unit_dim_is_the_width_of_an_agent_s_block_of_the_state(name: str) -> None:
    environment, info = PyMARLEnvironment(name), describe(name)
    unit_dim = environment.get_env_info()["unit_dim"]
    assert unit_dim == info.ally_state_size
    if info.backend == "skirmish":  # everyone is alive and healthy: each block begins with a 1
        environment.reset()
        blocks = environment.get_state()[: info.n_agents * unit_dim].reshape(-1, unit_dim)
        assert (blocks[:, 0] == 1).all()


def test_is_registered_as_pymarl_makes_environments() -> None:
    registry: dict[str, Any] = {}
    register(registry)
    environment = registry["skirmish"](map_name="3m", seed=5, reports_episode_limit=True)
    assert environment.seed() == 5
    assert environment.get_env_info() == PyMARLEnvironment("skirmish/3m").get_env_info()
    assert play_to_the_limit(environment)["episode_limit"]
    # What its parallel runner sends to the processes of its environments.
    packed = pickle.dumps(partial(registry["skirmish"], map_name="5m_vs_6m", seed=1))
    assert pickle.loads(packed)().n_agents == 5
    with pytest.raises(InputError, match="no_such_map"):
        registry["skirmish"](map_name="no_such_map")


def test_the_state_without_the_last_actions_is_its_beginning() -> None:
    registry: dict[str, Any] = {}
    register(registry)
    environment = registry["skirmish"](map_name="3m", seed=5, state_last_action=False)
    whole = PyMARLEnvironment("skirmish/3m", seed=5)
    for other in (environment, whole):
        other.reset()
        other.step([1, 1, 1])
    assert environment.get_env_info()["state_shape"] == 48 - 3 * 9
    state, rest = np.split(whole.get_state(), [48 - 3 * 9])
    np.testing.assert_array_equal(environment.get_state(), state)
    np.testing.assert_array_equal(rest, [0, 1, 0, 0, 0, 0, 0, 0, 0] * 3)
    assert environment.reset()[1].shape == state.shape


def test_the_configuration_that_is_printed_is_yaml_for_this_environment() -> None:
    command = [sys.executable, "-m", "suite.environments.pymarl"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert printed == CONFIGURATION
    configuration = yaml.safe_load(printed)
    registry: dict[str, Any] = {}
    register(registry)
    environment = registry[configuration["env"]](**configuration["env_args"], seed=0)
    assert environment.n_agents == 3
    assert "episode_limit" not in play_to_the_limit(environment)


def play_to_the_limit(environment: PyMARLEnvironment) -> dict[str, Any]:
    """The info of the last step of an episode in which nobody can die."""
    environment.reset()
    has_ended = False
    while not has_ended:
        environment._batch.units[0, :, HEALTH] = 1e6  # type: ignore[attr-defined]
        _, has_ended, info = environment.step(stop_all(environment))
    assert environment.is_timeout
    return info


PAGE = (Path(__file__).parents[2] / "docs" / "environments.md").read_text("utf-8")
REGISTRATIONS = [
    block for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) if "register" in block
]


@pytest.mark.parametrize("commands", REGISTRATIONS)
def test_what_the_page_says_to_type_registers_skirmish(commands: str, tmp_path: Path) -> None:
    for folder in ("src/envs", "src/config/envs"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "src/envs/__init__.py").write_text("REGISTRY = {}\n")
    folders = [str(Path(sys.executable).parent), os.environ["PATH"]]
    surroundings = os.environ | {"PATH": os.pathsep.join(folders)}
    subprocess.run(["bash", "-ec", commands], cwd=tmp_path, env=surroundings, check=True)
    configuration = yaml.safe_load((tmp_path / "src/config/envs/skirmish.yaml").read_text())
    assert configuration["env_args"]["map_name"] == "3m"
    code = f"from envs import REGISTRY; print(REGISTRY[{configuration['env']!r}]('3m').n_agents)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path / "src", capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "3\n"


def test_the_page_says_what_to_type_for_both_families() -> None:
    assert len(REGISTRATIONS) == 2
