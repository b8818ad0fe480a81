"""The weight of CADP's pruning loss over training, inside the learner."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from episodes import SMALL, arm, random_batch
from torch import Tensor

from suite.algorithms import EpisodeBatch, build_learner
from suite.algorithms.losses.td import available_only, transition_mask
from suite.algorithms.value.base import QLearner
from suite.errors import InputError

ALPHA = [0.5, 2.0]
BOTH = slice(0, 2)
LENGTHS = [[5, 2, 6], [3, 3, 1]]
PARTS = ("observations", "state", "available_actions", "actions", "reward", "terminated", "filled")


def learner_of(
    schedule: str, members: slice = BOTH, backbone: str = "qmix", **settings: object
) -> QLearner:
    """Of two members with weights and α of their own; both prune from step 100 on."""
    chosen = arm("cadp", backbone, pruning_schedule=schedule, gradient_clip=1e6, **settings)
    ends = {"pruning_ramp_end_env_steps": [300, 500][members]}
    return build_learner(
        chosen,
        SMALL,
        seeds=[1, 2][members],
        alpha=ALPHA[members],
        pruning_start_env_steps=[100, 100][members],
        **(ends if schedule in ("linear", "cosine") else {}),
    )


def batch_of(seed: int = 0, members: slice = BOTH) -> EpisodeBatch:
    batch = random_batch(SMALL, LENGTHS, 6, seed)
    return replace(batch, **{name: getattr(batch, name)[members] for name in PARTS})


def log_alpha(learner: QLearner) -> Tensor:
    return learner.state_dict()["extra.log_alpha"]


@pytest.mark.parametrize("schedule", ["linear", "cosine", "gap"])
def test_the_gradient_has_the_weight_that_is_reported(schedule: str) -> None:
    """Gradient = that before T + α in force × that of the pruning loss (difference to α = 1)."""

    def gradients(name: str, steps: int, alpha: float) -> tuple[dict[str, Tensor], float]:
        chosen = arm("cadp", "vdn", pruning_schedule=name, gradient_clip=1e6)
        end = {"pruning_ramp_end_env_steps": [300]} if name in ("linear", "cosine") else {}
        learner = build_learner(
            chosen, SMALL, seeds=[1], alpha=[alpha], pruning_start_env_steps=[100], **end
        )
        metrics = learner.update(batch_of(members=slice(0, 1)), np.array([steps]))
        return learner.member_gradients(0), float(metrics.get("alpha", torch.tensor(0.0)))

    (before, none), (full, _) = gradients(schedule, 100, 3.0), gradients("constant", 101, 1.0)
    assert none == 0
    found, weight = gradients(schedule, 150, 3.0)
    expected = {"linear": 0.25 * 3, "cosine": (1 - 0.5**0.5) / 2 * 3, "gap": 3.0}[schedule]
    assert weight == pytest.approx(expected, rel=1e-6)
    name = "attention.weight"
    pruning = full[name] - before[name]
    torch.testing.assert_close(found[name] - before[name], weight * pruning, rtol=1e-3, atol=1e-6)
    assert pruning.abs().max() > 1e-4


def test_a_constant_weight_is_not_reported() -> None:
    """Records of the release's schedule stay as they were."""
    metrics = learner_of("constant").update(batch_of(), np.array([200, 200]))
    assert metrics.keys().isdisjoint({"alpha", "greedy_disagreement"})


def test_ramps_are_the_members_own() -> None:
    metrics = learner_of("linear").update(batch_of(), np.array([200, 300]))
    assert metrics["alpha"].tolist() == pytest.approx([0.5 * 0.5, 2.0 * 0.5])


def test_a_ramp_needs_an_end() -> None:
    with pytest.raises(InputError, match="pruning_ramp_end_env_steps: a ramp without an end"):
        build_learner(arm("cadp", "vdn", pruning_schedule="linear"), SMALL, seeds=[0])


def by_acting(learner: QLearner, batch: EpisodeBatch, member: int) -> float:
    """Share of agent-steps with a choice at which the two modes choose differently: the episodes
    are acted through again, step by step, without what the learner computes."""
    differ = counted = 0
    mask = transition_mask(batch.filled, batch.terminated)[member]
    for b in range(batch.filled.shape[1]):
        hidden = learner.initial_hidden(1)
        last = torch.full((2, 1, SMALL.n_agents), -1)
        for t in range(int(batch.filled[member, b].sum())):
            seen = {"observations": batch.observations[:, b : b + 1, t]}
            q_c, after = learner.act_values(seen, last, hidden, "centralised")
            q_d, _ = learner.act_values(seen, last, hidden, "decentralised")
            hidden, last = after, batch.actions[:, b : b + 1, t]
            if mask[b, t]:
                allowed = batch.available_actions[member, b, t]
                choices = [available_only(q[member, 0], allowed).argmax(dim=1) for q in (q_c, q_d)]
                counts = allowed.sum(dim=1) > 1
                differ += int(((choices[0] != choices[1]) & counts).sum())
                counted += int(counts.sum())
    return differ / counted


