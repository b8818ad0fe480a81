"""Every switch of docs/deviations.md that touches training changes training; one test per row.

Arms come from study files: what a switch does is looked at behind the whole way from the file to
an update.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from episodes import SMALL, random_batch
from torch import Tensor

from suite.algorithms import EpisodeBatch, arm_settings
from suite.algorithms.declaration import Members
from suite.algorithms.inputs import living_agents
from suite.algorithms.mappo.on_policy import OnPolicy
from suite.algorithms.registry import matched_hidden_size, method_of, methods, settings_of
from suite.algorithms.rows import pack
from suite.algorithms.value.exploration import epsilon
from suite.algorithms.value.off_policy import OffPolicy
from suite.environments import describe
from suite.errors import InputError
from suite.runs.spec import RunSpec
from suite.study.load import load_study
from suite.study.plan import expand

DOCUMENT = Path(__file__).parents[2] / "docs" / "deviations.md"
# Methods of which `protocol = "as_released"` changes the training, as the document says.
CHANGED_BY_PROTOCOL = {("cadp", "qplex"), ("cadp", "mappo")}

STUDY = """
format = 1
name = "switches"
question = "?"
default_profile = "p"

[arms.arm]
{arm}

[profiles.p]
description = ""
scenarios = ["{scenario}"]
arms = ["arm"]
seeds = [5]

[profiles.p.training]
{training}

[profiles.p.hyperparameters]
{hyperparameters}
{more}
"""


class Planned:
    """The one run of a study of one arm, and updates of its learner from equal first weights."""

    def __init__(
        self,
        tmp_path: Path,
        framework: str,
        backbone: str,
        arm: str = "",
        scenario: str = "skirmish/3m",
        training: str = "",
        hyperparameters: str | None = None,
        more: str = "",
    ) -> None:
        if hyperparameters is None:
            hyperparameters = "pruning_start_env_steps = [100]" if framework == "cadp" else ""
        path = tmp_path / "study.toml"
        named = f'framework = "{framework}"\nbackbone = "{backbone}"\n{arm}'
        fields = {"arm": named, "scenario": scenario, "training": training, "more": more}
        path.write_text(STUDY.format(hyperparameters=hyperparameters, **fields))
        (self.run,) = expand(load_study(path)).runs
        self.settings = settings_of(self.run.algorithm)

    def update(self, env_steps: int, batch: EpisodeBatch | None = None) -> Updated:
        """One update at a step, on equal episodes unless others are given."""
        return Updated(self.run, env_steps, episodes() if batch is None else batch)


class Updated:
    """metrics of an update, the last gradient, and the weights after it."""

    def __init__(self, run: RunSpec, env_steps: int, batch: EpisodeBatch) -> None:
        given = {name: [value] for name, value in run.hyperparameters.items()}
        members = Members([run.seed], None, given)
        method, settings = method_of(run.algorithm), settings_of(run.algorithm)
        algorithm = method.build(settings, SMALL, run.training, members)
        assert isinstance(algorithm, OffPolicy | OnPolicy)
        learner, steps = algorithm.learner, np.array([env_steps])
        self.before = learner.member_weights(0)
        if isinstance(algorithm, OnPolicy):
            rows = pack(batch)
            living = living_agents(rows.of_observations(batch.available_actions))
            found: Mapping[str, Tensor] = algorithm.learner.update(rows, batch, living, steps)
        else:
            found = algorithm.learner.update(batch, steps)
        self.metrics = {name: float(value) for name, value in found.items()}
        self.gradients = learner.member_gradients(0)
        self.weights = learner.member_weights(0)

    @property
    def attention(self) -> Tensor:
        """Gradient of keys and queries, which alone feel the pruning loss."""
        rows = 2 * self.gradients["attention.weight"].shape[0] // 3
        return self.gradients["attention.weight"][:rows]


def equal(left: Mapping[str, Tensor], right: Mapping[str, Tensor]) -> bool:
    return left.keys() == right.keys() and all(torch.equal(left[k], right[k]) for k in left)


def episodes(ends: bool = True) -> EpisodeBatch:
    """Four episodes; ends: whether the one that lasts to the step limit ends there."""
    batch = random_batch(SMALL, [[6, 2, 5, 4]], 6)
    terminated = batch.terminated.clone()
    terminated[0, 0, -1] = ends
    return replace(batch, terminated=terminated)


def with_dead(batch: EpisodeBatch) -> EpisodeBatch:
    """The same where the last agent dies after two steps."""
    available, actions = batch.available_actions.clone(), batch.actions.clone()
    available[..., 1] = True
    available[:, :, 2:, -1] = torch.tensor([True, False, False, False])
    actions[:, :, 2:, -1] = 0
    return replace(batch, available_actions=available, actions=actions)


def pruning_gradient(planned: Planned, env_steps: int = 101, start: int = 100) -> Tensor:
    """What the pruning loss adds to the gradient of keys and queries after T."""
    return planned.update(env_steps).attention - planned.update(start).attention


RELEASED = 'protocol = "as_released"'
UNCLIPPED = "gradient_clip = 1e6\n"


@pytest.mark.parametrize(("framework", "backbone"), sorted(methods()))
def test_protocol_changes_what_the_document_says_and_nothing_else(
    framework: str, backbone: str, tmp_path: Path
) -> None:
    model = methods()[framework, backbone].settings
    more = 'privileged = "observation_and_state"\n' if "privileged" in model.model_fields else ""
    found = [
        Planned(tmp_path, framework, backbone, more + protocol).update(101)
        for protocol in ("", RELEASED)
    ]
    assert equal(found[0].before, found[1].before)
    is_changed = not equal(found[0].weights, found[1].weights)
    assert is_changed == ((framework, backbone) in CHANGED_BY_PROTOCOL)


def test_d1_cadp_on_qplex_never_prunes_as_released(tmp_path: Path) -> None:
    repaired, released = (
        Planned(tmp_path, "cadp", "qplex", UNCLIPPED + protocol) for protocol in ("", RELEASED)
    )
    assert pruning_gradient(repaired).abs().max() > 1e-4
    assert equal(released.update(100).gradients, released.update(10**9).gradients)
    assert equal(released.update(100).gradients, repaired.update(100).gradients)


@pytest.mark.parametrize(
    ("backbone", "released", "chosen"),
    [
        pytest.param("qmix", 700_000, 3_000_000, id="D6"),
        pytest.param("mappo", 3_000_000, 6_000_000, id="D19"),
    ],
)
def test_d6_d19_the_pruning_start_is_the_studys(
    backbone: str, released: int, chosen: int, tmp_path: Path
) -> None:
    """The release's one T prunes where that of a scenario does not yet."""
    budget = f"total_env_steps = {2 * chosen}"
    updates = [
        Planned(
            tmp_path,
            "cadp",
            backbone,
            training=budget,
            hyperparameters=f"pruning_start_env_steps = [{start}]",
        ).update(released + 1)
        for start in (released, chosen)
    ]
    assert not torch.equal(updates[0].attention, updates[1].attention)
    with pytest.raises(InputError, match="no pruning_start_env_steps"):
        Planned(tmp_path, "cadp", backbone, hyperparameters="")


