"""docs/evaluate.md shows what its commands print, and the ids and modes that there are."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

from pages import ROOT, examples, names, page, table_after

from suite.algorithms.registry import arm_settings, methods
from suite.study.load import load_study
from suite.study.plan import Plan, expand

PAGE = page("docs/evaluate.md")


def two_step(directory: Path) -> Plan:
    """The study of docs/studies.md, also written to `two_step.toml` there."""
    path = directory / "two_step.toml"
    path.write_text(examples(page("docs/studies.md"), "toml")[0])
    return expand(load_study(path))


def test_the_first_command_prints_what_is_shown() -> None:
    command = PAGE.split("\n    ")[1].splitlines()[0]
    done = subprocess.run(
        [sys.executable, "-m", "suite", *shlex.split(command, comments=True)[1:]],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    printed = [line.rstrip() for line in done.stdout.splitlines()]
    assert printed == examples(PAGE, "text")[0].splitlines()


def test_the_ids_are_those_of_the_study(tmp_path: Path) -> None:
    """Before anything is trained they are there too, as waiting."""
    plan = two_step(tmp_path)
    status, evaluate = examples(PAGE, "sh")
    commands = tmp_path / "cadp-suite"
    commands.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m suite "$@"\n')
    commands.chmod(0o755)
    done = subprocess.run(
        ["/bin/sh", "-c", status],
        cwd=tmp_path,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    shown = examples(PAGE, "text")[1]
    assert done.stdout.startswith(shown.replace('"finished"', '"waiting"'))
    assert done.stdout.count("run_id") == len(plan.runs)
    assert evaluate.split()[-1] in [run.run_id for run in plan.runs]


def test_modes_are_those_of_methods() -> None:
    rows = {names(row[0])[0]: row[1] for row in table_after(PAGE, "\n## Modes\n")}
    settings = {key: arm_settings(*key) for key in methods()}
    told = {mode.name for key, arm in settings.items() for mode in methods()[key].modes(arm)}
    few = arm_settings("cadp", "qmix", adviser_counts=[2])
    more = {mode.name for mode in methods()["cadp", "qmix"].modes(few)} - told
    assert more == {"advisers_2"}
    assert set(rows) == told | {"advisers_k"}
