"""Encode a whole episode of given unit tables, to compare with what SMAC itself computed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from suite.environments.skirmish import fields as f
from suite.environments.skirmish.backend import skirmish_scenario
from suite.environments.skirmish.compilation import compiled
from suite.environments.skirmish.encoding import (
    battle_outcome,
    battle_reward,
    encode_available_actions,
    encode_observations,
    encode_state,
    remember_enemies,
)
from suite.environments.skirmish.fields import SIGHT_RANGE, UNDECIDED, WON
from suite.environments.skirmish.rules import DEFAULT_RULES
from suite.environments.skirmish.scenario import Scenario
from suite.environments.skirmish.tables import Tables, build_stats, build_tables
from suite.errors import InputError

N_COLUMNS = 11
TAG, TYPE, OWNER = 0, 1, 2
ALLY, ENEMY = 1, 2
_COLUMN_OF_FIELD = {f.X: 3, f.Y: 4, f.HEALTH: 5, f.SHIELD: 7, f.ENERGY: 9, f.COOLDOWN: 10}
_WHERE = "encode_episode"


class EncodedEpisode(NamedTuple):
    """What SMAC returns over one episode; first axis rows, row 0 the reset.

    obs: (rows, agents, observation_size) float32. state: (rows, state_size) float32.
    available_actions: (rows, agents, actions) bool. reward: (rows,) float64, 0 at the reset.
    terminated: (rows,) bool, as SMAC's `step` reports it: decided, or the step limit reached.
    battle_won: (rows,) bool.
    """

    obs: NDArray[np.float32]
    state: NDArray[np.float32]
    available_actions: NDArray[np.bool_]
    reward: NDArray[np.float64]
    terminated: NDArray[np.bool_]
    battle_won: NDArray[np.bool_]


def encode_episode(
    scenario: str, units: NDArray[np.floating], actions: NDArray[np.integer]
) -> EncodedEpisode:
    """Encode one episode through the kernels the simulator uses.

    Parameters
    ----------
    scenario: map name, `5m_vs_6m` or `skirmish/5m_vs_6m`.
    units: (rows, units, 11) float64: tag, type, owner (1 ally, 2 enemy), x, y, health, health_max,
        shield, shield_max, energy, cooldown in loops; health 0 = dead; row 0 is the reset. Ally
        types are any consecutive numbers in the alphabetical order of the map's ally types.
    actions: (rows, agents) integers, the actions that led to the row; row 0 is ignored.

    Agents are ordered by (type, x, y) of row 0, enemies as they stand in the table.
    Raises InputError for an unknown scenario or tables that do not fit it.
    """
    return encode_scenario_episode(skirmish_scenario(scenario, where=_WHERE), units, actions)


def encode_scenario_episode(
    scenario: Scenario, units: NDArray[np.floating], actions: NDArray[np.integer]
) -> EncodedEpisode:
    """`encode_episode` for a scenario at hand."""
    given: NDArray[np.float64] = np.asarray(units, np.float64)
    actions = np.asarray(actions)
    _check_shapes(scenario, given, actions)
    columns = _unit_order(given[0])
    table = np.zeros((len(given), len(columns), f.N_UNIT_FIELDS))
    for field, column in _COLUMN_OF_FIELD.items():
        table[:, :, field] = given[:, columns, column]
    n_allies = len(scenario.allies)
    ally_types, enemy_types = _type_names(scenario, given[0, columns, TYPE], n_allies)
    n_rows = len(given)
    info = scenario.info()
    result = EncodedEpisode(
        obs=np.zeros((n_rows, n_allies, info.observation_size), np.float32),
        state=np.zeros((n_rows, info.state_size), np.float32),
        available_actions=np.zeros((n_rows, n_allies, info.n_actions), np.bool_),
        reward=np.zeros(n_rows),
        terminated=np.zeros(n_rows, np.bool_),
        battle_won=np.zeros(n_rows, np.bool_),
    )
    tables = build_tables(scenario, DEFAULT_RULES)
    stats = build_stats(scenario, ally_types, enemy_types, DEFAULT_RULES)
    last_actions = np.ascontiguousarray(actions, np.int64).copy()
    last_actions[0] = -1
    previous = np.zeros(len(scenario.enemies))
    enemies = np.arange(n_allies, len(columns))
    _encode_rows(table, enemies, tables._replace(stats=stats), last_actions, previous, result)
    result.terminated[scenario.episode_limit :] = True
    return result


@compiled
def _encode_rows(
    table: Any,
    enemies: Any,
    tables: Tables,
    last_actions: Any,
    previous: Any,
    result: EncodedEpisode,
) -> None:
    """All rows of `encode_episode` in turn; previous: (enemies,) float64 scratch."""
    for row in range(table.shape[0]):
        units, available, state = table[row], result.available_actions[row], result.state[row]
        encode_available_actions(units, enemies, tables, available)
        encode_state(units, enemies, tables, last_actions[row], state)
        observations = result.obs[row]
        encode_observations(units, enemies, tables, available, state, SIGHT_RANGE, observations)
        if row == 0:
            remember_enemies(units, enemies, previous)
            continue
        outcome = battle_outcome(units, tables)
        result.reward[row] = battle_reward(units, enemies, tables, previous, outcome)
        result.terminated[row] = outcome != UNDECIDED
        result.battle_won[row] = outcome == WON


def _check_shapes(
    scenario: Scenario, units: NDArray[np.float64], actions: NDArray[np.integer]
) -> None:
    """Raise InputError unless the arrays have the scenario's sizes and an unchanging unit order."""
    n_allies, n_enemies = len(scenario.allies), len(scenario.enemies)
    shape = (max(len(units), 1) if units.ndim else 1, n_allies + n_enemies, N_COLUMNS)
    if units.shape != shape:
        raise InputError(
            "units have the wrong shape",
            where=f"{_WHERE}: {scenario.name}",
            value=units.shape,
            cure=f"pass (rows >= 1, {shape[1]} units, {N_COLUMNS} columns)",
        )
    if actions.shape != (len(units), n_allies) or actions.dtype.kind not in "iu":
        raise InputError(
            "actions have the wrong shape or dtype",
            where=f"{_WHERE}: {scenario.name}",
            value=(actions.shape, str(actions.dtype)),
            cure=f"pass integers of shape {(len(units), n_allies)}",
        )
    if ((actions[1:] < 0) | (actions[1:] >= scenario.n_actions)).any():
        raise InputError(
            "an action is out of range",
            where=f"{_WHERE}: {scenario.name}",
            cure=f"pass actions from 0 to {scenario.n_actions - 1}",
        )
    owners = units[0, :, OWNER]
    if (owners == ALLY).sum() != n_allies or (owners == ENEMY).sum() != n_enemies:
        raise InputError(
            "units of row 0 do not have the scenario's sides",
            where=f"{_WHERE}: {scenario.name}",
            cure=f"pass {n_allies} units of owner {ALLY} and {n_enemies} of owner {ENEMY}",
        )
    if (units[:, :, TAG] != units[0, :, TAG]).any():
        raise InputError(
            "the order of the units changes between rows",
            where=f"{_WHERE}: {scenario.name}",
            cure="keep every tag in its column; the dead stay with health 0",
        )


