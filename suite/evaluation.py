"""What `cadp-suite evaluate` shows: a result for people or programs, and progress until then."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.text import Text

from suite.environments import backend_of, describe
from suite.policies import Policy
from suite.policies.evaluation import Estimate
from suite.printing import make_table, print_table, say
from suite.runs.intervals import CONFIDENCE
from suite.runs.metrics import EPISODE_LENGTH, RETURN, WIN_RATE
from suite.text import duration_text, plural

_PLAIN_INTERVAL_SECONDS = 30.0
_TITLES = {WIN_RATE: "win rate", RETURN: "return", EPISODE_LENGTH: "episode length"}


def evaluation_document(
    scenario: str,
    policy: Policy,
    n_episodes: int,
    seed: int,
    estimates: Mapping[str, Estimate],
) -> dict[str, Any]:
    """What was played, by whom, and what came of it."""
    backend, info = backend_of(scenario), describe(scenario)
    return {
        "scenario": scenario,
        "environment": {
            "name": backend.name,
            "title": backend.title,
            "version": info.backend_version,
            "disclaimer": backend.disclaimer,
            "seeds_episodes": backend.seeds_episodes,
        },
        "policy": {"name": policy.name, "description": policy.description},
        "n_episodes": n_episodes,
        "seed": seed,
        "confidence": CONFIDENCE,
        "results": {name: asdict(estimate) for name, estimate in estimates.items()},
    }


def print_evaluation(console: Console, document: Mapping[str, Any]) -> None:
    """The document for people."""
    environment, policy = document["environment"], document["policy"]
    word = backend_of(document["scenario"]).version_word
    where = f"{document['scenario']}: {environment['title']}, {word} {environment['version']}."
    say(console, f"{where} {environment['disclaimer']}".rstrip())
    say(console, f"{policy['name']}: {policy['description']}")
    unseeded = "" if environment["seeds_episodes"] else ", which does not fix these episodes"
    say(console, f"{plural(document['n_episodes'], 'episode')}, seed {document['seed']}{unseeded}")
    interval = f"{document['confidence'] * 100:.0f} % interval"
    rows = [_row(name, result) for name, result in document["results"].items()]
    titles = ("", "mean", interval, "how")
    print_table(console, make_table(console, titles, rows, numbers=("mean",), foldable=("how",)))


def _row(name: str, result: Mapping[str, Any]) -> tuple[str, ...]:
    def text(value: float) -> str:
        return f"{100 * value:.1f} %" if name == WIN_RATE else f"{value:.2f}"

    has_interval = result["low"] is not None
    interval = f"{text(result['low'])} to {text(result['high'])}" if has_interval else "-"
    return _TITLES[name], text(result["mean"]), interval, result["method"]


@contextmanager
def progress_shown(console: Console, n_episodes: int) -> Iterator[Callable[[int], None]]:
    """A function to be told how many episodes are over: a bar on a terminal, else lines."""
    started = last = time.monotonic()

    def line(done: int) -> str:
        text = f"{done:,}/{n_episodes:,} episodes"
        if not done:
            return text
        left = (time.monotonic() - started) * (n_episodes - done) / done
        return f"{text}, about {duration_text(left)} left"

    def plain(done: int) -> None:
        nonlocal last
        if time.monotonic() - last >= _PLAIN_INTERVAL_SECONDS and done < n_episodes:
            last = time.monotonic()
            say(console, line(done))

    if not console.is_terminal:
        yield plain
        return
    with Live(console=console, auto_refresh=False, transient=True) as live:

        def draw(done: int) -> None:
            width = min(24, console.width // 4)
            bar = ProgressBar(total=n_episodes, completed=done, width=width)
            live.update(Group(bar, Text(line(done))), refresh=True)

        draw(0)
        yield draw
