"""Hyperparameter points in words: which are told apart, and how one is found again elsewhere."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable

from suite.runs.hyperparameters import Value
from suite.study.plan import Plan, Trial


def points(plan: Plan) -> list[tuple[str, str]]:
    """Per trial: `RunView.point` and `RunView.counterpart`, which name what varies."""
    digits = _told_apart(plan.trials)
    fractions = _fractions(plan)
    here, elsewhere = [], []
    for trial in plan.trials:
        own, other = [], []
        for one in trial.declared:
            value = trial.hyperparameters[one.name]
            own.append(f"{one.symbol}={digits[one.name, repr(value)]}")
            other.append(fractions.get((trial.scenario, one.name, value), own[-1]))
        here.append(tuple(own))
        elsewhere.append(tuple(other))
    in_scenario = _varying(plan.trials, here)
    in_arm: dict[str, tuple[bool, ...]] = {}
    for (_, arm), varies in in_scenario.items():
        before = in_arm.get(arm, (False,) * len(varies))
        in_arm[arm] = tuple(a or b for a, b in zip(before, varies, strict=True))
    return [
        (
            ", ".join(itertools.compress(own, in_scenario[trial.scenario, trial.arm])),
            ", ".join(itertools.compress(other, in_arm[trial.arm])),
        )
        for trial, own, other in zip(plan.trials, here, elsewhere, strict=True)
    ]


def _told_apart(trials: Iterable[Trial]) -> dict[tuple[str, str], str]:
    """(Hyperparameter, `repr` of a value) → as few digits as tell it from all others."""
    short = {
        (one.name, repr(value)): f"{value:,}" if one.is_whole else f"{value:g}"
        for trial in trials
        for one in trial.declared
        if (value := trial.hyperparameters.get(one.name)) is not None
    }
    n_alike = Counter((name, few) for (name, _), few in short.items())
    return {
        (name, full): few if n_alike[name, few] == 1 else full
        for (name, full), few in short.items()
    }


def _fractions(plan: Plan) -> dict[tuple[str, str, Value], str]:
    """(Scenario, hyperparameter, value) → the value as a fraction of training, where the study
    states it so."""
    found: dict[tuple[str, str, Value], str] = {}
    for one in {one.name: one for trial in plan.trials for one in trial.declared}.values():
        for scenario in plan.environments:
            table = plan.profile.hyperparameters_for(scenario)
            total = plan.profile.training_for(scenario).total_env_steps
            for fraction in table.fractions(one):
                words = f"{one.symbol}={fraction!r} of training"
                found.setdefault((scenario, one.name, round(fraction * total)), words)
    return found


def _varying(
    trials: Iterable[Trial], words: Iterable[tuple[str, ...]]
) -> dict[tuple[str, str], tuple[bool, ...]]:
    """(Scenario, arm) → for each of its hyperparameters, whether it has several values."""
    found: dict[tuple[str, str], tuple[set[str], ...]] = {}
    for trial, own in zip(trials, words, strict=True):
        seen = found.setdefault((trial.scenario, trial.arm), tuple(set() for _ in own))
        for values, word in zip(seen, own, strict=True):
            values.add(word)
    return {key: tuple(len(values) > 1 for values in seen) for key, seen in found.items()}
