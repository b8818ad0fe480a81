"""The scripts of benchmarks/, and modules beside these tests, are imported by name."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [
    str(ROOT / "benchmarks"),
    str(ROOT / "tests" / "policies"),
    str(Path(__file__).parent),
]

from suite.command_line import run_command  # noqa: E402

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Run a script: exit code, standard output, standard error."""

    def run(script: str, *arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", [script, *map(str, arguments)])
        code = run_command(script, f"{script}.py", interrupted="nothing")
        return code, *capsys.readouterr()

    return run
