"""What methods declare of an update's work, against the products that torch carries out in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from episodes import SMALL, random_batch
from torch.utils.flop_counter import FlopCounterMode

from suite.algorithms.cadp.method import PRUNING_START
from suite.algorithms.declaration import Members, Method
from suite.algorithms.inputs import living_agents
from suite.algorithms.mappo.update import MappoLearner
from suite.algorithms.registry import arm_settings, methods
from suite.algorithms.rows import pack
from suite.runs.protocol import TrainingProtocol

N_STEPS, N_EPISODES = 40, 8
SIZES = replace(SMALL, state_size=80, extra_observations={"unlimited_sight": 6})
PROTOCOL = TrainingProtocol(batch_size_episodes=N_EPISODES, episodes_per_collection=N_EPISODES)


def products_in_place(_out: Any, left: Sequence[int], right: Sequence[int], **_: Any) -> int:
    """Of `addmm_` and `baddbmm_`, which torch's own counter does not know."""
    return int(2 * np.prod(left) * right[-1])


IN_PLACE = {
    torch.ops.aten.addmm_: products_in_place,
    torch.ops.aten.baddbmm_: products_in_place,
}


def carried_out(method: Method, settings: Any) -> int:
    """Floating-point operations of matrix products in one update."""
    names = {one.name for one in method.hyperparameters(settings)}
    given = {PRUNING_START: [0]} if PRUNING_START in names else {}
    built: Any = method.build(settings, SIZES, PROTOCOL, Members([0], hyperparameters=given))
    batch = random_batch(SIZES, [[N_STEPS] * N_EPISODES], N_STEPS)
    rows, counter = pack(batch), FlopCounterMode(display=False, custom_mapping=IN_PLACE)
    with counter:
        if isinstance(built.learner, MappoLearner):
            living = living_agents(rows.of_observations(batch.available_actions))
            built.learner.update(rows, batch, living, np.array([1]))
        else:
            built.learner.update(batch, np.array([1]))
    return int(counter.get_total_flops())


@pytest.mark.parametrize(("framework", "backbone"), methods())
def test_an_update_multiplies_what_its_method_declares(framework: str, backbone: str) -> None:
    """All layers are declared to see N_STEPS + 1 steps. Mixers and epochs see one less, and before
    a recurrence's first step there is nothing to differentiate."""
    method: Any = methods()[framework, backbone]
    whole = {"chunk_length": N_STEPS} if backbone == "mappo" else {}
    settings = arm_settings(framework, backbone, **whole)
    of_attention = sum(  # compiled loops, not products of torch's
        one.n_rows * one.products * (one.n_forward + 2 * one.n_backward)
        for one in method.networks(settings, SIZES)
    )
    found = carried_out(method, settings) + 2 * N_EPISODES * (N_STEPS + 1) * of_attention
    declared = method.work(settings, PROTOCOL, SIZES, N_STEPS).update_flops
    assert (N_STEPS - 1) / (N_STEPS + 1) <= found / declared <= 1
