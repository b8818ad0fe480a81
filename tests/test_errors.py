"""The one line of an error: short and printable whatever it is about."""

from __future__ import annotations

import datetime

import pytest

from suite.errors import InputError

NESTED: list[object] = []
for _ in range(5_000):
    NESTED = [NESTED]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("x" * 1_000_000, "'xxx"),
        (10**5_000, "a very large number"),
        (2**63, "9223372036854775808"),
        (list(range(100_000)), "[0, 1, 2"),
        (NESTED, "[[[[...]]]]"),
        (datetime.date(2026, 1, 2), "2026-01-02"),
        (datetime.time(10), "10:00:00"),
        ("\x1b[2J\u202e\udc80\n", r"'\x1b[2J\u202e\udc80\n'"),
    ],
    ids=("text", "digits", "number", "list", "nested", "date", "time", "escapes"),
)
def test_the_value_is_shown_short_and_printable(value: object, shown: str) -> None:
    line = str(InputError("bad", where="a.toml", value=value, cure="give another"))
    assert line.startswith(f"a.toml: bad (got {shown}")
    assert line.endswith("); give another")
    assert len(line) < 300
    assert line.isprintable()


def test_characters_that_do_not_print_are_escaped_wherever_they_stand() -> None:
    line = str(InputError("bad\x00", where="dir\x1b[2J\n/\udcff.toml", cure="give\u202e another"))
    assert line == r"dir\x1b[2J\n/\xff.toml: bad\x00; give\u202e another"
