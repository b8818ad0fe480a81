"""Speed of learning and acting of every method, beside its floor: the same matrix products alone.

The products are those of the layers that a method declares. Run `pytest
benchmarks/test_learner_speed.py` on an otherwise idle machine; times are CPU time of one thread.
`extra_info` holds the products' GFLOP. Sizes are those of two maps, batches 32 episodes of 60
steps (3m: 30), all rows real, pruning on. With `--benchmark-json=FILE`, `methods_table.py` writes
the figures into docs/methods.md.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from suite.algorithms import EpisodeBatch, Sizes, arm_settings
from suite.algorithms.allocator import keep_freed_memory
from suite.algorithms.cadp.method import PRUNING_START
from suite.algorithms.declaration import Members, Method
from suite.algorithms.inputs import living_agents
from suite.algorithms.mappo.method import MappoMethod
from suite.algorithms.mappo.update import MappoLearner
from suite.algorithms.registry import methods
from suite.algorithms.rows import pack
from suite.algorithms.settings import ArmSettings
from suite.algorithms.specs import ParameterSpec
from suite.algorithms.value.base import QLearner
from suite.algorithms.value.method import QMethod
from suite.algorithms.value.networks import Network
from suite.environments.registry import describe
from suite.runs.protocol import TrainingProtocol

pytestmark = pytest.mark.benchmark(timer=time.process_time, warmup=False)

N_STEPS = {"3m": 30, "5m_vs_6m": 60}
PROTOCOL = TrainingProtocol(batch_size_episodes=32, episodes_per_collection=32)
N_EPISODES = PROTOCOL.batch_size_episodes
ARMS = {"-".join(key): method for key, method in methods().items()}

# (m, k, n): an (m, k) matrix times a (k, n) matrix.
Product = tuple[int, int, int]


@pytest.fixture(autouse=True)
def as_a_worker_runs() -> None:
    torch.set_num_threads(1)
    keep_freed_memory()


def sizes_of(scenario: str) -> Sizes:
    return describe(f"skirmish/{scenario}").sizes


def settings_on(method: Method, scenario: str, **settings: object) -> Any:
    """As a run on the scenario has them."""
    arm = arm_settings(method.framework, method.backbone, **settings)
    return method.on_scenario(arm, scenario)


def blocks_of(spec: ParameterSpec) -> tuple[int, int, int]:
    """Matrices of a weight, and outputs and inputs of each; none of a bias."""
    if not spec.is_weight:
        return 0, 0, 0
    *blocks, n_outputs, n_inputs = spec.shape
    return int(np.prod(blocks)), n_outputs, n_inputs


def layer_products(
    spec: ParameterSpec,
    n_groups: int,
    n_steps: int,
    n_rows: int,
    n_forward: int,
    n_backward: int,
) -> list[Product]:
    """Forward passes, gradients of the weight, gradients of inputs that are not data.

    n_groups: sequences side by side, of n_steps each. n_rows: of all of them.
    """
    n_blocks, n_out, n_in = blocks_of(spec)
    if spec.name.endswith("weight_hh"):  # once per step; the gradient of the weight at once
        forward, inner = [(n_groups, n_in, n_out)] * n_steps, [(n_groups, n_out, n_in)] * n_steps
        weight = [(n_out, n_groups * n_steps, n_in)]
    else:
        n_inner = n_in - spec.n_data_inputs
        forward, weight = [(n_rows, n_in, n_out)], [(n_out, n_rows, n_in)]
        inner = [(n_rows, n_out, n_inner)] if n_inner else []
    return n_blocks * (n_forward * forward + n_backward * (weight + inner))


def network_products(
    method: Method, settings: ArmSettings, network: Network, n_steps: int
) -> list[Product]:
    """Of all passes of an update. Agents also see what the last action led to; mixers have as many
    rows as actions. MAPPO looks back on episodes once, then goes through chunks of them."""
    n_groups, n_seen = N_EPISODES * network.n_rows, n_steps + (network.n_rows > 1)
    passes = [(n_groups, n_steps, n_groups * n_seen, network.n_forward, network.n_backward)]
    if isinstance(method, MappoMethod):
        chunk = settings.chunk_length  # type: ignore[attr-defined]
        assert n_steps % chunk == 0
        passes = [
            (n_groups, n_steps, n_groups * n_seen, 1, 0),
            (
                n_groups * n_steps // chunk,
                chunk,
                n_groups * n_steps,
                network.n_forward - 1,
                network.n_backward,
            ),
        ]
    return [
        product
        for spec in network.specs
        for one in passes
        for product in layer_products(spec, *one)
    ]


def update_products(method: Method, settings: ArmSettings, scenario: str) -> list[Product]:
    """What the method declares; products without weights, as of attention, are left out.

    Raises AssertionError unless they and those of attention are what `work` says an update takes,
    but for steps that not all layers see.
    """
    assert isinstance(method, QMethod | MappoMethod)
    sizes, n_steps = sizes_of(scenario), N_STEPS[scenario]
    networks = method.networks(settings, sizes)
    products = [p for one in networks for p in network_products(method, settings, one, n_steps)]
    n_seen = N_EPISODES * (n_steps + 1)
    of_attention = sum(
        2 * n_seen * one.n_rows * one.products * (one.n_forward + 2 * one.n_backward)
        for one in networks
    )
    declared = method.work(settings, PROTOCOL, sizes, n_steps).update_flops
    share = (1e9 * giga_flop(products) + of_attention) / declared
    assert n_steps / (n_steps + 1) <= share <= 1, share
    return products


def acting_products(specs: tuple[ParameterSpec, ...], n_rows: int) -> list[Product]:
    """One forward pass of the network that acts."""
    blocks = [blocks_of(spec) for spec in specs]
    return [(n_rows, n_in, n_out) for n, n_out, n_in in blocks for _ in range(n)]


def giga_flop(products: list[Product]) -> float:
    return sum(2 * m * k * n for m, k, n in products) / 1e9


def floor_of(products: list[Product]) -> Callable[[], None]:
    """Runs the products one after another on tensors made beforehand."""
    made = {p: (torch.rand(p[0], p[1]), torch.rand(p[2], p[1]).t()) for p in set(products)}
    out = {p: torch.empty(p[0], p[2]) for p in made}
    tensors = [(*made[p], out[p]) for p in products]

    def run() -> None:
        for left, right, result in tensors:
            torch.mm(left, right, out=result)

    return run


def full_batch(sizes: Sizes, n_steps: int, extra: tuple[str, ...] = ()) -> EpisodeBatch:
    b, t, n = N_EPISODES, n_steps, sizes.n_agents
    g = torch.Generator().manual_seed(0)
    return EpisodeBatch(
        observations=torch.rand(1, b, t + 1, n, sizes.observation_size, generator=g),
        state=torch.rand(1, b, t + 1, sizes.state_size, generator=g),
        available_actions=torch.ones(1, b, t + 1, n, sizes.n_actions, dtype=torch.bool),
        actions=torch.randint(0, sizes.n_actions, (1, b, t, n), generator=g),
        reward=torch.rand(1, b, t, generator=g),
        terminated=torch.zeros(1, b, t, dtype=torch.bool),
        filled=torch.ones(1, b, t, dtype=torch.bool),
        extra={
            name: torch.rand(1, b, t + 1, n, sizes.extra_observations[name], generator=g)
            for name in extra
        },
    )


def learner_of(method: Method, settings: Any, sizes: Sizes) -> QLearner | MappoLearner:
    """Of one member that prunes from the start."""
    names = {one.name for one in method.hyperparameters(settings)}
    given = {PRUNING_START: [0]} if PRUNING_START in names else {}
    built: Any = method.build(settings, sizes, PROTOCOL, Members([0], hyperparameters=given))
    learner: QLearner | MappoLearner = built.learner
    return learner


def updating(method: Method, settings: Any, scenario: str) -> Callable[[], object]:
    """An update on a batch that is there already."""
    sizes = sizes_of(scenario)
    extra = method.extra_observations(settings, sizes)
    learner, batch = (
        learner_of(method, settings, sizes),
        full_batch(sizes, N_STEPS[scenario], extra),
    )
    env_steps = np.array([1])
    if isinstance(learner, QLearner):
        return lambda: learner.update(batch, env_steps)

    def update() -> object:
        rows = pack(batch)
        living = living_agents(rows.of_observations(batch.available_actions))
        return learner.update(rows, batch, living, env_steps)

    return update


def acting(learner: QLearner | MappoLearner, mode: str, n: int) -> Callable[[], object]:
    """What the network says of one step of n environments."""
    sizes = learner.sizes
    batch = full_batch(sizes, 1, tuple(sizes.extra_observations))
    names = ("observations", "state", "available_actions", *sizes.extra_observations)
    seen = {name: batch.array(name)[:, :n, 0].contiguous() for name in names}
    last = torch.zeros(1, n, sizes.n_agents, dtype=torch.int64)
    if isinstance(learner, QLearner):
        hidden = learner.initial_hidden(n, mode)
        return lambda: learner.act_values(seen, last, hidden, mode)
    hidden = learner.initial_hidden(n)
    observations, available = seen["observations"], seen["available_actions"]
    return lambda: learner.act_log_probabilities(observations, last, available, hidden, mode)


@pytest.mark.parametrize("what", ["floor", "ours"])
@pytest.mark.parametrize("arm", ARMS)
@pytest.mark.parametrize("scenario", N_STEPS)
def test_update(benchmark: Any, scenario: str, arm: str, what: str) -> None:
    method = ARMS[arm]
    settings = settings_on(method, scenario)
    products = update_products(method, settings, scenario)
    benchmark.group = f"update {scenario} {arm}"
    benchmark.extra_info["giga_flop"] = round(giga_flop(products), 3)
    run = floor_of(products) if what == "floor" else updating(method, settings, scenario)
    n_rounds = 5 if isinstance(method, MappoMethod) else 15
    benchmark.pedantic(run, rounds=n_rounds, iterations=1, warmup_rounds=2)


@pytest.mark.parametrize("returns", ["one_step", "td_lambda", "q_lambda"])
def test_update_with_lambda_returns(benchmark: Any, returns: str) -> None:
    method = ARMS["ctde-qmix"]
    benchmark.group = "update 5m_vs_6m ctde-qmix, returns"
    run = updating(method, settings_on(method, "5m_vs_6m", returns=returns), "5m_vs_6m")
    benchmark.pedantic(run, rounds=10, iterations=2, warmup_rounds=3)


@pytest.mark.parametrize("what", ["floor", "ours"])
@pytest.mark.parametrize("n_environments", [1, 32])
@pytest.mark.parametrize("arm", ARMS)
def test_acting(benchmark: Any, arm: str, n_environments: int, what: str) -> None:
    """In the mode in which a method trains."""
    sizes, method = sizes_of("5m_vs_6m"), ARMS[arm]
    settings = settings_on(method, "5m_vs_6m")
    learner, mode = learner_of(method, settings, sizes), method.modes(settings)[0].name
    if isinstance(learner, QLearner):
        specs = learner.acting[mode].agent.specs
    else:
        assert isinstance(method, MappoMethod)
        specs = method.actor_layers(settings, sizes)
    products = acting_products(specs, n_environments * sizes.n_agents)
    benchmark.group = f"acting {n_environments} {arm}"
    benchmark.extra_info["giga_flop"] = round(giga_flop(products), 6)
    run = floor_of(products) if what == "floor" else acting(learner, mode, n_environments)
    benchmark.pedantic(run, rounds=20, iterations=50, warmup_rounds=2)
