"""Scenarios, unit types and terrains, read from the JSON files in `data/` (see its README)."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suite.environments.interface import EnvironmentInfo
from suite.environments.skirmish import SKIRMISH_VERSION

DATA_FORMAT = 1
LOOPS_PER_SECOND = 16.0  # game seconds at "Normal" speed, the unit of the game's own data
MAP_SIZE = 32  # cells per side, all SMAC maps
REWARD_WIN = 200.0
REWARD_DEATH = 10.0
REWARD_SCALE_RATE = 20.0


@dataclass(frozen=True)
class Weapon:
    """One weapon of the data; times in game loops, distances in cells."""

    damage: float
    period_loops: float
    damage_point_loops: float
    range: float
    range_slop: float
    scan_range: float


@dataclass(frozen=True)
class UnitType:
    """One unit type; `weapons` by profile, distances in cells, speed in cells per loop."""

    name: str
    type_id: int
    race: str
    health: float
    shield: float
    speed_per_loop: float
    radius: float
    separation_radius: float
    is_healer: bool
    smac_cooldown_scale: float
    smac_shield_scale: float
    weapons: Mapping[str, Weapon]


@dataclass(frozen=True)
class Placement:
    """A unit of the start layout: type name and centre position in cells."""

    type_name: str
    x: float
    y: float


@dataclass(frozen=True)
class Scenario:
    """One map: who fights whom, from where, on which ground, for how long.

    allies, enemies: in id order. is_free: (32, 32) bool, indexed [x, y], cells a unit may stand on.
    enemy_type_order: SMAC's one-hot order of enemy types (the allies' is alphabetical).
    """

    name: str
    episode_limit: int
    is_free: NDArray[np.bool_]
    allies_have_shield: bool
    enemies_have_shield: bool
    has_medivac_rules: bool
    type_bits: int
    enemy_type_order: tuple[str, ...]
    ally_point: tuple[float, float]
    enemy_point: tuple[float, float]
    enemy_attack_point: tuple[float, float]
    allies: tuple[Placement, ...]
    enemies: tuple[Placement, ...]
    types: Mapping[str, UnitType]

    @property
    def ally_type_order(self) -> tuple[str, ...]:
        """SMAC's one-hot order of ally types."""
        return tuple(sorted({unit.type_name for unit in self.allies}))

    @property
    def n_actions(self) -> int:
        """No-op, stop, four moves, one attack per enemy."""
        return 6 + len(self.enemies)

    @property
    def ally_state_size(self) -> int:
        """Width of one ally's block in the state."""
        return 4 + self.allies_have_shield + self.type_bits

    @property
    def observation_size(self) -> int:
        """Width of one agent's observation."""
        ally = self.allies_have_shield + self.type_bits
        enemy = self.enemies_have_shield + self.type_bits
        n_allies, n_enemies = len(self.allies), len(self.enemies)
        return 4 + n_enemies * (5 + enemy) + (n_allies - 1) * (5 + ally) + 1 + ally

    @property
    def state_size(self) -> int:
        """Width of the state: allies, enemies, last actions."""
        enemy = 3 + self.enemies_have_shield + self.type_bits
        n_allies = len(self.allies)
        return n_allies * (self.ally_state_size + self.n_actions) + len(self.enemies) * enemy

    @property
    def max_reward(self) -> float:
        """Sum of all rewards of a won battle before scaling."""
        life = sum(
            self.types[u.type_name].health + self.types[u.type_name].shield for u in self.enemies
        )
        return len(self.enemies) * REWARD_DEATH + REWARD_WIN + life

    def info(self) -> EnvironmentInfo:
        """Sizes and origin, as every environment describes itself."""
        return EnvironmentInfo(
            name=f"skirmish/{self.name}",
            backend="skirmish",
            backend_version=SKIRMISH_VERSION,
            n_agents=len(self.allies),
            n_actions=self.n_actions,
            observation_size=self.observation_size,
            state_size=self.state_size,
            episode_limit=self.episode_limit,
            ally_state_size=self.ally_state_size,
            is_deterministic=True,
        )


def scenario_names() -> list[str]:
    """Maps skirmish can simulate."""
    return list(_read("scenarios")["scenarios"])


