"""Speed of an update of CTDS and IGM-DA beside its floor: the same matrix products, nothing else.

As `test_learner_speed`, with the products counted from the layers that the methods declare. Sizes
are those of 5m_vs_6m and of 3m, batches 32 episodes of 60 steps, all rows real.
"""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch
from test_learner_speed import N_EPISODES, N_STEPS, Product, floor_of, giga_flop

from suite.algorithms import EpisodeBatch, Sizes, arm_settings, build_learner
from suite.algorithms.allocator import keep_freed_memory
from suite.algorithms.registry import method_of
from suite.algorithms.specs import ParameterSpec
from suite.algorithms.value.privileged import PrivilegedMethod

pytestmark = pytest.mark.benchmark(timer=time.process_time, warmup=False)

SIZES = {
    "5m_vs_6m": Sizes(5, 12, 55, 98, 5, extra_observations={"unlimited_sight": 55}),
    "3m": Sizes(3, 9, 30, 48, 4, extra_observations={"unlimited_sight": 30}),
}
ARMS = [(f, b) for f in ("ctds", "igm_da") for b in ("vdn", "qmix", "qplex")]


@pytest.fixture(autouse=True)
def as_a_worker_runs() -> None:
    torch.set_num_threads(1)
    keep_freed_memory()


def agent_products(
    specs: tuple[ParameterSpec, ...], n_agents: int, *, n_forward: int
) -> list[Product]:
    """Of a network that learns and goes forward `n_forward` times; recurrent ones step by step."""
    n_groups = N_EPISODES * n_agents
    found = []
    for spec in specs:
        if not spec.multiply_adds:
            continue
        n_out, n_in = spec.shape
        if spec.name.endswith("weight_hh"):
            found += [(n_groups, n_in, n_out)] * (N_STEPS * n_forward)
            found += [(n_groups, n_out, n_in)] * N_STEPS
            found.append((n_out, n_groups * N_STEPS, n_in))
        else:
            found += learned(spec, n_groups * (N_STEPS + 1), n_forward)
    return found


def learned(spec: ParameterSpec, n_rows: int, n_forward: int) -> list[Product]:
    """Forward, the weight's gradient, and the input's unless that is data; blocks one by one."""
    *blocks, n_out, n_in = spec.shape
    found = [(n_rows, n_in, n_out)] * n_forward + [(n_out, n_rows, n_in)]
    if not spec.reads_data:
        found.append((n_rows, n_out, n_in))
    return found * (blocks[0] if blocks else 1)


def update_products(framework: str, backbone: str, sizes: Sizes) -> list[Product]:
    settings = arm_settings(framework, backbone)
    method = method_of(settings)
    assert isinstance(method, PrivilegedMethod)
    student, teacher = (
        method.agent_specs(settings, sizes),
        method.teacher_specs(settings, sizes),
    )
    mixer = method.mixing.build(settings, sizes).specs
    m = N_EPISODES * N_STEPS
    return [
        *agent_products(student, sizes.n_agents, n_forward=1),
        *agent_products(teacher, sizes.n_agents, n_forward=2),
        *(p for spec in mixer if spec.multiply_adds for p in learned(spec, m, 2)),
    ]


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
        extra={
            name: torch.rand(1, b, t + 1, n, width, generator=g)
            for name, width in sizes.extra_observations.items()
        },
    )


@pytest.mark.parametrize("what", ["floor", "ours"])
@pytest.mark.parametrize("scenario", SIZES)
@pytest.mark.parametrize(("framework", "backbone"), ARMS)
def test_update(benchmark, framework: str, backbone: str, scenario: str, what: str) -> None:  # type: ignore[no-untyped-def]
    sizes = SIZES[scenario]
    products = update_products(framework, backbone, sizes)
    benchmark.group = f"update {framework} {backbone}, {scenario}"
    benchmark.extra_info["giga_flop"] = round(giga_flop(products), 3)
    if what == "floor":
        benchmark.pedantic(floor_of(products), rounds=10, iterations=2, warmup_rounds=2)
        return
    learner = build_learner(arm_settings(framework, backbone), sizes, seeds=[0])
    batch, env_steps = full_batch(sizes), np.array([1])
    benchmark.pedantic(
        lambda: learner.update(batch, env_steps), rounds=10, iterations=2, warmup_rounds=3
    )