def _unit_order(reset: NDArray[np.float64]) -> NDArray[np.intp]:
    """Table columns in our order: allies by (type, x, y) of the reset row, then enemies."""
    allies = np.flatnonzero(reset[:, OWNER] == ALLY)
    keys = reset[allies]
    ranked = allies[np.lexsort((keys[:, 4], keys[:, 3], keys[:, TYPE]))]
    return np.concatenate([ranked, np.flatnonzero(reset[:, OWNER] == ENEMY)])


def _type_names(
    scenario: Scenario, codes: NDArray[np.float64], n_allies: int
) -> tuple[Sequence[str], Sequence[str]]:
    """Type names of allies (from consecutive codes) and enemies (from the game's type ids)."""
    offsets = (codes[:n_allies] - codes[:n_allies].min()).astype(int)
    order = scenario.ally_type_order
    names = {unit.type_id: unit.name for unit in scenario.types.values()}
    enemies = [names.get(int(code), "") for code in codes[n_allies:]]
    expected = sorted(unit.type_name for unit in scenario.enemies)
    if offsets.max() >= len(order) or sorted(enemies) != expected:
        raise InputError(
            "unit types of row 0 do not fit the scenario",
            where=f"{_WHERE}: {scenario.name}",
            cure=f"enemies of this map: {', '.join(expected)}",
        )
    return [order[k] for k in offsets], enemies
