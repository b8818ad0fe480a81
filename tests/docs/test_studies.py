"""docs/studies.md says of every key of a study file what the models say; its example runs."""

from __future__ import annotations

import inspect
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pages import ROOT, examples, names, page, table_after
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from suite.algorithms.registry import arm_settings, hyperparameters, methods
from suite.algorithms.settings import ArmSettings
from suite.environments import backends
from suite.runs.hyperparameters import Hyperparameter
from suite.runs.protocol import TrainingProtocol
from suite.study.definition import (
    Claim,
    Hyperparameters,
    Profile,
    ScenarioSettings,
    SequentialSeeds,
    StudyDefinition,
)
from suite.study.load import load_study
from suite.study.objectives import OBJECTIVES
from suite.study.plan import expand
from suite.study.search import Range, Search

PAGE = page("docs/studies.md")
NEEDED = "–"
TABLES: dict[str, type[BaseModel]] = {
    model.__name__: model
    for model in (
        StudyDefinition,
        Profile,
        SequentialSeeds,
        ScenarioSettings,
        TrainingProtocol,
        Claim,
        Search,
        Range,
    )
}


def values(schema: Mapping[str, Any]) -> str:
    """The values a key may have, for people, from its JSON schema."""
    if "anyOf" in schema:
        (schema,) = [one for one in schema["anyOf"] if one.get("type") != "null"]
    if "oneOf" in schema:
        return " or ".join(map(values, schema["oneOf"]))
    if "const" in schema:
        return f"`{toml(schema['const'])}`"
    if "enum" in schema:
        return " ".join(f"`{toml(value)}`" for value in schema["enum"])
    match schema.get("type"):
        case "boolean":
            return "`true` `false`"
        case "integer":
            return f"whole, {between(schema)}"
        case "number":
            return f"number, {between(schema)}"
        case "string":
            return "name" if "pattern" in schema else "text"
        case "array":
            return f"list: {values(schema['items'])}"
        case "object" if "additionalProperties" in schema:
            return "by name"
    return "table"


def between(schema: Mapping[str, Any]) -> str:
    """`1 to 64`, `above 0 to 1`; ends included if nothing else is said."""
    is_whole = schema["type"] == "integer"
    low, high = schema.get("minimum"), schema.get("maximum")
    if is_whole and "exclusiveMaximum" in schema:
        high = schema["exclusiveMaximum"] - 1
    first = f"{low:,.15g}" if low is not None else f"above {schema['exclusiveMinimum']:,.15g}"
    last = f"{high:,.15g}" if high is not None else f"below {schema['exclusiveMaximum']:,.15g}"
    return f"{first} to {last}"


def toml(value: Any) -> str:
    """A plain value as a study file writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, int):
        return f"{value:_}"
    if isinstance(value, tuple):
        return f"[{', '.join(map(toml, value))}]"
    return repr(value)


def default(key: str, field: FieldInfo) -> str:
    if field.is_required():
        return NEEDED
    if field.default is None:
        return "all" if key == "scenarios" else "none"
    if isinstance(field.default, BaseModel | dict):
        return "empty"
    return f"`{toml(field.default)}`"


def expected(model: type[BaseModel], keys: list[str]) -> dict[str, tuple[str, str]]:
    """Key → default and values, as the page has to give them."""
    properties = model.model_json_schema()["properties"]
    return {key: (default(key, model.model_fields[key]), values(properties[key])) for key in keys}


def described(mark: str) -> dict[str, tuple[str, str]]:
    """Key → default and values, as the table after a mark gives them."""
    rows = table_after(PAGE, f"<!-- {mark} -->")
    found = {key: (row[1], row[2]) for row in rows for key in names(row[0])}
    assert len(found) == sum(len(names(row[0])) for row in rows), "a key is there twice"
    assert len({len(row) for row in rows}) == 1, "a key without a meaning or a source"
    return found


@pytest.mark.parametrize("name", sorted(set(TABLES) - {"TrainingProtocol"}))
def test_keys_of_the_file(name: str) -> None:
    assert described(name) == expected(TABLES[name], list(TABLES[name].model_fields))


def test_keys_of_training() -> None:
    """With what methods and backends have otherwise."""
    wanted = expected(TrainingProtocol, list(TrainingProtocol.model_fields))
    limits: dict[str, list[str]] = {}
    for name, backend in backends().items():
        limits.setdefault(backend.time_limit, []).append(f"`{name}`")
    told = "; ".join(f'`"{limit}"` on {", ".join(those)}' for limit, those in limits.items())
    wanted["time_limit"] = (told, wanted["time_limit"][1])
    for method in methods().values():
        for key, value in method.protocol_defaults().items():
            with_own = f"`{toml(TrainingProtocol.model_fields[key].default)}`"
            with_own += f"; `{toml(value)}` for `{method.backbone}`"
            wanted[key] = (with_own, wanted[key][1])
    assert described("TrainingProtocol") == wanted


def test_settings_of_training_that_a_method_has_no_use_for() -> None:
    for method in methods().values():
        if method.protocol_unused():
            (line,) = re.findall(
                rf"^`{method.backbone}` has no use for (.*?)\.$", PAGE, re.DOTALL | re.MULTILINE
            )
            assert set(names(line)) == method.protocol_unused()


def published(declared: Hyperparameter) -> str:
    """Where its values come from if a study gives none."""
    by_value: dict[float, list[str]] = {}
    for (_, backbone), method in methods().items():
        for one in method.hyperparameters():
            if one.name == declared.name and one.published is not None:
                by_value.setdefault(one.published, []).append(f"`{backbone}`")
    told = [f"`[{value}]` on {', '.join(where)}" for value, where in by_value.items()]
    return "; ".join(told) or NEEDED


def test_hyperparameters() -> None:
    properties = Hyperparameters.model_json_schema()["properties"]
    wanted = {}
    for one in hyperparameters().values():
        wanted[one.name] = (published(one), values(properties[one.name]))
        if one.fraction:
            wanted[one.fraction] = (NEEDED, values(properties[one.fraction]))
    assert described("hyperparameters") == wanted


def test_objectives() -> None:
    better = {"maximize": "larger", "minimize": "smaller"}
    assert table_after(PAGE, "<!-- objectives -->") == [
        [f"`{one.name}`", better[one.direction], one.unit, one.title] for one in OBJECTIVES.values()
    ]


def own_classes(settings: type[ArmSettings]) -> list[type[BaseModel]]:
    """The classes in which an arm's settings are declared, those of every arm first."""
    kinds = [kind for kind in settings.__mro__ if issubclass(kind, BaseModel) and own_keys(kind)]
    return kinds[::-1]


