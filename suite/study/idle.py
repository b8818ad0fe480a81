"""What a profile sets and no run would have: values without an arm that uses them, and values that
every scenario replaces. Nobody would notice, so they are refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pydantic import BaseModel

from suite.algorithms.registry import hyperparameters, hyperparameters_of, method_of
from suite.algorithms.settings import ArmSettings
from suite.study.definition import Profile, ScenarioSettings
from suite.study.messages import Keys

_TRAINING, _HYPERPARAMETERS = "training", "hyperparameters"


@dataclass(frozen=True)
class Idle:
    """A value that does nothing. keys: where it stands within its profile."""

    what: str
    keys: Keys
    value: object


def idle_values(profile: Profile, arms: list[ArmSettings]) -> Iterator[Idle]:
    """Everything of that kind in a profile with these arms."""
    for table, is_used in ((_TRAINING, _training_used(arms)), (_HYPERPARAMETERS, _declared(arms))):
        for keys, values in _tables(profile, table).items():
            for key in sorted(values):
                if not is_used(key):
                    what = "no arm of this profile has a use for it"
                    yield Idle(what, [*keys, key], values[key])
    yield from _replaced(profile)


def _training_used(arms: list[ArmSettings]) -> Callable[[str], bool]:
    unused = frozenset.intersection(*(method_of(arm).protocol_unused() for arm in arms))
    return lambda key: key not in unused


def _declared(arms: list[ArmSettings]) -> Callable[[str], bool]:
    declared = [one for arm in arms for one in hyperparameters_of(arm)]
    keys = {key for one in declared for key in (one.name, one.fraction)}
    return lambda key: key in keys


def _replaced(profile: Profile) -> Iterator[Idle]:
    """Values of the whole profile of which no scenario takes any."""
    owns = [
        profile.scenario_settings.get(scenario, ScenarioSettings())
        for scenario in profile.scenarios
    ]
    what = "every scenario of this profile has its own"
    for key in sorted(profile.training.model_fields_set):
        if all(key in own.training.model_fields_set for own in owns):
            yield Idle(what, [_TRAINING, key], getattr(profile.training, key))
    for one in hyperparameters().values():
        spellings = {one.name, one.fraction}
        if all(own.hyperparameters.model_fields_set & spellings for own in owns):
            for key in sorted(profile.hyperparameters.model_fields_set & spellings):
                yield Idle(what, [_HYPERPARAMETERS, key], profile.hyperparameters.given(key))


def _tables(profile: Profile, table: str) -> dict[tuple[str, ...], dict[str, object]]:
    """Place within the profile → what is said there, for the profile and for its scenarios."""
    places: dict[tuple[str, ...], BaseModel] = {(table,): getattr(profile, table)}
    for scenario, own in profile.scenario_settings.items():
        places["scenario_settings", scenario, table] = getattr(own, table)
    return {keys: {k: getattr(v, k) for k in v.model_fields_set} for keys, v in places.items()}
