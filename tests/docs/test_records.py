"""docs/records.md describes the file that `export` writes."""

from __future__ import annotations

import re

from pages import page, table_after

from suite import cli
from suite.records import archive, packs

PAGE = page("docs/records.md")


def test_every_key_of_a_run_is_described() -> None:
    rows = table_after(PAGE, "The words of a run:")
    keys = [key for row in rows for key in re.findall(r"`(\w+)`", row[0])]
    assert sorted(keys) == sorted(packs._Document.model_fields)


def test_every_member_is_described() -> None:
    rows = table_after(PAGE, "Its members, in order of run ids:")
    told = {name for row in rows for name in re.findall(r"`([^`]*)`", row[0])}
    members = {packs._document("<run id>"), packs._histories("<run id>"), archive.MANIFEST}
    assert told == members | set(packs._weights("<run id>"))


def test_format_and_comment_are_those_that_are_written() -> None:
    assert f"## The file: format {archive.PACK_FORMAT}\n" in PAGE
    assert f"`{archive._COMMENT}`" in PAGE
    assert f'`kind` is "{archive._KIND}", `format` is {archive.PACK_FORMAT}' in PAGE


def test_options_are_those_of_the_commands() -> None:
    assert {choice.value for choice in cli.IfDifferent} == {"refuse", "keep"}
    assert "`--if-different keep`" in PAGE
