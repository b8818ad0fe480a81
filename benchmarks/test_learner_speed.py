"""Speed of learning and acting, each beside its floor: the same matrix products and nothing else.

The products are those of the layers that a method declares. Run `pytest
benchmarks/test_learner_speed.py` on an otherwise idle machine; times are CPU time of one thread.
`extra_info` holds the products' GFLOP. Sizes are those of two maps, batches 32 episodes of 60
steps, all rows real, pruning on.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest
import torch

from suite.algorithms import EpisodeBatch, Sizes, arm_settings, build_learner
from suite.algorithms.allocator import keep_freed_memory
from suite.algorithms.registry import method_of, methods
from suite.algorithms.specs import ParameterSpec
from suite.algorithms.value.base import QLearner
from suite.algorithms.value.method import QMethod
from suite.algorithms.value.networks import Network

pytestmark = pytest.mark.benchmark(timer=time.process_time, warmup=False)

SIZES = {
    "3m": Sizes(n_agents=3, n_actions=9, observation_size=30, state_size=48, ally_state_size=4),
    "5m_vs_6m": Sizes(
        n_agents=5, n_actions=12, observation_size=55, state_size=98, ally_state_size=5
    ),
}
N_EPISODES, N_STEPS = 32, 60
ARMS = [key for key, method in methods().items() if isinstance(method, QMethod)]

# (m, k, n): an (m, k) matrix times a (k, n) matrix.
Product = tuple[int, int, int]


@pytest.fixture(autouse=True)
def as_a_worker_runs() -> None:
    torch.set_num_threads(1)
    keep_freed_memory()


def blocks_of(spec: ParameterSpec) -> tuple[int, int, int]:
    """Matrices of a weight, and outputs and inputs of each; none of a bias."""
    if not spec.is_weight:
        return 0, 0, 0
    *blocks, n_outputs, n_inputs = spec.shape
    return int(np.prod(blocks)), n_outputs, n_inputs


def layer_products(spec: ParameterSpec, network: Network) -> list[Product]:
    """Forward passes, gradients of the weight, gradients of inputs that are not data."""
    n_blocks, n_out, n_in = blocks_of(spec)
    n_rows = N_EPISODES * network.n_rows
    if spec.name.endswith("weight_hh"):  # once per step; the gradient of the weight at once
        forward, inner = [(n_rows, n_in, n_out)] * N_STEPS, [(n_rows, n_out, n_in)] * N_STEPS
        weight = [(n_out, n_rows * N_STEPS, n_in)]
    else:
        # Agents also see what the last action led to; mixers have as many rows as actions.
        n_rows *= N_STEPS + (network.n_rows > 1)
        n_inner = n_in - spec.n_data_inputs
        forward, weight = [(n_rows, n_in, n_out)], [(n_out, n_rows, n_in)]
        inner = [(n_rows, n_out, n_inner)] if n_inner else []
    return n_blocks * (network.n_forward * forward + network.n_backward * (weight + inner))


def update_products(framework: str, backbone: str, sizes: Sizes) -> list[Product]:
    """What the method declares; products without weights, as of attention, are left out."""
    settings = arm_settings(framework, backbone)
    method = method_of(settings)
    assert isinstance(method, QMethod)
    return [
        product
        for network in method.networks(settings, sizes)
        for spec in network.specs
        for product in layer_products(spec, network)
    ]


def acting_products(learner: QLearner, n_rows: int) -> list[Product]:
    """One forward pass of the agents' network."""
    blocks = [blocks_of(spec) for spec in learner.acting[training_mode(learner)].agent.specs]
    return [(n_rows, n_in, n_out) for n, n_out, n_in in blocks for _ in range(n)]


def giga_flop(products: list[Product]) -> float:
    return sum(2 * m * k * n for m, k, n in products) / 1e9


def floor_of(products: list[Product]) -> Callable[[], None]:
    """Runs the products one after another on tensors made beforehand."""
    made = {p: (torch.rand(p[0], p[1]), torch.rand(p[2], p[1]).t()) for p in set(products)}
    tensors = [(*made[p], torch.empty(p[0], p[2])) for p in products]

    def run() -> None:
        for left, right, out in tensors:
            torch.mm(left, right, out=out)

    return run