def names_not_simulated_yet() -> list[str]:
    """SMAC maps skirmish does not have yet."""
    return list(_read("scenarios")["not_simulated_yet"])


@functools.cache
def load_scenario(name: str) -> Scenario:
    """Read one of `scenario_names()`; KeyError for any other."""
    return parse_scenario(
        name,
        _read("scenarios")["scenarios"][name],
        load_unit_types(),
        _read("terrains")["terrains"],
    )


@functools.cache
def load_unit_types() -> Mapping[str, UnitType]:
    """All unit types of `data/units.json`."""
    return {name: parse_unit_type(name, raw) for name, raw in _read("units")["units"].items()}


def parse_unit_type(name: str, raw: Mapping[str, Any]) -> UnitType:
    """Build a unit type from its entry; ValueError if it needs rules that are not simulated."""
    weapons = {}
    for profile, weapon in raw["weapons"].items():
        if weapon["n_hits"] != 1 or weapon["projectile"] is not None:
            raise ValueError(f"units.json: {name}: only instant single hits are simulated so far")
        weapons[profile] = Weapon(
            damage=weapon["damage"],
            period_loops=weapon["period_seconds"] * LOOPS_PER_SECOND,
            damage_point_loops=weapon["damage_point_seconds"] * LOOPS_PER_SECOND,
            range=weapon["range"],
            range_slop=weapon["range_slop"],
            scan_range=max(weapon["range"], weapon["scan_range"]),
        )
    if raw["armor"] or raw["shield"] or raw["plane"] != "ground" or raw["is_healer"]:
        raise ValueError(f"units.json: {name}: armor, shields, air and healing are not simulated")
    return UnitType(
        name=name,
        type_id=raw["type_id"],
        race=raw["race"],
        health=raw["health"],
        shield=raw["shield"],
        speed_per_loop=raw["speed_per_second"] / LOOPS_PER_SECOND,
        radius=raw["radius"],
        separation_radius=raw["separation_radius"],
        is_healer=raw["is_healer"],
        smac_cooldown_scale=raw["smac_cooldown_scale_loops"],
        smac_shield_scale=raw["smac_shield_scale"],
        weapons=weapons,
    )


def parse_scenario(
    name: str,
    raw: Mapping[str, Any],
    types: Mapping[str, UnitType],
    terrains: Mapping[str, list[str]],
) -> Scenario:
    """Build a scenario from its entry, the unit types and the terrain drawings."""

    def placements(rows: list[list[Any]]) -> tuple[Placement, ...]:
        return tuple(Placement(type_name, float(x), float(y)) for type_name, x, y in rows)

    def point(key: str) -> tuple[float, float]:
        x, y = raw[key]
        return float(x), float(y)

    return Scenario(
        name=name,
        episode_limit=raw["episode_limit"],
        is_free=_parse_terrain(terrains[raw["terrain"]]),
        allies_have_shield=raw["ally_race"] == "protoss",
        enemies_have_shield=raw["enemy_race"] == "protoss",
        has_medivac_rules=raw["has_medivac_rules"],
        type_bits=raw["type_bits"],
        enemy_type_order=tuple(raw["enemy_type_order"]),
        ally_point=point("ally_point"),
        enemy_point=point("enemy_point"),
        enemy_attack_point=point("enemy_attack_point"),
        allies=placements(raw["allies"]),
        enemies=placements(raw["enemies"]),
        types=types,
    )


def _parse_terrain(rows: list[str]) -> NDArray[np.bool_]:
    """(32, 32) bool indexed [x, y] from 32 strings, northernmost row first, '.' free."""
    cells = np.array([[cell == "." for cell in row] for row in reversed(rows)])
    if cells.shape != (MAP_SIZE, MAP_SIZE):
        raise ValueError(f"terrains.json: expected {MAP_SIZE} rows of {MAP_SIZE} cells")
    return np.ascontiguousarray(cells.T)


@functools.cache
def _read(file: str) -> Any:
    """The parsed JSON file `data/<file>.json`."""
    text = resources.files(__package__).joinpath("data", f"{file}.json").read_text("utf-8")
    content = json.loads(text)
    if content["format"] != DATA_FORMAT:
        raise ValueError(f"{file}.json has format {content['format']}, expected {DATA_FORMAT}")
    return content
