"""Sizes of an environment, found in its spaces and by starting it once."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from pettingzoo import ParallelEnv

from suite.environments.pettingzoo.making import foreign_code, make_one, refuse
from suite.environments.pettingzoo.naming import Source

# What environments call their own step limit; PettingZoo itself has no word for it.
_LIMITS = ("episode_limit", "max_cycles", "max_episode_steps", "_max_episode_steps", "max_steps")
MASK = "action_mask"


@dataclass(frozen=True)
class Agent:
    """What one agent sees and does.

    space: of its observations, without the mask of actions. has_mask: whether observations carry
    one. key: entry of an observation that is all of it beside the mask; None if it is no such.
    first_action: number of the first of its `n_actions` actions.
    """

    name: Any
    space: spaces.Space[Any]
    has_mask: bool
    key: str | None
    observation_size: int
    n_actions: int
    first_action: int

    def flat(self, observation: Any) -> NDArray[Any]:
        """(observation_size,) an observation as numbers, discrete parts one-hot."""
        if self.key is not None:
            observation = observation[self.key]
        elif self.has_mask:
            observation = {name: observation[name] for name in self.space}  # type: ignore[attr-defined]
        if isinstance(self.space, spaces.Box):
            return np.asarray(observation).ravel()
        return np.asarray(spaces.flatten(self.space, observation))

    def mask(self, observation: Any, info: Mapping[str, Any]) -> NDArray[np.bool_] | None:
        """(n_actions,) which actions are available; None where nothing says so: all are.

        ValueError for one of another shape.
        """
        given = info.get(MASK)
        if given is None and self.has_mask:
            given = observation.get(MASK)
        if given is None:
            return None
        mask = np.asarray(given).astype(np.bool_)
        if mask.shape != (self.n_actions,):
            raise ValueError(f"the {MASK} of {self.name} is {mask.shape}, not {(self.n_actions,)}")
        return mask


@dataclass(frozen=True)
class Layout:
    """What is known of a source once it has been made.

    has_state: whether it has a state of its own; else the observations are it.
    """

    source: Source
    agents: tuple[Agent, ...]
    has_state: bool
    state_size: int
    episode_limit: int


def layout_of(source: Source) -> Layout:
    """Make an environment, look at it, close it; InputError if it cannot be used."""
    made = make_one(source)
    with foreign_code(source, "cannot be used", "mend it"), closing(made):
        names = getattr(made, "possible_agents", None)
        if not names:
            refuse(source, "it has no possible_agents", "list in it all agents that it may have")
        agents = tuple(_agent(source, made, name) for name in names)
        limit = source.episode_limit or _own_limit(made)
        if limit is None:
            cure = "give one: #episode_limit=100 after its name"
            refuse(source, "no step limit of its own can be found", cure)
        made.reset(seed=0)
        size = _own_state_size(made)
        return Layout(
            source=source,
            agents=agents,
            has_state=size is not None,
            state_size=sum(agent.observation_size for agent in agents) if size is None else size,
            episode_limit=limit,
        )


def _agent(source: Source, made: ParallelEnv[Any, Any, Any], name: Any) -> Agent:
    found = []
    for kind in ("observation_space", "action_space"):
        try:
            found.append(getattr(made, kind)(name))
        except (AttributeError, KeyError, NotImplementedError):
            refuse(source, f"agent {name} has no {kind}", f"give it a method {kind}(agent)")
    seen, acts = found
    if not isinstance(acts, spaces.Discrete):
        cure = "use its discrete form, or one whose actions a wrapper of your own numbers"
        refuse(source, f"the actions of {name} are a {type(acts).__name__}, not Discrete", cure)
    has_mask = isinstance(seen, spaces.Dict) and MASK in seen.spaces
    key = None
    if has_mask:
        rest = {part: space for part, space in seen.items() if part != MASK}
        key = next(iter(rest)) if len(rest) == 1 else None
        seen = spaces.Dict(rest) if key is None else rest[key]
    if not isinstance(seen, spaces.Space) or not seen.is_np_flattenable:
        cure = "give it a space of a fixed number of entries, such as a Box"
        refuse(source, f"the observations of {name} are a {type(seen).__name__}", cure)
    size = spaces.flatdim(seen)
    return Agent(name, seen, has_mask, key, size, int(acts.n), int(acts.start))


def _own_limit(made: ParallelEnv[Any, Any, Any]) -> int | None:
    for where in (made, made.unwrapped):
        for name in _LIMITS:
            limit = getattr(where, name, None)
            if isinstance(limit, (int, np.integer)) and not isinstance(limit, bool) and limit > 0:
                return int(limit)
    return None


def _own_state_size(made: ParallelEnv[Any, Any, Any]) -> int | None:
    """Entries of its state, once it has started; None if it has none."""
    try:
        return int(np.asarray(made.state(), np.float32).size)
    except NotImplementedError:
        return None
