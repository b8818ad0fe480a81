"""Battles as PyMARL records episodes: an .npz file of arrays, and the units that states show."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from starcraft_data import read_file

from suite.environments.skirmish import encode_episode
from suite.environments.skirmish import fields as f
from suite.environments.skirmish.scenario import Scenario, load_scenario, scenario_names
from suite.errors import InputError

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]

ARRAYS = {
    "obs": "(battles, steps, agents, values)",
    "state": "(battles, steps, values)",
    "actions": "(battles, steps, agents)",
    "avail_actions": "(battles, steps, agents, actions)",
    "terminated": "(battles, steps)",
    "filled": "(battles, steps)",
}
N_SEEN = f.COOLDOWN + 1  # the first columns of `units` are what a state can show
DEAD = -1
SAME = 1e-5  # largest difference between observations that say the same
CHUNK = 1024  # rows at once


@dataclass(frozen=True)
class Recording:
    """Battles of one map, B of them in rows of T steps.

    observations, state, available: as recorded. actions (B, T, agents); filled (B, T): rows that
    hold something. unit_of_id (B, enemies): the scenario's unit that each enemy id stands for, as
    far as its type tells.
    """

    scenario: Scenario
    observations: NDArray[Any]
    state: NDArray[Any]
    actions: Integers
    available: Booleans
    filled: Booleans
    unit_of_id: Integers

    @property
    def n_agents(self) -> int:
        return len(self.scenario.allies)

    def units(self, battles: Integers, steps: Integers) -> Floats:
        """The units in some rows: (rows, units, N_SEEN), columns in `fields`, in the scenario's
        order. What a state does not show is 0, and so are the dead."""
        units = decode_units(self.scenario, self.state[battles, steps])[0]
        ids = np.argsort(self.unit_of_id[battles], axis=1) + self.n_agents
        units[:, self.n_agents :] = np.take_along_axis(units, ids[:, :, None], axis=1)
        return units


def read_recording(path: Path, name: str | None = None) -> Recording:
    """The battles of a file. name: of the map; None where the sizes tell. Raises InputError."""
    arrays = _read_arrays(path)
    scenario = _scenario_of(arrays, name, str(path))
    filled = arrays["filled"].astype(bool)
    return Recording(
        scenario=scenario,
        observations=arrays["obs"],
        state=arrays["state"],
        actions=arrays["actions"].astype(np.int64),
        available=arrays["avail_actions"].astype(bool),
        filled=filled,
        unit_of_id=_units_of_ids(scenario, arrays["state"][:, 0], filled[:, 0], str(path)),
    )


def _read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays by name, with the axes of ARRAYS."""
    where, cure = str(path), f"give arrays {', '.join(ARRAYS)}, as PyMARL records episodes"
    data = read_file(path, "an .npz file of recorded battles")
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            found = {key: file[key] for key in ARRAYS if key in file.files}
    except Exception as error:  # whatever numpy and zipfile make of foreign bytes
        what = f"not an .npz file of plain arrays ({type(error).__name__})"
        raise InputError(what, where=where, cure=cure) from None
    for key, axes in ARRAYS.items():
        if key not in found:
            raise InputError(f"has no array {key}", where=where, cure=cure)
        n_axes = axes.count(",") + 1
        if found[key].ndim == n_axes + 1 and found[key].shape[-1] == 1:
            found[key] = found[key][..., 0]
        shape = found[key].shape
        if len(shape) != n_axes or shape[:2] != found["obs"].shape[:2]:
            raise InputError(f"{key} is not {axes}", where=where, value=shape, cure=cure)
        if found[key].dtype.kind not in "biuf" or not np.isfinite(found[key]).all():
            raise InputError(f"{key} has values that are no numbers", where=where, cure=cure)
    return found