def test_d7_annealing_is_the_scenarios(tmp_path: Path) -> None:
    scenario = "skirmish/corridor"
    own = f'[profiles.p.scenario_settings."{scenario}".training]\n'
    own += "epsilon_anneal_env_steps = 500_000"
    released, chosen = (
        Planned(tmp_path, "cadp", "qmix", scenario=scenario, more=more).run.training
        for more in ("", own)
    )
    assert epsilon(100_000, released) == pytest.approx(0.05)
    assert epsilon(100_000, chosen) == pytest.approx(0.81)


def test_d8_optimisers_step_otherwise(tmp_path: Path) -> None:
    """The first step of a weight with a gradient is η of Adam, η / √(1 - 0.99) of RMSprop."""
    for optimiser, size in (("adam", 5e-4), ("rmsprop", 5e-3)):
        found = Planned(tmp_path, "ctde", "qmix", f'optimiser = "{optimiser}"').update(0)
        moved = max(float((found.weights[k] - found.before[k]).abs().max()) for k in found.weights)
        assert moved == pytest.approx(size, rel=0.01)
    with pytest.raises(InputError, match="optimiser"):
        Planned(tmp_path, "ctde", "mappo", 'optimiser = "adam"')


def test_d9_hypernetworks_of_one_layer_unless_two_are_asked_for(tmp_path: Path) -> None:
    one, two = (
        Planned(tmp_path, "ctde", "qmix", layers).update(0)
        for layers in ("", "hypernet_layers = 2")
    )
    assert two.weights.keys() - one.weights.keys() == {
        f"hyper_{layer}.{part}" for layer in ("first", "last") for part in ("weight", "bias")
    }
    assert one.metrics["loss_td"] != two.metrics["loss_td"]
    assert Planned(tmp_path, "ctde", "ow_qmix").update(0).weights.keys() >= two.weights.keys()


