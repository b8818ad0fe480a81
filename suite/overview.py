"""A plan for people and for programs: what would be run, on what, how long, what differs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rich.console import Console

from suite.environments import backends
from suite.printing import make_table, print_table, say
from suite.runs.hyperparameters import Hyperparameter, Value, value_text
from suite.study.cost import (
    COMPILATION_BYTES,
    COMPILATION_SECONDS,
    Estimate,
    mean_length,
    n_episodes,
    work,
)
from suite.study.objectives import OBJECTIVES
from suite.study.plan import Plan, Trial
from suite.study.search import SAMPLERS
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
    for run in (*(trial.runs[0] for trial in plan.trials), *(run for run, _ in plan.to_come)):
        environment = plan.environments[run.scenario]
        first = work(run, environment).first_episodes
        played = n_episodes(run.training, mean_length(environment))
        if played < first:
            lines[run.scenario, run.arm] = (
                f"{run.scenario} {run.arm} will probably never be updated: its first update "
                f"takes {first:,} episodes, {run.training.total_env_steps:,} steps are some "
                f"{played:,} of {mean_length(environment):.0f} steps each"
            )
    search = plan.profile.search
    if search is not None and (n_random := SAMPLERS[search.sampler].n_random) >= search.n_trials:
        lines["", search.sampler] = (
            f"{search.sampler} learns from the first {n_random} points of a search, which are "
            f"random: so are all {search.n_trials} of these"
        )
    few = [
        f"{space.label} has {space.n_points:.0f} points in its ranges, fewer than "
        f"{plural(space.n_trials, 'trial')}"
        for space in plan.searches
        if space.n_points < space.n_trials
    ]
    return [*lines.values(), *few]


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
        "search": search_document(plan),
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
                "searched": dict(trial.searched),
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


def search_document(plan: Plan) -> dict[str, Any] | None:
    """What a profile searches, as plain containers; None where it searches nothing."""
    search = plan.profile.search
    if search is None:
        return None
    return {
        "sampler": search.sampler,
        "objectives": [
            {"name": one.name, "title": one.title, "unit": one.unit, "direction": one.direction}
            for one in (OBJECTIVES[name] for name in search.objectives)
        ],
        "pruner": search.pruner,
        "n_trials": search.n_trials,
        "seeds": list(search.seeds),
        "is_exploratory": plan.profile.is_exploratory,
        "n_runs_to_come": sum(n for _, n in plan.to_come),
        "searches": [
            {
                "scenario": space.scenario,
                "arm": space.arm,
                "n_proposed": len(plan.proposed(space)),
                "dimensions": [asdict(one) for one in space.dimensions],
                "typical": space.typical,
            }
            for space in plan.searches
        ],
    }


def search_lines(plan: Plan) -> list[str]:
    """What a profile searches, a line each; none where it searches nothing."""
    search = plan.profile.search
    if search is None:
        return []
    found = [OBJECTIVES[name] for name in search.objectives]
    wanted = " and ".join(f"{one.name} ({one.direction}: {one.title})" for one in found)
    pruned = f", hopeless ones cut short by {search.pruner}" if search.pruner else ""
    budget = f"{plural(search.n_trials, 'trial')} × {plural(len(search.seeds), 'seed')}"
    lines = [
        f"Search by Optuna's {search.sampler}: {budget} for every arm on every scenario{pruned}",
        f"Looks for {wanted}",
    ]
    lines += [
        f"{space.label}: {'; '.join(one.text for one in space.dimensions)}"
        for space in plan.searches
    ]
    seeds = plural(len(plan.profile.all_seeds), "other seed")
    ends = f"The best point of every arm is then judged on {seeds}"
    return [*lines, "Explores only: no claim is judged" if plan.profile.is_exploratory else ends]


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
    for line in (*search_lines(plan), *_size_lines(plan)):
        say(console, line)
    for line in warning_lines(plan):
        say(console, f"Warning: {line}")
    if cost.n_finished == plan.n_runs:
        say(console, "All of them are finished")
        return
    at = " (at published values, or in the middle of ranges)" if plan.searches else ""
    what = f"Estimated{at}"
    if cost.n_finished:
        what = f"{cost.n_finished} of them finished; estimated for the rest{at}"
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
    steps = f"{plan.total_env_steps:,} training steps"
    if plan.profile.search is not None:
        known = f"{len(plan.runs)} of them known already"
        return [f"{plural(plan.n_runs, 'run')} at most, {known}, {steps}"]
    trials = plural(len(plan.trials), "trial")
    if len(plan.looks) == 1:
        seeds = plural(plan.looks[0], "seed")
        return [f"{trials} × {seeds} = {plan.n_runs} runs, {steps}"]
    first = plan.runs_of_look(1)
    first_steps = sum(run.training.total_env_steps for run in first)
    return [
        f"{trials} × {plan.looks[0]} to {plan.looks[-1]} seeds = {len(first)} to {plan.n_runs} "
        f"runs, {first_steps:,} to {steps}",
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
    """One row per trial, a column for each hyperparameter or searched setting of some trial."""
    if not plan.trials:
        return
    declared = {one.name: one for trial in plan.trials for one in trial.declared}
    shown = [
        one for one in declared.values() if any(one.name in t.hyperparameters for t in plan.trials)
    ]
    settings = list(dict.fromkeys(name for trial in plan.trials for name in trial.settings))
    rows = (
        (
            trial.scenario,
            trial.arm,
            *(_value(one, trial.hyperparameters.get(one.name)) for one in shown),
            *(value_text(trial.settings.get(name, "-")) for name in settings),
            f"{trial.runs[0].training.total_env_steps:,}",
            _seeds_text(plan, trial),
        )
        for trial in plan.trials
    )
    symbols = (*(one.symbol for one in shown), *settings)
    titles, numbers = ("scenario", "arm", *symbols, "steps", "seeds"), (*symbols, "steps")
    print_table(console, make_table(console, titles, rows, numbers=numbers, foldable=("seeds",)))


def _value(declared: Hyperparameter, value: Value | None) -> str:
    return "-" if value is None else declared.text(value)