def _scenario_of(arrays: dict[str, NDArray[Any]], name: str | None, where: str) -> Scenario:
    """The map: the one named, or the only one of these sizes."""
    if name is not None and name not in scenario_names():
        cure = f"choose from {', '.join(scenario_names())}"
        raise InputError("no such map", where="--map", value=name, cure=cure)
    n_agents, observation_size = arrays["obs"].shape[2:]
    n_actions, state_size = arrays["avail_actions"].shape[3], arrays["state"].shape[2]
    sizes = (n_agents, n_actions, observation_size, state_size)
    fitting = []
    for each in scenario_names():
        info = load_scenario(each).info()
        if sizes == (info.n_agents, info.n_actions, info.observation_size, info.state_size):
            fitting.append(each)
    if name not in fitting and (name is not None or len(fitting) != 1):
        what = f"agents, actions, observations and states are not of the sizes of {name or 'a map'}"
        cure = f"name the map by --map; that fit: {', '.join(fitting) or 'none'}"
        raise InputError(what, where=where, value=sizes, cure=cure)
    if (
        arrays["actions"].shape[2] != n_agents
        or not np.isin(arrays["actions"], range(n_actions)).all()
    ):
        what, cure = "an action is out of range", f"{n_agents} agents choose from {n_actions}"
        raise InputError(what, where=where, cure=cure)
    return load_scenario(name or fitting[0])


def decode_units(scenario: Scenario, state: NDArray[Any]) -> tuple[Floats, Integers]:
    """Undo SMAC's encoding of the state, state (rows, state_size).

    Returns units (rows, units, N_SEEN) as `Recording.units` has them, but enemies by id, and types
    (rows, units): the place in the side's order of types, DEAD for the dead.
    """
    n_allies, n_enemies = len(scenario.allies), len(scenario.enemies)
    enemy_width = 3 + scenario.enemies_have_shield + scenario.type_bits
    split = n_allies * scenario.ally_state_size
    allies = state[:, :split].reshape(len(state), n_allies, -1)
    enemies = state[:, split : split + n_enemies * enemy_width]
    units, types = zip(
        _decode_side(scenario, allies, scenario.ally_type_order, True),
        _decode_side(
            scenario,
            enemies.reshape(-1, n_enemies, enemy_width),
            _enemy_type_order(scenario),
            False,
        ),
        strict=True,
    )
    return np.concatenate(units, axis=1), np.concatenate(types, axis=1)


def _decode_side(
    scenario: Scenario, rows: NDArray[Any], type_order: Sequence[str], is_ally: bool
) -> tuple[Floats, Integers]:
    """The units of one side, and their types; rows (rows, units, width)."""
    kinds = [scenario.types[name] for name in type_order]
    bits = rows[:, :, rows.shape[2] - scenario.type_bits :]
    types = bits.argmax(axis=2) if scenario.type_bits else np.zeros(rows.shape[:2], np.int64)
    place = 2 if is_ally else 1
    units = np.zeros((*rows.shape[:2], N_SEEN))
    units[:, :, f.HEALTH] = rows[:, :, 0] * np.array([kind.health for kind in kinds])[types]
    units[:, :, f.X] = f.MAP_CENTER + f.PLAYABLE_EXTENT * rows[:, :, place].astype(float)
    units[:, :, f.Y] = f.MAP_CENTER + f.PLAYABLE_EXTENT * rows[:, :, place + 1].astype(float)
    if scenario.allies_have_shield if is_ally else scenario.enemies_have_shield:
        scale = np.array([kind.smac_shield_scale for kind in kinds])[types]
        units[:, :, f.SHIELD] = rows[:, :, place + 2] * scale
    if is_ally:
        told = rows[:, :, 1] * np.array([kind.smac_cooldown_scale for kind in kinds])[types]
        is_healer = np.array([kind.heal is not None for kind in kinds])[types]
        is_energy = is_healer & scenario.has_medivac_rules
        units[:, :, f.ENERGY] = np.where(is_energy, told, 0.0)
        units[:, :, f.COOLDOWN] = np.where(is_energy, 0.0, told)
    is_dead = rows[:, :, 0] <= 0.0
    units[is_dead] = 0.0
    types[is_dead] = DEAD
    return units, types


def _enemy_type_order(scenario: Scenario) -> Sequence[str]:
    """Types as the state numbers them; a side of one type has no order."""
    return scenario.enemy_type_order or (scenario.enemies[0].type_name,)


