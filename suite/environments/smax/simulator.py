"""JaxMARL's SMAX, compiled by JAX for a few battles at a time.

XLA orders its arithmetic otherwise for other sizes of a batch, so that last digits would hang on
who plays beside a battle. Here every call has the same size: a battle is the same in any batch, and
a map is compiled once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from suite.environments.smax.backend import BACKEND, MAX_STEPS
from suite.errors import InputError


@contextmanager
def _silenced() -> Iterator[None]:
    """jaxmarl prints when it is imported, and puts Python's first streams in place of the present
    ones."""
    before = sys.stdout, sys.stderr, sys.__stdout__
    with Path(os.devnull).open("w") as nowhere:
        sys.stdout = sys.__stdout__ = nowhere  # type: ignore[misc]
        try:
            yield
        finally:
            sys.stdout, sys.stderr, sys.__stdout__ = before  # type: ignore[misc]


try:
    import jax
    import jax.numpy as jnp

    if not jax.config.jax_platforms:  # JAX_PLATFORMS, where somebody has set it
        jax.config.update("jax_platforms", "cpu")  # or it would look for others and claim them
    with _silenced():
        from jaxmarl.environments.smax import HeuristicEnemySMAX, map_name_to_scenario
except (ImportError, AttributeError, RuntimeError) as error:  # the last if there is no such device
    raise InputError(
        f"SMAX cannot be imported ({type(error).__name__}: {error})",
        where="scenario of smax",
        cure='unset JAX_PLATFORMS, or install what goes together: pip install "cadp-suite[smax]"',
    ) from error

# Battles of a call. More of them cost less each, but a single one, as in training, costs all.
WIDTH = 4

# One thread: workers have a core each. Optimising less compiles in two thirds of the time to code
# of the same speed.
_COMPILER_OPTIONS = {"xla_cpu_multi_thread_eigen": False, "xla_backend_optimization_level": 1}

# SMAX's number of the action that its dead have.
_SMAX_STOP = 4


class View(NamedTuple):
    """What agents see and may do: (WIDTH, agents, observation_size) float32, (WIDTH, state_size)
    float32 and (WIDTH, agents, n_actions) bool."""

    observations: Any
    state: Any
    available_actions: Any


class Outcome(NamedTuple):
    """What came of a step: (WIDTH,) float32 and bool, as in `interface.Step`."""

    reward: Any
    terminated: Any
    truncated: Any
    won: Any


class Simulator:
    """One map. Battles are a tree of arrays (WIDTH, …); pass on what the last call returned.

    Actions are SMAX's, except that stop, all that the dead can do, is 0 as the no-op is elsewhere:
    stop, north, east, south, west, then each enemy.

    Raises InputError if the map is another than `backend` says.
    """

    def __init__(self, map_name: str) -> None:
        info = BACKEND.describe(map_name)
        self._smax = smax = HeuristicEnemySMAX(scenario=map_name_to_scenario(map_name))
        n_actions = smax.action_spaces[smax.agents[0]].n
        found = (smax.num_agents, n_actions, smax.obs_size, smax.state_size, smax.max_steps)
        said = (info.n_agents, info.n_actions, info.observation_size, info.state_size)
        if found != (*said, MAX_STEPS):
            raise InputError(
                "jaxmarl's map has other sizes than the suite knows",
                where=info.name,
                value=info.backend_version,
                cure='install a tested version: pip install "cadp-suite[smax]"',
            )
        others = [action for action in range(n_actions) if action != _SMAX_STOP]
        self._smax_action = np.array([_SMAX_STOP, *others])
        each = {"in_axes": (0, 0, 0)}
        self._reset = jax.jit(jax.vmap(self._restart, **each), compiler_options=_COMPILER_OPTIONS)
        self._step = jax.jit(jax.vmap(self._advance, **each), compiler_options=_COMPILER_OPTIONS)

    def reset(self, battles: Any, seeds: Any, chosen: Any) -> tuple[Any, View]:
        """New battles where `chosen` (WIDTH,) bool; None for `battles` where there are none yet.

        seeds: (WIDTH, 2) uint32. The view is valid where `chosen`.
        """
        result: tuple[Any, View] = self._reset(
            self._nothing if battles is None else battles, seeds, chosen
        )
        return result

    def step(self, battles: Any, actions: Any, active: Any) -> tuple[Any, View, Outcome]:
        """Advance battles where `active` (WIDTH,) bool, by (WIDTH, agents) int32 actions.

        View and outcome are valid where `active`.
        """
        result: tuple[Any, View, Outcome] = self._step(battles, actions, active)
        return result

    @cached_property
    def _nothing(self) -> Any:
        """Battles of zeros, of the types that calls return."""
        one = jax.eval_shape(self._start, jax.ShapeDtypeStruct((2,), np.uint32))[0]
        return jax.tree.map(lambda leaf: jnp.zeros((WIDTH, *leaf.shape), leaf.dtype), one)

    def _start(self, seed: Any) -> tuple[Any, View]:
        """One new battle, and what is seen of it."""
        later, now = jax.random.split(_key(seed))
        observations, state = self._smax.reset(now)
        return (jax.random.key_data(later), state), self._view(observations, state)

    def _restart(self, battle: Any, seed: Any, chosen: Any) -> tuple[Any, View]:
        started, view = self._start(seed)
        return _where(chosen, started, battle), view

    def _advance(self, battle: Any, actions: Any, active: Any) -> tuple[Any, View, Outcome]:
        smax, (seed, state) = self._smax, battle
        later, now = jax.random.split(_key(seed))
        given = jnp.asarray(self._smax_action)[actions]
        named = {agent: given[i] for i, agent in enumerate(smax.agents)}
        # `step` would start the next battle at once.
        observations, state, rewards, dones, _ = smax.step_env(now, state, named)
        is_alive = state.state.unit_alive
        has_allies = jnp.any(is_alive[: smax.num_agents])
        has_enemies = jnp.any(is_alive[smax.num_agents :])
        is_decided = ~(has_allies & has_enemies)
        outcome = Outcome(
            reward=rewards[smax.agents[0]],
            terminated=is_decided,
            truncated=dones["__all__"] & ~is_decided,
            won=has_allies & ~has_enemies,
        )
        moved = _where(active, (jax.random.key_data(later), state), battle)
        return moved, self._view(observations, state), outcome

    def _view(self, observations: Any, state: Any) -> View:
        available = self._smax.get_avail_actions(state)
        agents = self._smax.agents
        return View(
            jnp.stack([observations[agent] for agent in agents]),
            observations["world_state"],
            jnp.stack([available[agent] for agent in agents])[:, self._smax_action] > 0,
        )


@cache
def simulator(map_name: str) -> Simulator:
    """The one of a map in this process, so that it is compiled once."""
    return Simulator(map_name)


def _key(seed: Any) -> Any:
    """A generator from (2,) uint32, whatever generator JAX is set to use."""
    return jax.random.wrap_key_data(seed, impl="threefry2x32")


def _where(chosen: Any, new: Any, old: Any) -> Any:
    """One battle or the other, in the other's types."""
    return jax.tree.map(lambda a, b: jnp.where(chosen, a, b).astype(b.dtype), new, old)
