"""Who plays: legal everywhere, and doing what they say."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from suite.environments.skirmish import fields as f
from suite.environments.skirmish.scenario import load_scenario
from suite.policies.chance import RandomActions
from suite.policies.heuristic import Heuristic
from suite.replays.recording import record

SLOTS = np.zeros(1, np.int64)
MARAUDER, MARINE, MEDIVAC = 0, 2, 9  # agents of MMM
# Enemies of MMM by type: the order of its data.
ENEMIES = [unit.type_name for unit in load_scenario("MMM").enemies]


@pytest.mark.parametrize("policy", ["random", "heuristic", "nearest"])
@pytest.mark.parametrize("scenario", ["5m_vs_6m", "MMM", "2s3z", "corridor", "bane_vs_bane"])
def test_policies_play_whole_episodes(scenario: str, policy: str) -> None:
    """The environment refuses illegal actions, so a recording is a proof."""
    recording = record(load_scenario(scenario), policy, 2, Path("no-runs"))
    assert len(np.unique(recording.actions)) > 4
    is_dead = recording.units[: -1 : f.LOOPS_PER_STEP, : recording.actions.shape[1], f.HEALTH] <= 0
    np.testing.assert_array_equal(recording.actions == f.NO_OP, is_dead)


def test_random_actions_are_the_available_ones_equally_often() -> None:
    available = np.array([[[True, False, True, True, False]]])
    environment = SimpleNamespace(available_actions=available)
    choose = RandomActions(environment, np.random.default_rng(3))
    drawn = np.concatenate([choose(0, SLOTS)[0] for _ in range(3000)])
    counts = np.bincount(drawn, minlength=5)
    assert (counts[[1, 4]] == 0).all()
    assert (abs(counts[[0, 2, 3]] - 1000) < 120).all()  # more than four standard deviations


class Field:
    """MMM with all units where a test puts them; all far away, all actions available at first."""

    def __init__(self) -> None:
        scenario = load_scenario("MMM")
        n_agents, n_units = len(scenario.allies), len(scenario.allies) + len(scenario.enemies)
        self.n_agents = n_agents
        self.ids = np.random.default_rng(0).permutation(n_units - n_agents)  # of the enemies
        self.enemies = n_agents + np.argsort(self.ids)[None]
        self.units = np.zeros((1, n_units, f.N_UNIT_FIELDS))
        names = [unit.type_name for unit in (*scenario.allies, *scenario.enemies)]
        self.units[0, :, f.HEALTH] = [scenario.types[name].health for name in names]
        self.units[0, n_agents:, f.X] = 100.0
        self.available_actions = np.ones((1, n_agents, scenario.n_actions), np.bool_)
        self.available_actions[:, :, f.NO_OP] = False
        self._choose = Heuristic(self, scenario)
        self._choose_at_any_distance = Heuristic(self, scenario, at_any_distance=True)

    def put(self, unit: int, x: float, y: float) -> None:
        self.units[0, unit, [f.X, f.Y]] = x, y

    def enemy(self, type_name: str, index: int = 0) -> int:
        """Number of the index-th enemy of a type, as the scenario lists them."""
        return [j for j, name in enumerate(ENEMIES) if name == type_name][index]

    def attack(self, enemy: int) -> int:
        """The action at an enemy."""
        return f.FIRST_TARGET + int(self.ids[enemy])

    def action(self, agent: int, t: int = 1) -> int:
        return int(self._choose(t, SLOTS)[0, agent])

    def action_at_any_distance(self, agent: int) -> int:
        return int(self._choose_at_any_distance(0, SLOTS)[0, agent])


@pytest.fixture
def field() -> Field:
    return Field()


def test_a_marauder_passes_over_medivacs_and_a_marine_does_not(field: Field) -> None:
    medivac, marine = field.enemy("Medivac"), field.enemy("Marine")
    field.put(field.n_agents + medivac, 2, 0)
    field.put(field.n_agents + marine, 4, 0)
    assert field.action(MARAUDER) == field.attack(marine)
    assert field.action(MARINE) == field.attack(medivac)


def test_a_target_is_kept_until_it_is_dead(field: Field) -> None:
    first, second = field.enemy("Marine", 0), field.enemy("Marine", 1)
    field.put(field.n_agents + first, 3, 0)
    assert field.action(MARINE) == field.attack(first)
    field.put(field.n_agents + second, 1, 0)
    assert field.action(MARINE) == field.attack(first)
    field.units[0, field.n_agents + first, f.HEALTH] = 0
    assert field.action(MARINE) == field.attack(second)
    field.units[0, field.n_agents + first, f.HEALTH] = 45
    field.put(field.n_agents + first, 0.5, 0)
    assert field.action(MARINE, t=0) == field.attack(first)  # a new episode


def test_a_medivac_heals_the_nearest_damaged_agent_until_it_is_well(field: Field) -> None:
    assert field.action(MEDIVAC) == f.STOP
    field.units[0, [3, 4, MEDIVAC], f.HEALTH] -= 5
    field.put(3, 3, 0)
    field.put(4, 2, 0)
    assert field.action(MEDIVAC) == f.FIRST_TARGET + 4
    field.put(4, 5, 0)
    assert field.action(MEDIVAC) == f.FIRST_TARGET + 4
    field.units[0, 4, f.HEALTH] += 5
    assert field.action(MEDIVAC) == f.FIRST_TARGET + 3


@pytest.mark.parametrize(
    ("gap", "walk"),
    [((8, 3), f.EAST), ((-8, 3), f.WEST), ((3, 8), f.NORTH), ((-3, -8), f.SOUTH)],
)
def test_who_cannot_aim_walks_along_the_longer_axis(
    field: Field, gap: tuple[float, float], walk: int
) -> None:
    field.put(field.n_agents, *gap)
    field.available_actions[0, MARINE, f.FIRST_TARGET :] = False
    assert field.action(MARINE) == walk
    field.available_actions[0, MARINE, walk] = False
    assert field.action(MARINE) == f.STOP
    field.available_actions[0, MARINE] = False
    field.available_actions[0, MARINE, f.NO_OP] = True
    assert field.action(MARINE) == f.NO_OP


def test_the_default_form_gives_its_orders_at_any_distance(field: Field) -> None:
    field.put(field.n_agents, 8, 3)
    field.available_actions[0, :, f.FIRST_TARGET :] = False
    assert field.action_at_any_distance(MARINE) == field.attack(0)
    field.units[0, 3, f.HEALTH] -= 5
    assert field.action_at_any_distance(MEDIVAC) == f.FIRST_TARGET + 3
    field.available_actions[0, MARINE] = False
    field.available_actions[0, MARINE, f.NO_OP] = True
    assert field.action_at_any_distance(MARINE) == f.NO_OP
    assert not field.available_actions[0, MARINE, f.FIRST_TARGET :].any()
