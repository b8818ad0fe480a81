"""A study on another backend than that of its file: the scenarios of the same names there."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from suite.algorithms.settings import ArmSettings
from suite.environments import backend_of, backends, is_scenario, short_name
from suite.errors import InputError
from suite.study.definition import Claim, Profile, StudyDefinition
from suite.study.messages import Keys, nearest, place


def moved(study: StudyDefinition, backend: str, profile: str | None, path: Path) -> StudyDefinition:
    """One profile of a study, and its claims, on `backend`; the study is then called by both.

    Other profiles are left out: what they need the backend need not have. The study stays as it is
    if all scenarios of the profile are there already.

    profile: the study's default if None. path: of the study's file, for messages.

    Raises
    ------
    InputError: there is no such backend, it lacks a scenario, or two scenarios would be one.
    """
    if backend not in backends():
        cure = nearest(backend, backends(), noun="backends")
        raise InputError("unknown backend", where="--backend", value=backend, cure=cure)
    name = study.default_profile if profile is None else profile
    if name not in study.profiles:
        return study  # refused like any that is not there: by `check_study` or `expand`
    before = study.profiles[name]
    if all(scenario.startswith(f"{backend}/") for scenario in before.scenarios):
        return study
    own_arms = study.backend_arms.get(backend, {})
    told = [
        _told(arm, study.arms[arm], own_arms[arm], backend)
        for arm in before.arms
        if arm in own_arms and arm in study.arms
    ]
    after = _profile(before, backend, ["profiles", name], path)
    claims = [
        _claim(claim, backend, ["claims", index, "scenarios"], path)
        for index, claim in enumerate(study.claims)
    ]
    return study.model_copy(
        update={
            "name": f"{study.name}_{backend}",
            "default_profile": name,
            "arms": {**study.arms, **own_arms},
            "profiles": {name: after.model_copy(update={"deviations": (*after.deviations, *told)})},
            "claims": tuple(claims),
        }
    )


def _profile(profile: Profile, backend: str, keys: Keys, path: Path) -> Profile:
    settings, missing = profile.scenario_settings, profile.missing_scenarios
    where = place(path, [*keys, "scenarios"])
    _check_apart([*profile.scenarios, *settings, *missing], backend, where)
    cure = "name a backend that has it, choose another --profile, or change a copy of the study"
    _check_there(profile.scenarios, backend, where, cure)
    return profile.model_copy(
        update={
            "scenarios": tuple(_there(one, backend) for one in profile.scenarios),
            "scenario_settings": {_there(one, backend): own for one, own in settings.items()},
            "missing_scenarios": {_there(one, backend): why for one, why in missing.items()},
        }
    )


def _claim(claim: Claim, backend: str, keys: Keys, path: Path) -> Claim:
    if claim.scenarios is None:
        return claim
    where = place(path, keys)
    _check_apart(claim.scenarios, backend, where)
    _check_there(claim.scenarios, backend, where, "leave it out in a copy of the study")
    there = tuple(_there(one, backend) for one in claim.scenarios)
    return claim.model_copy(update={"scenarios": there})


def _there(scenario: str, backend: str) -> str:
    """`starcraft/3m` for `skirmish/3m`; a name without a backend is no scenario and stays."""
    return f"{backend}/{scenario.partition('/')[2]}" if "/" in scenario else scenario


def _check_there(scenarios: Iterable[str], backend: str, where: str, cure: str) -> None:
    for scenario in scenarios:
        named = _there(scenario, backend)
        if "/" in scenario and not (is_scenario(named) and _is_listed(named)):
            what = f"{backend} has no scenario of that name"
            raise InputError(what, where=where, value=scenario, cure=cure)


def _is_listed(scenario: str) -> bool:
    """Backends that take any name list those that are short."""
    return short_name(scenario) in backend_of(scenario).scenarios()


def _check_apart(scenarios: Iterable[str], backend: str, where: str) -> None:
    written: dict[str, str] = {}
    for scenario in scenarios:
        first = written.setdefault(_there(scenario, backend), scenario)
        if first != scenario:
            what = f"{first} and {scenario} would be the same scenario on {backend}"
            cure = "choose another --profile, or keep one of them in a copy of the study"
            raise InputError(what, where=where, cure=cure)


def _told(arm: str, written: ArmSettings, own: ArmSettings, backend: str) -> str:
    """`arm ctds_qmix on starcraft: privileged = "…" in place of "…"`, a deviation."""
    before, after = written.model_dump(mode="json"), own.model_dump(mode="json")
    changes = [
        f"{key} = {json.dumps(value)} in place of {json.dumps(before.get(key))}"
        for key, value in after.items()
        if value != before.get(key)
    ]
    return f"arm {arm} on {backend}: {', '.join(changes)}"
