"""Which methods there are, by framework and backbone. No torch here.

A new one is a folder of this package that gives `methods()`, and its name below; or, from another
distribution, an entry point of the group `cadp_suite.methods` that names such a function.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import Any

from pydantic import BaseModel

from suite.algorithms.declaration import Method
from suite.algorithms.settings import WIDEST, ArmSettings
from suite.errors import InputError
from suite.plugins import Plugin, joined, load_plugins
from suite.runs import earlier
from suite.runs.hyperparameters import Hyperparameter, point_label, value_text
from suite.runs.modes import ExecutionMode
from suite.runs.sizes import Sizes
from suite.runs.spec import AlgorithmSpec, RunSpec

_ROOMS = ("value", "cadp", "qtran", "wqmix", "ctds", "igm_da", "mappo")
ENTRY_POINTS = "cadp_suite.methods"


@cache
def methods() -> Mapping[tuple[str, str], Method]:
    """(Framework, backbone) → method; ours first. Raises InputError if a plug-in is broken."""
    return joined(_ours(), plug_ins())


@cache
def plug_ins() -> list[Plugin[tuple[str, str], Method]]:
    """Those that bring methods, the broken ones too.

    Ours are not known while a mixer is broken; then no name counts as taken.
    """
    try:
        ours = _ours()
    except InputError:
        ours = {}
    return load_plugins(ENTRY_POINTS, _read, ours)


def _ours() -> dict[tuple[str, str], Method]:
    rooms = [import_module(f"suite.algorithms.{room}") for room in _ROOMS]
    return {(one.framework, one.backbone): one for room in rooms for one in room.methods()}


def _read(found: Any) -> Iterator[tuple[tuple[str, str], Method]]:
    if not callable(found):
        raise TypeError("it is no function")
    for method in found():
        if not isinstance(method, Method):
            raise TypeError(f"it gives {type(method).__name__}, no Method")
        yield (method.framework, method.backbone), method


def method_of(algorithm: AlgorithmSpec | ArmSettings) -> Method:
    """The method of an arm. Raises InputError if there is none of that name."""
    key = (algorithm.framework, algorithm.backbone)
    if key not in methods():
        what, name, value, cure = unknown(*key)
        raise InputError(what, where=name, value=value, cure=cure)
    return methods()[key]


def unknown(framework: object, backbone: object) -> tuple[str, str, object, str]:
    """What is wrong with the name of a method, the key at fault, its value, and the cure."""
    frameworks = dict.fromkeys(name for name, _ in methods())
    if framework not in frameworks:
        return "unknown framework", "framework", framework, f"use {_choices(frameworks)}"
    backbones = [name for owner, name in methods() if owner == framework]
    what = f"framework {framework} has no such backbone"
    return what, "backbone", backbone, f"use {_choices(backbones)}"


def _choices(names: Any) -> str:
    *others, last = [repr(name) for name in names]
    return f"{', '.join(others)} or {last}" if others else last


def arm_settings(framework: str, backbone: str, **settings: Any) -> ArmSettings:
    """The settings of an arm, checked; whatever is not given has its default. Lists are tuples.

    Raises InputError for a method that does not exist, pydantic's ValidationError for a setting
    that it does not have, or cannot have.
    """
    method = method_of(AlgorithmSpec(framework=framework, backbone=backbone))
    given: dict[str, Any] = {
        key: tuple(v) if isinstance(v, list) else v for key, v in settings.items()
    }
    return method.settings(framework=framework, backbone=backbone, **given)


def settings_of(algorithm: AlgorithmSpec) -> ArmSettings:
    """The settings of a run, as its method declares them."""
    method = method_of(algorithm)
    fields = method.settings.model_fields
    given = {
        key: value
        for key, value in algorithm.model_dump().items()
        if key in fields or not earlier.is_unused(key, value)
    }
    return method.settings.model_validate(given)


def algorithm_spec(settings: ArmSettings) -> AlgorithmSpec:
    """What a run says of its arm: every setting, but those that `added_later` leaves out."""
    kinds = [kind for kind in type(settings).__mro__ if issubclass(kind, BaseModel)]
    later = {name for kind in kinds for name in getattr(kind, "added_later", ())}
    fields = type(settings).model_fields
    unsaid = {name for name in later if getattr(settings, name) == fields[name].default}
    return AlgorithmSpec.model_validate(settings.model_dump(mode="json", exclude=unsaid))


def hyperparameters() -> Mapping[str, Hyperparameter]:
    """Every hyperparameter that some method declares with some settings, by name."""
    return {one.name: one for method in methods().values() for one in method.hyperparameters()}


def hyperparameters_of(algorithm: AlgorithmSpec | ArmSettings) -> tuple[Hyperparameter, ...]:
    """What a study may enumerate or search for this arm."""
    return method_of(algorithm).hyperparameters(_settings(algorithm))


def run_point(run: RunSpec) -> str:
    """A run's hyperparameters, and settings that a search chose, for people: `α=0.5 T=70,000
    hidden_size=128`, or nothing."""
    settings = settings_of(run.algorithm)
    declared = point_label(hyperparameters_of(settings), run.hyperparameters)
    chosen = [f"{name}={value_text(value)}" for name, value in settings if name in run.searched]
    return " ".join(part for part in (declared, *chosen) if part)


def modes_of(algorithm: AlgorithmSpec | ArmSettings) -> tuple[ExecutionMode, ...]:
    """The execution modes in which a trained model of this arm is tested."""
    return method_of(algorithm).modes(_settings(algorithm))


def matched_hidden_size(arm: ArmSettings, model: ArmSettings, sizes: Sizes) -> int:
    """The `hidden_size` that brings `arm` nearest to the number of parameters of `model`.

    Raises InputError for an arm without that setting.
    """
    if "hidden_size" not in type(arm).model_fields:
        cure = "choose an arm that has one"
        raise InputError("no hidden size", where="framework", value=arm.framework, cure=cure)
    wanted = method_of(model).n_parameters(model, sizes)

    def n_parameters(hidden_size: int) -> int:
        return method_of(arm).n_parameters(
            arm.model_copy(update={"hidden_size": hidden_size}), sizes
        )

    larger = bisect_left(range(1, WIDEST), wanted, key=n_parameters) + 1
    return min((max(1, larger - 1), larger), key=lambda size: abs(n_parameters(size) - wanted))


def _settings(algorithm: AlgorithmSpec | ArmSettings) -> ArmSettings:
    return settings_of(algorithm) if isinstance(algorithm, AlgorithmSpec) else algorithm
