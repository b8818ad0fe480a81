"""docs/extending.md names all that a mixer, a method, a backend may have; its example runs."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
import tomllib
from abc import ABC
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest
from pages import ROOT, examples, names, page, table_after

from suite.algorithms import declaration as d
from suite.algorithms import interface as i
from suite.algorithms.mixers.interface import Mixed, Mixer, MixerInputs
from suite.algorithms.registry import arm_settings, methods
from suite.environments import interface as e
from suite.environments.backend import Backend
from suite.environments.registry import describe
from suite.plugins import GROUPS
from suite.runs.hyperparameters import Hyperparameter
from suite.runs.modes import ExecutionMode

PAGE = page("docs/extending.md")
OUTSIDE = ROOT / "tests" / "plugins" / "outside"
LEFT_OUT = 1  # the column
STUDY = """
format = 1
name = "linear"
question = "Does the mixer of the page train?"
default_profile = "small"
[arms.linear]
framework = "ctde"
backbone = "linear"
lowest = 0.1
[arms.advised]
framework = "cadp"
backbone = "linear"
[profiles.small]
description = "small"
scenarios = ["matrix/climbing", "agreeing/pair"]
arms = ["linear", "advised"]
seeds = [1]
[profiles.small.training]
total_env_steps = 40
test_interval_env_steps = 20
batch_size_episodes = 8
[profiles.small.hyperparameters]
alpha = [1.0]
pruning_start_env_steps = [10]
"""


def public(of: type) -> dict[str, bool]:
    """Name → whether it has to be given, for all that a class says of itself."""
    if is_dataclass(of):
        return {f.name: f.default is MISSING and f.default_factory is MISSING for f in fields(of)}
    own = {n: v for n, v in vars(of).items() if not n.startswith("_")}
    annotated = {n: n not in own for n in inspect.get_annotations(of)}
    is_needed = {
        n: getattr(v, "__isabstractmethod__", ABC not in of.__mro__) for n, v in own.items()
    }
    return {n: needed for n, needed in {**is_needed, **annotated}.items() if not n.startswith("_")}


TABLES: list[tuple[str, type]] = [
    ("`suite.algorithms.declaration.Backbone`, in this order:", d.Backbone),
    ("a `suite.algorithms.mixers.interface.Mixer`.", Mixer),
    ("| field of `MixerInputs` ", MixerInputs),
    ("| field of `Mixed` ", Mixed),
    ("are a subclass of `suite.algorithms.declaration.Method`", d.Method),
    ("a `suite.algorithms.interface.Algorithm`", i.Algorithm),
    ("A `suite.algorithms.interface.Memory`", i.Memory),
    ("and its `EpisodeWriter`:", i.EpisodeWriter),
    ("`suite.environments.backend.Backend`", Backend),
    ("`suite.environments.interface.EnvironmentInfo`:", e.EnvironmentInfo),
    ("`suite.environments.interface.BatchedEnvironment`", e.BatchedEnvironment),
]


@pytest.mark.parametrize(("mark", "of"), TABLES, ids=lambda value: getattr(value, "__name__", ""))
def test_a_table_names_everything_once(mark: str, of: type) -> None:
    named = [name for row in rows(mark) for name in names(row[0])]
    assert sorted(named) == sorted(public(of))


@pytest.mark.parametrize("of", [d.Backbone, d.Method, Backend, e.EnvironmentInfo])
def test_a_table_says_what_has_to_be_given(of: type) -> None:
    is_needed = public(of)
    for first, left_out, *_ in rows({kind: mark for mark, kind in TABLES}[of]):
        for name in names(first):
            assert is_needed[name] == (left_out == "–"), name


@pytest.mark.parametrize("of", [d.Backbone, Backend])
def test_a_table_says_what_holds_otherwise(of: type) -> None:
    """Plain values, as Python writes them."""
    for first, left_out, *_ in rows({kind: mark for mark, kind in TABLES}[of]):
        (name,) = names(first)
        value: Any = vars(of).get(name)
        if left_out.startswith("`"):
            assert left_out == f"`{value!r}`".replace("'", '"'), name
        else:
            assert value is None or callable(value) or name == "title", name


@pytest.mark.parametrize(
    "of", [Hyperparameter, ExecutionMode, d.TrainingMetric, d.Refusal, d.Work, d.Members]
)
def test_small_classes_are_described(of: type) -> None:
    (row,) = [row for row in rows("The small classes") if names(row[0])[0] == of.__name__]
    assert [f.name for f in fields(of)] == [n for n in names(row[1]) if n in public(of)]


def test_names_that_a_mixer_may_not_use_are_those_of_agents() -> None:
    (row,) = [
        row for row in rows("a `suite.algorithms.mixers.interface.Mixer`.") if "specs" in row[0]
    ]
    method: Any = methods()["cadp", "qmix"]
    specs = method.agent_specs(arm_settings("cadp", "qmix"), describe("skirmish/3m").sizes)
    taken = {spec.name.rpartition(".")[0] for spec in specs}
    assert taken == set(names(row[-1].partition("may be called")[2]))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page's distribution as an installer leaves it, and a study."""
    directory = tmp_path_factory.mktemp("page")
    (toml,) = (tomllib.loads(text) for text in examples(PAGE, "toml"))
    (program,) = examples(PAGE, "python")
    site, project = directory / "site", toml["project"]
    about = site / f"{project['name']}-{project['version']}.dist-info"
    about.mkdir(parents=True)
    lines = [f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"]
    (about / "METADATA").write_text("".join(lines))
    points = project["entry-points"]
    assert set(points) == set(GROUPS)
    (about / "entry_points.txt").write_text(
        "".join(
            f"[{group}]\n" + "".join(f"{name} = {home}\n" for name, home in named.items())
            for group, named in points.items()
        )
    )
    for module in toml["tool"]["setuptools"]["py-modules"]:
        source = OUTSIDE / f"{module}.py"
        text = source.read_text() if source.exists() else program
        (site / source.name).write_text(text)
    (directory / "study.toml").write_text(STUDY)
    return directory


def python(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(ROOT), str(place / "site")])
    return subprocess.run(
        [sys.executable, "-P", *arguments],
        cwd=place,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_mixer_of_the_page_trains(place: Path) -> None:
    done = python(place, "-m", "suite", "run", "study.toml", "--workers", "2")
    assert done.returncode == 0, done.stderr
    assert "4 runs finished" in done.stderr


def test_the_mixer_of_the_page_imports_no_torch(place: Path) -> None:
    code = "import linear_mixer, sys; print('torch' in sys.modules)"
    assert python(place, "-c", code).stdout == "False\n"


def rows(mark: str) -> list[list[str]]:
    return table_after(PAGE, mark)
