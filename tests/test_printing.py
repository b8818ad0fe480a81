"""How lines, tables and documents look on terminals, narrow and dumb ones, and in files."""

from __future__ import annotations

import io
import json
import os
import pty
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

import pytest
from rich.cells import cell_len
from rich.console import Console

from suite.printing import make_console, make_table, print_json, print_table, say

ESCAPE = "\x1b"
ROWS = [
    ("skirmish/so_many_baneling", "cadp_qmix α=0.5", "1,200,000 of 2,000,000"),
    ("skirmish/3m", "a", "0"),
    ("中文/地图", ":smile: [b]", "\x1b[31m"),
]


@pytest.fixture(autouse=True)
def _no_preferences(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FORCE_COLOR", "NO_COLOR", "COLUMNS", "LINES", "TTY_COMPATIBLE", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")


@contextmanager
def terminal() -> Iterator[list[str]]:
    """Standard output is a terminal in the body; afterwards the list holds what was printed."""
    ours, theirs = pty.openpty()
    printed: list[str] = []
    with os.fdopen(theirs, "w", encoding="utf-8") as stream, redirect_stdout(stream):
        yield printed
        stream.write("END")
        stream.flush()
        text = b""
        while not text.endswith(b"END"):
            text += os.read(ours, 65536)
        printed.append(text.decode().removesuffix("END").replace("\r\n", "\n"))
    os.close(ours)


def print_rows(console: Console) -> None:
    titles = ("scenario", "arm", "steps")
    print_table(console, make_table(console, titles, ROWS, foldable=("arm", "steps")))


@pytest.mark.parametrize("width", [1, 10, 20, 40, 60, 80, 400])
def test_scenarios_and_words_stay_whole_at_every_width(width: int) -> None:
    text = io.StringIO()
    print_rows(Console(file=text, width=width))
    words = text.getvalue().split()
    for word in ("skirmish/so_many_baneling", "cadp_qmix", "α=0.5", "1,200,000", "中文/地图"):
        assert word in words
    needed = 25 + 2 + 9 + 2 + 9 + 2
    assert max(map(cell_len, text.getvalue().splitlines())) <= max(width, needed)


def test_tables_show_texts_as_they_are() -> None:
    text = io.StringIO()
    print_rows(Console(file=text, width=200))
    assert ":smile: [b]" in text.getvalue()
    assert r"\x1b[31m" in text.getvalue()
    assert ESCAPE not in text.getvalue()


def test_lines_are_shown_as_they_are() -> None:
    text = io.StringIO()
    line = ":smile: [bold]x[/bold] 3 'a' http://b \x1b[31m\n" + "long " * 30
    say(Console(file=text, width=20), line)
    assert text.getvalue() == line.replace("\x1b", r"\x1b").replace("\n", r"\n") + "\n"


@pytest.mark.parametrize("force", ["1", "3", "true"])
def test_files_get_no_codes_whatever_is_forced(force: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", force)
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    text = io.StringIO()
    with redirect_stdout(text):
        console = make_console(standard_output=True)
        print_rows(console)
    assert not console.is_terminal
    assert "skirmish/3m" in text.getvalue()
    assert ESCAPE not in text.getvalue()


@pytest.mark.parametrize("kind", ["dumb", "unknown", "", None])
def test_terminals_that_cannot_redraw_get_plain_text(
    kind: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    if kind is None:
        monkeypatch.delenv("TERM")
    else:
        monkeypatch.setenv("TERM", kind)
    with terminal() as printed:
        console = make_console(standard_output=True)
        print_rows(console)
    assert not console.is_terminal
    assert "skirmish/3m" in printed[0]
    assert ESCAPE not in printed[0]


@pytest.mark.parametrize("no_color", [False, True])
def test_colours_are_for_terminals_that_want_them(
    no_color: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if no_color:
        monkeypatch.setenv("NO_COLOR", "1")
    with terminal() as printed:
        console = make_console(standard_output=True)
        print_rows(console)
    assert console.is_terminal
    assert (ESCAPE in printed[0]) is not no_color


@pytest.mark.parametrize("columns", ["²", "٣", "9" * 5000, "0", "-1", "", "wide"])
def test_a_width_that_is_none_is_not_believed(
    columns: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("COLUMNS", "LINES"):
        monkeypatch.setenv(name, os.fsdecode(columns.encode()))
    with terminal() as printed:
        console = make_console(standard_output=True)
        assert 20 <= console.width <= 1000
        say(console, "it prints")
    assert printed == ["it prints\n"]


def test_a_width_that_is_given_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "43")
    with terminal():
        assert make_console(standard_output=True).width == 43


def test_documents_are_json_in_every_encoding(monkeypatch: pytest.MonkeyPatch) -> None:
    data = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(data, encoding="ascii", write_through=True))
    document = {"α": ["中", "\udcff", float("nan")], "inf": (float("inf"), 1.5), "none": None}
    print_json(document)

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    read = json.loads(data.getvalue(), parse_constant=refuse)
    assert read == {"α": ["中", "\udcff", None], "inf": [None, 1.5], "none": None}
