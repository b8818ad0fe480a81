"""What stands on the pages of docs/: tables and examples."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def page(name: str) -> str:
    """The text of a page."""
    return (ROOT / name).read_text()


def examples(text: str, language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def table_after(text: str, mark: str) -> list[list[str]]:
    """Cells of the first table after `mark`, without its head; `mark` is there once."""
    assert text.count(mark) == 1, mark
    lines = text.split(mark)[1].splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("|"))
    found = []
    for line in lines[first + 2 :]:
        if not line.startswith("|"):
            break
        found.append([cell.strip() for cell in line.strip("|").split(" | ")])
    return found


def names(cell: str) -> list[str]:
    """What a cell names in code: `width`, `reset(slots)`; arguments left out."""
    return re.findall(r"`(\w+)(?:\([^`]*\))?`", cell)