def own_keys(model: type[BaseModel]) -> list[str]:
    """Settings to which a class itself gives a default."""
    said = inspect.get_annotations(model)
    given = {key for key, field in model.model_fields.items() if not field.is_required()}
    return [key for key in said if key in given and key not in ("framework", "backbone")]


CLASSES = {kind.__name__: kind for m in methods().values() for kind in own_classes(m.settings)}


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_settings_of_arms(name: str) -> None:
    assert described(name) == expected(CLASSES[name], own_keys(CLASSES[name]))


@pytest.mark.parametrize("row", table_after(PAGE, "<!-- arms -->"), ids=lambda row: row[0] + row[1])
def test_arms_are_listed_with_their_settings_and_modes(row: list[str]) -> None:
    (framework,) = names(row[0])
    kinds = set()
    for backbone in names(row[1]):
        method = methods()[framework, backbone]
        modes = method.modes(arm_settings(framework, backbone))
        assert names(row[2]) == [mode.name for mode in modes]
        kinds |= {kind.__name__ for kind in own_classes(method.settings)}
    linked = re.findall(r"\[([^\]]+)\]\(#([^)]+)\)", row[3])
    assert {text for text, _ in linked} == {heading(kind) for kind in kinds} - {"Every arm"}
    assert all(target == anchor(text) for text, target in linked)


def heading(kind: str) -> str:
    """The heading under which a class is described."""
    return PAGE.split(f"<!-- {kind} -->")[0].rpartition("\n### ")[2].partition("\n")[0]


def anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_every_arm_is_listed_once() -> None:
    rows = table_after(PAGE, "<!-- arms -->")
    listed = [(f, b) for row in rows for f in names(row[0]) for b in names(row[1])]
    assert sorted(listed) == sorted(methods())


@pytest.fixture
def study(tmp_path: Path) -> Path:
    path = tmp_path / "two_step.toml"
    path.write_text(examples(PAGE, "toml")[0])
    return path


def test_the_example_is_a_study(study: Path) -> None:
    plan = expand(load_study(study))
    assert f"{len(plan.runs)} runs" in PAGE


def test_further_examples_fit_into_it(study: Path) -> None:
    """Each piece is added to the file; tables that are there already are replaced."""
    whole, *pieces = examples(PAGE, "toml")
    for piece in pieces:
        first = re.findall(r"^\[.*\]$", piece, re.MULTILINE)
        kept = "".join(
            part for part in re.split(r"(?m)^(?=\[)", whole) if part.partition("\n")[0] not in first
        )
        study.write_text(f"{kept}\n{piece}")
        loaded = load_study(study)
        assert all(expand(loaded, name).runs for name in loaded.profiles)


def test_its_commands_run(study: Path) -> None:
    """With fewer steps and seeds."""
    text = study.read_text()
    for old, new in (("= 4_000", "= 100"), ("= 200", "= 30"), ("1, 2, 3, 4, 5, 6", "1")):
        assert old in text
        text = text.replace(old, new)
    study.write_text(text)
    commands = re.findall(r"^    (cadp-\w+ .*)$", PAGE.partition("\n## ")[2], re.MULTILINE)
    modules = {"cadp-suite": "suite", "cadp-report": "reports"}
    assert [shlex.split(command)[1] for command in commands] == ["plan", "run", "status", "build"]
    for command in commands:
        name, *words = shlex.split(command, comments=True)
        done = subprocess.run(
            [sys.executable, "-P", "-m", modules[name], *words],
            cwd=study.parent,
            env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    assert (study.parent / "runs" / "reports" / "two_step-small.html").is_file()
