"""Actor, critic and CADP's actor: shapes, starts, execution modes; and what a step computes.

That whole episodes agree with the plainest torch is tested in `test_update`.
"""

from __future__ import annotations

from dataclasses import replace

import plain_mappo
import pytest
import torch
from episodes import SMALL
from played import played, spoiled, unpadded

from suite.algorithms.inputs import living_agents
from suite.algorithms.mappo import acting
from suite.algorithms.mappo.critic import critic_inputs
from suite.algorithms.mappo.settings import CadpMappoSettings, MappoSettings
from suite.algorithms.mappo.update import MappoLearner


def learner_of(framework: str, is_recurrent: bool) -> MappoLearner:
    model = CadpMappoSettings if framework == "cadp" else MappoSettings
    settings = model.model_validate({"is_recurrent": is_recurrent, "action_gain": 1.0})
    return MappoLearner(settings, SMALL, seeds=[0, 1])


def test_initial_weights_are_orthogonal_with_their_gains() -> None:
    learner = MappoLearner(CadpMappoSettings(), SMALL, seeds=[0])
    w = learner.member_weights(0)
    gains = {"encoder": 2, "second": 2, "gru": 1, "head": 1e-4}
    for name, square in gains.items():
        weight = w[f"{name}.weight_hh" if name == "gru" else f"{name}.weight"]
        gram = weight @ weight.T if weight.shape[0] < weight.shape[1] else weight.T @ weight
        torch.testing.assert_close(gram, square * torch.eye(len(gram)), rtol=0, atol=1e-5)
    assert float(w["critic.head.weight"].norm()) == pytest.approx(1)
    assert float(w["attention.weight"].abs().max()) <= SMALL.input_size**-0.5
    for name, weight in w.items():
        if name.endswith("_norm.weight"):
            assert bool((weight == 1).all())
        elif "bias" in name and not name.startswith(("advice", "merge")):
            assert not weight.any(), name


ACTORS = [
    (framework, mode, is_recurrent)
    for framework, mode in (
        ("ctde", "decentralised"),
        ("cadp", "centralised"),
        ("cadp", "decentralised"),
    )
    for is_recurrent in (True, False)
]


@pytest.mark.parametrize(("framework", "mode", "is_recurrent"), ACTORS)
@pytest.mark.parametrize("n_environments", [2, 60])
def test_acting_is_what_the_plain_version_does(
    framework: str, mode: str, is_recurrent: bool, n_environments: int
) -> None:
    """Two environments go through compiled loops, sixty through tensor operations."""
    learner = spoiled(learner_of(framework, is_recurrent))
    _, batch, _ = played([[6] * n_environments] * 2)
    hidden = learner.initial_hidden(n_environments)
    last = torch.full((2, n_environments, 3), -1)
    plain_hidden = [torch.zeros(3, 64, dtype=torch.float64) for _ in range(2)]
    for t in range(4):
        log_p, hidden = learner.act_log_probabilities(
            batch.observations[:, :, t], last, batch.available_actions[:, :, t], hidden, mode
        )
        for m in range(2):
            w = {name: weight.double() for name, weight in learner.member_weights(m).items()}
            e = unpadded(batch, m)[-1]
            logits, plain_hidden[m], _ = plain_mappo.act(
                w, plain_mappo.actor_input(e, t), plain_hidden[m], mode == "decentralised"
            )
            expected = logits.masked_fill(~e["available"][t], -1e10).log_softmax(dim=1)
            is_open = e["available"][t]
            torch.testing.assert_close(
                log_p[m, -1][is_open].double(), expected[is_open], rtol=1e-4, atol=1e-5
            )
            assert (log_p[m, -1][~is_open] < -1e9).all()
        last = batch.actions[:, :, t]


