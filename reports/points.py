"""Hyperparameter points in words: which are told apart, and how one is found again elsewhere."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable

from suite.study.plan import Plan, Trial


def points(plan: Plan) -> list[tuple[str, str]]:
    """Per trial: `RunView.point` and `RunView.counterpart`, which name α and T where they vary."""
    digits = _told_apart(trial.alpha for trial in plan.trials if trial.alpha is not None)
    fractions = _fractions(plan)
    here, elsewhere = [], []
    for trial in plan.trials:
        start = trial.pruning_start_env_steps
        alpha = "" if trial.alpha is None else f"α={digits[repr(trial.alpha)]}"
        steps = "" if start is None else f"T={start:,}"
        here.append((alpha, steps))
        elsewhere.append((alpha, fractions.get((trial.scenario, start), steps)))
    in_scenario = _varying(plan.trials, here)
    in_arm: dict[str, tuple[bool, ...]] = {}
    for (_, arm), varies in in_scenario.items():
        before = in_arm.get(arm, (False, False))
        in_arm[arm] = tuple(a or b for a, b in zip(before, varies, strict=True))
    return [
        (
            ", ".join(itertools.compress(own, in_scenario[trial.scenario, trial.arm])),
            ", ".join(itertools.compress(other, in_arm[trial.arm])),
        )
        for trial, own, other in zip(plan.trials, here, elsewhere, strict=True)
    ]


def _told_apart(values: Iterable[float]) -> dict[str, str]:
    """`repr` of a number → as few digits as tell it from all others."""
    short = {repr(value): f"{value:g}" for value in values}
    n_alike = Counter(short.values())
    return {full: few if n_alike[few] == 1 else full for full, few in short.items()}


def _fractions(plan: Plan) -> dict[tuple[str, int | None], str]:
    """(Scenario, T) → T as a fraction of training, where the study states it so."""
    found: dict[tuple[str, int | None], str] = {}
    for scenario in plan.environments:
        values = plan.profile.hyperparameters_for(scenario)
        total = plan.profile.training_for(scenario).total_env_steps
        for fraction in values.pruning_start_fraction or ():
            found.setdefault((scenario, round(fraction * total)), f"T={fraction!r} of training")
    return found


def _varying(
    trials: Iterable[Trial], words: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], tuple[bool, ...]]:
    """(Scenario, arm) → whether it has several α, several T."""
    found: dict[tuple[str, str], tuple[set[str], ...]] = defaultdict(lambda: (set(), set()))
    for trial, pair in zip(trials, words, strict=True):
        for seen, word in zip(found[trial.scenario, trial.arm], pair, strict=True):
            seen.add(word)
    return {key: tuple(len(seen) > 1 for seen in both) for key, both in found.items()}
