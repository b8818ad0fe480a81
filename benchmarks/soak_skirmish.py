"""Soak of skirmish: random battles on all maps, every invariant checked after every step.

    python benchmarks/soak_skirmish.py --steps 50000000 [--maps 3m corridor] [--seed 0]
    python benchmarks/soak_skirmish.py --maps corridor --episode 4711

Every map gets an equal share of the steps. Players are random in one of four ways per episode:
uniform, often aiming, always aiming, and keeping on with what they did. An episode is fixed by its
seed, whatever the batch: `--episode` plays one alone. Progress goes to standard error; the last
line of standard output is one JSON object with counts per map. Exit code 1 at the first violation.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit

from suite.environments.skirmish import SKIRMISH_VERSION
from suite.environments.skirmish import fields as f
from suite.environments.skirmish.battle import LOOPS_TO_STOP
from suite.environments.skirmish.environment import SkirmishEnvironment
from suite.environments.skirmish.rules import DEFAULT_RULES
from suite.environments.skirmish.scenario import load_scenario, scenario_names

Array = Any

SLOTS = 64
PROBE_STEPS = 30  # of the batch, for the first estimate
REPORT_SECONDS = 10.0
TOLERANCE = 1e-9  # of the ledger, relative
UNIFORM, OFTEN_AIMING, ALWAYS_AIMING, PERSISTENT = 0, 1, 2, 3

FAULTS = [
    "a value is not finite",
    "a ground unit stands on a blocked cell",
    "a unit of the cliff layer stands where it cannot",
    "a unit is off the map",
    "health is out of range",
    "shield is out of range",
    "energy is out of range",
    "cooldown is negative, or wind-up below that of a walker",
    "a dead unit lives again",
    "health + shield is not start - taken + healed + regenerated",
    "the sum of damage dealt is not the sum of damage taken",
    "available actions do not fit a living or a dead agent",
    "an observation or the state is not finite",
    "the reward is negative or not finite",
    "two units overlap (by value, cells)",
]
(
    NOT_FINITE, ON_BLOCKED, OFF_CLIFF, OFF_MAP, BAD_HEALTH, BAD_SHIELD, BAD_ENERGY, BAD_WEAPON,
    UNDEAD, BAD_LEDGER, BAD_SUM, BAD_AVAILABLE, BAD_VIEW, BAD_REWARD, OVERLAP,
) = range(len(FAULTS))  # fmt: skip
MOST_OVERLAP = 0.15  # cells, at a step's end
PLACES = (ON_BLOCKED, OFF_CLIFF, OFF_MAP)  # faults whose value is a position


@njit(cache=True)  # type: ignore[untyped-decorator, unused-ignore]
def draw(streams: Array, slot: int) -> float:
    """Next number in [0, 1) of the slot's stream: streams (slots,) uint64."""
    value = streams[slot] * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)
    streams[slot] = value
    return float(value >> np.uint64(11)) / 9007199254740992.0


@njit(cache=True)  # type: ignore[untyped-decorator, unused-ignore]
def begin(slots: Array, seeds: Array, streams: Array, styles: Array, actions: Array) -> None:
    """Fix the players of new episodes by their seeds."""
    for k in range(len(slots)):
        s = slots[k]
        streams[s] = np.uint64(seeds[k]) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(1)
        for _ in range(3):
            draw(streams, s)
        styles[s] = int(draw(streams, s) * 4.0)
        actions[s] = 0


@njit(cache=True)  # type: ignore[untyped-decorator, unused-ignore]
def choose(available: Array, styles: Array, streams: Array, actions: Array) -> None:
    """Fill actions (slots, agents), which hold the actions before, with available ones."""
    n_actions = available.shape[2]
    for s in range(available.shape[0]):
        for a in range(available.shape[1]):
            can = available[s, a]
            chance = draw(streams, s)
            if styles[s] == PERSISTENT and can[actions[s, a]] and chance < 0.8:
                continue
            first = 0
            n_aims = 0
            for action in range(f.FIRST_TARGET, n_actions):
                n_aims += can[action]
            if n_aims > 0 and (
                styles[s] == ALWAYS_AIMING or (styles[s] == OFTEN_AIMING and chance < 0.5)
            ):
                first = f.FIRST_TARGET
            count = 0
            for action in range(first, n_actions):
                count += can[action]
            rank = int(draw(streams, s) * count)
            for action in range(first, n_actions):
                if can[action]:
                    if rank == 0:
                        actions[s, a] = action
                        break
                    rank -= 1


