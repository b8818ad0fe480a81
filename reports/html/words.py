"""Where the numbers come from and what to beware of, in sentences."""

from __future__ import annotations

from reports.analysis import Analysis
from reports.numbers import plural

ENVIRONMENTS = {
    "skirmish": "skirmish (embedded simulator)",
    "matrix": "matrix games (embedded)",
    "starcraft": "StarCraft II",
    "football": "Google Research Football",
}


def environment_statement(analysis: Analysis) -> str:
    """Where the numbers come from, and where they do not."""
    names = [ENVIRONMENTS.get(name, name) for name in analysis.backends]
    text = f"Environment: {' and '.join(names)}."
    if "starcraft" not in analysis.backends:
        text += " No number measured here is from StarCraft II."
    return text


def warnings(analysis: Analysis) -> list[str]:
    """What a reader must know before believing the verdicts, one sentence each."""
    counts, found = analysis.counts, []
    if counts["failed"]:
        found.append(
            f"{plural(counts['failed'], 'run')} failed and left out of every number below; results "
            "rest on the runs that survived (see Failed and missing runs)."
        )
    open_runs = counts["unfinished"] + counts["missing"]
    if open_runs:
        found.append(
            f"{plural(open_runs, 'run')} of the plan not finished ({counts['unfinished']} started, "
            f"{counts['missing']} not started): this is a partial report."
        )
    for group in analysis.duplicates:
        names = ", ".join(f"{run.condition} seed {run.seed} ({run.run_id})" for run in group)
        found.append(
            f"Identical histories in {len(group)} runs: {names}. They are one sample, not "
            f"{len(group)}; intervals that count them are too narrow."
        )
    for run, key, count in analysis.not_finite:
        found.append(
            f"{plural(count, 'value')} of {key} in run {run.run_id} ({run.condition}, seed "
            f"{run.seed}) not finite; left out."
        )
    for run in analysis.short_runs:
        found.append(
            f"Run {run.run_id} ({run.condition}, seed {run.seed}) is marked finished, but its last "
            f"test lies more than one test interval before its {run.total_env_steps:,} steps."
        )
    return found + _no_final_tests(analysis) + _mixed_provenance(analysis)


def _no_final_tests(analysis: Analysis) -> list[str]:
    late = {
        run.run_id
        for result in analysis.results
        for run, performance in result.per_run
        if performance.n_final_tests == 0
    }
    if not late:
        return []
    return [
        f"{plural(len(late), 'run')} had no test in the last 10 % of training; the last test "
        "stands for the final performance."
    ]


# Provenance that differs between runs of any study, by its nature.
EXPECTED_TO_DIFFER = frozenset({"seed", "protocol", "environment"})


def _mixed_provenance(analysis: Analysis) -> list[str]:
    mixed = [
        entry.key
        for entry in analysis.provenance
        if entry.differs and entry.key not in EXPECTED_TO_DIFFER
    ]
    if "environment_version" in mixed and len(analysis.backends) > 1:
        mixed.remove("environment_version")
    if not mixed:
        return []
    return [f"Runs differ in {', '.join(mixed)} (see Provenance)."]
