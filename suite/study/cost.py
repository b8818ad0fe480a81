"""How long a plan will take on this machine: an estimate from sizes, not a promise.

time of a run = updates × (floating-point operations per update / throughput × `OVER_PRODUCTS`
                           + `UPDATE_OVERHEAD_SECONDS`)
              + training steps × `ACTING_SECONDS_PER_STEP` + test steps × `TESTING_SECONDS_PER_STEP`
              + steps × what a step of its backend costs besides (`Backend.step_seconds`)

Operations and number of updates are declared by each method, from the layers of its networks
(`suite.algorithms.declaration.Work`). All constants stand below.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from suite.algorithms.declaration import Work
from suite.algorithms.registry import method_of, modes_of, settings_of
from suite.environments import backend_of, copies, short_name
from suite.environments.interface import EnvironmentInfo
from suite.runs.protocol import TrainingProtocol
from suite.runs.spec import RunSpec

if TYPE_CHECKING:
    from suite.study.plan import Plan

# An update takes this many times its bare matrix products (softmax, element-wise work, optimiser).
OVER_PRODUCTS = 2.0
# What an update costs whatever its sizes: some hundred calls, the optimiser, a batch copied.
UPDATE_OVERHEAD_SECONDS = 6e-3
# Episodes end early when one side wins; length as a fraction of the scenario's step limit. Steps
# after an episode's end are not computed.
MEAN_EPISODE_FRACTION = 0.4
# What no episode is shorter than, whatever the scenario.
SHORTEST_EPISODE = 1.0
# One environment at a time: observe, one forward pass, act.
ACTING_SECONDS_PER_STEP = 150e-6
# Tests step many environments in one call.
TESTING_SECONDS_PER_STEP = 60e-6
# Imports, databases and books, once per worker. Measured with the profile smoke of
# studies/reproduce_smac.toml, a new runs directory, two cores: the whole command takes 6.9 s with 2
# workers and 7.0 s with 1, of it training 1.5 s (the longer run) and 2.4 s (both).
STARTUP_SECONDS = 5.0
# The first start of new code compiles its kernels, in every worker at once. Measured likewise with
# an empty kernel folder: 34 to 43 s with 2 workers, 37 s with 1; workers take 200 MB more.
COMPILATION_SECONDS = 30.0
COMPILATION_BYTES = 200e6
# A worker that trains, without what it remembers and computes with. Measured: the peak of one that
# trains qmix on 3m is 435 MB, of it 21 MB of those.
PROCESS_BYTES = 410e6
# Processes beyond the first share memory bandwidth and caches.
WORKER_EFFICIENCY = 0.9


# A worker is given up when it is silent for this many times what the longest stretch between two
# signs of it should take: machines are shared, swap, and are slower than estimated.
SILENCE_FACTOR = 30.0
SHORTEST_SILENCE_SECONDS = 120.0
# A run that goes on telling, and does not end, is given up when it takes this many times what was
# estimated.
OVERTIME_FACTOR = 50.0
SHORTEST_OVERTIME_SECONDS = 3_600.0


@dataclass(frozen=True)
class Estimate:
    """cpu_hours: work on one core; wall_hours: with `n_workers` processes side by side.

    run_bytes: memory of the process that trains the largest run; all_bytes: of all workers, should
    the largest runs come together. n_finished: runs that are finished and cost nothing more.
    first_look: of its runs alone, where seeds are added look by look; the rest is then the most
    that it may cost.
    """

    cpu_hours: float
    wall_hours: float
    n_workers: int
    throughput_gflops: float
    run_bytes: float = 0.0
    all_bytes: float = 0.0
    n_finished: int = 0
    first_look: Estimate | None = None


def estimate(
    plan: Plan,
    n_workers: int,
    *,
    without: Collection[str] = (),
    flops_per_second: float | None = None,
) -> Estimate:
    """Cost of every run of the plan, but for the run ids in `without` (finished ones).

    What searches have not proposed yet costs what a typical point does.
    """
    speed = flops_per_second or measured_flops_per_second()
    most = _estimate(plan, plan.runs, plan.to_come, n_workers, without, speed)
    if len(plan.looks) == 1 or plan.searches:
        return most
    first = _estimate(plan, plan.runs_of_look(1), (), n_workers, without, speed)
    return replace(most, first_look=first)


def _estimate(
    plan: Plan,
    runs: Sequence[RunSpec],
    to_come: Sequence[tuple[RunSpec, int]],
    n_workers: int,
    without: Collection[str],
    speed: float,
) -> Estimate:
    left = [(run, 1) for run in runs if run.run_id not in without]
    n_finished = len(runs) - len(left)
    left += to_come
    seconds = [
        second
        for run, n in left
        for second in [run_seconds(run, plan.environments[run.scenario], speed)] * n
    ]
    if not seconds:
        return Estimate(0.0, 0.0, n_workers, speed / 1e9, n_finished=n_finished)
    n_busy = min(n_workers, len(seconds))
    shared = sum(seconds) / (n_busy if n_busy == 1 else n_busy * WORKER_EFFICIENCY)
    # The last run to end runs alone: no schedule beats the longest run.
    wall_seconds = STARTUP_SECONDS + max(shared, max(seconds))
    cpu_seconds = sum(seconds) + n_busy * STARTUP_SECONDS
    largest = sorted(_bytes(plan, left), reverse=True)
    return Estimate(
        cpu_seconds / 3600,
        wall_seconds / 3600,
        n_workers,
        speed / 1e9,
        run_bytes=largest[0],
        all_bytes=sum(largest[:n_workers]),
        n_finished=n_finished,
    )


def run_seconds(run: RunSpec, environment: EnvironmentInfo, flops_per_second: float) -> float:
    """CPU seconds of one run on one core."""
    mean_episode_length, needed = mean_length(environment), work(run, environment)
    n_after_first = n_episodes(run.training, mean_episode_length) - needed.first_episodes
    n_updates = needed.n_updates * max(0, n_after_first + run.training.episodes_per_collection)
    products = needed.update_flops / flops_per_second
    learning = n_updates * (products * OVER_PRODUCTS + UPDATE_OVERHEAD_SECONDS)
    backend, scenario = backend_of(run.scenario), short_name(run.scenario)
    playing = backend.step_seconds(scenario)
    acting = run.training.total_env_steps * (ACTING_SECONDS_PER_STEP + playing)
    n_tests = run.training.total_env_steps / run.training.test_interval_env_steps
    test_episodes = n_tests * run.training.n_test_episodes * len(modes_of(run.algorithm))
    testing = test_episodes * mean_episode_length * (TESTING_SECONDS_PER_STEP + playing)
    return learning + acting + testing


def run_bytes(run: RunSpec, environment: EnvironmentInfo) -> float:
    """Memory of the process that trains the run, once it remembers all that it can."""
    training = run.training
    wanted = max(training.n_test_episodes, training.episodes_per_collection)
    outside = backend_of(run.scenario).copy_bytes * copies(run.scenario, wanted)
    return PROCESS_BYTES + work(run, environment).memory_bytes + outside


def workers_that_fit(plan: Plan, memory_bytes: float) -> int:
    """How many of the plan's largest runs a memory holds side by side; at least 1."""
    sizes = _bytes(plan, plan.foreseen)
    held = itertools.accumulate(sorted(sizes, reverse=True))
    return max(1, sum(total <= memory_bytes for total in held))