def _units_of_ids(scenario: Scenario, state: NDArray[Any], begun: Booleans, where: str) -> Integers:
    """`Recording.unit_of_id` from the first rows, state (B, state_size), of the battles `begun`."""
    n_agents, n_enemies = len(scenario.allies), len(scenario.enemies)
    enemy_types = _enemy_type_order(scenario)
    allies = [scenario.ally_type_order.index(unit.type_name) for unit in scenario.allies]
    enemies = [enemy_types.index(unit.type_name) for unit in scenario.enemies]
    _, types = decode_units(scenario, state)
    found = types[:, n_agents:]
    fits = (types[:, :n_agents] == allies).all(axis=1)
    fits &= (np.sort(found, axis=1) == sorted(enemies)).all(axis=1)
    if not begun.any() or not fits[begun].all():
        what = f"its first states do not show all the units of {scenario.name}"
        cure = "record battles from their first step; name another map by --map"
        raise InputError(what, where=where, cure=cure)
    by_type = n_agents + np.argsort(enemies, kind="stable")
    unit_of_id = np.empty((len(state), n_enemies), np.int64)
    ids = np.argsort(found, axis=1, kind="stable")
    np.put_along_axis(unit_of_id, ids, np.broadcast_to(by_type, ids.shape), axis=1)
    return unit_of_id


def chunks(rows: Integers) -> Iterator[Integers]:
    return (rows[k : k + CHUNK] for k in range(0, len(rows), CHUNK))


def compare_encoding(recording: Recording) -> dict[str, float]:
    """Encode the units of every recorded row as SMAC would, and compare with what was recorded.

    Shares of agents whose available actions are the same, and whose observation is (SAME); the
    largest difference between observations.
    """
    scenario, n_agents = recording.scenario, recording.n_agents
    battles, steps = np.nonzero(recording.filled)
    names = [unit.type_name for unit in scenario.enemies]
    types = np.array([scenario.types[name].type_id for name in names])
    by_id = types[recording.unit_of_id - n_agents]
    # One call for all rows whose enemies have the same types; rows are encoded each for itself.
    kinds = np.unique(by_id[battles], axis=0, return_inverse=True)[1].ravel()
    n_same = n_allowed = 0
    largest = 0.0
    for kind in range(kinds.max() + 1):
        for rows in chunks(np.flatnonzero(kinds == kind)):
            b, t = battles[rows], steps[rows]
            table = _encoding_table(recording, b, t, by_id[b[0]])
            encoded = encode_episode(scenario.name, table, np.zeros((len(table), n_agents), int))
            allowed = encoded.available_actions[1:] == recording.available[b, t]
            n_allowed += allowed.all(axis=-1).sum()
            difference = np.abs(encoded.obs[1:] - recording.observations[b, t]).max(axis=-1)
            n_same += (difference <= SAME).sum()
            largest = max(largest, float(difference.max()))
    n = len(battles) * n_agents
    return {
        "observations": n,
        "same_available_actions": float(n_allowed / n),
        "same_observations": float(n_same / n),
        "largest_difference": largest,
    }


def _encoding_table(
    recording: Recording, battles: Integers, steps: Integers, enemy_types: Integers
) -> Floats:
    """What `encode_episode` reads: enemies by id; a first row that only orders the agents."""
    scenario, n_agents = recording.scenario, recording.n_agents
    units = recording.units(battles, steps)
    ids = recording.unit_of_id[battles][:, :, None]
    units[:, n_agents:] = np.take_along_axis(units, ids, axis=1)
    table = np.zeros((1 + len(units), units.shape[1], 11))
    numbers = np.arange(units.shape[1])
    table[:, :, 0] = numbers
    table[:, :n_agents, 1] = [scenario.ally_type_order.index(u.type_name) for u in scenario.allies]
    table[:, n_agents:, 1] = enemy_types
    table[:, :, 2] = np.where(numbers < n_agents, 1, 2)
    table[0, :, 3] = numbers
    shown = [f.X, f.Y, f.HEALTH, f.SHIELD, f.ENERGY, f.COOLDOWN]
    table[1:, :, [3, 4, 5, 7, 9, 10]] = units[:, :, shown]
    return table
