"""Points of trials in words: which are told apart, and how one is found again elsewhere.

A point is what its arm has of hyperparameters and, in a search, of searched settings.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from suite.runs.hyperparameters import Value, value_text
from suite.runs.spec import Scalar
from suite.study.plan import Plan
from suite.study.trial import Trial

# What a point has → in words.
Words = dict[str, str]


def points(plan: Plan) -> list[tuple[str, str]]:
    """Per trial: `RunView.point` and `RunView.counterpart`, which name what varies."""
    digits = _told_apart(plan.trials)
    fractions = _fractions(plan)
    here: list[Words] = []
    elsewhere: list[Words] = []
    for trial in plan.trials:
        symbols = {one.name: one.symbol for one in trial.declared}
        own = {
            name: f"{symbols.get(name, name)}={digits[name, repr(value)]}"
            for name, value in _values(trial).items()
        }
        other = {
            name: fractions.get((trial.scenario, name, value), own[name])
            for name, value in trial.hyperparameters.items()
        }
        here.append(own)
        elsewhere.append(own | other)
    in_scenario = _varying(plan.trials, here)
    in_arm: dict[str, set[str]] = {}
    for (_, arm), names in in_scenario.items():
        in_arm.setdefault(arm, set()).update(names)
    return [
        (_joined(own, in_scenario[trial.scenario, trial.arm]), _joined(other, in_arm[trial.arm]))
        for trial, own, other in zip(plan.trials, here, elsewhere, strict=True)
    ]


def _values(trial: Trial) -> dict[str, Scalar]:
    """What a trial has, by name: hyperparameters, then searched settings."""
    return {**trial.hyperparameters, **trial.settings}


def _joined(words: Words, names: Iterable[str]) -> str:
    return ", ".join(word for name, word in words.items() if name in names)


def _told_apart(trials: Iterable[Trial]) -> dict[tuple[str, str], str]:
    """(Name, `repr` of a value) → as few digits as tell it from all others."""
    short = {
        (name, repr(value)): f"{value:g}" if isinstance(value, float) else value_text(value)
        for trial in trials
        for name, value in _values(trial).items()
    }
    n_alike = Counter((name, few) for (name, _), few in short.items())
    return {
        (name, full): few if n_alike[name, few] == 1 else full
        for (name, full), few in short.items()
    }


def _fractions(plan: Plan) -> dict[tuple[str, str, Value], str]:
    """(Scenario, hyperparameter, value) → the value as a fraction of training, where the study
    states it so or a search chose it so."""
    found: dict[tuple[str, str, Value], str] = {}
    for one in {one.name: one for trial in plan.trials for one in trial.declared}.values():
        for scenario in plan.environments:
            table = plan.profile.hyperparameters_for(scenario)
            total = plan.profile.training_for(scenario).total_env_steps
            for fraction in table.fractions(one):
                words = f"{one.symbol}={fraction!r} of training"
                found.setdefault((scenario, one.name, round(fraction * total)), words)
        for trial in plan.trials:
            chosen = trial.searched.get(one.fraction or "")
            if chosen is not None and one.name in trial.hyperparameters:
                words = f"{one.symbol}={chosen!r} of training"
                found.setdefault((trial.scenario, one.name, trial.hyperparameters[one.name]), words)
    return found


def _varying(trials: Iterable[Trial], words: Iterable[Words]) -> Mapping[tuple[str, str], set[str]]:
    """(Scenario, arm) → what of its points has several values, none at all being one."""
    of_arm: dict[tuple[str, str], list[Words]] = {}
    for trial, own in zip(trials, words, strict=True):
        of_arm.setdefault((trial.scenario, trial.arm), []).append(own)
    return {
        key: {
            name
            for name in {name: None for own in points for name in own}
            if len({own.get(name) for own in points}) > 1
        }
        for key, points in of_arm.items()
    }
