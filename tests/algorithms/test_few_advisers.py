"""Execution with the k most attended advisers: the way from CADP(C) to CADP(D)."""

from __future__ import annotations

import pytest
import torch
from episodes import arm, random_batch
from torch import Tensor

from suite.algorithms import Sizes, build_learner
from suite.algorithms.cadp.modes import way_to_decentralised
from suite.algorithms.registry import method_of, modes_of
from suite.algorithms.value.base import QLearner
from suite.errors import InputError

SIZES = Sizes(n_agents=4, n_actions=3, observation_size=6, state_size=5, ally_state_size=1)
COUNTS = (2, 1, 3)
# One environment goes through compiled loops in one piece, twenty through tensor operations.
N_ENVIRONMENTS = [1, 20]


def learner_of(**settings: object) -> QLearner:
    settings = {"adviser_counts": COUNTS} | settings
    return build_learner(arm("cadp", "vdn", **settings), SIZES, seeds=[1, 2])


def act(
    learner: QLearner, n_environments: int, mode: str, available: Tensor | None = None
) -> Tensor:
    g = torch.Generator().manual_seed(3)
    shape = (2, n_environments, SIZES.n_agents)
    hidden, last = learner.initial_hidden(n_environments), torch.full(shape, -1)
    q = torch.empty(0)
    for _ in range(3):
        seen = {"observations": torch.rand(*shape, SIZES.observation_size, generator=g)}
        if available is not None:
            seen["available_actions"] = available
        q, hidden = learner.act_values(seen, last, hidden, mode)
        last = torch.zeros(shape, dtype=torch.int64)
    return q


def test_modes_and_the_way() -> None:
    settings = arm("cadp", "vdn", adviser_counts=COUNTS)
    assert [mode.letter for mode in modes_of(settings)] == ["C", "C2", "C1", "C3", "D"]
    way = [mode.letter for mode in way_to_decentralised(settings)]
    assert way == ["C", "C3", "C2", "C1", "D"]
    words = {mode.name: mode.words for mode in modes_of(settings)}
    assert words["advisers_1"] == "each agent hears the other it attends to most"
    assert words["advisers_2"] == "each agent hears the 2 others it attends to most"
    assert [m.letter for m in way_to_decentralised(arm("cadp", "vdn"))] == ["C", "D"]


@pytest.mark.parametrize("n_environments", N_ENVIRONMENTS)
def test_all_others_are_all(n_environments: int) -> None:
    learner = learner_of()
    everybody = act(learner, n_environments, "centralised")
    for mode in ("advisers_3",):
        torch.testing.assert_close(act(learner, n_environments, mode), everybody)
    distance = [
        float((act(learner, n_environments, mode) - everybody).abs().max())
        for mode in ("advisers_2", "advisers_1", "decentralised")
    ]
    assert min(distance) > 1e-4
    assert len(set(distance)) == 3


@pytest.mark.parametrize("masks_dead", [False, True])
@pytest.mark.parametrize("mode", ["centralised", "advisers_1", "advisers_2", "decentralised"])
def test_all_paths_act_alike(mode: str, masks_dead: bool) -> None:
    """The same environments one by one, all at once, and in double precision."""
    learner = learner_of(masks_dead=masks_dead)
    g = torch.Generator().manual_seed(4)
    available = torch.rand(2, 20, SIZES.n_agents, SIZES.n_actions, generator=g) < 0.5
    g = torch.Generator().manual_seed(5)
    observations = torch.rand(2, 20, SIZES.n_agents, SIZES.observation_size, generator=g)
    last = torch.full((2, 20, SIZES.n_agents), 1)
    hidden = torch.rand(2, 20, SIZES.n_agents, 64, generator=g)

    def step(chosen: slice) -> tuple[Tensor, Tensor]:
        seen = {"observations": observations[:, chosen], "available_actions": available[:, chosen]}
        return learner.act_values(seen, last[:, chosen], hidden[:, chosen], mode)

    together, after = step(slice(None))
    for e in range(20):
        alone, after_alone = step(slice(e, e + 1))
        torch.testing.assert_close(alone, together[:, e : e + 1], rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(after_alone, after[:, e : e + 1], rtol=1e-5, atol=1e-6)


def test_advisers_do_not_change_training() -> None:
    batch = random_batch(SIZES, [[4, 2], [3, 4]], 4)
    found = []
    for counts in ((), COUNTS):
        learner = build_learner(
            arm("cadp", "vdn", adviser_counts=counts),
            SIZES,
            seeds=[1, 2],
            pruning_start_env_steps=[0, 0],
        )
        learner.update(batch, torch.tensor([5, 5]))
        found.append(learner.state_dict())
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"adviser_counts": (1, 1)}, "adviser_counts"),
        ({"adviser_counts": (4,)}, "adviser_counts"),
        ({"alpha_lowest": 2.0, "alpha_highest": 1.0}, "alpha_lowest"),
        ({"attends_to": "self", "adviser_counts": (1,)}, "adviser_counts"),
        ({"attends_to": "self", "masks_dead": True}, "masks_dead"),
        ({"attends_to": "self", "pruning_schedule": "gap"}, "pruning_schedule"),
    ],
)
def test_contradictions_are_refused(settings: dict, key: str) -> None:
    chosen = arm("cadp", "vdn", **settings)
    refusal = method_of(chosen).refusal(chosen, SIZES)
    assert refusal is not None
    assert refusal.key == key
    with pytest.raises(InputError, match=key):
        build_learner(chosen, SIZES, seeds=[0])