@pytest.mark.parametrize("masks_dead", [False, True])
def test_disagreement_is_what_acting_shows(masks_dead: bool) -> None:
    learner = learner_of("gap", masks_dead=masks_dead)
    batch = batch_of()
    if masks_dead:  # a dead agent acts alone in both modes, and acting here is told nothing of it
        everybody = torch.ones_like(batch.available_actions)
        batch = replace(batch, available_actions=everybody)
        learner_acting = learner_of("gap")
    else:
        learner_acting = learner
    expected = [by_acting(learner_acting, batch, member) for member in range(2)]
    metrics = learner.update(batch, np.array([50, 50]))
    assert metrics["greedy_disagreement"].tolist() == pytest.approx(expected)
    assert max(expected) > 0


def test_alpha_follows_the_gap() -> None:
    """One step after another: α of the next update, from the gap of this one."""
    learner = learner_of("gap", gap_target=0.3, gap_rate=0.1, alpha_highest=2.1)
    steps = np.array([150, 150])
    expected = torch.tensor(ALPHA).log()
    gaps = []
    for seed in range(6):
        metrics = learner.update(batch_of(seed), steps)
        torch.testing.assert_close(metrics["alpha"], expected.exp())
        gaps.append(metrics["greedy_disagreement"])
        error = (gaps[-1] / 0.3 - 1).clamp(-1, 1)
        expected = (expected + 0.1 * error).clamp(np.log(0.01), np.log(2.1))
        torch.testing.assert_close(log_alpha(learner), expected)
    assert len(torch.stack(gaps).unique()) > 3
    assert not torch.allclose(expected.exp(), torch.tensor(ALPHA))


def test_alpha_of_others_stays() -> None:
    """Of members before their T, and of those left out of an update."""
    learner = learner_of("gap", gap_rate=0.1)
    start = log_alpha(learner)
    learner.update(batch_of(), np.array([100, 150]))
    moved = log_alpha(learner)
    assert moved[0] == start[0]
    assert moved[1] != start[1]
    learner.update(batch_of(), np.array([150, 150]), np.array([True, False]))
    assert log_alpha(learner)[0] != moved[0]
    assert log_alpha(learner)[1] == moved[1]


def test_measuring_the_gap_changes_no_gradient() -> None:
    found = []
    for schedule in ("constant", "gap"):
        learner = learner_of(schedule)
        learner.update(batch_of(), np.array([150, 50]))
        found.append(learner.state_dict())
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])


@pytest.mark.parametrize("schedule", ["linear", "cosine", "gap"])
@pytest.mark.parametrize("backbone", ["vdn", "qmix", "qplex"])
def test_a_member_of_two_equals_the_member_alone(schedule: str, backbone: str) -> None:
    together, steps = learner_of(schedule, backbone=backbone), np.array([150, 250])
    found = [together.update(batch_of(seed), steps) for seed in range(3)]
    for m in range(2):
        only = slice(m, m + 1)
        alone = learner_of(schedule, only, backbone)
        for seed in range(3):
            for name, value in alone.update(batch_of(seed, only), steps[only]).items():
                torch.testing.assert_close(found[seed][name][only], value, rtol=2e-4, atol=1e-5)


def test_the_gap_goes_on_bit_by_bit() -> None:
    steps = np.array([150, 250])
    first = learner_of("gap", gap_rate=0.1)
    for seed in range(2):
        first.update(batch_of(seed), steps)
    second = learner_of("gap", gap_rate=0.1)
    second.load_state_dict(first.state_dict())
    for seed in range(2, 4):
        left, right = (learner.update(batch_of(seed), steps) for learner in (first, second))
        assert all(torch.equal(left[name], right[name]) for name in left)
    assert torch.equal(log_alpha(first), log_alpha(second))


def test_states_of_other_schedules_are_refused() -> None:
    with pytest.raises(InputError, match="another arm"):
        learner_of("gap").load_state_dict(learner_of("constant").state_dict())


def test_qplex_as_released_never_prunes_under_any_schedule() -> None:
    """D1."""
    for schedule in ("linear", "gap"):
        learner = learner_of(schedule, backbone="qplex", protocol="as_released")
        assert learner.update(batch_of(), np.array([10**9, 10**9]))["alpha"].tolist() == [0, 0]
