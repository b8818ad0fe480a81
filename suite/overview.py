"""A plan for people and for programs: what would be run, on what, how long, what differs."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from suite.environments import backends
from suite.printing import make_table, print_table, say
from suite.runs.hyperparameters import Hyperparameter, Value
from suite.study.cost import (
    COMPILATION_BYTES,
    COMPILATION_SECONDS,
    Estimate,
    mean_length,
    n_episodes,
    work,
)
from suite.study.plan import Plan, Trial
from suite.text import duration_text, memory_text, one_line, plural

# Plans that take this many times as long as compiling, or more, do not mention it.
_SHORT = 10


def environment_lines(plan: Plan) -> list[str]:
    """`skirmish (embedded simulator, not StarCraft II), rules version 1`, one per backend."""
    versions: dict[str, dict[str, None]] = {}
    for info in plan.environments.values():
        versions.setdefault(info.backend, {})[info.backend_version] = None
    found = [backends()[name] for name in plan.backends]
    return [
        f"{b.name} ({b.description}), {b.version_word} {'; '.join(versions[b.name])}"
        + ("" if b.seeds_episodes else "; seeds do not fix its episodes: no run can be repeated")
        for b in found
    ]


def warning_lines(plan: Plan) -> list[str]:
    """What will probably not do what a user expects, a line each."""
    lines = {}
    for trial in plan.trials:
        run, environment = trial.runs[0], plan.environments[trial.scenario]
        first = work(run, environment).first_episodes
        played = n_episodes(run.training, mean_length(environment))
        if played < first:
            lines[trial.scenario, trial.arm] = (
                f"{trial.scenario} {trial.arm} will probably never be updated: its first update "
                f"takes {first:,} episodes, {run.training.total_env_steps:,} steps are some "
                f"{played:,} of {mean_length(environment):.0f} steps each"
            )
    return list(lines.values())


def plan_document(plan: Plan, cost: Estimate) -> dict[str, Any]:
    """The plan as plain containers, for `--json`; the estimate is of what is not finished."""
    return {
        "study": plan.study.name,
        "question": plan.study.question,
        "profile": plan.profile_name,
        "description": plan.profile.description,
        "environments": environment_lines(plan),
        "deviations": list(plan.deviations),
        "missing_scenarios": dict(plan.profile.missing_scenarios),
        "warnings": warning_lines(plan),
        "n_trials": len(plan.trials),
        "n_runs": len(plan.runs),
        "looks": list(plan.looks),
        "n_finished": cost.n_finished,
        "total_env_steps": plan.total_env_steps,
        "estimate": {
            "cpu_hours": round(cost.cpu_hours, 3),
            "wall_hours": round(cost.wall_hours, 3),
            "first_look": _first_look_document(cost),
            "compilation_seconds": COMPILATION_SECONDS,
            "n_workers": cost.n_workers,
            "throughput_gflops": round(cost.throughput_gflops, 1),
            "run_bytes": round(cost.run_bytes),
            "all_bytes": round(cost.all_bytes),
        },
        "trials": [
            {
                "key": trial.key,
                "scenario": trial.scenario,
                "arm": trial.arm,
                "hyperparameters": dict(trial.hyperparameters),
                "total_env_steps": trial.runs[0].training.total_env_steps,
                "runs": [{"run_id": run.run_id, "seed": run.seed} for run in trial.runs],
            }
            for trial in plan.trials
        ],
    }


def _first_look_document(cost: Estimate) -> dict[str, float] | None:
    """What is certain to be needed, where seeds are added look by look."""
    if cost.first_look is None:
        return None
    first = cost.first_look
    return {"cpu_hours": round(first.cpu_hours, 3), "wall_hours": round(first.wall_hours, 3)}


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
    if plan.deviations:
        say(console, "Deviations of this profile:")
        for deviation in plan.deviations:
            say(console, f"  - {one_line(deviation)}")
    if profile.missing_scenarios:
        say(console, "Scenarios left out:")
        for scenario, reason in profile.missing_scenarios.items():
            say(console, f"  - {scenario}: {one_line(reason)}")
    for line in _size_lines(plan):
        say(console, line)
    for line in warning_lines(plan):
        say(console, f"Warning: {line}")
    if cost.n_finished == len(plan.runs):
        say(console, "All of them are finished")
        return
    what = "Estimated"
    if cost.n_finished:
        what = f"{cost.n_finished} of them finished; estimated for the rest"
    if cost.first_look is not None:
        say(console, f"{what}, first look: {_time_text(cost.first_look)}")
        what = "At most"
    say(
        console,
        f"{what}: {_time_text(cost)}; "
        f"memory {memory_text(cost.run_bytes)} for the largest run, {memory_text(cost.all_bytes)} "
        "for all workers",
    )
    if 3600 * cost.wall_hours < _SHORT * COMPILATION_SECONDS:
        say(
            console,
            "The first start after an installation or update compiles: some "
            f"{duration_text(COMPILATION_SECONDS)} and {memory_text(COMPILATION_BYTES)} per worker "
            "more",
        )


def _size_lines(plan: Plan) -> list[str]:
    """Numbers of trials, seeds, runs and steps; a range where seeds are added look by look."""
    trials, most = plural(len(plan.trials), "trial"), len(plan.runs)
    if len(plan.looks) == 1:
        seeds = plural(plan.looks[0], "seed")
        return [f"{trials} × {seeds} = {most} runs, {plan.total_env_steps:,} training steps"]
    first = plan.runs_of_look(1)
    first_steps = sum(run.training.total_env_steps for run in first)
    return [
        f"{trials} × {plan.looks[0]} to {plan.looks[-1]} seeds = {len(first)} to {most} runs, "
        f"{first_steps:,} to {plan.total_env_steps:,} training steps",
        f"Looks at {', '.join(map(str, plan.looks))} seeds: more are added until every primary "
        "claim is decided",
    ]


def _time_text(cost: Estimate) -> str:
    return (
        f"{duration_text(3600 * cost.cpu_hours)} of processor time, "
        f"{duration_text(3600 * cost.wall_hours)} with {plural(cost.n_workers, 'worker')}"
    )


def _seeds_text(plan: Plan, trial: Trial) -> str:
    if len(plan.looks) > 1:
        return f"{plan.looks[0]} to {plan.looks[-1]}"
    return " ".join(str(run.seed) for run in trial.runs)


def print_trials(console: Console, plan: Plan) -> None:
    """One row per trial, a column for each hyperparameter that some trial has."""
    declared = {one.name: one for trial in plan.trials for one in trial.declared}
    shown = [
        one for one in declared.values() if any(one.name in t.hyperparameters for t in plan.trials)
    ]
    rows = (
        (
            trial.scenario,
            trial.arm,
            *(_value(one, trial.hyperparameters.get(one.name)) for one in shown),
            f"{trial.runs[0].training.total_env_steps:,}",
            _seeds_text(plan, trial),
        )
        for trial in plan.trials
    )
    symbols = tuple(one.symbol for one in shown)
    titles, numbers = ("scenario", "arm", *symbols, "steps", "seeds"), (*symbols, "steps")
    print_table(console, make_table(console, titles, rows, numbers=numbers, foldable=("seeds",)))


def _value(declared: Hyperparameter, value: Value | None) -> str:
    return "-" if value is None else declared.text(value)