@njit(cache=True)  # type: ignore[untyped-decorator, unused-ignore]
def find_fault(
    units: Array,
    stats: Array,
    is_free: Array,
    available: Array,
    observations: Array,
    state: Array,
    reward: Array,
    was_alive: Array,
    found: Array,
    value: Array,
) -> bool:
    """Whether something is wrong in any slot; found gets (slot, unit, fault).

    value (2,) gets the value, or the position. is_free (2, 32, 32): ground, cliff. was_alive
    (slots, units) bool is updated.
    """
    n_agents = available.shape[1]
    for s in range(units.shape[0]):
        dealt = 0.0
        taken = 0.0
        found[0] = s
        value[1] = 0.0
        for u in range(units.shape[1]):
            row = units[s, u]
            found[1] = u
            for column in range(units.shape[2]):
                if not np.isfinite(row[column]):
                    value[0] = row[column]
                    found[2] = NOT_FINITE
                    return True
            health = row[f.HEALTH]
            shield = row[f.SHIELD]
            value[0] = health
            if health < 0.0 or health > stats[u, f.HEALTH_MAX]:
                found[2] = BAD_HEALTH
                return True
            if health > 0.0 and not was_alive[s, u]:
                found[2] = UNDEAD
                return True
            was_alive[s, u] = health > 0.0
            value[0] = shield
            if shield < 0.0 or shield > stats[u, f.SHIELD_MAX]:
                found[2] = BAD_SHIELD
                return True
            value[0] = row[f.ENERGY]
            if row[f.ENERGY] < 0.0 or row[f.ENERGY] > stats[u, f.ENERGY_MAX]:
                found[2] = BAD_ENERGY
                return True
            value[0] = min(row[f.COOLDOWN], row[f.WIND_UP] + LOOPS_TO_STOP)
            if value[0] < 0.0:
                found[2] = BAD_WEAPON
                return True
            x = row[f.X]
            y = row[f.Y]
            value[0] = x
            value[1] = y
            if not (2.0 <= x < 30.0 and 2.0 <= y < 30.0):
                found[2] = OFF_MAP
                return True
            if health > 0.0:
                if stats[u, f.LAYER] == f.GROUND and not is_free[0, int(x), int(y)]:
                    found[2] = ON_BLOCKED
                    return True
                if stats[u, f.LAYER] == f.CLIFF and not is_free[1, int(x), int(y)]:
                    found[2] = OFF_CLIFF
                    return True
            start = stats[u, f.HEALTH_MAX] + stats[u, f.SHIELD_MAX]
            owed = start - row[f.TAKEN] + row[f.HEALED] + row[f.REGENERATED]
            value[0] = health + shield - owed
            if abs(value[0]) > TOLERANCE * (start + row[f.TAKEN]):
                found[2] = BAD_LEDGER
                return True
            dealt += row[f.DEALT]
            taken += row[f.TAKEN]
            for v in range(u):
                if units[s, v, f.HEALTH] > 0.0 and health > 0.0:
                    dx = units[s, v, f.X] - x
                    dy = units[s, v, f.Y] - y
                    least = stats[u, f.SEPARATION] + stats[v, f.SEPARATION] - MOST_OVERLAP
                    is_near = dx * dx + dy * dy < least * least
                    if is_near and stats[u, f.LAYER] == stats[v, f.LAYER]:
                        value[0] = least + MOST_OVERLAP - math.sqrt(dx * dx + dy * dy)
                        found[2] = OVERLAP
                        return True
        found[1] = -1
        value[0] = dealt - taken
        if abs(value[0]) > TOLERANCE * (1.0 + taken):
            found[2] = BAD_SUM
            return True
        for a in range(n_agents):
            found[1] = a
            lives = units[s, a, f.HEALTH] > 0.0
            can = available[s, a]
            count = 0
            for action in range(available.shape[2]):
                count += can[action]
            value[0] = count
            if can[f.NO_OP] == lives or can[f.STOP] != lives or (not lives and count != 1):
                found[2] = BAD_AVAILABLE
                return True
            for column in range(observations.shape[2]):
                if not np.isfinite(observations[s, a, column]):
                    value[0] = column
                    found[2] = BAD_VIEW
                    return True
        found[1] = -1
        for column in range(state.shape[1]):
            if not np.isfinite(state[s, column]):
                value[0] = column
                found[2] = BAD_VIEW
                return True
        value[0] = reward[s]
        if not (0.0 <= reward[s] < 1e3):
            found[2] = BAD_REWARD
            return True
    return False


class ViolationError(Exception):
    """An invariant does not hold; the text says which and where."""


