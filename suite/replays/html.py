"""Shows a recording: one HTML file with its data and player inside, without network access."""

from __future__ import annotations

import base64
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suite.environments.skirmish import fields as f
from suite.environments.skirmish.rules import DEFAULT_RULES
from suite.environments.skirmish.tables import Tables, build_tables
from suite.replays.files import META_NAME, ReplayLabel, seal
from suite.replays.recording import Recording

TEMPLATES = Path(__file__).parent / "templates"

# Parts of a cell, of a point of health, … that are kept; all values then fit in 16 bits.
POSITION_SCALE, POINTS_SCALE = 128, 16
_COLUMNS = {
    "x": (f.X, POSITION_SCALE),
    "y": (f.Y, POSITION_SCALE),
    "health": (f.HEALTH, POINTS_SCALE),
    "shield": (f.SHIELD, POINTS_SCALE),
    "energy": (f.ENERGY, POINTS_SCALE),
    "cooldown": (f.COOLDOWN, POINTS_SCALE),
    "missile_x": (f.MISSILE_X, POSITION_SCALE),
    "missile_y": (f.MISSILE_Y, POSITION_SCALE),
}
# What the player knows of a unit type.
_CONSTANTS = {
    "radius": f.RADIUS,
    "health": f.HEALTH_MAX,
    "shield": f.SHIELD_MAX,
    "energy": f.ENERGY_MAX,
    "range": f.RANGE,
    "splash_radius": f.SPLASH_RADIUS,
    "splash_half_length": f.SPLASH_HALF_LENGTH,
    "layer": f.LAYER,
}
_WEAPONS = {f.MISSILE: "missile", f.BEAMS: "beams", f.BURST: "burst"}


def label(recording: Recording) -> ReplayLabel:
    """What the page says about itself."""
    return ReplayLabel(
        scenario=f"skirmish/{recording.scenario.name}",
        version=recording.version,
        policy=recording.policy.name,
        description=recording.policy.description,
        seed=recording.seed,
        outcome=recording.outcome,
        n_steps=len(recording.actions),
    )


def render(recording: Recording) -> str:
    """The page, sealed; the same recording gives the same text."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )

    def part(name: str) -> Markup:
        return Markup((TEMPLATES / name).read_text(encoding="utf-8"))

    document = replay_document(recording)
    page = environment.get_template("replay.html.j2").render(
        label=label(recording),
        meta_name=META_NAME,
        n_agents=len(recording.scenario.allies),
        n_enemies=len(recording.scenario.enemies),
        types=document["types"],
        document=document,
        part=part,
    )
    return seal(page + "\n")


def replay_document(recording: Recording) -> dict[str, Any]:
    """What the player reads, as plain containers.

    tracks: field -> {"scale", "data"}, see `pack`. shots: [loop, shooter, target] each, packed.
    terrain: a string per row of cells, northernmost first: `.` free, `#` blocked, `-` free only
    for units that walk over cliffs, where there are any. Ranges are edge to edge, 0 without weapon.
    """
    scenario = recording.scenario
    tables = build_tables(scenario, DEFAULT_RULES)
    names = [unit.type_name for unit in (*scenario.allies, *scenario.enemies)]
    letters = _type_letters(names)
    units = recording.units.copy()
    is_alive = units[:, :, f.HEALTH] > 0
    units[is_alive, f.HEALTH] = np.maximum(units[is_alive, f.HEALTH], 1 / POINTS_SCALE)
    loops, shooters = np.nonzero(recording.shots >= 0)
    shots = np.stack([loops, shooters, recording.shots[loops, shooters]], axis=1)
    return {
        "outcome": recording.outcome,
        "n_agents": len(scenario.allies),
        "n_steps": len(recording.actions),
        "loops_per_step": f.LOOPS_PER_STEP,
        "ranges": {"sight": f.SIGHT_RANGE, "shoot": f.SHOOT_RANGE},
        "terrain": _draw_terrain(tables),
        "types": [
            {"name": name, "letter": letter, **_constants(tables.stats[names.index(name)])}
            for name, letter in letters.items()
        ],
        "units": [list(letters).index(name) for name in recording.unit_types],
        "tracks": {
            name: {"scale": scale, "data": pack(units[:, :, column], scale)}
            for name, (column, scale) in _COLUMNS.items()
        },
        "shots": pack(shots, 1),
        "actions": pack(recording.actions, 1),
        "rewards": [round(float(reward), 4) for reward in recording.rewards],
    }


def pack(values: NDArray[Any], scale: int) -> str:
    """Numbers (rows, columns) in text: what the player's `unpack` reads.

    Column by column, the differences of subsequent rows of `values * scale`, rounded, as
    little-endian 16 bit integers; deflated (zlib), base64.
    """
    rounded = np.rint(values * scale).astype("<i2")
    differences = np.diff(rounded, axis=0, prepend=np.zeros_like(rounded[:1]))
    return base64.b64encode(zlib.compress(differences.T.tobytes(), 9)).decode()


def _type_letters(names: list[str]) -> dict[str, str]:
    """A letter for every unit type: the first of its name that no more frequent type has."""
    letters: dict[str, str] = {}
    for name, _ in Counter(names).most_common():
        letters[name] = next(x for x in name.upper() if x not in letters.values())
    return letters


def _constants(stats: NDArray[np.float64]) -> dict[str, Any]:
    return {
        **{name: float(stats[column]) for name, column in _CONSTANTS.items()},
        "weapon": _WEAPONS.get(int(stats[f.WEAPON]), ""),
        "is_healer": bool(stats[f.IS_HEALER]),
    }


def _draw_terrain(tables: Tables) -> list[str]:
    has_climbers = (tables.stats[:, f.LAYER] == f.CLIFF).any()
    ground, cliff = tables.is_free
    symbols = np.where(ground, ".", np.where(cliff & has_climbers, "-", "#"))
    return ["".join(row) for row in symbols.T[::-1]]
