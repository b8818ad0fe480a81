"""SMAC's heuristic AI in both of its forms, on skirmish."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from suite.environments.skirmish import fields as f
from suite.environments.skirmish.backend import skirmish_scenario
from suite.environments.skirmish.scenario import Scenario
from suite.policies.policy import Policy


class Battles(Protocol):
    """As much of a `SkirmishEnvironment` as is looked at."""

    units: NDArray[np.float64]
    enemies: NDArray[np.int64]
    available_actions: NDArray[np.bool_]


class Heuristic:
    """SMAC's heuristic AI.

    Every agent keeps a target until it is dead: the nearest living enemy; a Marauder, whose weapon
    does not reach up, passes over Medivacs. A Medivac keeps the nearest damaged agent that is no
    Medivac until it is healed or dead. It sees the whole map.
    at_any_distance: the orders are to attack or heal from the first step on, whether the action is
    available or not, so units walk as the game has them walk: the default of SMAC. Else, as with
    its `heuristic_rest`, who cannot aim at its target yet walks towards it along the longer axis.
    Who has no target, or may not walk there, stops.
    Source: oxwhirl/smac, `StarCraft2Env.get_agent_action_heuristic`.
    """

    def __init__(
        self, environment: Battles, scenario: Scenario, *, at_any_distance: bool = False
    ) -> None:
        self._environment = environment
        self._at_any_distance = at_any_distance
        names = np.array([unit.type_name for unit in (*scenario.allies, *scenario.enemies)])
        n_agents = len(scenario.allies)
        is_agent, is_medic = np.arange(len(names)) < n_agents, names == "Medivac"
        self._health_max = np.array([scenario.types[name].health for name in names])
        # Whom an agent may want as its target at all, (agents, units).
        heals, is_marauder = is_medic[:n_agents, None], names[:n_agents, None] == "Marauder"
        may_shoot = ~is_agent & ~(is_marauder & is_medic)
        self._may_want = np.where(heals, is_agent & ~is_medic, may_shoot)
        self._heals = heals
        self._targets = np.full((len(environment.units), n_agents), -1)

    def __call__(self, t: int, slots: NDArray[np.int64]) -> NDArray[np.int64]:
        """Actions (all slots, agents) for what the environment shows now."""
        if t == 0:
            self._targets[slots] = -1
        actions = np.full(self._targets.shape, f.NO_OP)
        actions[slots] = self._actions(slots)
        return actions

    def _actions(self, slots: NDArray[np.int64]) -> NDArray[np.int64]:
        units, available = self._environment.units[slots], self._environment.available_actions
        health = units[:, None, :, f.HEALTH]
        needs_it = (health > 0) & ~(self._heals & (health >= self._health_max))
        wanted = needs_it & self._may_want  # (slots, agents, units)
        has_target = wanted.any(axis=-1)

        agents = units[:, : len(self._heals), None]
        dx = units[:, None, :, f.X] - agents[..., f.X]
        dy = units[:, None, :, f.Y] - agents[..., f.Y]
        nearest = np.where(wanted, np.hypot(dx, dy), np.inf).argmin(axis=-1)
        kept = self._targets[slots]
        is_kept = (kept >= 0) & _at(wanted, kept)
        target = np.where(is_kept | ~has_target, kept, nearest)
        self._targets[slots] = target

        dx, dy = _at(dx, target), _at(dy, target)
        along_x = np.where(dx > 0, f.EAST, f.WEST)
        along_y = np.where(dy > 0, f.NORTH, f.SOUTH)
        walk = np.where(abs(dx) > abs(dy), along_x, along_y)
        # By the ids of this episode: healers name agents, all others enemies.
        enemy_ids = np.argsort(self._environment.enemies[slots], axis=1)
        ids = np.concatenate([np.tile(np.arange(len(self._heals)), (len(slots), 1)), enemy_ids], 1)
        aim = np.where(has_target, f.FIRST_TARGET + np.take_along_axis(ids, target, 1), f.STOP)
        if self._at_any_distance:  # SMAC gives these orders past its own interface
            is_alive = ~available[slots, :, f.NO_OP]
            slot, agent = np.nonzero(is_alive & has_target)
            available[slots[slot], agent, aim[slot, agent]] = True
        can = available[slots]
        on_foot = np.where(has_target & _at(can, walk), walk, f.STOP)
        action = np.where(_at(can, aim), aim, on_foot)
        return np.where(can[..., f.NO_OP], f.NO_OP, action)


def heuristic_policy(name: str, scenario: str, *, at_any_distance: bool) -> Policy:
    """Raises InputError for a scenario of another backend than skirmish."""
    battle = skirmish_scenario(scenario, where=f"--policy {name}")
    form = "orders at any distance" if at_any_distance else "available actions only"

    def actor(environment: Any) -> Heuristic:
        return Heuristic(environment, battle, at_any_distance=at_any_distance)

    return Policy(name, f"SMAC's heuristic AI, {form}", actor)


def _at(values: NDArray[Any], index: NDArray[np.int64]) -> NDArray[Any]:
    """values (slots, agents, n) at index (slots, agents) → (slots, agents); -1 is the last."""
    return np.take_along_axis(values, index[..., None], axis=-1)[..., 0]