@pytest.mark.parametrize(("framework", "mode", "is_recurrent"), ACTORS)
def test_compiled_step_is_the_step_in_tensor_operations(
    framework: str, mode: str, is_recurrent: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    learner = spoiled(learner_of(framework, is_recurrent))
    _, batch, _ = played([[6] * 4] * 2)
    given = batch.observations[:, :, 2], batch.actions[:, :, 1], batch.available_actions[:, :, 2]
    hidden = torch.randn(
        learner.initial_hidden(4).shape, generator=torch.Generator().manual_seed(0)
    )
    compiled = learner.act_log_probabilities(*given, hidden, mode)
    monkeypatch.setattr(acting, "FEW_ROWS", 0)
    in_torch = learner.act_log_probabilities(*given, hidden, mode)
    for found, expected in zip(compiled, in_torch, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("framework", "mode", "is_recurrent"), ACTORS)
def test_company_does_not_even_round_few_rows_otherwise(
    framework: str, mode: str, is_recurrent: bool
) -> None:
    pair = spoiled(learner_of(framework, is_recurrent))
    single = MappoLearner(pair.settings, SMALL, seeds=[1])
    single.load_member_weights(0, pair.member_weights(1))
    _, batch, _ = played([[6] * 4] * 2)
    given = batch.observations[:, :, 2], batch.actions[:, :, 1], batch.available_actions[:, :, 2]
    together = pair.act_log_probabilities(*given, pair.initial_hidden(4), mode)
    alone = single.act_log_probabilities(
        *(tensor[1:] for tensor in given), single.initial_hidden(4), mode
    )
    assert all(torch.equal(a[1:], b) for a, b in zip(together, alone, strict=True))


@pytest.mark.parametrize("is_recurrent", [True, False])
def test_only_the_centralised_mode_listens(is_recurrent: bool) -> None:
    learner = learner_of("cadp", is_recurrent)
    g = torch.Generator().manual_seed(0)
    observations = torch.rand(2, 1, 3, 6, generator=g)
    others = observations.clone()
    others[:, :, 1:] += 1
    last, available = torch.full((2, 1, 3), -1), torch.ones(2, 1, 3, 4, dtype=torch.bool)
    hidden = learner.initial_hidden(1)
    for mode, is_deaf in (("decentralised", True), ("centralised", False)):
        seen = [
            learner.act_log_probabilities(o, last, available, hidden, mode)[0][:, :, 0]
            for o in (observations, others)
        ]
        assert torch.allclose(*seen, rtol=1e-5, atol=1e-6) is is_deaf


def test_modes_agree_once_each_attends_to_itself() -> None:
    """A team of one attends to itself, whatever its queries and keys."""
    sizes = replace(SMALL, n_agents=1)
    learner = MappoLearner(CadpMappoSettings(action_gain=1.0), sizes, seeds=[0])
    arguments = (
        torch.rand(1, 2, 1, 6, generator=torch.Generator().manual_seed(0)),
        torch.full((1, 2, 1), -1),
        torch.ones(1, 2, 1, 4, dtype=torch.bool),
        learner.initial_hidden(2),
    )
    modes = [
        learner.act_log_probabilities(*arguments, mode)[0]
        for mode in ("centralised", "decentralised")
    ]
    torch.testing.assert_close(*modes)


@pytest.mark.parametrize("far", [0.0, 1000.0])
def test_critic_sees_of_the_dead_only_who_they_are(far: float) -> None:
    """Times the unit matrix; far: values a long way from 0, which must not cancel."""
    state = torch.tensor([[[1.0, 4.0]]]) + far
    observations = torch.tensor([[[[7.0], [2.0]]]]) + far
    seen = critic_inputs(state, observations, torch.tensor([[[True, False]]]))
    found = seen.multiply(torch.eye(5).unsqueeze(0))
    whole = torch.tensor([[1 + far, 4 + far, 7 + far, 1, 0], [0, 0, 0, 0, 1]])
    expected = torch.nn.functional.layer_norm(whole.double(), (5,)).float()
    torch.testing.assert_close(found[0], expected, rtol=1e-4, atol=1e-5)


def test_the_dead_can_only_do_nothing() -> None:
    available = torch.tensor([[True, False, False], [False, True, False], [True, True, True]])
    assert living_agents(available).tolist() == [False, True, True]
