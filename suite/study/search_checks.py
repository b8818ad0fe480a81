"""What the search of a profile must respect beyond its types."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any, get_args, get_origin

from pydantic import ValidationError

from suite.algorithms.registry import (
    hyperparameters,
    hyperparameters_of,
    methods,
    modes_of,
    unknown,
)
from suite.algorithms.settings import ArmSettings
from suite.environments import counts_wins, describe
from suite.errors import InputError
from suite.study.able import Fault, unable, untrainable
from suite.study.definition import Hyperparameters, Profile
from suite.study.dimensions import BACKBONE, Target, changed, target, variants
from suite.study.messages import nearest, value_fault
from suite.study.objectives import OBJECTIVES
from suite.study.search import PRUNERS, SAMPLERS, Range, Search
from suite.study.spaces import SearchSpace, search_space
from suite.study.trial import grid

Arms = Mapping[str, ArmSettings]
Place = Sequence[str | int]


def search_faults(profile_keys: Place, profile: Profile, arms: Arms) -> Iterator[Fault]:
    """What is wrong with a search, whatever the scenario. arms: those of the profile."""
    search = profile.search
    if search is None:
        return
    keys = [*profile_keys, "search"]
    yield from _repeats([*keys, "seeds"], search.seeds)
    yield from _repeats([*keys, "objectives"], search.objectives)
    for seed in search.seeds:
        if seed in profile.all_seeds:
            cure = "judge the points found on seeds that the search has not seen"
            yield Fault("also a seed of the profile", [*keys, "seeds"], seed, cure)
    yield from _faults_of_backbones(keys, search, arms)
    yield from _faults_of_keys(keys, profile, search, arms)
    yield from _faults_of_values(keys, search, arms)
    yield from _faults_of_sampler(keys, profile, search)
    yield from _faults_of_pruner(keys, profile, search, arms)
    yield from _faults_of_arms(keys, profile, search, arms)


def space_faults(profile_keys: Place, profile: Profile, arms: Arms) -> Iterator[Fault]:
    """What is wrong with a search on some scenario of the profile."""
    search = profile.search
    if search is None:
        return
    for scenario in profile.scenarios:
        for arm, settings in arms.items():
            space = search_space(profile, search, describe(scenario), arm, settings)
            if space is not None:
                yield from _faults_of_space([*profile_keys], search, space)


def _repeats(keys: Place, values: Sequence[Hashable]) -> Iterator[Fault]:
    seen: set[Hashable] = set()
    for value in values:
        if value in seen:
            yield Fault("listed twice", keys, value, "remove one of the two")
        seen.add(value)


def _faults_of_backbones(keys: Place, search: Search, arms: Arms) -> Iterator[Fault]:
    """Those that are searched are of the framework of every arm."""
    place, given = [*keys, "ranges", BACKBONE], search.ranges.get(BACKBONE)
    if isinstance(given, Range):
        cure = 'list backbones, e.g. ["vdn", "qmix"]'
        yield Fault("takes choices, not a range", place, None, cure)
    elif given is not None:
        for settings in arms.values():
            for backbone in given:
                if (settings.framework, backbone) not in methods():
                    what, _, value, cure = unknown(settings.framework, backbone)
                    yield Fault(what, place, value, cure)


def _faults_of_keys(keys: Place, profile: Profile, search: Search, arms: Arms) -> Iterator[Fault]:
    """Every key is known, of use to an arm, there in one spelling, and searched alone."""
    declared, place = hyperparameters().values(), [*keys, "ranges"]
    settings = {name for method in methods().values() for name in method.settings.model_fields}
    spellings = {name for one in declared for name in (one.name, one.fraction) if name}
    for key in search.ranges:
        if key == "framework":
            cure = "make each framework an arm"
            yield Fault("no search chooses the framework", place, key, cure)
        if key not in settings | spellings:
            cure = nearest(key, settings - {"framework"} | spellings, noun="keys")
            yield Fault("unknown key", place, key, cure)
        if not any(target(key, variants(one, search)) for one in arms.values()):
            what = "no arm of this profile has a use for it"
            yield Fault(what, [*place, key], None, "leave it out")
    for one in declared:
        both = [name for name in (one.name, one.fraction) if name in search.ranges]
        if len(both) > 1:
            cure = f"give {one.name} or {one.fraction}, not both"
            yield Fault(f"{one.symbol} is given twice", place, None, cure)
        for scenario in profile.scenarios if both else ():
            table = profile.hyperparameters_for(scenario)
            if table.model_fields_set & {one.name, one.fraction}:
                where, _ = profile.written_for(scenario, one, None)
                cure = "leave out one of the two"
                yield Fault("searched as well", [*keys[:-1], *where], None, cure)


def _faults_of_values(keys: Place, search: Search, arms: Arms) -> Iterator[Fault]:
    """Ranges and choices, each of whose ends and choices the setting itself takes."""
    for key, given in search.ranges.items():
        place = [*keys, "ranges", key]
        for settings in arms.values():
            having = variants(settings, search)
            of_arm = target(key, having)
            if of_arm is None or key == BACKBONE:
                continue
            if get_origin(_annotation(key, having)) is tuple:
                yield Fault("a list, which no search chooses", place, None, "set it in arms")
            if isinstance(given, Range):
                yield from _faults_of_range(place, given, of_arm, having)
                said: dict[Any, Any] = {"low": given.low, "high": given.high}
            else:
                said = dict(enumerate(given))
            for end, value in said.items():
                yield from _refused_value([*place, end], key, value, of_arm, having)
        if not isinstance(given, Range):
            yield from _repeats(place, given)
            if len(given) == 1:
                cure = "give several, or set it in arms or hyperparameters"
                yield Fault("one choice alone", place, given, cure)


def _faults_of_range(
    place: Place, given: Range, of_arm: Target, having: list[ArmSettings]
) -> Iterator[Fault]:
    if of_arm.kind is None:
        known = get_args(_annotation(str(place[-1]), having)) or (True, False)
        shown = ", ".join(f'"{v}"' if isinstance(v, str) else str(v).lower() for v in known)
        yield Fault("takes choices, not a range", place, None, f"list some of {shown} in [ ]")
        return
    low, high, step = given.low, given.high, given.step
    if low >= high:
        cure = f"let low be smaller than high = {high:g}"
        yield Fault("an empty range", [*place, "low"], low, cure)
    if given.log and low <= 0:
        cure = "begin above 0, or leave out log"
        yield Fault("no logarithm", [*place, "low"], low, cure)
    if step is not None:
        if given.log:
            cure = "leave out log or step"
            yield Fault("steps on a logarithmic scale", [*place, "step"], step, cure)
        if not 0 < step <= high - low:
            cure = f"give a step above 0 and up to high - low = {high - low:g}"
            yield Fault("no step of this range", [*place, "step"], step, cure)
        if of_arm.kind == "int" and not isinstance(step, int):
            cure = "give a whole number, without decimal point"
            yield Fault("of the wrong type", [*place, "step"], step, cure)


def _annotation(key: str, having: list[ArmSettings]) -> Any:
    found = (type(one).model_fields.get(key) for one in having)
    return next((field.annotation for field in found if field is not None), None)


def _refused_value(
    place: Place, key: str, value: object, of_arm: Target, having: list[ArmSettings]
) -> Iterator[Fault]:
    """What the hyperparameter or setting itself has against a value."""
    try:
        if of_arm.declared is not None:
            Hyperparameters.model_validate({key: (value,)})
        else:
            changed(next(one for one in having if key in type(one).model_fields), {key: value})
    except ValidationError as error:
        what, value, cure = value_fault(error.errors(include_url=False)[0])
        yield Fault(what, place, value, cure)


def _faults_of_sampler(keys: Place, profile: Profile, search: Search) -> Iterator[Fault]:
    sampler, objectives = SAMPLERS[search.sampler], search.objectives
    if len(objectives) > 1:
        if profile.seeds:
            what = "two objectives have no best point to judge on seeds"
            cure = "leave out one objective, or seeds of the profile"
            yield Fault(what, [*keys, "objectives"], list(objectives), cure)
        if not sampler.takes_two:
            able = _names(name for name, one in SAMPLERS.items() if one.takes_two)
            what = "this sampler takes one objective"
            yield Fault(what, [*keys, "sampler"], search.sampler, f"use {able}")
    if not sampler.takes_choices:
        for key, given in search.ranges.items():
            if not isinstance(given, Range):
                able = _names(name for name, one in SAMPLERS.items() if one.takes_choices)
                what = f"{search.sampler} takes ranges, no choices"
                cure = f"give low and high, or use {able}"
                yield Fault(what, [*keys, "ranges", key], list(given), cure)


def _faults_of_pruner(keys: Place, profile: Profile, search: Search, arms: Arms) -> Iterator[Fault]:
    if search.pruner is None:
        return
    pruner, place, name = PRUNERS[search.pruner], [*keys, "pruner"], search.pruner
    cure = "leave it out"
    if profile.seeds:
        what = "no trial is cut short where claims are judged: arms would be tuned unequally"
        yield Fault(what, place, name, cure)
    if len(search.objectives) > 1:
        yield Fault("pruners look at one objective", place, name, cure)
    for objective in search.objectives:
        if OBJECTIVES[objective].at is None:
            yield Fault(f"no test tells {objective} before the end", place, name, cure)
    if len(search.seeds) < pruner.least_seeds:
        what = f"with {len(search.seeds)} seeds it tells nothing before a trial is over"
        cure = f"leave it out, or give {pruner.least_seeds} seeds or more"
        yield Fault(what, place, name, cure)
    for key in search.ranges if pruner.compares_tests else ():
        for settings in arms.values():
            of_arm = target(key, variants(settings, search))
            if of_arm is not None and of_arm.is_moment:
                what = f"it compares tests at equal steps, at which {key} says what is to be seen"
                able = _names(name for name, one in PRUNERS.items() if not one.compares_tests)
                yield Fault(what, place, name, f"leave it out, or use {able}")


def _names(names: Iterator[str]) -> str:
    return " or ".join(names)


def _faults_of_arms(keys: Place, profile: Profile, search: Search, arms: Arms) -> Iterator[Fault]:
    """Each is searched where claims are judged, has what is looked for, and is no other's twin."""
    first_with: dict[str, str] = {}
    for arm, settings in arms.items():
        having = variants(settings, search)
        if not any(target(key, having) for key in search.ranges):
            if profile.seeds:
                what = f"no range applies to arm {arm}, which would not be tuned as others are"
                cure = "give it a range, e.g. of learning_rate, or leave it out of arms"
                yield Fault(what, [*keys, "ranges"], list(search.ranges), cure)
            continue
        for objective in search.objectives:
            modes = {mode.name for mode in modes_of(settings)}
            for mode in OBJECTIVES[objective].modes:
                if mode not in modes:
                    what = f"arm {arm} has no {mode} mode"
                    cure = "leave the objective out, or the arm"
                    yield Fault(what, [*keys, "objectives"], objective, cure)
        for one in having:
            said = one.model_dump(mode="json", exclude=set(search.ranges) - {BACKBONE})
            twin = first_with.setdefault(str(sorted(said.items())), arm)
            if twin != arm:
                what = f"arms {twin} and {arm} differ in nothing but what is searched"
                yield Fault(what, [*keys[:-1], "arms"], arm, "leave out one of the two")
    for objective in search.objectives:
        for scenario in profile.scenarios:
            if OBJECTIVES[objective].counts_wins and not counts_wins(scenario):
                what = f"{scenario} does not say which episodes are won"
                able = _names(name for name, one in OBJECTIVES.items() if not one.counts_wins)
                cure = f"leave it out, or look for {able}"
                yield Fault(what, [*keys, "objectives"], objective, cure)


