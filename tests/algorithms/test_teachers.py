"""CTDS and IGM-DA: members, groups of weights, what they declare, and games they must learn."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from episodes import SMALL, arm, members, random_batch
from teachers import ARMS, FRAMEWORKS, SIZES, by_network
from test_games import TWO_STEP, batch_of

from suite.algorithms import Sizes, build_learner
from suite.algorithms.declaration import Members
from suite.algorithms.inputs import OWN_OBSERVATION, Inputs, privileged_inputs
from suite.algorithms.registry import method_of
from suite.algorithms.value.base import QLearner
from suite.errors import InputError
from suite.runs.protocol import TrainingProtocol

LENGTHS = [[5, 2, 6], [3, 3, 1], [4, 6, 2], [1, 1, 1], [6, 6, 6], [2, 5, 3], [4, 4, 1], [6, 1, 2]]
SEEDS = list(range(3, 11))
RATES = [1e-3, 5e-4, 2e-3, 1e-3, 1e-4, 5e-4, 3e-3, 1e-3]


@pytest.mark.parametrize(("framework", "backbone", "form"), ARMS)
@pytest.mark.parametrize("optimiser", ["adam", "rmsprop"])
def test_member_of_eight_equals_member_alone(
    framework: str, backbone: str, form: str, optimiser: str
) -> None:
    settings = arm(framework, backbone, form, optimiser=optimiser)
    if framework == "ctds":
        assert settings.privileged == "unlimited_sight"  # so that a batch's extra counts
    together = build_learner(settings, SIZES, seeds=SEEDS, learning_rate=RATES)
    batches = [random_batch(SIZES, LENGTHS, 6, seed) for seed in range(3)]
    steps = np.zeros(8)
    metrics = [together.update(batch, steps) for batch in batches]
    for m in (0, 4, 7):
        own = slice(m, m + 1)
        alone = build_learner(settings, SIZES, seeds=SEEDS[own], learning_rate=RATES[own])
        for k, batch in enumerate(batches):
            result = alone.update(members(batch, own), steps[own])
            for name, value in result.items():
                torch.testing.assert_close(metrics[k][name][own], value, rtol=2e-4, atol=1e-5)
        for name, weight in alone.member_weights(0).items():
            # See test_population: the sign of gradients that are rounding errors is chance.
            is_far = (together.member_weights(m)[name] - weight).abs() > 1e-5
            assert is_far.float().mean() < 0.01, name


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_inactive_members_stay(framework: str) -> None:
    learner = build_learner(arm(framework, "qmix"), SIZES, seeds=[0, 1, 2])
    batch = random_batch(SIZES, LENGTHS[:3], 6)
    learner.update(batch, np.zeros(3))
    before = learner.state_dict()
    learner.update(batch, np.zeros(3), np.array([True, False, True]))
    for name, tensor in learner.state_dict().items():
        assert torch.equal(tensor[1], before[name][1]), name
        assert name.endswith("target") or not torch.equal(tensor[0], before[name][0]), name


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_state_goes_on_bit_by_bit(framework: str) -> None:
    settings = arm(framework, "qmix")
    batches = [random_batch(SIZES, LENGTHS[:2], 6, seed) for seed in range(4)]
    first = build_learner(settings, SIZES, seeds=[0, 1])
    for batch in batches[:2]:
        first.update(batch, np.zeros(2))
    first.copy_target(np.array([True, False]))
    second = build_learner(settings, SIZES, seeds=[7, 8])
    second.load_state_dict(first.state_dict())
    for batch in batches[2:]:
        metrics = [learner.update(batch, np.zeros(2)) for learner in (first, second)]
        assert all(torch.equal(metrics[0][name], metrics[1][name]) for name in metrics[0])
    left, right = first.state_dict(), second.state_dict()
    assert left.keys() == right.keys()
    assert all(torch.equal(left[name], right[name]) for name in left)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_weights_go_from_one_learner_to_another(framework: str) -> None:
    learners = [build_learner(arm(framework, "qmix"), SIZES, seeds=[seed]) for seed in (0, 1)]
    learners[1].load_member_weights(0, learners[0].member_weights(0))
    batch = random_batch(SIZES, [[4, 2]], 4)
    left, right = (learner.update(batch, np.zeros(1)) for learner in learners)
    assert all(torch.equal(left[name], right[name]) for name in left)


def test_only_teacher_and_mixer_of_ctds_have_a_target() -> None:
    learner = build_learner(arm("ctds", "qmix"), SIZES, seeds=[0, 1])
    learner.update(random_batch(SIZES, LENGTHS[:2], 6), np.zeros(2))
    learner.copy_target(np.array([True, False]))
    state = learner.state_dict()
    assert [name for name in state if name.endswith("target")] == ["teacher.target"]
    is_copied = (state["teacher.target"] == state["teacher.online"]).all(dim=1)
    assert is_copied.tolist() == [True, False]


def test_groups_of_ctds_are_clipped_each_by_itself() -> None:
    learner = build_learner(arm("ctds", "qmix", gradient_clip=1e-3), SIZES, seeds=[0])
    learner.update(random_batch(SIZES, LENGTHS[:1], 6), np.zeros(1))
    for network in by_network("ctds", learner.member_gradients(0)):
        norm = torch.stack([g.norm() for g in network.values()]).norm()
        assert float(norm) == pytest.approx(1e-3, rel=2e-3)


def test_all_of_igm_da_is_clipped_together() -> None:
    learner = build_learner(arm("igm_da", "qmix", gradient_clip=1e-3), SIZES, seeds=[0])
    learner.update(random_batch(SIZES, LENGTHS[:1], 6), np.zeros(1))
    norm = torch.stack([g.norm() for g in learner.member_gradients(0).values()]).norm()
    assert float(norm) == pytest.approx(1e-3, rel=2e-3)


def test_a_teacher_that_sees_as_much_starts_as_another_network() -> None:
    sizes = replace(SIZES, observation_names=("sight_9",))
    for framework in FRAMEWORKS:
        learner = build_learner(arm(framework, "vdn", privileged="sight_9"), sizes, seeds=[0])
        student, teacher = by_network(framework, learner.member_weights(0))
        assert all(not torch.equal(student[name], teacher[name]) for name in student)


def test_what_a_teacher_sees() -> None:
    ordinary = replace(SIZES, observation_names=("sight_9",))
    assert privileged_inputs("observation_and_state", SMALL) == Inputs(("observations", "state"))
    assert privileged_inputs("unlimited_sight", SIZES) == Inputs(("unlimited_sight",))
    assert privileged_inputs("sight_9", SIZES) == Inputs(("sight_9",))
    assert privileged_inputs("sight_9", ordinary) == OWN_OBSERVATION
    assert arm("ctds", "vdn").privileged == "unlimited_sight"
    assert arm("igm_da", "vdn").privileged == "observation_and_state"


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_observations_are_asked_for_or_refused(framework: str) -> None:
    method = method_of(arm(framework, "vdn"))
    ordinary = replace(SIZES, observation_names=("sight_9",))
    for privileged, sizes, asked in (
        ("unlimited_sight", SIZES, ("unlimited_sight",)),
        ("observation_and_state", SIZES, ()),
        ("sight_9", SIZES, ("sight_9",)),
        ("sight_9", ordinary, ()),
    ):
        settings = arm(framework, "vdn", privileged=privileged)
        assert method.extra_observations(settings, sizes) == asked
        assert method.refusal(settings, sizes) is None
        assert build_learner(settings, sizes, seeds=[0]).extra_observations == asked
    for privileged in ("unlimited_sight", "sight_9"):
        with pytest.raises(InputError, match=f"offers no such observation.*{privileged}"):
            build_learner(arm(framework, "vdn", privileged=privileged), SMALL, seeds=[0])
    no_blocks = replace(SIZES, ally_state_size=0)
    with pytest.raises(InputError, match="qplex_form"):  # what speaks against a mixer still does
        build_learner(arm(framework, "qplex", "qatten"), no_blocks, seeds=[0])


@pytest.mark.parametrize(("framework", "backbone", "form"), ARMS)
def test_declared_parameters_are_those_there_are(framework: str, backbone: str, form: str) -> None:
    settings = arm(framework, backbone, form)
    weights = build_learner(settings, SIZES, seeds=[0]).member_weights(0)
    declared = method_of(settings).n_parameters(settings, SIZES)
    assert declared == sum(w.numel() for w in weights.values())


def test_work_is_that_of_both_networks() -> None:
    """VDN has no products of its own, so all are the agents': counted here layer by layer."""
    n, a, h, n_steps = SIZES.n_agents, SIZES.n_actions, 64, 32 * (1 + 10.0)
    rest = a + n  # last action and agent number
    widths = {"ctds": (6 + rest, 7 + rest), "igm_da": (6 + a + rest, 6 + 11 + rest)}
    for framework, (student, teacher) in widths.items():
        settings = arm(framework, "vdn")
        work = method_of(settings).work(settings, TrainingProtocol(), SIZES, 10.0)
        inner = 6 * h * h + h * a
        # Forward, weights' gradients, inputs' gradients; the teacher forward twice.
        per_agent = (1 + 1) * student * h + 3 * inner + (2 + 1) * teacher * h + 4 * inner
        assert work.update_flops == 2 * n_steps * n * per_agent
        assert work.first_episodes == 32


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_who_acts_in_training_comes_first(framework: str) -> None:
    settings = arm(framework, "vdn")
    modes = [mode.name for mode in method_of(settings).modes(settings)]
    expected = {"ctds": ["teacher", "decentralised"], "igm_da": ["decentralised", "teacher"]}
    assert modes == expected[framework]
    assert list(build_learner(settings, SIZES, seeds=[0]).acting) == modes


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_extra_observations_are_remembered(framework: str) -> None:
    settings = arm(framework, "vdn", privileged="unlimited_sight")
    protocol = TrainingProtocol(batch_size_episodes=2, buffer_size_episodes=2)
    sizes = replace(SIZES, episode_limit=3)
    memory = method_of(settings).build(settings, sizes, protocol, Members([0, 1])).memory
    rng, slots = np.random.default_rng(0), np.arange(2)
    shown = rng.random((5, 4, 2, sizes.n_agents, 7), np.float32)  # episode, time, slot
    lengths = [3, 2, 1, 1, 2]
    for length, steps in zip(lengths, shown, strict=True):
        writer = memory.writer(slots, slots, slots)
        for t in range(length + 1):
            seen = {
                "observations": np.zeros((2, sizes.n_agents, 6), np.float32),
                "state": np.zeros((2, 11), np.float32),
                "available_actions": np.ones((2, sizes.n_agents, 4), np.bool_),
                "unlimited_sight": steps[t].copy(),
                "sight_9": np.zeros((2, sizes.n_agents, 5), np.float32),  # not asked for
            }
            writer.observe(t, slots, seen)
            if t < length:
                actions = np.zeros((2, sizes.n_agents), np.int64)
                writer.act(t, slots, actions, np.zeros(2), np.full(2, t == length - 1))
    batch = memory.sample(2, [rng, rng], np.full(2, True), "cpu")
    assert list(batch.extra) == ["unlimited_sight"]
    for m in range(2):
        for b in range(2):
            n = int(batch.filled[m, b].sum())
            stored = batch.extra["unlimited_sight"][m, b]
            wanted = shown[{1: 3, 2: 4}[n], : n + 1, m]  # the last two episodes
            assert np.array_equal(stored[: n + 1].numpy(), wanted)
            assert not stored[n + 1 :].any()


