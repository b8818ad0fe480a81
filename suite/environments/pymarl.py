"""One environment behind the interface that PyMARL expects of a `MultiAgentEnv`.

The interface is that of oxwhirl/smac (`smac/env/multiagentenv.py`), as PyMARL and its descendants
call it: `step` returns reward, terminated, info. It needs neither of them installed.

    python -m suite.environments.pymarl

prints the configuration that PyMARL keeps as `src/config/envs/skirmish.yaml`; `register` adds
skirmish to its environments.
"""

from __future__ import annotations

import contextlib
import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from suite.environments import ActionError, BatchedEnvironment, backend_of, make

NAME = "skirmish"
MAP_CONFIGURATION = f"""\
# {NAME}, the embedded simulator of cadp-suite; no number measured on it is one of StarCraft II
env: {NAME}

env_args:
  map_name: "3m"
  state_last_action: True
"""
CONFIGURATION = f"""\
{MAP_CONFIGURATION}\
  reports_episode_limit: False

test_greedy: True
test_nepisode: 32
test_interval: 10000
log_interval: 10000
runner_log_interval: 10000
learner_log_interval: 10000
t_max: 2050000
"""


class PyMARLEnvironment:
    """One environment of a scenario, as PyMARL's runners use it.

    n_agents, n_actions, episode_limit (steps): sizes. is_timeout: whether the last step was cut by
    the time limit. All arrays returned are copies.

    Parameters
    ----------
    scenario: full name, such as `skirmish/3m`; InputError if there is none.
    seed: fixes all episodes: they are those of `make(scenario, 1, seed)` after its resets.
    reports_episode_limit: at the time limit `terminated` is True, as in SMAC. PyMARL bootstraps
        from such a last step only if `info["episode_limit"]` is True; SMAC leaves that key out
        unless its `continuing_episode` is set, and so does this unless the option is.
    """

    def __init__(
        self, scenario: str, *, seed: int = 0, reports_episode_limit: bool = False
    ) -> None:
        self._batch = make(scenario, 1, seed)
        self._seed = seed
        self._reports_episode_limit = reports_episode_limit
        self._names = [f"agent {i}" for i in range(self._batch.info.n_agents)]
        self._is_playing = self.is_timeout = False
        self._n_played = self._n_won = self._n_timeouts = 0
        self.n_agents = self._batch.info.n_agents
        self.n_actions = self._batch.info.n_actions
        self.episode_limit = self._batch.info.episode_limit

    def reset(self) -> tuple[list[NDArray[np.float32]], NDArray[np.float32]]:
        """Start a new episode; returns `get_obs()` and `get_state()`."""
        self.begin()
        return self.get_obs(), self.get_state()

    def begin(self, episode_seed: int | None = None) -> None:
        """Start a new episode: the one of this seed, or the next that the class's seed fixes."""
        seeds = None if episode_seed is None else np.array([episode_seed])
        self._batch.reset(episode_seeds=seeds)
        self._is_playing, self.is_timeout = True, False

    def step(self, actions: Iterable[object]) -> tuple[float, bool, dict[str, bool | int]]:
        """Play one step; actions: one available integer per agent, in any iterable.

        Returns the team's reward, whether the episode has ended (also by the time limit) and
        `battle_info`, with `episode_limit` as the class says.
        Raises ActionError, and changes nothing, for actions that are too few or many, no integers
        or not available, and while no episode is running.
        """
        if not self._is_playing:
            raise ActionError("no episode is running; call reset first")
        result = self._batch.step(legal_actions(self._batch, list(actions), self._names))
        info = battle_info(self._batch, bool(result.won[0]))
        self.is_timeout = bool(result.truncated[0])
        if self.is_timeout and self._reports_episode_limit:
            info["episode_limit"] = True
        has_ended = self.is_timeout or bool(result.terminated[0])
        self._is_playing = not has_ended
        self._n_played += has_ended
        self._n_won += info["battle_won"]
        self._n_timeouts += self.is_timeout
        return float(result.reward[0]), has_ended, info

    def get_obs(self) -> list[NDArray[np.float32]]:
        """One (observation_size,) array per agent; zeros for the dead."""
        return list(self._batch.observations[0].copy())

    def get_obs_agent(self, agent_id: int) -> NDArray[np.float32]:
        """(observation_size,) of one agent."""
        return self._batch.observations[0, agent_id].copy()

    def get_obs_size(self) -> int:
        """Width of an observation."""
        return self._batch.info.observation_size

    def get_state(self) -> NDArray[np.float32]:
        """(state_size,), what a mixer may see in training."""
        return self._batch.state[0].copy()

    def get_state_size(self) -> int:
        """Width of the state."""
        return self._batch.info.state_size

    def get_avail_actions(self) -> list[list[int]]:
        """Per agent a list of n_actions, 1 where the action is available."""
        return [self.get_avail_agent_actions(i) for i in range(self.n_agents)]

    def get_avail_agent_actions(self, agent_id: int) -> list[int]:
        """The list of one agent; in skirmish the dead have only action 0, the no-op."""
        return self._batch.available_actions[0, agent_id].astype(int).tolist()

    def get_total_actions(self) -> int:
        """Number of actions, available or not."""
        return self.n_actions

    def get_env_info(self) -> dict[str, int]:
        """The sizes from which PyMARL builds its networks and buffers.

        unit_dim: width of an agent's block at the start of the state, for QPLEX's mixer; 0 where
        there are no such blocks.
        """
        return {
            "state_shape": self.get_state_size(),
            "obs_shape": self.get_obs_size(),
            "n_actions": self.n_actions,
            "n_agents": self.n_agents,
            "episode_limit": self.episode_limit,
            "unit_dim": self._batch.info.ally_state_size,
        }

    def get_stats(self) -> dict[str, float]:
        """Counts over all episodes that ended; the keys are SMAC's, its draws are the timeouts.

        win_rate is 0 before the first end; restarts is always 0: no game can crash here.
        """
        return {
            "battles_won": self._n_won,
            "battles_game": self._n_played,
            "battles_draw": self._n_timeouts,
            "win_rate": self._n_won / max(self._n_played, 1),
            "timeouts": self._n_timeouts,
            "restarts": 0,
        }

    def seed(self) -> int:
        """The seed given at the start."""
        return self._seed

    def close(self) -> None:
        """Nothing is held open."""

    def render(self) -> NoReturn:
        """NotImplementedError: nothing is drawn."""
        raise NotImplementedError("this environment draws nothing")

    def save_replay(self) -> NoReturn:
        """NotImplementedError: nothing is saved."""
        cure = "`cadp-suite watch` shows battles of the agents that PyMARL saves"
        raise NotImplementedError(f"no replay is saved here; {cure}")


