"""Fifty updates of a member of eight that differ in α, T, rate and seed, and of the same one alone.

Both compute the same sums in another order, so they differ by rounding, and training amplifies
rounding. Advantages are divided by their standard deviation, which goes to 0 as a policy becomes
certain: in the two-step game to 1e-5 within fifty updates, and values around 7 are rounded to 1e-7.
Weights then move apart until a unit whose input is near 0 is switched on in one of the two and off
in the other (ReLU). In float32 they can end 3e-3 apart, but so does a lone member whose first
weights are moved by their last digit. A real influence shows in two other ways: in float64 (the
torch operations) it is not as small as rounding, 4e-13 in the same game; in float32 (the compiled
loops) it is there after a single update from a common state.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from episodes import SMALL
from played import alone, played
from torch import Tensor

from suite.algorithms import EpisodeBatch
from suite.algorithms.inputs import living_agents
from suite.algorithms.mappo.settings import CadpMappoSettings, MappoSettings
from suite.algorithms.mappo.update import MappoLearner
from suite.algorithms.rows import pack

N_UPDATES, CHOSEN = 50, 5
OPTIONS = {
    "seeds": list(range(10, 18)),
    "alpha": [0.1 * (k + 1) for k in range(8)],
    "pruning_start_env_steps": [0, 50, 100, 150, 200, 250, 300, None],
    "learning_rate": [1e-4 * (k + 1) for k in range(8)],
}
# How far weights may be apart, and metrics in proportion. Weights of size 1 have last digits of
# 2e-16 and 1e-7; Adam's first step is as large as the learning rate however small the gradient.
FARTHEST = {torch.float64: (1e-13, 1e-9), torch.float32: (1e-6, 1e-4)}


@pytest.fixture(params=FARTHEST, ids=str)
def dtype(request: pytest.FixtureRequest) -> Iterator[torch.dtype]:
    """Of weights and data."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(request.param)
    yield request.param
    torch.set_default_dtype(before)


def update(learner: MappoLearner, batch: EpisodeBatch, env_steps: int) -> dict[str, Tensor]:
    rows = pack(batch)
    living = living_agents(rows.of_observations(batch.available_actions))
    return learner.update(rows, batch, living, np.full(learner.n_members, env_steps))


@pytest.mark.parametrize("model", [MappoSettings, CadpMappoSettings])
@pytest.mark.parametrize("is_recurrent", [True, False])
def test_member_of_eight_stays_with_member_alone(
    model: type[MappoSettings], is_recurrent: bool, dtype: torch.dtype
) -> None:
    settings = model(
        is_recurrent=is_recurrent, chunk_length=3, n_epochs=1, n_minibatches=2, gradient_clip=1.0
    )
    together = MappoLearner(settings, SMALL, **OPTIONS)
    own = slice(CHOSEN, CHOSEN + 1)
    single = MappoLearner(settings, SMALL, **{k: v[own] for k, v in OPTIONS.items()})
    lengths = np.random.default_rng(0).integers(1, 7, (8, 3)).tolist()
    batches = [played(lengths, seed=seed)[1] for seed in range(5)]
    distance, proportion = FARTHEST[dtype]
    norms = []
    for k in range(N_UPDATES):
        batch = batches[k % len(batches)]
        found = update(together, batch, 10 * k)
        expected = update(single, alone(batch, CHOSEN), 10 * k)
        for name, value in expected.items():
            torch.testing.assert_close(
                found[name][own], value, rtol=proportion, atol=distance, msg=name
            )
        state = {name: tensor[own] for name, tensor in together.state_dict().items()}
        for name, tensor in single.state_dict().items():
            torch.testing.assert_close(state[name], tensor, rtol=0, atol=distance, msg=name)
        if dtype == torch.float32:
            single.load_state_dict(state)
        norms.append(float(expected["gradient_norm_actor"]))
    assert max(norms) > settings.gradient_clip
    assert state["actor"].dtype == dtype