@pytest.mark.parametrize("backbone", ["vdn", "qmix", "qplex"])
def test_d10_the_released_mean_has_one_more_factor_of_n(backbone: str, tmp_path: Path) -> None:
    squared, plain = (
        pruning_gradient(Planned(tmp_path, "cadp", backbone, UNCLIPPED + normalisation))
        for normalisation in ("", 'pruning_normalisation = "agents"')
    )
    torch.testing.assert_close(plain, SMALL.n_agents * squared, rtol=1e-3, atol=1e-6)
    assert squared.abs().max() > 1e-4


def test_d11_constant_weight_unless_a_schedule_is_asked_for(tmp_path: Path) -> None:
    """Halfway up a ramp, half the gradient."""
    ramp = "pruning_start_env_steps = [100]\npruning_ramp_end_env_steps = [300]"
    constant, linear = (
        pruning_gradient(
            Planned(tmp_path, "cadp", "qmix", UNCLIPPED + schedule, hyperparameters=values), 200
        )
        for schedule, values in (
            ("", "pruning_start_env_steps = [100]"),
            ('pruning_schedule = "linear"', ramp),
        )
    )
    torch.testing.assert_close(linear, constant / 2, rtol=1e-3, atol=1e-6)
    assert constant.abs().max() > 1e-4


def test_d14_the_dead_are_heard_unless_masked(tmp_path: Path) -> None:
    heard, masked = (Planned(tmp_path, "cadp", "qmix", arm) for arm in ("", "masks_dead = true"))
    dead = with_dead(episodes())
    assert not equal(heard.update(101, dead).weights, masked.update(101, dead).weights)
    everybody = replace(dead, available_actions=torch.ones_like(dead.available_actions))
    pairs = [planned.update(101, everybody).metrics for planned in (heard, masked)]
    assert pairs[0] == pytest.approx(pairs[1], rel=1e-5)


def test_d15_opponents_of_equal_parameters(tmp_path: Path) -> None:
    """Those without advice have CADP's weights, of which keys and queries learn nothing."""
    advised = Planned(tmp_path, "cadp", "qmix").update(101)
    alone = Planned(tmp_path, "cadp", "qmix", 'attends_to = "self"', hyperparameters="").update(101)
    assert equal(advised.before, alone.before)
    assert advised.attention.abs().max() > 0
    assert alone.attention.abs().max() == 0


def test_d15_matching_widths_are_those_of_the_document() -> None:
    row = re.compile(r"^\| (\w+) \| ([\d,]+) \| ([\d,]+) \| (\d+) \| ([\d,]+) \|$", re.MULTILINE)
    table = DOCUMENT.read_text("utf-8").partition("## Equal parameters")[2]
    rows = [found for found in row.findall(table) if not found[0].startswith("academy")]
    assert {name for name, *_ in rows} >= {"5m_vs_6m", "corridor", "3s5z_vs_3s6z"}
    for scenario, *said in rows:
        sizes = describe(f"skirmish/{scenario}").sizes
        plain, cadp = (arm_settings(framework, "qmix") for framework in ("ctde", "cadp"))
        width = matched_hidden_size(plain, cadp, sizes)
        wide = arm_settings("ctde", "qmix", hidden_size=width)
        own, model, found = (method_of(a).n_parameters(a, sizes) for a in (plain, cadp, wide))
        assert said == [f"{own:,}", f"{model:,}", str(width), f"{found:,}"], scenario
        for backbone in ("vdn", "qplex"):  # whose mixers have nothing to do with the width either
            pair = (arm_settings(framework, backbone) for framework in ("ctde", "cadp"))
            assert matched_hidden_size(*pair, sizes) == width


@pytest.mark.parametrize("recurrent", ["true", "false"])
def test_d17_cadp_on_mappo_trains_shuffled_agents_as_released(
    recurrent: str, tmp_path: Path
) -> None:
    """Before the first step old and new policy are equal: ρ = 1 in the teams that played."""
    arm = f"is_recurrent = {recurrent}\nn_epochs = 1\naction_gain = 1.0\n"
    repaired, released = (
        Planned(tmp_path, "cadp", "mappo", arm + protocol).update(101)
        for protocol in ("", RELEASED)
    )
    assert repaired.metrics["approx_kl"] == pytest.approx(0, abs=1e-7)
    assert released.metrics["approx_kl"] > 1e-5
    assert released.metrics["loss_pruning"] != repaired.metrics["loss_pruning"]


