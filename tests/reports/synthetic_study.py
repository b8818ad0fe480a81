"""Made-up studies of known truth, shaped like real ones. Used by tests and the speed benchmark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np

from reports.data import ClaimView, History, MethodView, Moment, ReportData, RunView
from reports.load import method_view
from suite.algorithms.registry import algorithm_spec, arm_settings

ARMS = ("iql", "vdn", "qmix", "qplex", "cadp_vdn", "cadp_qmix", "cadp_qplex")
T = ("T", "training step from which on the pruning loss is added")
LEVELS = {"iql": 35.0, "vdn": 60.0, "qmix": 55.0, "qplex": 62.0}


def claims(scenarios: tuple[str, ...]) -> tuple[ClaimView, ...]:
    """Three claims as the paper would make them."""
    c, d = ("cadp_qmix", "centralised"), ("cadp_qmix", "decentralised")
    plain = ("qmix", "decentralised")
    return (
        ClaimView(
            "beats-qmix",
            "CADP(D) on QMIX wins more often than plain QMIX.",
            "greater",
            d,
            plain,
            0.05,
            scenarios,
        ),
        ClaimView(
            "d-equals-c",
            "After pruning, CADP(D) is as good as CADP(C).",
            "equivalent",
            d,
            c,
            0.05,
            scenarios,
        ),
        ClaimView(
            "c-beats-qmix",
            "CADP(C) wins more often than QMIX.",
            "greater",
            c,
            plain,
            0.0,
            scenarios,
        ),
    )


def study(
    scenarios: tuple[str, ...] = ("skirmish/3m",),
    *,
    arms: Sequence[str] = ARMS,
    n_seeds: int = 3,
    n_points: int = 100,
    total: int = 1_000_000,
) -> ReportData:
    """Every run finished; CADP(D) rises to CADP(C) after T = 0.7 of training."""
    runs = tuple(
        run(scenario, arm, seed, n_points=n_points, total=total)
        for scenario in scenarios
        for arm in arms
        for seed in range(n_seeds)
    )
    return ReportData(
        study="synthetic",
        question="Does centralised advising with pruning help?",
        profile="quick",
        profile_description="A made-up study with a known answer.",
        deviations=(f"{n_seeds} seeds.", "1/20 of the paper's training steps."),
        missing_scenarios={"starcraft/corridor": "needs StarCraft II"},
        scenarios=scenarios,
        claims=claims(scenarios),
        runs=runs,
    )


@cache
def method(framework: str, backbone: str) -> MethodView:
    """What a method of the suite declares, at its default settings."""
    return method_view(algorithm_spec(arm_settings(framework, backbone)))


PLAIN = method("ctde", "qmix")


def run(
    scenario: str, arm: str, seed: int, *, n_points: int = 100, total: int = 1_000_000
) -> RunView:
    """One finished run; the same arguments give the same run."""
    rng = np.random.default_rng([seed, sum(map(ord, scenario + arm))])
    interval = total // n_points
    # A test follows the first episode an interval after the one before, and the end.
    steps = np.append(np.arange(n_points) * interval, total)
    steps += np.sort(rng.integers(0, max(1, min(interval // 3, 60)), n_points + 1))
    steps[0] = 0
    is_cadp = arm.startswith("cadp_")
    framework, backbone = "cadp" if is_cadp else "ctde", arm.removeprefix("cadp_")
    top = LEVELS[backbone] + (22.0 if is_cadp else 0.0) + rng.normal(0, 4)
    start = int(0.7 * total)
    progress = steps / total
    centralised = top / (1 + np.exp(-(progress - 0.3) * 12))
    pruned = 1 - np.exp(-np.maximum(0, progress - 0.7) * 40)
    histories = {}
    if is_cadp:
        histories["test/win_rate/centralised"] = _tests(rng, steps, centralised)
        histories["train/self_attention"] = History(
            steps.astype(float),
            np.minimum(1.0, 1 / 3 + (1 - 1 / 3) * pruned + rng.normal(0, 0.005, len(steps))),
        )
        decentralised = centralised * (0.15 + 0.84 * pruned)
    else:
        decentralised = centralised
    histories["test/win_rate/decentralised"] = _tests(rng, steps, decentralised)
    for key, history in list(histories.items()):
        if key.startswith("test/win_rate"):
            histories[key.replace("win_rate", "return")] = History(
                history.steps, 20 * history.values
            )
    losses = np.random.default_rng([seed, sum(map(ord, scenario + arm)), 1]).random(n_points)
    histories["train/loss_td"] = History(steps[1:].astype(float), losses)
    histories["train/n_updates"] = History(steps.astype(float), np.arange(n_points + 1) * 25.0)
    return RunView(
        run_id=f"{abs(hash_text(f'{scenario}{arm}{seed}')):016x}",
        scenario=scenario,
        arm=arm,
        point="",
        seed=seed,
        status="finished",
        framework=framework,
        backbone=backbone,
        method=method(framework, backbone),
        total_env_steps=total,
        test_interval_env_steps=interval,
        n_test_episodes=32,
        moments=(Moment(*T, start),) if is_cadp else (),
        parameters={
            "algorithm.backbone": backbone,
            "algorithm.learning_rate": "0.0005",
            "training.total_env_steps": str(total),
            "hyperparameters.alpha": "0.5" if is_cadp else "none",
        },
        sittings=(
            {
                "cadp-suite": "0.1.0",
                "environment": scenario.partition("/")[0],
                "environment_version": "1",
                "processor": "Example processor",
                "seed": str(seed),
            },
        ),
        histories=histories,
        elapsed_seconds=600.0 + seed,
        started="2026-01-01T00:00:00Z",
        ended="2026-01-01T00:10:00Z",
    )


def hash_text(text: str) -> int:
    """The same number for the same text in every process."""
    import hashlib

    return int(hashlib.sha256(text.encode()).hexdigest()[:16], 16)


def with_runs(data: ReportData, runs: Sequence[RunView]) -> ReportData:
    """The same study with other runs."""
    return replace(data, runs=tuple(runs))


def _tests(rng: np.random.Generator, steps: np.ndarray, percent: np.ndarray) -> History:
    """Win rates of 32 test episodes each."""
    chance = np.clip(percent / 100, 0, 1)
    return History(steps.astype(float), rng.binomial(32, chance) / 32)
