"""How both command lines print: lines and tables for people, JSON for programs.

Nothing is interpreted: no markup, no emoji codes, no highlighting. Only a terminal that can move
its cursor gets colours and redrawing, whatever FORCE_COLOR says: files and pipes are read as text.
"""

from __future__ import annotations

import json
import math
import os
import re
import sys
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from suite.text import visible

# Where output is no terminal, tables need not fold.
_FILE_WIDTH = 160
_BETWEEN_COLUMNS = 2


def make_console(*, standard_output: bool = False) -> Console:
    """Standard error, or standard output, as it is at the moment."""
    is_terminal = (sys.stdout if standard_output else sys.stderr).isatty()
    kind = os.environ.get("TERM", "").lower()
    can_redraw = is_terminal and (kind not in ("", "dumb", "unknown") or sys.platform == "win32")
    return Console(
        stderr=not standard_output,
        force_terminal=can_redraw,
        force_interactive=can_redraw,
        force_jupyter=False,
        color_system="auto" if can_redraw and not os.environ.get("NO_COLOR") else None,
        width=None if is_terminal else _FILE_WIDTH,
        markup=False,
        emoji=False,
        highlight=False,
        _environ={name: os.environ[name] for name in _environment_of_rich()},
    )


def say(console: Console, line: str) -> None:
    """Print a line as it is, folded by the terminal only."""
    console.print(Text(visible(line, console.encoding)), soft_wrap=True)


def make_table(
    console: Console,
    titles: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    numbers: Collection[str] = (),
    foldable: Collection[str] = (),
) -> Table:
    """Aligned columns under their titles.

    Where there is little room, the columns `foldable` fold between words; the others, and every
    word, stay whole. numbers: titles of columns aligned to the right.
    """
    shown = [[visible(cell, console.encoding) for cell in row] for row in (titles, *rows)]
    table = Table(box=None, padding=(0, _BETWEEN_COLUMNS, 0, 0))
    for index, title in enumerate(titles):
        cells = [row[index] for row in shown]
        wholes = [word for cell in cells for word in cell.split()] if title in foldable else cells
        table.add_column(
            Text(cells[0]),
            justify="right" if title in numbers else "left",
            no_wrap=title not in foldable,
            min_width=max(map(cell_len, wholes), default=0),
        )
    for row in shown[1:]:
        table.add_row(*map(Text, row))
    return table


def least_width(table: Table) -> int:
    """The room, in letters, that a table of `make_table` needs."""
    return sum((column.min_width or 0) + _BETWEEN_COLUMNS for column in table.columns)


def print_table(console: Console, table: Table) -> None:
    """Print a table, beyond the edge of a terminal that has too little room."""
    if least_width(table) > console.width:
        table.width = least_width(table)
    console.print(table, crop=False)


def print_json(document: dict[str, Any], *, in_one_line: bool = False) -> None:
    """One document on standard output, in ASCII: valid in every encoding."""
    indent = None if in_one_line else 2
    print(json.dumps(_finite(document), indent=indent, allow_nan=False), flush=in_one_line)


def _finite(value: Any) -> Any:
    """JSON has no NaN and no infinity: null."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _environment_of_rich() -> Sequence[str]:
    """The variables rich may read; it takes a width of any digits, also of no or of 5,000."""
    sizes = [
        name
        for name in ("COLUMNS", "LINES")
        if re.fullmatch("[1-9][0-9]{0,3}", os.environ.get(name, ""))
    ]
    return [*sizes, *(name for name in ("TERM", "COLORTERM") if name in os.environ)]