def _faults_of_space(profile_keys: Place, search: Search, space: SearchSpace) -> Iterator[Fault]:
    keys, profile, scenario = [*profile_keys, "search", "ranges"], space.profile, space.scenario
    total = profile.training_for(scenario).total_env_steps
    having = variants(space.settings, search)
    for one in space.dimensions:
        of_arm = target(one.name, having)
        if of_arm is not None and of_arm.counts_steps and one.highest > total:
            cure = f"{scenario} ends after total_env_steps = {total}; end earlier"
            yield Fault("after the last step", [*keys, one.name], one.highest, cure)
    names = {one.name for one in space.dimensions}
    for settings in having:
        yield from unable(profile_keys, scenario, space.arm, settings)
        yield from untrainable(profile_keys, profile, scenario, space.arm, settings)
        lists = grid(profile, scenario, settings)
        for declared in hyperparameters_of(settings):
            values = lists[declared.name]
            if len(values) > 1 and not names & {declared.name, declared.fraction}:
                where, _ = profile.written_for(scenario, declared, None)
                cure = f"arm {space.arm} is searched: give one, or list them in ranges"
                yield Fault("several values", [*profile_keys, *where], list(values), cure)
    try:
        space.trial(space.typical, space.seeds)
    except InputError as error:
        what = f"arm {space.arm} on {scenario}, in the middle of its ranges: {error.what}"
        yield Fault(what, keys, error.value, error.cure)
