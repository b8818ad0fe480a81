"""A member trains as if it were alone; padding and neighbours change nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from episodes import ARMS, JOINT_ARMS, SMALL, arm, members, random_batch

from suite.algorithms import build_learner
from suite.errors import InputError

LENGTHS = [[5, 2, 6], [3, 3, 1], [4, 6, 2]]
OPTIONS = {
    "seeds": [3, 4, 5],
    "alpha": [0.5, 2.0, 7.0],
    "pruning_start_env_steps": [0, 100, None],
    "learning_rate": [1e-3, 5e-4, 2e-3],
}


@pytest.mark.parametrize(("framework", "backbone", "form"), ARMS + JOINT_ARMS)
@pytest.mark.parametrize("optimiser", ["adam", "rmsprop"])
def test_member_of_three_equals_member_alone(
    framework: str, backbone: str, form: str, optimiser: str
) -> None:
    settings = arm(framework, backbone, form, optimiser=optimiser)
    together = build_learner(settings, SMALL, **OPTIONS)
    batches = [random_batch(SMALL, LENGTHS, 6, seed) for seed in range(3)]
    steps = np.array([50, 150, 250])
    metrics = [together.update(batch, steps) for batch in batches]
    for m in range(3):
        own = {key: values[m : m + 1] for key, values in OPTIONS.items()}
        alone = build_learner(settings, SMALL, **own)
        for k, batch in enumerate(batches):
            result = alone.update(members(batch, slice(m, m + 1)), steps[m : m + 1])
            for name, value in result.items():
                torch.testing.assert_close(metrics[k][name][m : m + 1], value, rtol=2e-4, atol=1e-5)
        for name, weight in alone.member_weights(0).items():
            # Adam's first steps are nearly ± the learning rate whatever the gradient's size, so
            # gradients that are rounding errors around 0 may move a weight either way.
            found = together.member_weights(m)[name]
            is_far = (found - weight).abs() > 1e-5
            assert is_far.float().mean() < 0.01, name


@pytest.mark.parametrize("returns", ["one_step", "td_lambda", "q_lambda"])
@pytest.mark.parametrize("backbone", ["qmix", *(name for _, name, _ in JOINT_ARMS)])
def test_member_of_eight_stays_with_member_alone(backbone: str, returns: str) -> None:
    """Over fifty updates and two target copies rounding does not add up."""
    settings, chosen = arm("ctde", backbone, returns=returns), 5
    seeds = list(range(10, 18))
    together = build_learner(settings, SMALL, seeds=seeds)
    alone = build_learner(settings, SMALL, seeds=[seeds[chosen]])
    lengths = np.random.default_rng(0).integers(1, 7, (8, 4)).tolist()
    batches = [random_batch(SMALL, lengths, 6, seed) for seed in range(5)]
    for k in range(50):
        batch = batches[k % len(batches)]
        metrics = together.update(batch, np.zeros(8))
        own = alone.update(members(batch, slice(chosen, chosen + 1)), np.zeros(1))
        for name, value in own.items():
            found = metrics[name][chosen : chosen + 1]
            torch.testing.assert_close(found, value, rtol=1e-5, atol=1e-7)
        if k in (19, 39):
            together.copy_target(np.full(8, True))
            alone.copy_target(np.full(1, True))
    for name, weight in alone.member_weights(0).items():
        found = together.member_weights(chosen)[name]
        torch.testing.assert_close(found, weight, rtol=0, atol=2e-6)


@pytest.mark.parametrize("backbone", ["vdn", "qmix", "qplex"])
def test_cadp_of_eight_stays_with_cadp_alone(backbone: str) -> None:
    """With other α, T and seeds beside it, over fifty updates: past T, past two target copies."""
    settings, chosen = arm("cadp", backbone, "qatten"), 5
    options = {
        "seeds": list(range(10, 18)),
        "alpha": [0.1 * (k + 1) for k in range(8)],
        "pruning_start_env_steps": [0, 50, 100, 150, 200, 250, 300, None],
    }
    together = build_learner(settings, SMALL, **options)
    own = {key: values[chosen : chosen + 1] for key, values in options.items()}
    alone = build_learner(settings, SMALL, **own)
    lengths = np.random.default_rng(0).integers(1, 7, (8, 4)).tolist()
    batches = [random_batch(SMALL, lengths, 6, seed) for seed in range(5)]
    for k in range(50):
        batch, steps = batches[k % len(batches)], np.full(8, 10 * k)
        found = together.update(batch, steps)
        expected = alone.update(members(batch, slice(chosen, chosen + 1)), steps[:1])
        for name, value in expected.items():
            torch.testing.assert_close(
                found[name][chosen : chosen + 1], value, rtol=1e-4, atol=1e-6, msg=name
            )
        if k in (20, 40):
            together.copy_target(np.ones(8, np.bool_))
            alone.copy_target(np.ones(1, np.bool_))


def test_initial_weights_depend_on_the_own_seed_alone() -> None:
    settings = arm("cadp", "qmix")
    pair, single = (
        build_learner(settings, SMALL, seeds=[1, 2]),
        build_learner(settings, SMALL, seeds=[2]),
    )
    for name, weight in single.member_weights(0).items():
        assert torch.equal(pair.member_weights(1)[name], weight)
        assert not torch.equal(pair.member_weights(0)[name], weight)


def test_initial_weights_fill_pytorchs_default_range() -> None:
    weights = build_learner(arm("cadp", "qmix"), SMALL, seeds=[0]).member_weights(0)
    for name, fan_in in (("gru.weight_hh", 64), ("advice.weight", 128), ("merge.bias", 128)):
        bound = fan_in**-0.5
        assert 0.8 * bound < float(weights[name].abs().max()) <= bound


@pytest.mark.parametrize("optimiser", ["adam", "rmsprop"])
def test_inactive_members_stay(optimiser: str) -> None:
    learner = build_learner(arm("cadp", "qmix", optimiser=optimiser), SMALL, **OPTIONS)
    batch = random_batch(SMALL, LENGTHS, 6)
    learner.update(batch, np.array([50, 50, 50]))
    before = learner.state_dict()
    learner.update(batch, np.array([50, 50, 50]), np.array([True, False, True]))
    after = learner.state_dict()
    for name, tensor in after.items():
        assert torch.equal(tensor[1], before[name][1]), name
        assert name == "target" or not torch.equal(tensor[0], before[name][0]), name


def test_members_without_episodes_stay_finite() -> None:
    learner = build_learner(arm("cadp", "qplex"), SMALL, **OPTIONS)
    batch = random_batch(SMALL, [[4, 2], [0, 0], [1, 1]], 4)
    metrics = learner.update(batch, np.zeros(3), np.array([True, False, True]))
    assert all(bool(value.isfinite().all()) for value in metrics.values())


@pytest.mark.parametrize(("framework", "backbone", "form"), ARMS + JOINT_ARMS)
def test_padding_changes_nothing(framework: str, backbone: str, form: str) -> None:
    """Neither what stands in padded places nor how much of it there is."""
    settings = arm(framework, backbone, form)
    short = random_batch(SMALL, [[3, 1, 4]], 4)
    long = random_batch(SMALL, [[3, 1, 4]], 9)
    wild = {}
    for name in ("observations", "state", "reward", "actions", "available_actions", "terminated"):
        padded, real = getattr(long, name).clone(), getattr(short, name)
        padded = torch.ones_like(padded) if padded.dtype != torch.float32 else padded + 99.0
        for b, length in enumerate([3, 1, 4]):
            n = length if name in ("reward", "actions", "terminated") else length + 1
            padded[:, b, :n] = real[:, b, :n]
        wild[name] = padded
    results = []
    for batch in (short, replace(long, **wild)):
        learner = build_learner(settings, SMALL, seeds=[0], pruning_start_env_steps=[0])
        metrics = learner.update(batch, np.array([1]))
        results.append((metrics, learner.member_gradients(0)))
    for left, right in zip(*results, strict=True):
        for name in left:
            torch.testing.assert_close(left[name], right[name], rtol=1e-5, atol=1e-6)


def test_target_copies_chosen_members() -> None:
    learner = build_learner(arm("ctde", "vdn"), SMALL, **OPTIONS)
    learner.update(random_batch(SMALL, LENGTHS, 6), np.zeros(3))
    learner.copy_target(torch.tensor([True, False, True]))
    state = learner.state_dict()
    is_copied = (state["target"] == state["online"]).all(dim=1)
    assert is_copied.tolist() == [True, False, True]


@pytest.mark.parametrize(("framework", "backbone", "form"), ARMS + JOINT_ARMS)
def test_state_goes_on_bit_by_bit(framework: str, backbone: str, form: str) -> None:
    settings = arm(framework, backbone, form)
    batches = [random_batch(SMALL, LENGTHS, 6, seed) for seed in range(4)]
    first = build_learner(settings, SMALL, **OPTIONS)
    for batch in batches[:2]:
        first.update(batch, np.full(3, 200))
    second = build_learner(settings, SMALL, **(OPTIONS | {"seeds": [7, 8, 9]}))
    second.load_state_dict(first.state_dict())
    for batch in batches[2:]:
        metrics = [learner.update(batch, np.full(3, 200)) for learner in (first, second)]
        assert all(torch.equal(metrics[0][name], metrics[1][name]) for name in metrics[0])
    left, right = first.state_dict(), second.state_dict()
    assert all(torch.equal(left[name], right[name]) for name in left)


def test_mistakes_are_named() -> None:
    learner = build_learner(arm("ctde", "vdn"), SMALL, seeds=[0])
    other = build_learner(arm("ctde", "qmix"), SMALL, seeds=[0])
    with pytest.raises(InputError, match="another arm"):
        learner.load_state_dict(other.state_dict())
    with pytest.raises(InputError, match="names of the weights"):
        learner.load_member_weights(0, other.member_weights(0))
    weights = learner.member_weights(0)
    with pytest.raises(InputError, match=r"head\.bias should have shape"):
        learner.load_member_weights(0, weights | {"head.bias": torch.zeros(1)})
    with pytest.raises(InputError, match="alpha: one value per member"):
        build_learner(arm("cadp", "vdn"), SMALL, seeds=[0, 1], alpha=[1.0])
