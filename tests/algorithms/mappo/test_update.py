"""One update of a population: against the plainest torch, and what must not matter."""

from __future__ import annotations

import numpy as np
import plain_mappo
import pytest
import torch
from episodes import SMALL
from played import LENGTHS, alone, played, spoiled, unpadded

from suite.algorithms.inputs import living_agents
from suite.algorithms.mappo.settings import CadpMappoSettings, MappoSettings
from suite.algorithms.mappo.update import MappoLearner
from suite.algorithms.rows import pack
from suite.errors import InputError

ARMS = [("ctde", True), ("ctde", False), ("cadp", True), ("cadp", False)]
OPTIONS = {
    "seeds": [3, 4],
    "alpha": [0.5, 7.0],
    "pruning_start_env_steps": [0, 100],
    "learning_rate": [1e-3, 5e-4],
    "critic_learning_rate": [5e-4, 2e-3],
}
STEPS = np.array([50, 150])


def arm(framework: str, is_recurrent: bool, **others: object) -> MappoSettings:
    model = CadpMappoSettings if framework == "cadp" else MappoSettings
    return model.model_validate({"is_recurrent": is_recurrent, "chunk_length": 3, **others})


@pytest.mark.parametrize(("framework", "is_recurrent"), ARMS)
@pytest.mark.parametrize("masks_dead", [False, True])
def test_updates_are_those_of_the_plain_version(
    framework: str, is_recurrent: bool, masks_dead: bool
) -> None:
    settings = arm(
        framework, is_recurrent, n_epochs=3, clip=0.05, masks_dead_in_value_loss=masks_dead
    )
    learner = spoiled(MappoLearner(settings, SMALL, **OPTIONS))
    weights = [learner.member_weights(m) for m in range(2)]
    batches = [played(seed=seed) for seed in range(2)]
    found = [learner.update(*batch, STEPS) for batch in batches]
    for m in range(2):
        w = {name: v.double().requires_grad_() for name, v in weights[m].items()}
        optimisers = tuple(
            torch.optim.Adam(
                [v for name, v in w.items() if name.startswith("critic.") == is_critic],
                lr=OPTIONS[rate][m],
                eps=1e-5,
            )
            for is_critic, rate in ((False, "learning_rate"), (True, "critic_learning_rate"))
        )
        value_norm = plain_mappo.ValueNorm(0.99999)
        for metrics, (_, batch, _) in zip(found, batches, strict=True):
            expected = plain_mappo.update(
                w,
                optimisers,
                value_norm,
                unpadded(batch, m),
                clip=0.05,
                n_epochs=3,
                chunk_length=3,
                alpha=OPTIONS["alpha"][m],
                masks_dead=masks_dead,
            )
            assert metrics.keys() == expected.keys()
            assert 0 < expected["clip_fraction"] < 1  # both branches of the surrogate are tried
            for name, value in expected.items():
                assert float(metrics[name][m]) == pytest.approx(value, rel=1e-3, abs=1e-5), name
        for name, weight in learner.member_weights(m).items():
            moved = (w[name] - weights[m][name]).detach().abs().max()
            assert moved > 1e-4, name
            torch.testing.assert_close(weight, w[name].detach().float(), rtol=0, atol=3e-5)
    assert not np.isclose(*[float(v) for v in found[0]["loss_value"]])


@pytest.mark.parametrize(("framework", "is_recurrent"), ARMS)
@pytest.mark.parametrize("protocol", ["repaired", "as_released"])
@pytest.mark.parametrize("n_minibatches", [1, 2])
def test_member_of_eight_equals_member_alone(
    framework: str, is_recurrent: bool, protocol: str, n_minibatches: int
) -> None:
    settings = arm(
        framework, is_recurrent, protocol=protocol, n_minibatches=n_minibatches, n_epochs=2
    )
    lengths = [[5, 2, 6], [3, 3, 1], [6, 6, 6], [1, 1, 2]]
    lengths += [[4, 4, 4], [1, 6, 2], [2, 2, 5], [3, 4, 1]]
    options = {
        "seeds": list(range(8)),
        "alpha": [0.5 * k for k in range(8)],
        "pruning_start_env_steps": [0, 100, None, 0, 0, 10, 1000, 0],
        "learning_rate": [1e-4 * (k + 1) for k in range(8)],
    }
    steps = np.arange(8) * 30 + 1
    together = MappoLearner(settings, SMALL, **options)
    batches = [played(lengths, seed=seed) for seed in range(3)]
    metrics = [together.update(*batch, steps) for batch in batches]
    for m in (0, 3, 5):
        single = MappoLearner(settings, SMALL, **{k: v[m : m + 1] for k, v in options.items()})
        for k, (_, batch, _) in enumerate(batches):
            own = alone(batch, m)
            rows = pack(own)
            living = living_agents(rows.of_observations(own.available_actions))
            result = single.update(rows, own, living, steps[m : m + 1])
            for name, value in result.items():
                torch.testing.assert_close(
                    metrics[k][name][m : m + 1], value, rtol=2e-4, atol=1e-5, msg=name
                )
        for name, weight in single.member_weights(0).items():
            torch.testing.assert_close(
                together.member_weights(m)[name], weight, rtol=0, atol=3e-5, msg=name
            )


