"""Replay files: where they lie, and the label by which others (the report) know them.

A replay is an HTML page whose head has `<meta name="cadp-replay" content="…">`, a JSON label.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from html.parser import HTMLParser
from pathlib import Path

REPLAY_FORMAT = 1
META_NAME = "cadp-replay"


@dataclass(frozen=True)
class ReplayLabel:
    """What a replay shows.

    scenario: full name. version: of skirmish's rules. policy: "random", "nearest" or a run id.
    description: the policy for people. seed: of the episode. outcome: "won", "lost", "drawn" or
    "time limit". n_steps: length of the episode.
    """

    scenario: str
    version: str
    policy: str
    description: str
    seed: int
    outcome: str
    n_steps: int

    def to_json(self) -> str:
        """The content of the page's meta element."""
        return json.dumps({"format": REPLAY_FORMAT, **asdict(self)}, ensure_ascii=False)


@dataclass(frozen=True)
class Replay:
    """A page and its label."""

    label: ReplayLabel
    page: str


def replay_path(runs_dir: Path, scenario: str, policy: str, seed: int) -> Path:
    """Where a replay is written unless told otherwise; `scenario` without its backend."""
    return runs_dir / "replays" / f"{scenario}-{policy}-seed{seed}.html"


def find_replays(runs_dir: Path) -> list[Replay]:
    """The replays of a runs directory in order of their names; other files are left out."""
    found = []
    for path in sorted((runs_dir / "replays").glob("*.html")):
        page = path.read_text(encoding="utf-8", errors="replace")
        label = read_label(page)
        if label is not None:
            found.append(Replay(label, page))
    return found


def read_label(page: str) -> ReplayLabel | None:
    """The label of a page; None if it is no replay of this format."""
    head = _Head(page.partition("</head>")[0])
    if head.label is None:
        return None
    content = json.loads(head.label)
    is_known = content.pop("format") == REPLAY_FORMAT
    return ReplayLabel(**content) if is_known else None


class _Head(HTMLParser):
    """Finds the label in the head of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.label: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "meta" and values.get("name") == META_NAME:
            self.label = values.get("content")