@dataclass
class Soak:
    """Endless random battles on one map, episodes numbered from `first_episode`."""

    name: str
    n_slots: int
    first_episode: int
    n_steps: int = 0
    n_episodes: int = 0
    n_won: int = 0
    n_truncated: int = 0
    seconds: float = 0.0

    def __post_init__(self) -> None:
        scenario = load_scenario(self.name)
        self.environment = environment = SkirmishEnvironment(scenario, self.n_slots, 0)
        terrain = scenario.terrain
        self._is_free = np.stack([terrain.ground(DEFAULT_RULES), terrain.cliff])
        self._actions = np.zeros((self.n_slots, environment.info.n_agents), np.int64)
        self._streams = np.zeros(self.n_slots, np.uint64)
        self._styles = np.zeros(self.n_slots, np.int64)
        self._episodes = np.zeros(self.n_slots, np.int64)
        self._ages = np.zeros(self.n_slots, np.int64)
        self._was_alive = np.ones(environment.units.shape[:2], np.bool_)
        self._reward = np.zeros(self.n_slots)
        self._found = np.zeros(3, np.int64)
        self._value = np.zeros(2)
        self._next_episode = self.first_episode
        self._begin(np.arange(self.n_slots))
        self._check()

    def step(self) -> None:
        """One step of every slot; ViolationError if something is wrong after it."""
        environment = self.environment
        choose(environment.available_actions, self._styles, self._streams, self._actions)
        step = environment.step(self._actions)
        self._reward[:] = step.reward
        self._ages += 1
        self.n_steps += self.n_slots
        self._check()
        is_over = step.terminated | step.truncated
        if is_over.any():
            self.n_episodes += int(is_over.sum())
            self.n_won += int(step.won.sum())
            self.n_truncated += int(step.truncated.sum())
            self._begin(np.flatnonzero(is_over))

    def _begin(self, slots: Array) -> None:
        seeds = self._next_episode + np.arange(len(slots))
        self._next_episode += len(slots)
        self.environment.reset(slots, seeds)
        begin(slots, seeds, self._streams, self._styles, self._actions)
        self._episodes[slots] = seeds
        self._ages[slots] = 0
        self._was_alive[slots] = True

    def _check(self) -> None:
        environment = self.environment
        if find_fault(
            environment.units,
            environment._tables.stats,
            self._is_free,
            environment.available_actions,
            environment.observations,
            environment.state,
            self._reward,
            self._was_alive,
            self._found,
            self._value,
        ):
            slot, unit, fault = self._found.tolist()
            value = self._value.tolist() if fault in PLACES else self._value[0]
            raise ViolationError(
                f"VIOLATION {self.name}: {FAULTS[fault]}: unit {unit}, value {value}; "
                f"episode {self._episodes[slot]}, step {self._ages[slot]}, slot {slot}. "
                f"Again: --maps {self.name} --episode {self._episodes[slot]}"
            )

    def counts(self) -> dict[str, float]:
        """What has been played."""
        return {
            "steps": self.n_steps,
            "episodes": self.n_episodes,
            "won": self.n_won,
            "truncated": self.n_truncated,
            "seconds": round(self.seconds, 1),
            "steps_per_second": round(self.n_steps / max(self.seconds, 1e-9)),
        }


def soak_all(names: list[str], n_steps: int, first_episode: int) -> list[Soak]:
    """Play n_steps on every map, telling progress."""
    soaks = [Soak(name, SLOTS, first_episode) for name in names]
    for soak in soaks:
        soak.step()  # compiles
        play(soak, PROBE_STEPS * SLOTS, lambda: None)
    began = time.perf_counter()

    def tell() -> None:
        left = sum(max(n_steps - soak.n_steps, 0) * soak.seconds / soak.n_steps for soak in soaks)
        done = sum(soak.n_steps for soak in soaks) / (n_steps * len(soaks))
        spent = time.perf_counter() - began
        print(
            f"{current.name}: {done:.1%} done, {spent:.0f} s spent, about {left:.0f} s left",
            file=sys.stderr,
            flush=True,
        )

    for current in soaks:
        play(current, n_steps, tell)
    return soaks


def play(soak: Soak, n_steps: int, tell: Any) -> None:
    """Go on until the map has had n_steps."""
    reported = time.perf_counter()
    while soak.n_steps < n_steps:
        start = time.perf_counter()
        for _ in range(64):
            soak.step()
            if soak.n_steps >= n_steps:
                break
        now = time.perf_counter()
        soak.seconds += now - start
        if now - reported > REPORT_SECONDS:
            reported = now
            tell()


def main() -> int:
    """The command; see the top of the file."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--steps", type=int, default=1_000_000, help="environment steps in all")
    parser.add_argument("--maps", nargs="+", choices=scenario_names(), default=scenario_names())
    parser.add_argument("--seed", type=int, default=0, help="other seeds, other episodes")
    parser.add_argument("--episode", type=int, help="play this one episode of each map, alone")
    options = parser.parse_args()
    try:
        if options.episode is not None:
            soaks = [Soak(name, 1, options.episode) for name in options.maps]
            for soak in soaks:
                while soak.n_episodes == 0:
                    soak.step()
        else:
            share = -(-options.steps // len(options.maps))
            soaks = soak_all(options.maps, share, options.seed << 40)
    except ViolationError as violation:
        print(violation, flush=True)
        return 1
    maps = {soak.name: soak.counts() for soak in soaks}
    total = sum(soak.n_steps for soak in soaks)
    print(json.dumps({"skirmish_version": SKIRMISH_VERSION, "steps": total, "maps": maps}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
