"""Where the numbers come from and what to beware of, in sentences."""

from __future__ import annotations

from collections.abc import Iterable

from reports.analysis import Analysis
from reports.checks import told_changes
from reports.data import RunView
from reports.numbers import MIXED_MARK, enumerated, listed
from reports.statistics.sequential import SPENDING_POWER
from reports.statistics.verdicts import ERROR_LEVEL
from suite.environments.backend import Backend
from suite.runs.modes import DECENTRALISED, ExecutionMode
from suite.text import plural


def environment_statement(analysis: Analysis) -> str:
    """Where the numbers come from, and what they are not."""
    backends = analysis.backends
    text = f"Environment: {' and '.join(_with_version(one, analysis) for one in backends)}."
    if len({one.disclaimer for one in backends}) == 1:
        return f"{text} {backends[0].disclaimer}".strip()
    told = [f"{one.title}: {one.disclaimer}" for one in backends if one.disclaimer]
    return " ".join([text, *told])


def _with_version(backend: Backend, analysis: Analysis) -> str:
    """Its title, and every version of which there are runs."""
    of_it = [run for run in analysis.data.runs if run.scenario.startswith(f"{backend.name}/")]
    found = [run.parameters.get("environment_version", "") for run in of_it]
    versions = [version for version in dict.fromkeys(found) if version]
    told = f", {backend.version_word} {listed(versions)}" if versions else ""
    return backend.title + told


def looks_statement(analysis: Analysis) -> str:
    """How far a study has got whose seeds are added look by look; "" for others."""
    data, state = analysis.data, analysis.judgement
    if not data.is_sequential:
        return ""
    numbers = [len(seeds) for seeds in data.looks]
    share = 100 * ERROR_LEVEL * (state.n_seeds / numbers[-1]) ** SPENDING_POWER
    text = (
        f"Seeds are added look by look, until every primary claim is decided or there are "
        f"{numbers[-1]}: looks at {enumerated([str(n) for n in numbers])} seeds. "
    )
    if not state.look:
        return text + "The first is not complete, so nothing can be decided yet."
    text += (
        f"{state.look} of {state.n_looks} looks {'is' if state.look == 1 else 'are'} complete, at "
        f"{state.n_seeds} seeds, and {share:.2g} % of the 5 % error level spent. "
    )
    if not state.undecided:
        return text + "It stopped there: every primary claim that can be tested is decided."
    if state.is_over:
        return text + "The limit is reached; what is undecided stays so."
    return text + f"It goes on: {enumerated(state.undecided)} undecided."


def stopping_note(analysis: Analysis) -> str:
    """What stopping at a decision does to means and intervals; "" where seeds are a list."""
    if not analysis.data.is_sequential:
        return ""
    return (
        "Seeds were added until claims were decided. Verdicts and p values allow for that; mean "
        "and interval are the ordinary ones and do not: after an early stop the mean lies, on the "
        "average, somewhat too far from zero, and the interval misses more often than it says."
    )


def modes_statement(analysis: Analysis) -> str:
    """What the letters behind arms mean; nothing where every arm acts in one way."""
    several = [run.modes for run in analysis.data.runs if len(run.modes) > 1]
    told = [f"({mode.letter}) {mode.words}" for mode in _in_order(several)]
    return f"{', '.join(told)}, after the same training." if told else ""


def arms(analysis: Analysis) -> list[tuple[str, str, str]]:
    """Every arm with what it trains and how its models act in tests, in plan order."""
    found = {run.arm: run for run in analysis.data.runs}
    return [(arm, run.method.title, _acting(run)) for arm, run in found.items()]


def _acting(run: RunView) -> str:
    letters = len(run.modes) > 1
    return ", ".join(f"({m.letter}) {m.name}" if letters else m.name for m in run.modes)


def moments_statement(analysis: Analysis) -> str:
    """What the vertical lines in figures mean; nothing where there are none."""
    meanings = dict.fromkeys(
        f"{moment.symbol} is the {moment.meaning}"
        for run in analysis.data.runs
        for moment in run.moments
    )
    return f"Vertical lines: {'; '.join(meanings)}." if meanings else ""


def modes_heading(analysis: Analysis) -> str:
    """Of the table that compares the mode of training with acting alone."""
    firsts = dict.fromkeys(c.left.key.mode.name for c, _ in analysis.mode_differences)
    return f"{' or '.join(firsts)} against {DECENTRALISED.name}".capitalize()


def _in_order(several: Iterable[tuple[ExecutionMode, ...]]) -> list[ExecutionMode]:
    """Every mode once, in order of first use, acting alone last."""
    found = dict.fromkeys(mode for modes in several for mode in modes)
    return sorted(found, key=lambda mode: mode == DECENTRALISED)


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
    return (
        found
        + _left_out(analysis)
        + _agreeing(analysis)
        + _elsewhere(analysis)
        + _mixed(analysis)
        + _different_provenance(analysis)
    )


def _left_out(analysis: Analysis) -> list[str]:
    """One sentence per kind of doubt, naming its runs."""
    by_kind: dict[str, list[str]] = {}
    for run in analysis.left_out:
        for kind in dict.fromkeys(doubt.kind for doubt in run.doubts):
            by_kind.setdefault(kind, []).append(run.name)
    return [
        f"{plural(len(names), 'finished run')} left out of every number below, because of "
        f"{kind}: {', '.join(names)} (see Left out)."
        for kind, names in by_kind.items()
    ]


def _agreeing(analysis: Analysis) -> list[str]:
    return [
        f"In {scenario}, {listed(conditions)} measured the same with the same seed: the settings "
        "in which they differ changed nothing."
        for scenario, conditions in analysis.agreeing
    ]


def _elsewhere(analysis: Analysis) -> list[str]:
    """Records that lost against a better one of the same run."""
    runs = {run.run_id: run for run in analysis.data.runs if run.elsewhere}
    return [
        f"Run {run.name} also has records that do not count beside that of "
        f"{' and '.join(run.sources)}: "
        f"{', '.join(f'{status} in {place}' for place, status in run.elsewhere)}."
        for run in runs.values()
    ]


def _mixed(analysis: Analysis) -> list[str]:
    return [
        f"Run {run.name} is of mixed origin: between its sittings changed {told_changes(run)}. "
        f"Numbers that it enters are marked {MIXED_MARK}."
        for run in analysis.mixed
    ]


def _different_provenance(analysis: Analysis) -> list[str]:
    different = [entry.key for entry in analysis.provenance if entry.is_odd]
    if not different:
        return []
    return [f"Runs differ in {', '.join(different)} (see Provenance)."]