def two_step(framework: str, backbone: str, n_updates: int, **settings: str) -> QLearner:
    """Three members trained on every joint action of the two-step game; see `test_games`."""
    episodes = list(product(range(2), repeat=4))
    batch = batch_of(
        [[0, 1 + a, 0] for a, _, _, _ in episodes],
        [[(a, b), (c, d)] for a, b, c, d in episodes],
        [[0.0, TWO_STEP[a][c][d]] for a, _, c, d in episodes],
        2,
    )
    learner = build_learner(
        arm(framework, backbone, **settings),
        Sizes(2, 2, 3, 3, 0),
        seeds=[0, 1, 2],
        learning_rate=[1e-3] * 3,
    )
    for k in range(n_updates):
        learner.update(batch, np.full(3, k))
        if k % 25 == 0:
            learner.copy_target(np.full(3, True))
    return learner


def utilities(learner: QLearner, mode: str) -> torch.Tensor:
    """(3, 1 + 4 + 4, 2, 2): in the first state, and after each joint action of it in either of the
    second ones that it leads to."""
    found = []
    for joint in product(range(2), repeat=2):
        last, hidden = torch.full((3, 1, 2), -1), learner.initial_hidden(1, mode)
        for state in (0, 1 + joint[0]):
            one_hot = torch.nn.functional.one_hot(torch.tensor(state), 3).float()
            seen = {
                "observations": one_hot.expand(3, 1, 2, -1),
                "state": one_hot.expand(3, 1, -1),
                "available_actions": torch.ones(3, 1, 2, 2, dtype=torch.bool),
            }
            q, hidden = learner.act_values(seen, last, hidden, mode)
            found.append(q)
            last = torch.tensor(joint).expand(3, 1, 2)
    return torch.cat(found, dim=1)


def returns(learner: QLearner, mode: str) -> list[float]:
    """What each member earns when it acts greedily."""
    q = utilities(learner, mode).argmax(dim=3)
    earned = []
    for member in q.tolist():
        first = member[0]
        second = member[2 * (2 * first[0] + first[1]) + 1]
        earned.append(TWO_STEP[first[0]][second[0]][second[1]])
    return earned


def test_student_of_ctds_equals_its_teacher_where_it_sees_as_much() -> None:
    """In the two-step game the observation is the state."""
    learner = two_step("ctds", "qmix", 1000, privileged="observation_and_state")
    student, teacher = (utilities(learner, mode) for mode in ("decentralised", "teacher"))
    assert float(teacher.std()) > 0.5
    assert float((student - teacher).abs().max()) < 0.01
    assert returns(learner, "decentralised") == [8.0] * 3


@pytest.mark.parametrize("backbone", ["qmix", "qplex"])
def test_learner_of_igm_da_solves_the_two_step_game(backbone: str) -> None:
    learner = two_step("igm_da", backbone, 1000)
    assert returns(learner, "decentralised") == [8.0] * 3
    assert returns(learner, "teacher") == [8.0] * 3
