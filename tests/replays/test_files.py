"""Pages among the replays: whole ones are found, everything else is left out with its reason."""

from __future__ import annotations

import html
import json
import os
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from suite.errors import InputError
from suite.replays.files import (
    LARGEST_PAGE_BYTES,
    META_NAME,
    Replay,
    ReplayLabel,
    find_replays,
    read_label,
    replay_path,
    seal,
    survey_replays,
)

LABEL = ReplayLabel(
    scenario="skirmish/3m",
    version="3",
    policy="0123456789abcdef",
    description="cadp_qmix's “best” <b> & {x} %s, trained",
    seed=2**63 - 1,
    outcome="time limit",
    n_steps=60,
)


def page_with(content: str, body: str = "<p>battle</p>") -> str:
    """A sealed page whose label is `content`."""
    meta = f'<meta name="{META_NAME}" content="{html.escape(content)}">'
    return seal(f'<!doctype html>\n<head><meta charset="utf-8">{meta}</head>{body}\n')


WHOLE = page_with(LABEL.to_json())


def stored(**changes: Any) -> str:
    """The label as it is stored, with other values; `...` takes one out."""
    values = {**asdict(LABEL), **changes}
    kept = {name: value for name, value in values.items() if value is not ...}
    return json.dumps({"format": 2, "label": kept})


def test_a_label_comes_back_as_it_was() -> None:
    assert read_label(WHOLE) == LABEL
    assert read_label(page_with(stored())) == LABEL


LABELS = {
    "empty": "",
    "not json": "{",
    "a number": "1",
    "a list": "[]",
    "a text": '"format"',
    "null": "null",
    "no label": '{"format": 2}',
    "label is null": '{"format": 2, "label": null}',
    "label is a list": '{"format": 2, "label": [1, 2]}',
    "no format": json.dumps({"label": asdict(LABEL)}),
    "the first format": json.dumps({"format": 1, **asdict(LABEL)}),
    "a later format": stored().replace('"format": 2', '"format": 3'),
    "format as text": stored().replace('"format": 2', '"format": "2"'),
    "5,000 digits": stored().replace(str(LABEL.seed), "9" * 5000),
    "deep": "[" * 20_000,
    "deep objects": '{"format":' * 20_000,
    "half a character": stored(policy="x").replace('"x"', '"\\ud800"'),
    "a number reference without end": "&#" + "9" * 6000 + ";",
    "seed NaN": stored().replace(str(LABEL.seed), "NaN"),
    "seed 1e400": stored().replace(str(LABEL.seed), "1e400"),
}
VALUES: list[dict[str, Any]] = [
    *({name: ...} for name in asdict(LABEL)),
    *({name: None} for name in asdict(LABEL)),
    {"seed": -1},
    {"seed": 2**63},
    {"seed": 1.5},
    {"seed": True},
    {"seed": "4"},
    {"n_steps": 0},
    {"n_steps": 10**9},
    {"n_steps": "60"},
    {"n_steps": [60]},
    {"outcome": "victory"},
    {"outcome": 1},
    {"scenario": "3m"},
    {"scenario": "skirmish/../3m"},
    {"scenario": "skirmish/<script>"},
    {"scenario": 3},
    {"policy": "../x"},
    {"policy": ""},
    {"policy": "a" * 101},
    {"policy": {"name": "x"}},
    {"version": 3},
    {"version": "3\n"},
    {"description": ""},
    {"description": "a" * 301},
    {"description": "\x1b[31mred"},
    {"description": ["x"]},
]


@pytest.mark.parametrize(
    "content",
    [*LABELS.values(), *(stored(**change) for change in VALUES)],
    ids=[*LABELS, *map(str, VALUES)],
)
def test_a_label_that_is_not_right_is_none(content: str, tmp_path: Path) -> None:
    assert read_label(page_with(content)) is None
    (tmp_path / "replays").mkdir()
    (tmp_path / "replays" / "a.html").write_text(page_with(content))
    found, left_out = survey_replays(tmp_path)
    assert (found, [one.reason for one in left_out]) == ([], ["is no replay of format 2"])


