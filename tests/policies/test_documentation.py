"""Examples of the pages about weights and evaluation run as they stand there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pymarl_agent import PymarlAgent

ROOT = Path(__file__).parents[2]
Call = Callable[..., tuple[int, str, str]]


def programs(page: str) -> list[str]:
    text = (ROOT / "docs" / page).read_text()
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


def commands(page: str) -> list[str]:
    return re.findall(r"^    cadp-suite (.*)$", (ROOT / "docs" / page).read_text(), re.MULTILINE)


@pytest.mark.parametrize(("page", "n"), [("weights.md", 2), ("evaluate.md", 1)])
def test_programs_run(
    page: str, n: int, cadp_on_3m: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "runs").symlink_to(cadp_on_3m.runs_dir)
    monkeypatch.chdir(tmp_path)
    assert len(programs(page)) == n
    for program in programs(page):
        exec(program.replace("<run id>", cadp_on_3m.spec.run_id), {})


@pytest.mark.parametrize(("page", "n"), [("watch.md", 4), ("evaluate.md", 4)])
def test_commands_run(page: str, n: int, call: Call, cadp_on_3m: Any, tmp_path: Path) -> None:
    (tmp_path / "runs").symlink_to(cadp_on_3m.runs_dir)
    agent = tmp_path / "results" / "models" / "x" / "agent.th"
    agent.parent.mkdir(parents=True)
    PymarlAgent("skirmish/3m").save(agent)
    assert len(commands(page)) == n
    for line in commands(page):
        words = shlex.split(line.replace("0123456789abcdef", cadp_on_3m.spec.run_id), comments=True)
        code, out, err = call(*words)
        assert (code, err) == (0, ""), err
        assert out


def test_the_formats_described_are_the_present_ones(cadp_on_3m: Any) -> None:
    import json

    from suite.runs.directory import RunsDirectory
    from suite.training.weights import WEIGHTS_FORMAT

    text = (ROOT / "docs" / "weights.md").read_text()
    assert f'| `format` | "{WEIGHTS_FORMAT}".' in text
    path = RunsDirectory(cadp_on_3m.runs_dir).description_path(cadp_on_3m.spec.run_id)
    for key in json.loads(path.read_text()):
        assert f"`{key}`" in text, key
