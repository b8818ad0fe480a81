"""TorchRL's PettingZoo wrapper over ours: its own check, and the batched environment below."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from suite.environments import make, skirmish_v4
from suite.environments.skirmish.fields import HEALTH

pytest.importorskip("torchrl", reason="TorchRL is not installed")

import torch
from torchrl.envs.libs.pettingzoo import PettingZooWrapper
from torchrl.envs.utils import MarlGroupMapType, check_env_specs

pytestmark = pytest.mark.filterwarnings("ignore")  # TorchRL's, of versions

ONE_GROUP = MarlGroupMapType.ALL_IN_ONE_GROUP


def wrapped(map_name: str, **options: Any) -> Any:
    return PettingZooWrapper(skirmish_v4.parallel_env(map_name), return_state=True, **options)


@pytest.mark.parametrize("map_name", ["3m", "2s3z", "MMM", "bane_vs_bane"])
@pytest.mark.parametrize("categorical_actions", [True, False])
def test_torchrl_s_own_check(map_name: str, categorical_actions: bool) -> None:
    check_env_specs(wrapped(map_name, categorical_actions=categorical_actions), seed=0)


def test_groups_are_unit_types_or_one() -> None:
    groups = wrapped("MMM").group_map
    assert {name: len(agents) for name, agents in groups.items()} == {
        "marauder": 2, "marine": 7, "medivac": 1,
    }  # fmt: skip
    together = wrapped("MMM", group_map=ONE_GROUP)
    assert together.group_map == {"agents": [agent for group in groups.values() for agent in group]}


@pytest.mark.parametrize("map_name", ["3m", "MMM"])
def test_equals_the_batched_environment(map_name: str) -> None:
    torch.manual_seed(0)
    environment = wrapped(map_name, group_map=ONE_GROUP)
    batch = make(f"skirmish/{map_name}", 1, 0)
    for seed in (5, 6):
        start = environment.reset(seed=seed)
        rollout = environment.rollout(1000, auto_reset=False, tensordict=start)
        batch.reset(episode_seeds=np.array([seed]))
        for frame in rollout:
            assert np.array_equal(frame["agents", "action_mask"], batch.available_actions[0])
            assert shows(frame, batch)
            step = batch.step(frame["agents", "action"].numpy()[None])
            after = frame["next"]
            assert shows(after, batch)
            assert (after["agents", "reward"].numpy() == np.float32(step.reward[0])).all()
            for key, value in (("terminated", step.terminated), ("truncated", step.truncated)):
                assert bool(after[key]) == value[0]
                assert (after["agents", key] == bool(value[0])).all()
            assert (after["agents", "info", "battle_won"] == bool(step.won[0])).all()
        assert bool(after["done"])


def shows(frame: Any, batch: Any) -> bool:
    """Whether a frame has the batch's observations and state, to the last bit."""
    observations = frame["agents", "observation", "observation"]
    return np.array_equal(observations, batch.observations[0]) and np.array_equal(
        frame["state"], batch.state[0]
    )


def test_the_time_limit_truncates() -> None:
    raw: Any = skirmish_v4.parallel_env("3m")
    environment = PettingZooWrapper(raw)

    def stop(frame: Any) -> Any:
        raw._batch.units[0, :3, HEALTH] = 1e6  # nobody dies
        return frame.set(("marine", "action"), torch.ones(3, dtype=torch.int64))

    after = environment.rollout(1000, stop)["next"]
    assert after["truncated"][:, 0].tolist() == [False] * 59 + [True]
    assert not after["terminated"].any()
