"""Plays one episode and keeps everything that can be seen of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from suite.environments.skirmish import fields as f
from suite.environments.skirmish.backend import skirmish_scenario
from suite.environments.skirmish.environment import SkirmishEnvironment
from suite.environments.skirmish.scenario import Scenario
from suite.policies import Policy, find_policy

Outcome = Literal["won", "lost", "drawn", "time limit"]


@dataclass(frozen=True)
class Recording:
    """One episode of skirmish; loops are game loops, 8 per step.

    scenario: where it was played. version: of skirmish's rules. policy: who played.
    seed: the episode's seed (and that of a random policy).
    unit_types: type names of the units: agents, then enemies by the ids of this episode.
    units: (loops + 1, units, N_UNIT_FIELDS) float64, columns in `skirmish.fields`: the units at
        the start and after every loop.
    shots: (loops, units) int64, unit at which each released a shot (or which it healed), else -1.
    actions: (steps, agents) int64. rewards: (steps,) float64.
    """

    scenario: Scenario
    version: str
    policy: Policy
    seed: int
    unit_types: tuple[str, ...]
    units: NDArray[np.float64]
    shots: NDArray[np.int64]
    actions: NDArray[np.int64]
    rewards: NDArray[np.float64]
    outcome: Outcome


def record(
    scenario: Scenario, policy_name: str, seed: int, runs_dir: Path, mode: str | None = None
) -> Recording:
    """Play the episode with this seed; `policies.find_policy` knows names and modes.

    Raises InputError for an unknown policy, or one that cannot play this scenario in this mode.
    """
    policy = find_policy(policy_name, f"skirmish/{scenario.name}", runs_dir, seed=seed, mode=mode)
    environment = SkirmishEnvironment(scenario, 1, seed, records_loops=True, extra=policy.extra)
    slots = np.zeros(1, np.int64)
    environment.reset(slots, np.array([seed]))
    choose = policy.actor(environment)
    units, shots = [environment.units.copy()], []
    actions: list[NDArray[np.int64]] = []
    rewards = []
    is_over = False
    while not is_over:
        actions.append(choose(len(actions), slots)[0].copy())
        step = environment.step(actions[-1][None])
        units.append(environment.loop_units[0].copy())
        shots.append(environment.loop_shots[0].copy())
        rewards.append(step.reward[0])
        is_over = bool(step.terminated[0] or step.truncated[0])
    by_id = np.concatenate([np.arange(environment.info.n_agents), environment.enemies[0]])
    names = [unit.type_name for unit in (*scenario.allies, *scenario.enemies)]
    targets = np.concatenate(shots)[:, by_id]
    return Recording(
        scenario=scenario,
        version=environment.info.backend_version,
        policy=policy,
        seed=seed,
        unit_types=tuple(names[unit] for unit in by_id),
        units=np.concatenate(units)[:, by_id],
        shots=np.where(targets >= 0, np.argsort(by_id)[targets], -1),
        actions=np.array(actions),
        rewards=np.array(rewards),
        outcome=_outcome(scenario, units[-1][-1], bool(step.won[0]), bool(step.truncated[0])),
    )


def battle_called(name: str) -> Scenario:
    """The scenario of a full name; InputError if it is of another backend than skirmish."""
    return skirmish_scenario(name, where="SCENARIO")


def _outcome(scenario: Scenario, units: NDArray[np.float64], is_won: bool, is_cut: bool) -> Outcome:
    """A draw leaves nobody; on maps with Medivac rules SMAC counts that as lost."""
    if is_won or is_cut:
        return "won" if is_won else "time limit"
    has_survivors = (units[:, f.HEALTH] > 0).any()
    return "lost" if has_survivors or scenario.has_medivac_rules else "drawn"
