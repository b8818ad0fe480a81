"""Scenarios, unit types and terrains, read from the JSON files in `data/` (see its README)."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from suite.environments.interface import EnvironmentInfo
from suite.environments.skirmish import SKIRMISH_VERSION
from suite.environments.skirmish.extras import EXTRA_OBSERVATIONS
from suite.environments.skirmish.fields import PLAYABLE_HIGH, PLAYABLE_LOW, SIGHT_RANGE
from suite.environments.skirmish.rules import Rules
from suite.errors import InputError

DATA_FORMAT = 2
LOOPS_PER_SECOND = 16.0  # game seconds at "Normal" speed, the unit of the game's own data
MAP_SIZE = 32  # cells per side, all SMAC maps
REWARD_WIN = 200.0
REWARD_DEATH = 10.0
REWARD_SCALE_RATE = 20.0


@dataclass(frozen=True)
class Splash:
    """Area of a weapon: a circle of `radius` round the unit (a baneling's burst), or a line across
    the shot, `half_length` to each side of the target (a colossus' beams), probed by circles of
    `probe_radius`: one every `probe_period_loops`, whose hits come `delay_loops` later."""

    shape: Literal["circle", "line"]
    radius: float
    half_length: float
    probe_period_loops: float
    delay_loops: float


@dataclass(frozen=True)
class CloseCombat:
    """How a ranged unit fights what is within `range`: at once, in its own period."""

    range: float
    period_loops: float
    damage_point_loops: float


@dataclass(frozen=True)
class Weapon:
    """One weapon of the data; times in game loops, distances in cells.

    bonus: extra damage per hit by attribute of the target. second_hit_delay_loops: a blow is two
    hits, the second this much later; None for hits at once. missile_speed_per_loop: cells per
    loop, None for shots that arrive at once. fires_freely: it also fires without an order, whenever
    the unit stands.
    """

    damage: float
    bonus: Mapping[str, float]
    n_hits: int
    second_hit_delay_loops: float | None
    period_loops: float
    damage_point_loops: float
    backswing_loops: float
    range: float
    range_slop: float
    scan_range: float
    targets_air: bool
    missile_speed_per_loop: float | None
    splash: Splash | None
    is_suicide: bool
    fires_freely: bool
    close: CloseCombat | None


@dataclass(frozen=True)
class Heal:
    """A healer's ability: points per loop, energy per point, edge to edge ranges in cells."""

    health_per_loop: float
    energy_per_health: float
    range: float
    scan_range: float
    energy_to_scan: float
    energy_start: float
    energy_max: float
    energy_regeneration_per_loop: float


@dataclass(frozen=True)
class UnitType:
    """One unit type; `weapons` by profile, distances in cells, speeds in cells per loop.

    acceleration_per_loop: cells per loop gained in each loop; None for units at full speed at once.
    layer: units of different layers do not touch; "cliff" units walk over cliffs.
    always_threatens: to whoever could shoot at it, it counts as one that attacks it.
    """

    name: str
    type_id: int
    race: str
    health: float
    shield: float
    armor: float
    attributes: frozenset[str]
    layer: Literal["ground", "cliff", "air"]
    speed_per_loop: float
    acceleration_per_loop: float | None
    always_threatens: bool
    radius: float
    separation_radius: float
    inner_radius: float
    health_regeneration_per_loop: float
    heal: Heal | None
    smac_cooldown_scale: float
    smac_shield_scale: float
    weapons: Mapping[str, Weapon]
    overrides: Mapping[str, Mapping[str, Any]]

    def variant(self, *keys: str) -> UnitType:
        """The type as `overrides` change it for these keys ("agents", a weapon profile)."""
        changes: dict[str, Any] = {}
        for key in keys:
            changes |= self.overrides.get(key, {})
        return replace(self, **changes) if changes else self


@dataclass(frozen=True)
class Terrain:
    """A map's ground: (32, 32) bool arrays indexed [x, y]; nothing is free off the playable area.

    rule, cell_flags: free cells by the two derivations. open_wall: cells of the wall that SMAClite
    puts on the open map. cliff: cells that units of the cliff layer may stand on.
    """

    rule: NDArray[np.bool_]
    cell_flags: NDArray[np.bool_]
    open_wall: NDArray[np.bool_]
    cliff: NDArray[np.bool_]

    def ground(self, rules: Rules) -> NDArray[np.bool_]:
        """Cells a ground unit may stand on, and SMAC's pathing grid, under `rules`."""
        grid = self.rule if rules.terrain_grid == "rule" else self.cell_flags
        return grid & ~self.open_wall if rules.open_map_wall else grid


@dataclass(frozen=True)
class EnemyOrder:
    """What the enemies are told at the start.

    kind: "attack_move" to a point drawn between two (which may be one), "attack_group" (the
    agents, as a group of targets) or "none".
    """

    kind: Literal["attack_move", "attack_group", "none"]
    between: tuple[tuple[float, float], tuple[float, float]]


@dataclass(frozen=True)
class Placement:
    """A unit of the start layout: type name and centre position in cells."""

    type_name: str
    x: float
    y: float


@dataclass(frozen=True)
class Scenario:
    """One map: who fights whom, from where, on which ground, for how long.

    allies, enemies: in id order. ally_point, enemy_point: where the sides are created.
    enemy_type_order: SMAC's one-hot order of enemy types (the allies' is alphabetical).
    lattice: (units, 2) another layout, x and y of allies and enemies, for `Rules.mixed_layouts`.
    """

    name: str
    episode_limit: int
    terrain: Terrain
    allies_have_shield: bool
    enemies_have_shield: bool
    has_medivac_rules: bool
    type_bits: int
    enemy_type_order: tuple[str, ...]
    ally_point: tuple[float, float]
    enemy_point: tuple[float, float]
    enemy_order: EnemyOrder
    allies: tuple[Placement, ...]
    enemies: tuple[Placement, ...]
    lattice: NDArray[np.float64] | None
    types: Mapping[str, UnitType]

    def __post_init__(self) -> None:
        """InputError if a side has no units, or one stands outside the map."""
        for side, units in (("allies", self.allies), ("enemies", self.enemies)):
            where = f"scenario {self.name}, {side}"
            if not units:
                raise InputError("nobody is there", where=where, cure="place a unit")
            for unit in units:
                if not (0.0 <= unit.x < MAP_SIZE and 0.0 <= unit.y < MAP_SIZE):
                    value, cure = (unit.x, unit.y), f"choose x and y from 0 up to {MAP_SIZE}"
                    what = f"a {unit.type_name} outside the map"
                    raise InputError(what, where=where, value=value, cure=cure)

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
            extra_observations={name: width(self) for name, width in EXTRA_OBSERVATIONS.items()},
            observation_names=(f"sight_{SIGHT_RANGE:g}",),
        )


def scenario_names() -> list[str]:
    """All 23 maps of SMAC, by the names SMAC registers them under."""
    return list(_read("scenarios")["scenarios"])


@functools.cache
def load_scenario(name: str) -> Scenario:
    """Read one of `scenario_names()`; KeyError for any other."""
    return parse_scenario(
        name,
        _read("scenarios")["scenarios"][name],
        load_unit_types(),
        load_terrains(),
    )


@functools.cache
def load_unit_types() -> Mapping[str, UnitType]:
    """All unit types of `data/units.json`."""
    return {name: parse_unit_type(name, raw) for name, raw in _read("units")["units"].items()}


@functools.cache
def load_terrains() -> Mapping[str, Terrain]:
    """All terrains of `data/terrains.json`."""
    return {name: parse_terrain(raw) for name, raw in _read("terrains")["terrains"].items()}


def parse_unit_type(name: str, raw: Mapping[str, Any]) -> UnitType:
    """Build a unit type from its entry in `units.json`."""
    return UnitType(
        name=name,
        type_id=raw["type_id"],
        race=raw["race"],
        health=raw["health"],
        shield=raw["shield"],
        armor=raw["armor"],
        attributes=frozenset(raw["attributes"]),
        layer=raw["layer"],
        **_variable(raw),
        radius=raw["radius"],
        separation_radius=raw["separation_radius"],
        inner_radius=raw["inner_radius"],
        health_regeneration_per_loop=raw.get("health_regeneration_per_second", 0)
        / LOOPS_PER_SECOND,
        heal=_parse_heal(raw) if "heal" in raw else None,
        smac_cooldown_scale=raw["smac_cooldown_scale_loops"],
        smac_shield_scale=raw["smac_shield_scale"],
        weapons={profile: _parse_weapon(weapon) for profile, weapon in raw["weapons"].items()},
        overrides={key: _variable(changes) for key, changes in raw.get("overrides", {}).items()},
    )


def _variable(raw: Mapping[str, Any]) -> dict[str, Any]:
    acceleration = raw.get("acceleration_per_second")
    return {
        "speed_per_loop": raw["speed_per_second"] / LOOPS_PER_SECOND,
        "acceleration_per_loop": acceleration / LOOPS_PER_SECOND**2 if acceleration else None,
        "always_threatens": raw.get("always_threatens", False),
    }


def _parse_weapon(raw: Mapping[str, Any]) -> Weapon:
    delay, missile = raw.get("second_hit_delay_seconds"), raw.get("missile_speed_per_second")
    splash, close = raw.get("splash"), raw.get("close")
    return Weapon(
        damage=raw["damage"],
        bonus=raw["bonus"],
        n_hits=raw["n_hits"],
        second_hit_delay_loops=delay * LOOPS_PER_SECOND if delay else None,
        period_loops=raw["period_seconds"] * LOOPS_PER_SECOND,
        damage_point_loops=raw["damage_point_seconds"] * LOOPS_PER_SECOND,
        backswing_loops=raw["backswing_seconds"] * LOOPS_PER_SECOND,
        range=raw["range"],
        range_slop=raw["range_slop"],
        scan_range=max(raw["range"], raw["scan_range"]),
        targets_air=raw["targets_air"],
        missile_speed_per_loop=missile / LOOPS_PER_SECOND if missile else None,
        splash=splash
        and Splash(
            shape=splash["shape"],
            radius=splash.get("radius", splash.get("probe_radius")),
            half_length=splash.get("half_length", 0.0),
            probe_period_loops=splash.get("probe_period_seconds", 0.0) * LOOPS_PER_SECOND,
            delay_loops=splash.get("delay_seconds", 0.0) * LOOPS_PER_SECOND,
        ),
        is_suicide=raw.get("is_suicide", False),
        fires_freely=raw.get("fires_freely", False),
        close=close
        and CloseCombat(
            range=close["range"],
            period_loops=close["period_seconds"] * LOOPS_PER_SECOND,
            damage_point_loops=close["damage_point_seconds"] * LOOPS_PER_SECOND,
        ),
    )


def _parse_heal(raw: Mapping[str, Any]) -> Heal:
    heal, energy = raw["heal"], raw["energy"]
    return Heal(
        health_per_loop=heal["health_per_second"] / LOOPS_PER_SECOND,
        energy_per_health=heal["energy_per_health"],
        range=heal["range"],
        scan_range=heal["scan_range"],
        energy_to_scan=heal["energy_to_scan"],
        energy_start=energy["start"],
        energy_max=energy["maximum"],
        energy_regeneration_per_loop=energy["regeneration_per_second"] / LOOPS_PER_SECOND,
    )


def parse_scenario(
    name: str,
    raw: Mapping[str, Any],
    types: Mapping[str, UnitType],
    terrains: Mapping[str, Terrain],
) -> Scenario:
    """Build a scenario from its entry, the unit types and the terrains."""

    def placements(rows: Sequence[Sequence[Any]]) -> tuple[Placement, ...]:
        return tuple(Placement(type_name, float(x), float(y)) for type_name, x, y in rows)

    def point(position: Sequence[float]) -> tuple[float, float]:
        x, y = position
        return float(x), float(y)

    order = raw["enemy_order"]
    first, last = order.get("between") or [order.get("to", raw["ally_point"])] * 2
    return Scenario(
        name=name,
        episode_limit=raw["episode_limit"],
        terrain=terrains[raw["terrain"]],
        allies_have_shield=raw["ally_race"] == "protoss",
        enemies_have_shield=raw["enemy_race"] == "protoss",
        has_medivac_rules=raw["has_medivac_rules"],
        type_bits=raw["type_bits"],
        enemy_type_order=tuple(raw["enemy_type_order"]),
        ally_point=point(raw["ally_point"]),
        enemy_point=point(raw["enemy_point"]),
        enemy_order=EnemyOrder(order["kind"], (point(first), point(last))),
        allies=placements(raw["allies"]),
        enemies=placements(raw["enemies"]),
        lattice=np.array(raw["lattice"]) if "lattice" in raw else None,
        types=types,
    )


def parse_terrain(raw: Mapping[str, list[str]]) -> Terrain:
    """Build a terrain from its two drawings; the symbols are in `data/README.md`."""
    ground, cliff = _cells(raw["ground"]), _cells(raw["cliff"])
    cells = np.arange(MAP_SIZE)
    is_inside = (cells >= PLAYABLE_LOW) & (cells < PLAYABLE_HIGH)
    playable = is_inside[:, None] & is_inside
    rule = np.isin(ground, (".", ":", "o")) & playable
    return Terrain(
        rule=rule,
        cell_flags=np.isin(ground, (".", "+", "o")) & playable,
        open_wall=ground == "o",
        cliff=rule | ((cliff == ".") & playable),
    )


def _cells(rows: list[str]) -> NDArray[np.str_]:
    """(32, 32) symbols indexed [x, y] from 32 strings, northernmost row first."""
    cells = np.array([list(row) for row in reversed(rows)])
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