def full_batch(sizes: Sizes) -> EpisodeBatch:
    b, t, n = N_EPISODES, N_STEPS, sizes.n_agents
    g = torch.Generator().manual_seed(0)
    return EpisodeBatch(
        observations=torch.rand(1, b, t + 1, n, sizes.observation_size, generator=g),
        state=torch.rand(1, b, t + 1, sizes.state_size, generator=g),
        available_actions=torch.ones(1, b, t + 1, n, sizes.n_actions, dtype=torch.bool),
        actions=torch.randint(0, sizes.n_actions, (1, b, t, n), generator=g),
        reward=torch.rand(1, b, t, generator=g),
        terminated=torch.zeros(1, b, t, dtype=torch.bool),
        filled=torch.ones(1, b, t, dtype=torch.bool),
    )


def learner_of(framework: str, backbone: str, sizes: Sizes, **settings: object) -> QLearner:
    chosen = arm_settings(framework, backbone, **settings)
    return build_learner(chosen, sizes, seeds=[0], pruning_start_env_steps=[0])


def training_mode(learner: QLearner) -> str:
    return next(iter(learner.acting))


@pytest.mark.parametrize("what", ["floor", "ours"])
@pytest.mark.parametrize(("framework", "backbone"), ARMS)
@pytest.mark.parametrize("scenario", SIZES)
def test_update(benchmark, scenario: str, framework: str, backbone: str, what: str) -> None:  # type: ignore[no-untyped-def]
    sizes = SIZES[scenario]
    products = update_products(framework, backbone, sizes)
    benchmark.group = f"update {scenario} {framework} {backbone}"
    benchmark.extra_info["giga_flop"] = round(giga_flop(products), 3)
    if what == "floor":
        benchmark.pedantic(floor_of(products), rounds=10, iterations=2, warmup_rounds=2)
        return
    learner, batch = learner_of(framework, backbone, sizes), full_batch(sizes)
    env_steps = np.array([1])
    benchmark.pedantic(
        lambda: learner.update(batch, env_steps), rounds=10, iterations=2, warmup_rounds=3
    )


@pytest.mark.parametrize("returns", ["one_step", "td_lambda", "q_lambda"])
def test_update_with_lambda_returns(benchmark, returns: str) -> None:  # type: ignore[no-untyped-def]
    sizes = SIZES["5m_vs_6m"]
    benchmark.group = "update 5m_vs_6m ctde qmix, returns"
    learner, batch = learner_of("ctde", "qmix", sizes, returns=returns), full_batch(sizes)
    env_steps = np.array([1])
    benchmark.pedantic(
        lambda: learner.update(batch, env_steps), rounds=10, iterations=2, warmup_rounds=3
    )


@pytest.mark.parametrize("what", ["floor", "ours"])
@pytest.mark.parametrize("n_environments", [1, 32])
@pytest.mark.parametrize("framework", ["ctde", "cadp"])
def test_acting_step(benchmark, framework: str, n_environments: int, what: str) -> None:  # type: ignore[no-untyped-def]
    sizes = SIZES["5m_vs_6m"]
    learner = learner_of(framework, "qmix", sizes)
    products = acting_products(learner, n_environments * sizes.n_agents)
    benchmark.group = f"acting {framework}, {n_environments} environments"
    benchmark.extra_info["giga_flop"] = round(giga_flop(products), 6)
    run: Callable[[], object] = floor_of(products)
    if what == "ours":
        observations = torch.rand(1, n_environments, sizes.n_agents, sizes.observation_size)
        last = torch.zeros(1, n_environments, sizes.n_agents, dtype=torch.int64)
        hidden = learner.initial_hidden(n_environments)
        mode = training_mode(learner)

        def run() -> object:
            return learner.act_values({"observations": observations}, last, hidden, mode)

    benchmark.pedantic(run, rounds=20, iterations=100, warmup_rounds=2)
