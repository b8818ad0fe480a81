"""One environment behind PettingZoo's parallel interface, for any program that speaks it.

Needs the packages pettingzoo and gymnasium (extra `pettingzoo`); importing this module without
them raises MissingDependencyError.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from suite.environments import ActionError, BatchedEnvironment, backend_of, make, short_name
from suite.environments.pymarl import battle_info, legal_actions
from suite.environments.validation import SEED_LIMIT, check_seed
from suite.errors import InputError, MissingDependencyError

try:
    from gymnasium import spaces
    from pettingzoo import ParallelEnv
except ImportError as error:
    raise MissingDependencyError(
        f"the package {error.name} is not installed",
        where="suite.environments.parallel",
        cure="run: pip install pettingzoo",
    ) from error

Observation = dict[str, NDArray[Any]]
Info = dict[str, Any]


def parallel_env(
    scenario: str, *, seed: int = 0, render_mode: str | None = None
) -> ParallelEnvironment:
    """Build a `ParallelEnvironment`; PettingZoo's customary name for it."""
    return ParallelEnvironment(scenario, seed=seed, render_mode=render_mode)


class ParallelEnvironment(ParallelEnv[str, Observation, int]):
    """One environment of a scenario; all agents move at once and share the team's reward.

    Agents are called as in SMAC's own PettingZoo wrapper, by unit type and number (`marine_0`), in
    SMAC's order; in other backends `agent_0`. An observation is {"observation": (observation_size,)
    float32, "action_mask": (n_actions,) int8, 1 where available}.

    SMAC's own wrapper drops dead agents and the no-op. Here everyone stays to the end of the
    episode and has all of SMAC's actions, as learners in the style of PyMARL expect: the dead
    observe zeros and may only choose action 0, the no-op, which the living may not.

    state_space: (state_size,) float32, without bounds: SMAC's scaled cooldowns can exceed 1.

    Parameters
    ----------
    scenario: full name, such as `skirmish/3m`; InputError if there is none.
    seed: fixes the episodes of all resets before the first one that is given a seed.
    render_mode: only None, nothing is drawn; InputError for others.
    """

    metadata: ClassVar[dict[str, Any]] = {"name": "cadp_suite_v1", "render_modes": []}

    def __init__(self, scenario: str, *, seed: int = 0, render_mode: str | None = None) -> None:
        if render_mode is not None:
            raise InputError(
                "no such render mode", where="render_mode", value=render_mode, cure="pass None"
            )
        self._batch = make(scenario, 1, seed)
        self._random = np.random.default_rng(seed)
        self.render_mode = render_mode
        info, bound = self._batch.info, backend_of(scenario).largest_observation
        self.possible_agents = agent_names(self._batch)
        self.agents: list[str] = []
        self.observation_spaces = {
            agent: spaces.Dict(
                {
                    "observation": spaces.Box(-bound, bound, (info.observation_size,), np.float32),
                    "action_mask": spaces.Box(0, 1, (info.n_actions,), np.int8),
                }
            )
            for agent in self.possible_agents
        }
        self.action_spaces = {
            agent: AvailableActions(self._batch, i) for i, agent in enumerate(self.possible_agents)
        }
        self.state_space = spaces.Box(-np.inf, np.inf, (info.state_size,), np.float32)

    def observation_space(self, agent: str) -> spaces.Dict:
        """The space of an agent's observations, always the same object."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> AvailableActions:
        """The space of an agent's actions, always the same object."""
        return self.action_spaces[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Observation], dict[str, Info]]:
        """Start a new episode; returns observations and infos (as in `step`).

        seed: plays the episode of `BatchedEnvironment.reset(episode_seeds=[seed])`, the same one
        for the same seed, and fixes the resets without a seed that follow. InputError for
        anything but an integer from 0 to 2**63 - 1. options: without effect.
        """
        if seed is None:
            episode_seed = int(self._random.integers(SEED_LIMIT))
        else:
            episode_seed = check_seed(seed)
            self._random = np.random.default_rng(episode_seed)
        self._batch.reset(episode_seeds=np.array([episode_seed]))
        self.agents = list(self.possible_agents)
        return self._observations(), self._infos(has_won=False)

    def step(
        self, actions: Mapping[str, int]
    ) -> tuple[
        dict[str, Observation],
        dict[str, float],
        dict[str, bool],
        dict[str, bool],
        dict[str, Info],
    ]:
        """Play one step; actions: an available integer for every agent, by name.

        Returns observations, rewards, terminations (ended by the rules of the task), truncations
        (cut by the step limit alone) and infos, by agent. An info holds battle_won and, in
        skirmish, dead_allies and dead_enemies (numbers of units). After the end `agents` is empty.
        Raises ActionError, and changes nothing, for missing or unknown agents, for actions that
        are no integers or not available, and while no episode is running.
        """
        if not self.agents:
            raise ActionError("no episode is running; call reset first")
        if set(actions) != set(self.agents):
            raise ActionError(
                f"expected an action for each of {self.agents}, got {sorted(map(str, actions))}"
            )
        ordered = [actions[agent] for agent in self.agents]
        result = self._batch.step(legal_actions(self._batch, ordered, self.agents))
        is_terminated, is_truncated = bool(result.terminated[0]), bool(result.truncated[0])
        answer = (
            self._observations(),
            dict.fromkeys(self.agents, float(result.reward[0])),
            dict.fromkeys(self.agents, is_terminated),
            dict.fromkeys(self.agents, is_truncated),
            self._infos(has_won=bool(result.won[0])),
        )
        if is_terminated or is_truncated:
            self.agents = []
        return answer

    def state(self) -> NDArray[np.float32]:
        """(state_size,), what a central trainer may see; a copy."""
        return self._batch.state[0].copy()

    def _observations(self) -> dict[str, Observation]:
        observations = self._batch.observations[0].copy()
        masks = self._batch.available_actions[0].astype(np.int8)
        return {
            agent: {"observation": observations[i], "action_mask": masks[i]}
            for i, agent in enumerate(self.agents)
        }

    def _infos(self, *, has_won: bool) -> dict[str, Info]:
        info = battle_info(self._batch, has_won)
        return {agent: dict(info) for agent in self.agents}