def test_d18_the_pruning_loss_of_mappo_is_the_released_mean_of_weight_one_half(
    tmp_path: Path,
) -> None:
    """The dead count; a study may choose the weight and the mean."""
    default = Planned(tmp_path, "cadp", "mappo")
    assert default.run.hyperparameters["alpha"] == 0.5
    dead = with_dead(episodes())
    squared = default.update(101, dead)
    arm = 'pruning_normalisation = "agents"'
    plain = Planned(tmp_path, "cadp", "mappo", arm + "\nn_epochs = 1").update(101, dead)
    first = Planned(tmp_path, "cadp", "mappo", "n_epochs = 1").update(101, dead)
    n = SMALL.n_agents
    assert plain.metrics["loss_pruning"] == pytest.approx(n * first.metrics["loss_pruning"])
    values = "alpha = [5.0]\npruning_start_env_steps = [100]"
    other = Planned(tmp_path, "cadp", "mappo", hyperparameters=values).update(101, dead)
    assert not torch.equal(other.weights["attention.weight"], squared.weights["attention.weight"])


def test_d20_a_seed_has_its_effect(tmp_path: Path) -> None:
    run = Planned(tmp_path, "cadp", "mappo").run
    first, again, other = (
        Updated(run.model_copy(update={"seed": seed}), 0, episodes()) for seed in (1, 1, 2)
    )
    assert equal(first.weights, again.weights)
    assert not equal(first.weights, other.weights)


def test_d21_value_masks_are_off_as_the_inverted_flag_leaves_them(tmp_path: Path) -> None:
    dead = with_dead(episodes())
    released, meant = (
        Planned(tmp_path, "ctde", "mappo", arm) for arm in ("", "masks_dead_in_value_loss = true")
    )
    losses = [planned.update(101, dead).metrics["loss_value"] for planned in (released, meant)]
    assert losses[0] != pytest.approx(losses[1], rel=1e-4)


def test_d29_alpha_is_the_releases_of_each_backbone(tmp_path: Path) -> None:
    found = {
        backbone: Planned(tmp_path, "cadp", backbone).run.hyperparameters["alpha"]
        for backbone in ("vdn", "qmix", "qplex", "mappo")
    }
    assert found == {"vdn": 1.0, "qmix": 0.5, "qplex": 1.0, "mappo": 0.5}
    values = "alpha = [7.0]\npruning_start_env_steps = [100]"
    other = Planned(tmp_path, "cadp", "qmix", UNCLIPPED, hyperparameters=values)
    default = Planned(tmp_path, "cadp", "qmix", UNCLIPPED)
    expected = 14 * pruning_gradient(default)
    torch.testing.assert_close(pruning_gradient(other), expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("framework", "default", "other"),
    [
        ("ctds", "unlimited_sight", "observation_and_state"),
        ("igm_da", "observation_and_state", "sight_9"),
    ],
)
def test_d31_what_a_teacher_sees_is_the_studys(
    framework: str, default: str, other: str, tmp_path: Path
) -> None:
    sizes = describe("skirmish/3m").sizes
    widths = []
    for arm in ("", f'privileged = "{other}"'):
        planned = Planned(tmp_path, framework, "vdn", arm)
        method = method_of(planned.settings)
        widths.append(method.n_parameters(planned.settings, sizes))
    assert arm_settings(framework, "vdn").model_dump()["privileged"] == default
    assert abs(widths[0] - widths[1]) == sizes.state_size * 64


def test_d32_the_time_limit_is_terminal_unless_the_study_says_otherwise(tmp_path: Path) -> None:
    released, other = (
        Planned(tmp_path, "ctde", "qmix", training=training).run.training.time_limit
        for training in ("", 'time_limit = "bootstrap"')
    )
    assert (released, other) == ("terminal", "bootstrap")
    for backbone, metric in (("qmix", "loss_td"), ("mappo", "loss_value")):
        planned = Planned(tmp_path, "ctde", backbone)
        losses = [planned.update(0, episodes(ends)).metrics[metric] for ends in (True, False)]
        assert losses[0] != pytest.approx(losses[1], rel=1e-4), backbone


def test_scripts_of_mappo_decide_per_scenario_what_the_study_leaves_open(tmp_path: Path) -> None:
    def settings(arm: str, scenario: str = "skirmish/5m_vs_6m") -> dict[str, object]:
        return Planned(tmp_path, "cadp", "mappo", arm, scenario).settings.model_dump()

    assert (settings("")["n_epochs"], settings("")["clip"]) == (10, 0.05)
    assert (settings("clip = 0.2")["n_epochs"], settings("clip = 0.2")["clip"]) == (10, 0.2)
    assert settings("", "skirmish/corridor")["is_recurrent"] is False
