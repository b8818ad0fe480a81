"""The estimate: its operation counts against known ones, its monotony."""

from __future__ import annotations

import pytest

from suite.algorithms import arm_settings
from suite.algorithms.buffers import bytes_per_episode, fields_of
from suite.environments import describe
from suite.runs.protocol import TrainingProtocol
from suite.runs.spec import RunSpec
from suite.study.cost import (
    MEAN_EPISODE_FRACTION,
    estimate,
    run_bytes,
    run_seconds,
    work,
    workers_that_fit,
)
from suite.study.load import load_study
from suite.study.plan import expand

FIVE = describe("skirmish/5m_vs_6m")


def run_of(backbone: str, framework: str = "cadp", **training: int) -> RunSpec:
    return RunSpec(
        scenario=FIVE.name,
        arm="a",
        algorithm=arm_settings(framework, backbone),
        training=TrainingProtocol.model_validate(training),
        alpha=1.0,
        pruning_start_env_steps=0,
        seed=0,
        environment_version="1",
    )


def test_operations_of_one_update_agree_with_a_count_made_in_torch() -> None:
    """5.86 GFLOP for QMIX-CADP on 5m_vs_6m, 32 episodes of 60 + 1 steps (torch's counter)."""
    steps = 1 + MEAN_EPISODE_FRACTION * FIVE.episode_limit
    counted = work(run_of("qmix"), FIVE).update_flops * 61 / steps
    assert counted == pytest.approx(5.86e9, rel=0.05)


def test_cost_grows_with_what_costs() -> None:
    plain = run_seconds(run_of("vdn", "ctde"), FIVE, 1e11)
    assert plain < run_seconds(run_of("vdn"), FIVE, 1e11) < run_seconds(run_of("qplex"), FIVE, 1e11)
    assert run_seconds(run_of("vdn", total_env_steps=100), FIVE, 1e11) < 1
    assert plain < run_seconds(run_of("vdn", "ctde"), FIVE, 5e10)


def test_more_workers_shorten_the_wall_time_only(make_study) -> None:
    plan = expand(load_study(make_study(("1000", "100_000"))))
    one = estimate(plan, 1, flops_per_second=1e11)
    two = estimate(plan, 2, flops_per_second=1e11)
    assert two.wall_hours < one.wall_hours
    assert two.cpu_hours >= one.cpu_hours
    nothing = estimate(plan, 2, without={run.run_id for run in plan.runs}, flops_per_second=1e11)
    assert nothing.wall_hours == nothing.cpu_hours == 0


def test_memory_follows_what_is_remembered() -> None:
    small = run_bytes(run_of("qmix", buffer_size_episodes=50), FIVE)
    large = run_bytes(run_of("qmix", buffer_size_episodes=5_000), FIVE)
    per_episode = bytes_per_episode(fields_of(FIVE.sizes), MEAN_EPISODE_FRACTION * 70)
    assert large - small == pytest.approx(4_950 * per_episode)


def test_more_workers_than_memory_holds_are_counted(make_study) -> None:
    plan = expand(load_study(make_study()))
    sizes = sorted((run_bytes(r, plan.environments[r.scenario]) for r in plan.runs), reverse=True)
    assert workers_that_fit(plan, sum(sizes)) == len(sizes)
    assert workers_that_fit(plan, sum(sizes) - 1) == len(sizes) - 1
    assert workers_that_fit(plan, sizes[0] / 2) == 1
