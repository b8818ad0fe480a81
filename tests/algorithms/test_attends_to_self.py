"""The parameter-matched opponents: CADP's network without advice, and a wider recurrent agent."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from episodes import SMALL, arm, random_batch

from suite.algorithms import Sizes, build_learner
from suite.algorithms.registry import (
    algorithm_spec,
    hyperparameters,
    hyperparameters_of,
    matched_hidden_size,
    method_of,
    modes_of,
    settings_of,
)
from suite.algorithms.settings import ArmSettings
from suite.errors import InputError
from suite.runs.protocol import TrainingProtocol


def n_parameters(settings: ArmSettings, sizes: Sizes = SMALL) -> int:
    return method_of(settings).n_parameters(settings, sizes)


def test_it_acts_alone_and_has_nothing_to_prune() -> None:
    alone = arm("cadp", "qmix", attends_to="self")
    assert [mode.letter for mode in modes_of(alone)] == ["D"]
    assert hyperparameters_of(alone) == ()
    assert n_parameters(alone) == n_parameters(arm("cadp", "qmix"))


def test_hyperparameters_follow_the_settings() -> None:
    def symbols(**settings: object) -> list[str]:
        return [one.symbol for one in hyperparameters_of(arm("cadp", "qmix", **settings))]

    assert symbols() == ["α", "T"]
    assert symbols(pruning_schedule="gap") == ["α", "T"]
    assert symbols(pruning_schedule="linear") == ["α", "T", "T₁"]
    assert {"alpha", "pruning_start_env_steps", "pruning_ramp_end_env_steps"} <= (
        hyperparameters().keys()
    )


def test_runs_say_nothing_of_settings_that_have_their_default() -> None:
    """So that runs recorded before there were such settings keep their ids."""
    said = algorithm_spec(arm("cadp", "qmix")).model_dump()
    assert said.keys() == {
        "framework", "backbone", "protocol", "optimiser", "learning_rate", "gamma",
        "gradient_clip", "hidden_size", "n_attention_heads", "attention_head_size",
        "pruning_normalisation", "mixer_embedding", "hypernet_layers", "hypernet_embedding",
    }  # fmt: skip
    chosen = arm("cadp", "qmix", adviser_counts=(1, 2), masks_dead=True)
    spec = algorithm_spec(chosen)
    assert spec.model_dump().keys() - said.keys() == {"adviser_counts", "masks_dead"}
    assert settings_of(type(spec).model_validate_json(spec.model_dump_json())) == chosen


@pytest.mark.parametrize("n_environments", [1, 40])
def test_acting_is_what_cadp_does_alone(n_environments: int) -> None:
    alone = build_learner(arm("cadp", "vdn", attends_to="self"), SMALL, seeds=[4])
    advised = build_learner(arm("cadp", "vdn"), SMALL, seeds=[4])
    shape = (1, n_environments, SMALL.n_agents)
    seen = {"observations": torch.rand(*shape, SMALL.observation_size)}
    last, hidden = torch.full(shape, -1), alone.initial_hidden(n_environments)
    q = [one.act_values(seen, last, hidden, "decentralised")[0] for one in (alone, advised)]
    assert torch.equal(*q)


def test_training_values_what_it_does() -> None:
    """Utilities of whole episodes are those of acting; queries and keys learn nothing."""
    learner = build_learner(
        arm("cadp", "vdn", attends_to="self", gradient_clip=1e6), SMALL, seeds=[4, 5]
    )
    batch = random_batch(SMALL, [[4, 2], [3, 4]], 4)
    before = learner.state_dict()
    taken = []
    for t in range(4):
        if t == 0:
            hidden, last = learner.initial_hidden(2), torch.full((2, 2, SMALL.n_agents), -1)
        seen = {"observations": batch.observations[:, :, t]}
        q, hidden = learner.act_values(seen, last, hidden, "decentralised")
        last = batch.actions[:, :, t]
        taken.append(q.gather(3, last.unsqueeze(3)).squeeze(3).sum(dim=2))
    mask = batch.filled
    joint = (torch.stack(taken, dim=2) * mask).sum(dim=(1, 2)) / mask.sum(dim=(1, 2))
    metrics = learner.update(batch, np.array([10**9, 10**9]))
    torch.testing.assert_close(metrics["q_taken_mean"], joint / SMALL.n_agents)
    assert metrics.keys() == {"loss_td", "gradient_norm", "q_taken_mean"}
    for member in range(2):
        gradient = learner.member_gradients(member)["attention.weight"]
        assert (gradient[:256] == 0).all()
        assert gradient[256:].abs().max() > 0
    assert before.keys() == learner.state_dict().keys()


def test_it_costs_less_than_advice() -> None:
    protocol = TrainingProtocol()
    work = [
        method_of(one).work(one, protocol, SMALL, 30.0).update_flops
        for one in (arm("cadp", "vdn", attends_to="self"), arm("cadp", "vdn"))
    ]
    assert work[0] < work[1]


# 5m_vs_6m and 3m, without blocks of agents in the state.
MAPS = {"5m_vs_6m": (5, 12, 55, 98), "3m": (3, 9, 30, 48)}


@pytest.mark.parametrize("scenario", MAPS)
def test_the_widened_agent_is_as_near_as_a_width_can_be(scenario: str) -> None:
    sizes = Sizes(*MAPS[scenario], 0)
    plain, advised = arm("ctde", "qmix"), arm("cadp", "qmix")
    found = matched_hidden_size(plain, advised, sizes)
    distance = {
        size: abs(
            n_parameters(arm("ctde", "qmix", hidden_size=size), sizes)
            - n_parameters(advised, sizes)
        )
        for size in range(1, 300)
    }
    assert found == min(distance, key=lambda size: distance[size])
    assert matched_hidden_size(plain, plain, sizes) == 64


def test_the_widest_and_the_narrowest() -> None:
    tiny, huge = arm("ctde", "iql", hidden_size=1), arm("cadp", "vdn", hidden_size=4096)
    plain = arm("ctde", "qmix")
    assert matched_hidden_size(plain, tiny, SMALL) == 1
    assert matched_hidden_size(plain, huge, SMALL) == 4096
    with pytest.raises(InputError, match="no hidden size"):
        matched_hidden_size(ArmSettings(framework="ctde", backbone="iql"), plain, SMALL)
