"""A recording is the episode: nothing added, nothing left out."""

from pathlib import Path

import numpy as np
import pytest

from suite.environments.skirmish import fields as f
from suite.environments.skirmish.environment import SkirmishEnvironment
from suite.environments.skirmish.scenario import load_scenario
from suite.replays.recording import record

NOWHERE = Path("no-runs")


@pytest.mark.parametrize(("scenario", "policy"), [("3m", "nearest"), ("MMM", "random")])
def test_the_same_seed_and_actions_lead_to_what_was_recorded(scenario: str, policy: str) -> None:
    recording = record(load_scenario(scenario), policy, 5, NOWHERE)
    environment = SkirmishEnvironment(load_scenario(scenario), 3, seed=0)
    environment.reset(np.array([1]), np.array([5]))
    active = np.array([False, True, False])
    by_id = np.concatenate([np.arange(environment.info.n_agents), environment.enemies[1]])
    np.testing.assert_array_equal(recording.units[0], environment.units[1, by_id])
    for t, actions in enumerate(recording.actions):
        step = environment.step(np.tile(actions, (3, 1)), active)
        assert step.reward[1] == recording.rewards[t]
        after = recording.units[(t + 1) * f.LOOPS_PER_STEP]
        np.testing.assert_array_equal(after, environment.units[1, by_id])
    assert step.terminated[1] or step.truncated[1]
    assert recording.outcome == ("won" if step.won[1] else "lost")
    assert len(recording.units) == len(recording.actions) * f.LOOPS_PER_STEP + 1
    assert len(recording.shots) == len(recording.units) - 1
    assert recording.version == environment.info.backend_version


def test_every_shot_of_a_marine_has_an_enemy_that_loses_health() -> None:
    recording = record(load_scenario("8m"), "nearest", 1, NOWHERE)
    health = recording.units[:, :, f.HEALTH]
    loops, shooters = np.nonzero(recording.shots >= 0)
    targets = recording.shots[loops, shooters]
    assert len(loops) > 50
    assert ((shooters < 8) != (targets < 8)).all()
    assert (health[loops, shooters] > 0).all()
    assert (health[loops + 1, targets] < health[loops, targets]).all()
    lost = (health[0] - health[-1]).sum()
    assert lost <= 6 * len(loops)  # 6 points a shot; the last one may find fewer


def test_who_does_nothing_runs_out_of_time(monkeypatch: pytest.MonkeyPatch) -> None:
    scenario = load_scenario("2s_vs_1sc")  # its enemy cannot walk

    def stop(self: object, t: int, slots: object) -> np.ndarray:
        return np.ones((1, 2), np.int64)

    monkeypatch.setattr("suite.policies.chance.RandomActions.__call__", stop)
    recording = record(scenario, "random", 0, NOWHERE)
    assert recording.outcome == "time limit"
    assert len(recording.actions) == scenario.episode_limit
