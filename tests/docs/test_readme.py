"""README.md, the help and the study name the same profiles and paper; links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pages import ROOT, page

from suite import cli
from suite.study.load import load_study

README = page("README.md")
STUDY = "studies/reproduce_smac.toml"
PROFILES = set(load_study(ROOT / STUDY).profiles)


def head(path: str) -> str:
    """The comment at the top of a study, in one line."""
    comment = re.match(r"(#.*\n)+", page(path))
    assert comment is not None
    return " ".join(comment[0].replace("#", " ").split())


def test_readme_has_a_row_for_every_profile() -> None:
    section = README.split("\n## Profiles of the same study\n")[1].split("\n## ")[0]
    rows = re.findall(
        r"^\| `python3 -m nox -s reproduce_smac(?: -- --profile (\w+))?`", section, re.M
    )
    default = load_study(ROOT / STUDY).default_profile
    assert sorted(row or default for row in rows) == sorted(PROFILES)


def test_the_study_names_every_profile_at_its_top() -> None:
    (choices,) = re.findall(r"--profile ((?:\w+ \| )+\w+)", head(STUDY))
    assert set(choices.split(" | ")) == PROFILES
    assert set(re.findall(r"(\w+):", head(STUDY).split(choices)[1])) == PROFILES


def test_the_help_names_every_profile() -> None:
    told = " ".join(cli._HELP.split()).split(f"{STUDY} has ")[1].split(".")[0]
    assert set(re.findall(r"\w+", told)) >= PROFILES


def test_the_paper_has_one_title() -> None:
    (title,) = re.findall(r"\*(Is Centralized .*?)\*", " ".join(README.split()))
    assert f'"{title}" (arXiv 2305.17352)' in head(STUDY)


PAGES = ["README.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]


def anchors(text: str) -> set[str]:
    """What GitHub makes of the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", text, flags=re.S), re.M)
    return {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings}


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name: str) -> None:
    text = page(name)
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"```.*?```", "", text, flags=re.S)):
        if "://" in target:
            continue
        file, _, anchor = target.partition("#")
        path = (ROOT / name).parent / file if file else ROOT / name
        assert path.exists(), target
        assert not anchor or anchor in anchors(Path(path).read_text()), target
