"""What CADP promises, and what of it the release does not keep."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from episodes import SMALL, arm, random_batch

from suite.algorithms import Sizes, build_learner
from suite.algorithms.registry import modes_of
from suite.algorithms.value.base import QLearner
from suite.errors import InputError

# algorithms, table 1.3: N, A, D_obs, D_state, parameters of the rnn and of the CADP agent.
PARAMETERS = {
    "3m": (3, 9, 30, 48, 28_297, 65_097),
    "2s3z": (5, 11, 80, 120, 31_883, 89_419),
    "5m_vs_6m": (5, 12, 55, 98, 30_412, 78_732),
    "corridor": (6, 30, 156, 282, 39_262, 133_662),
    "3s5z_vs_3s6z": (8, 15, 136, 230, 36_175, 117_903),
    "MMM2": (10, 18, 176, 322, 39_250, 138_258),
    "27m_vs_30m": (27, 36, 285, 1170, 49_636, 203_940),
    "academy_3_vs_1_with_keeper": (3, 19, 26, 26, 29_331, 68_435),
}


@pytest.mark.parametrize("scenario", PARAMETERS)
def test_parameter_counts(scenario: str) -> None:
    n, a, o, s, n_rnn, n_cadp = PARAMETERS[scenario]
    sizes = Sizes(n, a, o, s, 0)
    for framework, expected in (("ctde", n_rnn), ("cadp", n_cadp)):
        specs = build_learner(arm(framework, "vdn"), sizes, seeds=[0]).agent.specs
        assert sum(int(np.prod(spec.shape)) for spec in specs) == expected


def learner_of(attention_scale: float) -> QLearner:
    """A learner whose agents attend to themselves alone (large scale) or to all alike (0).

    Keys and queries read the agent's number only: query and key of agent n are c·e_n.
    """
    learner = build_learner(arm("cadp", "vdn"), SMALL, seeds=[5])
    weights = learner.member_weights(0)
    attention = weights["attention.weight"]
    attention[:256] = 0
    for block in range(2):
        for head in range(4):
            for n in range(SMALL.n_agents):
                row = block * 128 + head * 32 + n
                attention[row, SMALL.input_size - SMALL.n_agents + n] = attention_scale
    learner.load_member_weights(0, weights)
    return learner


def act(learner: QLearner, mode: str, observations: torch.Tensor) -> torch.Tensor:
    last = torch.full(observations.shape[:3], -1)
    hidden = learner.initial_hidden(observations.shape[1])
    return learner.act_values({"observations": observations}, last, hidden, mode)[0]  # type: ignore[arg-type]


def test_identity_attention_makes_both_modes_equal() -> None:
    observations = torch.rand(1, 2, SMALL.n_agents, SMALL.observation_size)
    pruned = learner_of(40.0)
    centralised = act(pruned, "centralised", observations)
    torch.testing.assert_close(centralised, act(pruned, "decentralised", observations))
    uniform = learner_of(0.0)
    difference = act(uniform, "centralised", observations) - act(
        uniform, "decentralised", observations
    )
    assert difference.abs().max() > 1e-3


def test_only_centralised_agents_hear_the_others() -> None:
    learner = build_learner(arm("cadp", "vdn"), SMALL, seeds=[5])
    before = torch.rand(1, 1, SMALL.n_agents, SMALL.observation_size)
    after = before.clone()
    after[:, :, 1:] += 1  # agent 0 sees what it saw
    moved = {}
    for mode in learner.acting:
        moved[mode] = (act(learner, mode, after) - act(learner, mode, before))[0, 0, 0].abs().max()
    assert moved["decentralised"] == 0
    assert moved["centralised"] > 1e-4


@pytest.mark.parametrize("normalisation", ["agents_squared", "agents"])
def test_uniform_attention_costs_what_the_equation_says(normalisation: str) -> None:
    settings = arm("cadp", "vdn", pruning_normalisation=normalisation)
    learner = build_learner(settings, SMALL, seeds=[5])
    learner.load_member_weights(0, learner_of(0.0).member_weights(0))
    metrics = learner.update(random_batch(SMALL, [[4, 2]], 4), np.array([0]))
    expected = np.log(SMALL.n_agents) / (SMALL.n_agents if normalisation != "agents" else 1)
    assert float(metrics["loss_pruning"]) == pytest.approx(expected, rel=1e-5)
    assert float(metrics["self_attention"]) == pytest.approx(1 / SMALL.n_agents, rel=1e-5)


def test_pruned_attention_costs_nothing() -> None:
    metrics = learner_of(40.0).update(random_batch(SMALL, [[4, 2]], 4), np.array([0]))
    assert abs(float(metrics["loss_pruning"])) < 1e-6
    assert float(metrics["self_attention"]) == pytest.approx(1)


def gradients(backbone: str, env_steps: int, protocol: str = "repaired") -> dict:
    settings = arm("cadp", backbone, protocol=protocol, gradient_clip=1e6)
    learner = build_learner(settings, SMALL, seeds=[5], pruning_start_env_steps=[100], alpha=[3.0])
    learner.update(random_batch(SMALL, [[4, 2]], 4), np.array([env_steps]))
    return learner.member_gradients(0)


@pytest.mark.parametrize("backbone", ["vdn", "qmix", "qplex"])
def test_pruning_reaches_keys_and_queries_only(backbone: str) -> None:
    """algorithms 3.3: attention reads raw inputs, so nothing else gets a gradient from L_p."""
    until, after = gradients(backbone, 100), gradients(backbone, 101)
    assert not torch.equal(after["attention.weight"][:256], until["attention.weight"][:256])
    torch.testing.assert_close(after["attention.weight"][256:], until["attention.weight"][256:])
    for name in until.keys() - {"attention.weight"}:
        assert torch.equal(after[name], until[name]), name


def test_qplex_never_prunes_as_released() -> None:
    """D1: the release compares the learner's name with another learner's."""
    until = gradients("qplex", 100, "as_released")
    after = gradients("qplex", 10**9, "as_released")
    assert all(torch.equal(after[name], until[name]) for name in until)


def test_qmix_prunes_in_both_protocols() -> None:
    released, repaired = gradients("qmix", 101, "as_released"), gradients("qmix", 101)
    assert all(torch.equal(released[name], repaired[name]) for name in released)


def test_there_is_no_cadp_on_independent_learners() -> None:
    with pytest.raises(InputError, match=r"no such backbone .*'iql'.* use 'vdn'"):
        arm("cadp", "iql")


def test_attentive_qplex_needs_agent_blocks() -> None:
    blockless = Sizes(2, 3, 1, 1, 0)
    with pytest.raises(InputError, match="per-agent blocks"):
        build_learner(arm("ctde", "qplex", "qatten"), blockless, seeds=[0])
    chosen = build_learner(arm("ctde", "qplex"), blockless, seeds=[0]).member_weights(0)
    assert "scale.weight" in chosen


def test_modes_of_execution() -> None:
    """The first is the one in which training acts."""
    assert [mode.letter for mode in modes_of(arm("ctde", "vdn"))] == ["D"]
    assert [mode.letter for mode in modes_of(arm("cadp", "vdn"))] == ["C", "D"]


def updated(alpha: float, start: int, env_steps: int) -> QLearner:
    learner = build_learner(
        arm("cadp", "qmix"), SMALL, seeds=[5], pruning_start_env_steps=[start], alpha=[alpha]
    )
    for seed in range(3):
        learner.update(random_batch(SMALL, [[4, 2]], 4, seed), np.array([env_steps]))
    return learner


def test_advising_only_never_changes_a_gradient() -> None:
    """α = 0: three updates after T leave what three updates before it leave."""
    states = [updated(0.0, 100, steps).state_dict() for steps in (50, 150)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_pruning_only_prunes_from_the_first_step() -> None:
    """T = 0 counts from the first update on; α is in it as after any other T."""
    first, late = updated(2.0, 0, 1).state_dict(), updated(2.0, 100, 150).state_dict()
    assert all(torch.equal(first[name], late[name]) for name in first)
    assert not torch.equal(first["online"], updated(2.0, 100, 1).state_dict()["online"])