class SkirmishMap(PyMARLEnvironment):
    """One map of skirmish, with the arguments that PyMARL gives SMAC's environment.

    Parameters
    ----------
    map_name: of skirmish, such as `3m`; InputError if there is none.
    state_last_action: whether the state ends with what the agents did last. PyMARL's COMA, whose
        critic is told that anyway, sets it to False.
    seed, reports_episode_limit: as in `PyMARLEnvironment`.
    """

    def __init__(
        self,
        map_name: str,
        *,
        seed: int = 0,
        state_last_action: bool = True,
        reports_episode_limit: bool = False,
    ) -> None:
        name = f"{NAME}/{map_name}"
        super().__init__(name, seed=seed, reports_episode_limit=reports_episode_limit)
        left_out = 0 if state_last_action else self.n_agents * self.n_actions
        self._state_size = super().get_state_size() - left_out

    def get_state(self) -> NDArray[np.float32]:
        """(state_size,), what a mixer may see in training."""
        return super().get_state()[: self._state_size]

    def get_state_size(self) -> int:
        """Width of the state."""
        return self._state_size


def register(registry: dict[str, Callable[..., Any]]) -> None:
    """Add skirmish to PyMARL's `envs.REGISTRY`."""
    registry[NAME] = SkirmishMap


def legal_actions(
    batch: BatchedEnvironment, actions: Sequence[object], agents: Sequence[str]
) -> NDArray[np.int64]:
    """The actions of a batch of one as (1, agents); ActionError, naming the agent, if one is bad.

    agents: their names in messages, one per agent.
    """
    if len(actions) != len(agents):
        raise ActionError(f"expected {len(agents)} actions, one per agent, got {len(actions)}")
    chosen = []
    for i, (name, action) in enumerate(zip(agents, actions, strict=True)):
        index = -1
        with contextlib.suppress(TypeError):  # no integer is no available one either
            index = operator.index(action)  # type: ignore[arg-type]
        available = np.flatnonzero(batch.available_actions[0, i]).tolist()
        if index not in available:
            raise ActionError(
                f"{name}: action {action} is not one of the available integers {available}"
            )
        chosen.append(index)
    return np.array([chosen])


def battle_info(batch: BatchedEnvironment, has_won: bool) -> dict[str, Any]:
    """What SMAC's info says of a batch of one: battle_won, and what the backend adds."""
    return {"battle_won": has_won, **backend_of(batch.info.name).episode_info(batch, 0)}


if __name__ == "__main__":
    print(CONFIGURATION, end="")
