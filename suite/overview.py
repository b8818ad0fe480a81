"""A plan for people and for programs: what would be run, on what, how long, what differs."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from suite.printing import make_table, print_table, say
from suite.study.cost import Estimate
from suite.study.plan import Plan
from suite.text import duration_text, one_line, plural

BACKEND_DESCRIPTIONS: dict[str, str] = {
    "skirmish": "embedded simulator, not StarCraft II",
    "matrix": "games of one or two steps with a known optimum",
}


def environment_lines(plan: Plan) -> list[str]:
    """`skirmish (embedded simulator, not StarCraft II), rules version 1`, one per backend."""
    versions: dict[str, str] = {
        info.backend: info.backend_version for info in plan.environments.values()
    }
    return [
        f"{backend} ({BACKEND_DESCRIPTIONS[backend]}), rules version {versions[backend]}"
        for backend in plan.backends
    ]


def plan_document(plan: Plan, cost: Estimate) -> dict[str, Any]:
    """The plan as plain containers, for `--json`."""
    return {
        "study": plan.study.name,
        "question": plan.study.question,
        "profile": plan.profile_name,
        "description": plan.profile.description,
        "environments": environment_lines(plan),
        "deviations": list(plan.profile.deviations),
        "missing_scenarios": dict(plan.profile.missing_scenarios),
        "n_trials": len(plan.trials),
        "n_runs": len(plan.runs),
        "total_env_steps": plan.total_env_steps,
        "estimate": {
            "cpu_hours": round(cost.cpu_hours, 3),
            "wall_hours": round(cost.wall_hours, 3),
            "n_workers": cost.n_workers,
            "throughput_gflops": round(cost.throughput_gflops, 1),
        },
        "trials": [
            {
                "key": trial.key,
                "scenario": trial.scenario,
                "arm": trial.arm,
                "alpha": trial.alpha,
                "pruning_start_env_steps": trial.pruning_start_env_steps,
                "total_env_steps": trial.runs[0].training.total_env_steps,
                "runs": [{"run_id": run.run_id, "seed": run.seed} for run in trial.runs],
            }
            for trial in plan.trials
        ],
    }


def print_header(console: Console, plan: Plan, cost: Estimate) -> None:
    """What a user must know before anything is trained."""
    study, profile = plan.study, plan.profile
    say(
        console,
        f"Study {study.name}, profile {plan.profile_name}: {one_line(profile.description)}",
    )
    say(console, f"Question: {one_line(study.question)}")
    for line in environment_lines(plan):
        say(console, f"Environment: {line}")
    if profile.deviations:
        say(console, "Differs from the paper:")
        for deviation in profile.deviations:
            say(console, f"  - {one_line(deviation)}")
    if profile.missing_scenarios:
        say(console, "Scenarios of the paper that are not run:")
        for scenario, reason in profile.missing_scenarios.items():
            say(console, f"  - {scenario}: {one_line(reason)}")
    say(
        console,
        f"{len(plan.trials)} trials × {plural(len(profile.seeds), 'seed')} = "
        f"{len(plan.runs)} runs, {plan.total_env_steps:,} training steps",
    )
    if cost.cpu_hours == 0:
        say(console, "All of them are finished")
        return
    say(
        console,
        f"Estimated: {duration_text(3600 * cost.cpu_hours)} of processor time, "
        f"{duration_text(3600 * cost.wall_hours)} with {plural(cost.n_workers, 'worker')}",
    )


def print_trials(console: Console, plan: Plan) -> None:
    """One row per trial."""
    rows = (
        (
            trial.scenario,
            trial.arm,
            "-" if trial.alpha is None else f"{trial.alpha:.15g}",
            "-" if trial.pruning_start_env_steps is None else f"{trial.pruning_start_env_steps:,}",
            f"{trial.runs[0].training.total_env_steps:,}",
            " ".join(str(run.seed) for run in trial.runs),
        )
        for trial in plan.trials
    )
    titles = ("scenario", "arm", "α", "T", "steps", "seeds")
    numbers = ("α", "T", "steps")
    print_table(console, make_table(console, titles, rows, numbers=numbers, foldable=("seeds",)))
