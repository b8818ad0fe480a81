"""Small PettingZoo environments, each with something that the backend must get right."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from pettingzoo import AECEnv, ParallelEnv


class Walk(ParallelEnv[str, Any, int]):
    """Agents of different sizes add random numbers; no mask, a state, no end but its limit.

    Agent i sees i + 1 numbers and has i + 2 actions, numbered from 5 * i on.
    """

    metadata = {"name": "walk"}  # noqa: RUF012

    def __init__(self, n: int = 2, max_cycles: int = 6) -> None:
        self.possible_agents = [f"walker_{i}" for i in range(n)]
        self.max_cycles = max_cycles
        self.received: list[dict[str, int]] = []
        self.is_closed = False

    def number(self, agent: str) -> int:
        return self.possible_agents.index(agent)

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        return spaces.Box(-np.inf, np.inf, (self.number(agent) + 1,), np.float64)

    def action_space(self, agent: str) -> spaces.Space[Any]:
        return spaces.Discrete(self.number(agent) + 2, start=5 * self.number(agent))

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        self.random = np.random.default_rng(seed)
        self.seed, self.time, self.agents = seed, 0, list(self.possible_agents)
        self.where = self.random.random(len(self.agents))
        return self.observed(), {agent: {} for agent in self.agents}

    def observed(self) -> dict[str, Any]:
        return {a: np.full(self.number(a) + 1, self.where[self.number(a)]) for a in self.agents}

    def step(self, actions: dict[str, int]) -> Any:
        assert set(actions) == set(self.agents)
        for agent, action in actions.items():
            assert self.action_space(agent).contains(action)
        self.received.append(actions)
        self.time += 1
        self.where = self.where + self.random.random(len(self.possible_agents))
        rewards = {a: float(action - 5 * self.number(a)) for a, action in actions.items()}
        cut = self.time >= self.max_cycles
        return self.ended(rewards, set(), set(self.agents) if cut else set())

    def ended(self, rewards: dict[str, float], over: set[str], cut: set[str]) -> Any:
        """What a step returns when agents in `over` end by the rules and those in `cut` by time."""
        here = list(self.agents)
        seen, infos = self.observed(), self.infos(over)
        self.agents = [agent for agent in here if agent not in over | cut]
        flags = ({a: a in over for a in here}, {a: a in cut for a in here})
        return seen, rewards, *flags, infos

    def infos(self, over: set[str]) -> dict[str, Any]:
        return {agent: {} for agent in self.agents}

    def state(self) -> Any:
        return np.append(self.where, self.time)

    def close(self) -> None:
        self.is_closed = True


class Race(Walk):
    """Agents end one after the other, the last of them wins; masks in observations; no state."""

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        mask = spaces.Box(0, 1, (self.number(agent) + 2,), np.int8)
        return spaces.Dict({"observation": super().observation_space(agent), "action_mask": mask})

    def mask(self, agent: str) -> Any:
        """In turn one of the actions is not available."""
        n = self.number(agent) + 2
        return (np.arange(n) != self.time % n).astype(np.int8)

    def observed(self) -> dict[str, Any]:
        seen = super().observed()
        return {a: {"observation": seen[a], "action_mask": self.mask(a)} for a in seen}

    def step(self, actions: dict[str, int]) -> Any:
        for agent, action in actions.items():
            assert self.mask(agent)[action - 5 * self.number(agent)]
        super().step(actions)
        self.agents = list(actions)
        over = {self.possible_agents[self.time - 1]}
        return self.ended(dict.fromkeys(actions, 1.0), over, set())

    def infos(self, over: set[str]) -> dict[str, Any]:
        return {agent: {"won": over == {self.possible_agents[-1]}} for agent in self.agents}

    def state(self) -> Any:
        raise NotImplementedError


class Guarded(Walk):
    """Masks in infos; discrete observations; the first agent ends in step 2, others are cut in 4.

    An agent's only available action is the last of its own.
    """

    def __init__(self) -> None:
        super().__init__(3, 4)

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        return spaces.Discrete(4 + self.number(agent))

    def observed(self) -> dict[str, Any]:
        return {agent: self.number(agent) + 1 for agent in self.agents}

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        seen, _ = super().reset(seed)
        return seen, self.infos(set())

    def infos(self, over: set[str]) -> dict[str, Any]:
        own = {a: self.number(a) + 2 for a in self.agents}
        return {a: {"action_mask": np.arange(n) == n - 1} for a, n in own.items()}

    def step(self, actions: dict[str, int]) -> Any:
        super().step(actions)
        self.agents = list(actions)
        over = {"walker_0"} & set(actions) if self.time == 2 else set()
        cut = set(actions) if self.time == 4 else set()
        return self.ended(dict.fromkeys(actions, 2.0), over, cut)


class Careless(Walk):
    """In step 2 agents `over` end by the rules, `cut` by time, and all stay in the list of agents.

    Everybody always says to have won; shows: whether the last observations are given.
    """

    def __init__(self, over: list[int], cut: list[int], shows: bool = True) -> None:
        super().__init__()
        self.over, self.cut = ({self.possible_agents[i] for i in which} for which in (over, cut))
        self.shows = shows

    def step(self, actions: dict[str, int]) -> Any:
        self.received.append(actions)
        self.time += 1
        now = self.time == 2
        here, told = list(self.agents), (self.over, self.cut) if now else (set(), set())
        result = self.ended(dict.fromkeys(actions, 1.0), *told)
        self.agents = here
        return result if self.shows or not now else ({}, *result[1:])

    def infos(self, over: set[str]) -> dict[str, Any]:
        return {agent: {"won": True} for agent in self.agents}


class Endless(Walk):
    """Says nothing of a limit."""

    def __init__(self) -> None:
        super().__init__()
        del self.max_cycles

    def step(self, actions: dict[str, int]) -> Any:
        self.time += 1
        return self.ended(dict.fromkeys(actions, 1.0), set(), set())


class Continuous(Walk):
    def action_space(self, agent: str) -> spaces.Space[Any]:
        return spaces.Box(0, 1, (2,))


class Spaceless(Walk):
    def observation_space(self, agent: str) -> spaces.Space[Any]:
        raise KeyError(agent)


class Agentless(Walk):
    def __init__(self) -> None:
        self.max_cycles = 3


class Unseeded(Walk):
    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        return super().reset()


class Forgetful(Walk):
    """What an episode is depends on the one before."""

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        before = getattr(self, "time", 0)
        _, infos = super().reset(seed)
        self.where += before
        return self.observed(), infos


class Breaking(Walk):
    """Dies in step 31, later than it is tried."""

    def step(self, actions: dict[str, int]) -> Any:
        if self.time == 30:
            raise ZeroDivisionError("the engine is gone")
        return super().step(actions)


class Misshapen(Walk):
    """Observations of one number, whatever its spaces say."""

    def observed(self) -> dict[str, Any]:
        return {agent: np.zeros(1) for agent in self.agents}


class Stuck(Race):
    def mask(self, agent: str) -> Any:
        return np.zeros(self.number(agent) + 2, np.int8)


class Turns(AECEnv[str, Any, int]):
    pass


def talkative(n: int = 2) -> Walk:
    print("made with love")
    return Walk(n)


def no_environment() -> int:
    return 3