@pytest.mark.parametrize(("framework", "is_recurrent"), ARMS)
def test_inactive_members_stay(framework: str, is_recurrent: bool) -> None:
    learner = MappoLearner(arm(framework, is_recurrent), SMALL, **OPTIONS)
    batch = played()
    learner.update(*batch, STEPS)
    before = learner.state_dict()
    learner.update(*batch, STEPS, np.array([True, False]))
    for name, tensor in learner.state_dict().items():
        assert torch.equal(tensor[1], before[name][1]), name
        assert not torch.equal(tensor[0], before[name][0]), name


def test_members_without_episodes_stay_finite() -> None:
    learner = MappoLearner(arm("cadp", True), SMALL, **OPTIONS)
    metrics = learner.update(*played([[4, 2], [0, 0]], 4), STEPS, np.array([True, False]))
    assert all(bool(value.isfinite().all()) for value in metrics.values())
    assert learner.is_finite().all()


@pytest.mark.parametrize("protocol", ["repaired", "as_released"])
def test_state_goes_on_bit_by_bit(protocol: str) -> None:
    settings = arm("cadp", True, protocol=protocol, n_minibatches=2)
    batches = [played(seed=seed) for seed in range(4)]
    first = MappoLearner(settings, SMALL, **OPTIONS)
    for batch in batches[:2]:
        first.update(*batch, STEPS)
    second = MappoLearner(settings, SMALL, **OPTIONS)
    second.load_state_dict(first.state_dict())
    for batch in batches[2:]:
        metrics = [learner.update(*batch, STEPS) for learner in (first, second)]
        assert all(torch.equal(metrics[0][name], metrics[1][name]) for name in metrics[0])
    left, right = first.state_dict(), second.state_dict()
    assert all(torch.equal(left[name], right[name]) for name in left)


def test_release_prunes_strictly_after_its_step() -> None:
    settings = arm("cadp", True, n_epochs=1)
    results = []
    for steps in (100, 101):
        learner = MappoLearner(settings, SMALL, seeds=[0], pruning_start_env_steps=[100])
        learner.update(*played([[4, 5]]), np.array([steps]))
        plain = MappoLearner(settings, SMALL, seeds=[0])
        plain.update(*played([[4, 5]]), np.array([steps]))
        results.append(
            {
                name
                for name, weight in learner.member_weights(0).items()
                if not torch.equal(weight, plain.member_weights(0)[name])
            }
        )
    # The gradient's norm, hence clipping, is below its limit: only queries and keys feel the loss.
    assert results == [set(), {"attention.weight"}]


def test_released_teams_change_the_ratio_of_the_first_step() -> None:
    """Old and new weights are equal then, so in right teams ρ = 1."""
    kl = {}
    for protocol in ("repaired", "as_released"):
        settings = arm("cadp", True, protocol=protocol, n_epochs=1)
        learner = spoiled(MappoLearner(settings, SMALL, seeds=[0]))
        kl[protocol] = float(learner.update(*played([[6, 6, 5]]), np.array([0]))["approx_kl"])
    assert kl["repaired"] == pytest.approx(0, abs=1e-7)
    assert kl["as_released"] > 1e-4


def test_minibatches_are_more_steps() -> None:
    for n_minibatches, n_steps in ((1, 5), (2, 10)):
        learner = MappoLearner(arm("ctde", False, n_minibatches=n_minibatches), SMALL, seeds=[0])
        learner.update(*played([[6, 6]]), np.array([0]))
        assert learner.state_dict()["actor_optimiser.n_steps"].item() == n_steps


def test_mistakes_are_named() -> None:
    learner = MappoLearner(arm("ctde", True), SMALL, seeds=[0])
    other = MappoLearner(arm("cadp", True), SMALL, seeds=[0])
    with pytest.raises(InputError, match="another arm"):
        learner.load_state_dict(other.state_dict())
    with pytest.raises(InputError, match="names of the weights"):
        learner.load_member_weights(0, other.member_weights(0))
    with pytest.raises(InputError, match="alpha: one value per member"):
        MappoLearner(arm("cadp", True), SMALL, seeds=[0, 1], alpha=[1.0])


def test_all_lengths_are_used() -> None:
    """The tests above see episodes that end before, at and after a chunk's end."""
    assert {n % 3 for own in LENGTHS for n in own} == {0, 1, 2}
