"""docs/methods.md says of every registered method what the method itself declares."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from suite.algorithms.registry import arm_settings, methods

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

from methods_table import declared  # noqa: E402

PAGE = (ROOT / "docs" / "methods.md").read_text()


def rows(framework: str, backbone: str) -> list[list[str]]:
    """Cells of the rows of a method: what it is, and what it costs."""
    lines = [line for line in PAGE.splitlines() if line.startswith("| `")]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return [one for one in cells if one[0] == f"`{framework}` `{backbone}`"]


@pytest.mark.parametrize(("framework", "backbone"), methods())
def test_a_method_is_described_as_it_declares_itself(framework: str, backbone: str) -> None:
    method, settings = methods()[framework, backbone], arm_settings(framework, backbone)
    described, costs = rows(framework, backbone)
    _, what, _, _, _, modes, hyperparameters = described
    assert what.split(":")[0] == method.title
    assert modes.split(", ") == [mode.name for mode in method.modes(settings)]
    symbols = re.findall(r"[αT]₁?", hyperparameters)
    assert symbols == [one.symbol for one in method.hyperparameters()]
    assert (costs[1], *costs[-2:]) == declared(method)


def test_no_method_is_described_that_is_not_there() -> None:
    named = re.findall(r"^\| `(\w+)` `(\w+)` \|", PAGE, re.MULTILINE)
    assert set(named) == set(methods())