def _bytes(plan: Plan, runs: Iterable[tuple[RunSpec, int]]) -> list[float]:
    """Memory of each of so many such runs."""
    return [
        size for run, n in runs for size in [run_bytes(run, plan.environments[run.scenario])] * n
    ]


def silence_limit_seconds(
    run: RunSpec, environment: EnvironmentInfo, flops_per_second: float, *, has_begun: bool
) -> float:
    """How long a worker that trains this run may give no sign of life.

    The longest stretch without one is a test with the episode and the update before it;
    before the first sign, imports and compilation.
    """
    mean_episode_length = mean_length(environment)
    n_episodes = run.training.n_test_episodes * len(modes_of(run.algorithm))
    backend, scenario = backend_of(run.scenario), short_name(run.scenario)
    playing = backend.step_seconds(scenario)
    stretch = n_episodes * mean_episode_length * (TESTING_SECONDS_PER_STEP + playing)
    stretch += work(run, environment).update_flops / flops_per_second * OVER_PRODUCTS
    stretch += UPDATE_OVERHEAD_SECONDS + environment.episode_limit * (
        ACTING_SECONDS_PER_STEP + playing
    )
    if not has_begun:
        stretch += STARTUP_SECONDS + COMPILATION_SECONDS
    hanging = backend.silence_seconds(scenario)
    return max(SHORTEST_SILENCE_SECONDS, SILENCE_FACTOR * stretch) + hanging


def time_limit_seconds(
    run: RunSpec, environment: EnvironmentInfo, flops_per_second: float
) -> float:
    """How long a worker may train this run, however much it tells."""
    estimated = run_seconds(run, environment, flops_per_second)
    return max(SHORTEST_OVERTIME_SECONDS, OVERTIME_FACTOR * estimated)


def work(run: RunSpec, environment: EnvironmentInfo) -> Work:
    """What an update of the run takes, as its method declares it."""
    method, settings = method_of(run.algorithm), settings_of(run.algorithm)
    return method.work(settings, run.training, environment.sizes, mean_length(environment))


def n_episodes(training: TrainingProtocol, episode_length: float) -> int:
    """Training episodes of a run whose episodes all have this length.

    Collections are played to their end, and one begins until `total_env_steps` are exceeded
    (`suite.training.cohort`).
    """
    each = training.episodes_per_collection
    return each * (1 + int(training.total_env_steps // (each * episode_length)))


def mean_length(environment: EnvironmentInfo) -> float:
    """Steps of an episode, on the average."""
    return max(SHORTEST_EPISODE, MEAN_EPISODE_FRACTION * environment.episode_limit)


@cache
def measured_flops_per_second(seconds: float = 0.2) -> float:
    """Throughput of one process on the skinny float32 products that dominate an update.

    Best of the repetitions that fit in `seconds`: interference only ever slows a product down.
    """
    # 64³ is small enough for the linear-algebra library to stay on one thread, as a worker does.
    left = np.ones((32, 64, 64), dtype=np.float32)
    right = np.ones((64, 64), dtype=np.float32)
    out = np.empty_like(left)
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        for _ in range(10):
            np.matmul(left, right, out=out)
        best = min(best, (time.perf_counter() - start) / 10)
    return 2 * left.size * right.shape[1] / best