class AvailableActions(spaces.Discrete):
    """The n_actions integers from 0; a sample without a mask is one that is available right now.

    So programs that sample without knowing of masks play legally. A copy asks the same environment,
    or the copy of it that it is part of; pickled, it is a plain `Discrete`, since the environment
    does not travel with it.
    """

    def __init__(self, batch: BatchedEnvironment, agent: int) -> None:
        super().__init__(batch.info.n_actions)
        self._batch = batch
        self._agent = agent

    def __deepcopy__(self, memo: dict[int, Any]) -> AvailableActions:
        copied = AvailableActions(memo.get(id(self._batch), self._batch), self._agent)
        copied._np_random = copy.deepcopy(self._np_random, memo)
        return copied

    def __reduce__(self) -> tuple[Callable[..., spaces.Discrete], tuple[Any, ...]]:
        return plain_actions, (int(self.n), self._np_random)

    def sample(
        self,
        mask: NDArray[Any] | None = None,
        probability: NDArray[Any] | None = None,
    ) -> np.int64:
        """Draw an action; mask and probability are as in `gymnasium.spaces.Discrete`."""
        if mask is None and probability is None:
            mask = self._batch.available_actions[0, self._agent].astype(np.int8)
        return super().sample(mask, probability)


def plain_actions(n_actions: int, random: np.random.Generator | None) -> spaces.Discrete:
    """What is left of `AvailableActions` where its environment is not."""
    actions = spaces.Discrete(n_actions)
    if random is not None:
        actions._np_random = random
    return actions


def agent_names(batch: BatchedEnvironment) -> list[str]:
    """`marine_0`, `marine_1`, … in agent order, numbered within what its backend calls a kind."""
    name = batch.info.name
    kinds = backend_of(name).agent_kinds(short_name(name))
    return [f"{kind}_{kinds[:i].count(kind)}" for i, kind in enumerate(kinds)]
