"""Foreign text: as it is, on one line, harmless to a terminal; errors made of it."""

from __future__ import annotations

import pytest

from suite.errors import InputError
from suite.text import close_names, duration_text, one_line, plural, redacted, shortened, visible


@pytest.mark.parametrize(
    "text",
    [
        ":smile: [bold]it[/bold] {x} %41",
        "работает ",
        "中文　か",
        "🎉 👩‍👩‍👧",
        "α × …",
        "é",
        "می‌خواهم",
    ],
)
def test_letters_of_every_script_stay(text: str) -> None:
    assert visible(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", r"\x1b[31mred"),
        ("a\nb\rc\td\x00", r"a\nb\rc\td\x00"),
        ("\x9b31m\x7f", r"\x9b31m\x7f"),  # the control sequence introducer in one character
        ("\u202eabc\u2066", r"\u202eabc\u2066"),  # turn the direction of reading
        ("\u2028\u200b\ufeff", r"\u2028\u200b\ufeff"),
        ("\udcff\udc80", r"\xff\x80"),  # bytes of a path that are not UTF-8
        ("\ud800", r"\ud800"),
    ],
)
def test_what_a_terminal_obeys_is_shown_as_an_escape(text: str, shown: str) -> None:
    assert visible(text) == shown
    assert visible(shown) == shown


def test_letters_an_encoding_lacks() -> None:
    assert visible("α × … 2 × é", "latin-1") == "alpha × ... 2 × é"
    assert visible("α=0.5 × é 中", "ascii") == r"alpha=0.5 x \xe9 \u4e2d"


def test_long_texts_keep_both_ends() -> None:
    assert shortened("abcdef", 6) == "abcdef"
    short = shortened("a" * 5000 + "z", 30)
    assert len(short) <= 31
    assert short.startswith("aaa")
    assert short.endswith("z")


def test_a_page_may_keep_its_lines() -> None:
    assert visible("a\n\tb\x1b\u202e", keep="\t\n") == "a\n\tb\\x1b\\u202e"
    assert one_line("  a\n b\x1b ") == r"a b\x1b"


def test_durations_and_counts_read_well() -> None:
    seconds = (0, 3.2, 89, 90, 600, 5399, 5400, 20_000, 172_799, 172_800, 1e6)
    assert [duration_text(s) for s in seconds] == [
        *("0 s", "3 s", "89 s", "2 min", "10 min", "90 min", "1.5 h", "5.6 h", "48.0 h"),
        *("2.0 days", "11.6 days"),
    ]
    assert [plural(n, "run") for n in (0, 1, 2)] == ["0 runs", "1 run", "2 runs"]


def test_a_misspelt_name_is_near_to_others_but_not_to_all() -> None:
    names = ["total_env_steps", "gamma", "batch_size"]
    assert close_names("total_env_stepz", names) == ["total_env_steps"]
    assert close_names("xyz", names) == []
    assert close_names("gama" * 1000, ["gama" * 1000]) == []  # no typing error is so long
    assert close_names("ab", ["abx", "aby", "qq"], most=3) == ["aby", "abx"]


def test_an_error_is_one_short_line_whatever_it_is_made_of() -> None:
    error = InputError(
        "no\nsuch\x1b file",
        where="runs/a\nb \udcff  c",
        value="\x1b[31m" + "9" * 5000,
        cure="try\n x",
    )
    line = str(error)
    assert line.startswith(r"runs/a\nb \xff  c: no such\x1b file (got '\x1b[31m999")
    assert line.endswith("9'); try x")
    assert line.isprintable()
    assert len(line) < 250


def test_an_error_about_a_number_that_python_cannot_write() -> None:
    line = str(InputError("too large", where="seeds[0]", value=10**5000, cure="give less"))
    assert line == "seeds[0]: too large (got a very large number); give less"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://ann:secret@host:5000/x", "http://***@host:5000/x"),
        ("postgresql://ann:secret@db/suite", "postgresql://***@db/suite"),
        ("postgresql+psycopg://ann:se/cr@et@db/suite", "postgresql+psycopg://***@db/suite"),
        ("http://ann@host", "http://***@host"),
        ("http://token:@host", "http://***@host"),
        ("'http://a:secret@b', \"http://c:secret@d\"", "'http://***@b', \"http://***@d\""),
        (
            "postgresql://db/x?user=ann&password=secret&a=b",
            "postgresql://db/x?user=ann&password=***&a=b",
        ),
        ("http://host/?api_key=secret#x", "http://host/?api_key=***"),
        ("http://host/x?PASSWORD=secret", "http://host/x?PASSWORD=***"),
    ],
)
def test_credentials_in_addresses_are_left_out(text: str, shown: str) -> None:
    assert redacted(text) == shown
    assert redacted(f"before {text} after") == f"before {shown} after"
    assert redacted(shown) == shown
    error = InputError(f"of {text}", where=f"{text}: table", value=[text], cure=f"see {text}")
    assert "secret" not in str(error)


def test_a_password_is_left_out_before_a_long_value_is_cut() -> None:
    text = f"http://ann:{'secret' * 20}@{'host' * 100}"
    assert "secret" not in str(InputError("no address", where="--tracking", value=text, cure="-"))


@pytest.mark.parametrize(
    "text",
    [
        "sqlite:///runs/mlflow.db",
        "git+https://github.com/oxwhirl/smac@0123abc",
        "http://127.0.0.1:5000: does not answer",
        "write to ann@example.org; password: none",
        "see https://example.org/a?page=2 and b@c",
        "α × …",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redacted(text) == text
