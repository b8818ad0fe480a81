"""Which finished runs count as evidence, and which looks are complete: decided nowhere else.

What is wrong with a run's records is wrong with every number it enters, so a doubtful run is left
out whole. Whatever turns runs into numbers (series, claims, curves, aggregates, `compare`,
`export`) sees `weigh(data)`, in which such runs are no longer "finished".
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from reports.data import Doubt, ReportData, RunView
from reports.doubts import N_UPDATES, doubts, losses
from reports.measures import EPISODE_LENGTH, RETURN, WIN_RATE, backend
from reports.numbers import listed
from suite.runs.modes import DECENTRALISED
from suite.text import one_line, plural

ENDED = frozenset({"finished", "left out", "failed"})
# Fewer different values may agree by chance.
FEWEST_TELLING = 3
LONGEST_LIST = 3
IDENTICAL = "a history identical to another run's"
REPEATED = "a seed that its series has twice"


def weigh(data: ReportData) -> ReportData:
    """The same study; finished runs that are no evidence have status "left out" and their doubts.

    Where seeds are added look by look, runs that nobody has asked for yet are no part of it.
    Weighing twice changes nothing.
    """
    asked_for = _asked_for(data)
    finished = data.finished()
    identical, repeated = _identical(finished), _repeated_seeds(finished)
    return replace(
        data,
        runs=tuple(
            _weigh(run, identical.get(run.run_id, ""), repeated.get(_place(run), ()))
            for run in data.runs
            if run.status != "missing"
            or asked_for is None
            or run.is_tuning
            or run.seed in asked_for
        ),
    )


def complete_looks(data: ReportData) -> tuple[tuple[int, ...], ...]:
    """The first looks of which every run has ended, in every trial that a primary claim needs."""
    needed = _needed(data)
    ended = [{run.seed for run in runs if run.status in ENDED} for runs in needed]
    return tuple(
        itertools.takewhile(lambda seeds: all(one.issuperset(seeds) for one in ended), data.looks)
    )


def _needed(data: ReportData) -> list[tuple[RunView, ...]]:
    """Runs of each trial that a primary claim compares; of all trials if none compares any."""
    all_runs, compared = [], []
    for scenario, conditions in data.conditions.items():
        arms = {arm for arm, _ in conditions}
        sides = [
            {claim.left[0], claim.right[0]}
            for claim in data.claims
            if claim.primary and scenario in claim.scenarios
        ]
        in_claims = set().union(*(both for both in sides if both <= arms))
        for (arm, _), runs in conditions.items():
            all_runs.append(runs)
            if arm in in_claims:
                compared.append(runs)
    return compared or all_runs


def _asked_for(data: ReportData) -> frozenset[int] | None:
    """Seeds of complete looks and of the one that has begun; all, as None, where they are a list.

    The first look has always begun, a further one when some run of it has.
    """
    if not data.is_sequential:
        return None
    n = len(complete_looks(data))
    asked_for = frozenset(data.looks[max(n, 1) - 1])
    if 0 < n < len(data.looks):
        added = set(data.looks[n]) - asked_for
        if any(run.seed in added and run.status != "missing" for run in data.runs):
            return asked_for | added
    return asked_for


def left_out(data: ReportData) -> list[RunView]:
    """Runs that were left out, once each, in plan order."""
    found = {run.run_id: run for run in data.runs if run.status == "left out"}
    return list(found.values())


def told(run: RunView) -> str:
    """A left-out run with its reasons, in a line."""
    reasons = "; ".join(f"{doubt.kind}: {doubt.detail}" for doubt in run.doubts)
    return one_line(f"{run.name}, {run.scenario}: {reasons}")


def _weigh(run: RunView, identical_to: str, of_its_seed: Sequence[str]) -> RunView:
    if run.status != "finished":
        return run
    found = [*run.doubts, *doubts(run)]
    if identical_to:
        found.append(Doubt(IDENTICAL, f"the same as {identical_to}"))
    if of_its_seed:
        others = [run_id for run_id in of_its_seed if run_id != run.run_id]
        found.append(Doubt(REPEATED, f"seed {run.seed} is also that of {listed(others)}"))
    return replace(run, status="left out", doubts=tuple(found)) if found else run


def agreeing(data: ReportData) -> list[tuple[str, tuple[str, ...]]]:
    """(Scenario, conditions) whose evidence agrees seed by seed: what they differ in did nothing.

    Conditions of one framework and backbone; in plan order, each set once.
    """
    found: dict[tuple[str, tuple[str, ...]], None] = {}
    groups = _alike(data.finished(), _losses).values()
    for group in groups:
        conditions = tuple(dict.fromkeys(run.condition for run in group.values()))
        if len(conditions) > 1:
            found[next(iter(group.values())).scenario, conditions] = None
    return list(found)


def _identical(runs: Sequence[RunView]) -> dict[str, str]:
    """Run id → which others measured the same though they should differ, in words.

    Nothing tells which of a group trained what its record says, so none of them counts: a seed
    that never varied, or one record under several names. Runs of one scenario, seed, framework and
    backbone may agree throughout: α changes nothing where pruning never starts, γ nothing in a game
    of one step.
    """
    found: dict[str, str] = {}
    for fingerprint in (_losses, _tests):
        for group in _alike(runs, fingerprint).values():
            sizes = Counter(map(_experiment, group.values()))
            for run_id, run in group.items():
                n_others = len(group) - sizes[_experiment(run)]
                if n_others:
                    found.setdefault(run_id, _others(run, group.values(), n_others))
    return found


def _alike(
    runs: Iterable[RunView], fingerprint: Callable[[RunView], bytes]
) -> dict[bytes, dict[str, RunView]]:
    """Fingerprint → run id → runs that have it; runs without one are in no group."""
    groups: dict[bytes, dict[str, RunView]] = {}
    for run in runs:
        if found := fingerprint(run):
            groups.setdefault(found, {})[run.run_id] = run
    return groups


def _losses(run: RunView) -> bytes:
    """Fingerprint of the losses; few of them tell more with all their digits."""
    values = [loss.values for loss in losses(run) if np.any(loss.values)]
    return b"|".join(
        (_rounded(one) if len(one) >= FEWEST_TELLING else one).tobytes() for one in values
    )


def _tests(run: RunView) -> bytes:
    """Fingerprint of the tests acting decentralised, which runs of all arms have.

    Empty where tests of different runs may agree by chance: where the backend has few results; and
    with few different returns since the first update, as all arms of a seed start from the same
    weights and are tested on the same episodes.
    """
    keys = [measure.key(DECENTRALISED) for measure in (RETURN, WIN_RATE, EPISODE_LENGTH)]
    tests = [_rounded(run.histories[key].values) for key in keys if key in run.histories]
    if keys[0] not in run.histories or backend(run.scenario).few_results:
        return b""
    updates = run.histories.get(N_UPDATES)
    n_before = 0 if updates is None else np.sum(updates.values == 0)
    if len(np.unique(tests[0][n_before:])) < FEWEST_TELLING:
        return b""
    return b"|".join(values.tobytes() for values in tests)


def _rounded(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """To six significant digits, so that a copy is known by what can be seen of it."""
    return np.array([float(f"{value:.5e}") for value in values])


def _repeated_seeds(runs: Iterable[RunView]) -> dict[tuple[str, str, str, int], list[str]]:
    """Places in a series that several runs claim, and their run ids: none of them counts twice."""
    found: dict[tuple[str, str, str, int], dict[str, None]] = {}
    for run in runs:
        found.setdefault(_place(run), {})[run.run_id] = None
    return {place: list(run_ids) for place, run_ids in found.items() if len(run_ids) > 1}


def _place(run: RunView) -> tuple[str, str, str, int]:
    return run.scenario, run.arm, run.point, run.seed


def _others(run: RunView, group: Iterable[RunView], count: int) -> str:
    """The first few of a group that should differ from the run, and how many."""
    others = (other.name for other in group if _experiment(other) != _experiment(run))
    named = list(itertools.islice(others, LONGEST_LIST))
    more = f" and {plural(count - len(named), 'more run')}" if count > len(named) else ""
    return ", ".join(named) + more


def _experiment(run: RunView) -> tuple[str, int, str, str]:
    return run.scenario, run.seed, run.framework, run.backbone
