"""Speed of learning and acting, each beside its floor: the same matrix products and nothing else.

Run `pytest benchmarks/test_learner_speed.py` on an otherwise idle machine; times are CPU time of
one thread. `extra_info` holds the products' GFLOP. Sizes are 5m_vs_6m's, batches 32 episodes of 60
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
from suite.algorithms.value.base import QLearner

pytestmark = pytest.mark.benchmark(timer=time.process_time, warmup=False)

SIZES = Sizes(n_agents=5, n_actions=12, observation_size=55, state_size=98, ally_state_size=5)
N_EPISODES, N_STEPS = 32, 60
HIDDEN, ADVICE, EMBEDDING, SELECTORS, KERNELS = 64, 128, 32, 4 * 64, 4
ARMS = [("ctde", "qmix"), ("cadp", "qmix"), ("cadp", "vdn"), ("cadp", "qplex")]

# (m, k, n): an (m, k) matrix times a (k, n) matrix.
Product = tuple[int, int, int]


@pytest.fixture(autouse=True)
def as_a_worker_runs() -> None:
    torch.set_num_threads(1)
    keep_freed_memory()


def layers(framework: str, n_rows: int, n_groups: int, n_recurrent: int) -> list[Product]:
    """Products of an agent's forward pass; the recurrent one comes `n_recurrent` times."""
    d, a = SIZES.input_size, SIZES.n_actions
    found = [(n_rows, d, HIDDEN), (n_rows, HIDDEN, 3 * HIDDEN)]
    found += [(n_groups, HIDDEN, 3 * HIDDEN)] * n_recurrent
    if framework == "ctde":
        return [*found, (n_rows, HIDDEN, a)]
    return [
        *found,
        (n_rows, d, 3 * ADVICE),  # keys, queries, values
        (n_rows, ADVICE, HIDDEN),
        (n_rows, 2 * HIDDEN, HIDDEN),
        (n_rows, HIDDEN, HIDDEN),
        (n_rows, HIDDEN, a),
    ]


def mixer_layers(backbone: str, n_transitions: int) -> list[Product]:
    m, n, s = n_transitions, SIZES.n_agents, SIZES.state_size
    joint = s + n * SIZES.n_actions
    return {
        "vdn": [],
        "qmix": [(m, s, EMBEDDING * n + 3 * EMBEDDING), (m, EMBEDDING, 1)],
        "qplex": [
            (m, s, SELECTORS + EMBEDDING + KERNELS + KERNELS * n),
            *[(m, HIDDEN, EMBEDDING), (m, EMBEDDING, SIZES.ally_state_size)] * 4,
            (m, joint, KERNELS * n),
            (m, EMBEDDING, 1),
        ],
    }[backbone]


def update_products(framework: str, backbone: str) -> list[Product]:
    """Online and target forward pass, gradients of all weights, gradients of all inner inputs.

    The small products of attention, N × 32 × N, are left out: the floor is a little too low.
    """
    n_groups, m = N_EPISODES * SIZES.n_agents, N_EPISODES * N_STEPS
    rows = n_groups * (N_STEPS + 1)
    agent = layers(framework, rows, n_groups, N_STEPS)
    mixer = mixer_layers(backbone, m)
    recurrent = (n_groups, HIDDEN, 3 * HIDDEN)
    learned = [p for p in agent if p != recurrent] + mixer
    weight_gradients = [(k, m, n) for m, k, n in learned]
    weight_gradients.append((HIDDEN, n_groups * N_STEPS, 3 * HIDDEN))
    joint = SIZES.state_size + SIZES.n_agents * SIZES.n_actions
    read_inputs = {SIZES.input_size, SIZES.state_size, joint}
    inner = [p for p in agent + mixer if p[1] not in read_inputs]
    return 2 * (agent + mixer) + weight_gradients + [(m, n, k) for m, k, n in inner]


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


def full_batch() -> EpisodeBatch:
    b, t, n = N_EPISODES, N_STEPS, SIZES.n_agents
    g = torch.Generator().manual_seed(0)
    return EpisodeBatch(
        observations=torch.rand(1, b, t + 1, n, SIZES.observation_size, generator=g),
        state=torch.rand(1, b, t + 1, SIZES.state_size, generator=g),
        available_actions=torch.ones(1, b, t + 1, n, SIZES.n_actions, dtype=torch.bool),
        actions=torch.randint(0, SIZES.n_actions, (1, b, t, n), generator=g),
        reward=torch.rand(1, b, t, generator=g),
        terminated=torch.zeros(1, b, t, dtype=torch.bool),
        filled=torch.ones(1, b, t, dtype=torch.bool),
    )


def learner_of(framework: str, backbone: str) -> QLearner:
    settings = arm_settings(framework, backbone)
    return build_learner(settings, SIZES, seeds=[0], pruning_start_env_steps=[0])


@pytest.mark.parametrize("what", ["floor", "ours"])
@pytest.mark.parametrize(("framework", "backbone"), ARMS)
def test_update(benchmark, framework: str, backbone: str, what: str) -> None:  # type: ignore[no-untyped-def]
    products = update_products(framework, backbone)
    benchmark.group = f"update {framework} {backbone}"
    benchmark.extra_info["giga_flop"] = round(giga_flop(products), 3)
    if what == "floor":
        benchmark.pedantic(floor_of(products), rounds=10, iterations=2, warmup_rounds=2)
        return
    learner, batch, env_steps = learner_of(framework, backbone), full_batch(), np.array([1])
    benchmark.pedantic(
        lambda: learner.update(batch, env_steps), rounds=10, iterations=2, warmup_rounds=3
    )


@pytest.mark.parametrize("what", ["floor", "ours"])
@pytest.mark.parametrize("n_environments", [1, 32])
@pytest.mark.parametrize("framework", ["ctde", "cadp"])
def test_acting_step(benchmark, framework: str, n_environments: int, what: str) -> None:  # type: ignore[no-untyped-def]
    n_rows = n_environments * SIZES.n_agents
    products = layers(framework, n_rows, n_rows, 1)
    benchmark.group = f"acting {framework}, {n_environments} environments"
    benchmark.extra_info["giga_flop"] = round(giga_flop(products), 6)
    run: Callable[[], object] = floor_of(products)
    if what == "ours":
        learner = learner_of(framework, "qmix")
        observations = torch.rand(1, n_environments, SIZES.n_agents, SIZES.observation_size)
        last = torch.zeros(1, n_environments, SIZES.n_agents, dtype=torch.int64)
        hidden = learner.initial_hidden(n_environments)
        mode = next(iter(learner.acting))

        def run() -> object:
            return learner.act_values({"observations": observations}, last, hidden, mode)

    benchmark.pedantic(run, rounds=20, iterations=100, warmup_rounds=2)