@pytest.mark.parametrize(
    "page",
    [
        "",
        "<!doctype html><head></head>",
        "<![foo[",
        "<!" * 40_000,
        "<meta " * 10_000,
        f'<meta name="{META_NAME}">',
        f'<meta name="{META_NAME}" content="',
        f'<meta name="{META_NAME}" content="&#{"9" * 6000};">',
        f'<meta name="{META_NAME}" content="\udcff">',
        WHOLE.replace("<head>", "<head></head>"),
        WHOLE.replace("<head>", "<head>" + " " * (64 << 10)),
    ],
)
def test_a_page_without_label_in_its_head_is_none(page: str) -> None:
    assert read_label(page) is None


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (lambda path: path.write_text(""), "is no replay of format 2"),
    "another page": (lambda path: path.write_text("<html></html>"), "is no replay of format 2"),
    "not text": (lambda path: path.write_bytes(b"\xff\xfe"), "is not UTF-8 text"),
    "other text": (lambda path: path.write_text(WHOLE, encoding="utf-16"), "is not UTF-8 text"),
    "a folder": (Path.mkdir, "cannot be read: is a directory"),
    "a pipe": (a_pipe, "cannot be read: is not a plain file"),
    "a device": (lambda path: path.symlink_to("/dev/zero"), "cannot be read: is not a plain file"),
    "a broken link": (lambda path: path.symlink_to("nowhere"), "No such file"),
    "a link to itself": (lambda path: path.symlink_to(path), "Too many levels"),
    "huge": (
        lambda path: path.write_text(page_with(LABEL.to_json(), "x" * LARGEST_PAGE_BYTES)),
        "is larger than",
    ),
    "a gigantic hole": (
        lambda path: (path.touch(), os.truncate(path, 1 << 40)),
        "is larger than",
    ),
    "cut": (lambda path: path.write_text(WHOLE[:-40]), "is damaged"),
    "seal cut off": (lambda path: path.write_text(WHOLE[: WHOLE.index("<!-- sha")]), "is damaged"),
    "body changed": (lambda path: path.write_text(WHOLE.replace("battle", "bottle")), "is damaged"),
    "label changed": (lambda path: path.write_text(WHOLE.replace(":60", ":61")), "is damaged"),
    "more behind": (lambda path: path.write_text(WHOLE + "<script>"), "is damaged"),
    "two seals": (lambda path: path.write_text(WHOLE + WHOLE), "is damaged"),
}


@pytest.mark.parametrize(("make", "words"), FILES.values(), ids=FILES)
def test_a_file_that_is_no_replay_is_left_out_with_a_reason(
    tmp_path: Path, make: Callable[[Path], object], words: str
) -> None:
    folder = tmp_path / "replays"
    folder.mkdir()
    (folder / "whole.html").write_text(WHOLE)
    make(folder / "bad.html")
    (folder / "notes.txt").write_text("not looked at")
    found, left_out = survey_replays(tmp_path)
    assert found == find_replays(tmp_path) == [Replay(LABEL, WHOLE)]
    assert [one.name for one in left_out] == ["bad.html"]
    assert words in left_out[0].reason


def test_every_changed_character_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "replays" / "a.html"
    path.parent.mkdir()
    for index in range(len(WHOLE)):
        path.write_text(WHOLE[:index] + chr(ord(WHOLE[index]) ^ 1) + WHOLE[index + 1 :])
        assert find_replays(tmp_path) == []


def test_names_of_files_left_out_can_be_printed(tmp_path: Path) -> None:
    (tmp_path / "replays").mkdir()
    for name in (b"\xff.html", b"caf\xc3\xa9.html"):
        (tmp_path / "replays" / os.fsdecode(name)).touch()
    names = [one.name for one in survey_replays(tmp_path)[1]]
    assert sorted(names) == ["\\udcff.html", "café.html"]
    assert [name.encode() for name in names]


def test_there_need_be_no_folder(tmp_path: Path) -> None:
    assert survey_replays(tmp_path) == ([], [])
    (tmp_path / "replays").write_text("a file")
    found, left_out = survey_replays(tmp_path)
    assert (found, [one.name for one in left_out]) == ([], ["replays"])
    assert "Not a directory" in left_out[0].reason


@pytest.mark.parametrize("name", ["", "..", "../x", "a/b", "a\0", "a\n", "-x", "é", "a" * 200])
def test_a_replay_stays_in_its_folder(tmp_path: Path, name: str) -> None:
    assert replay_path(tmp_path, "3m", "random", 1) == tmp_path / "replays/3m-random-seed1.html"
    for scenario, policy in ((name, "random"), ("3m", name)):
        with pytest.raises(InputError, match="no name for a file"):
            replay_path(tmp_path, scenario, policy, 1)


def test_what_is_written_can_be_read() -> None:
    longest = "a" * 100  # name of an arm; its point
    trained = f"trained for {10**12:,} steps with seed {2**63 - 1}"
    for label in (
        replace(LABEL, policy="nearest", seed=0, n_steps=1),
        replace(LABEL, description=f"{longest} {longest} {trained}, greedy, advisers_1000"),
    ):
        assert read_label(page_with(label.to_json())) == label
