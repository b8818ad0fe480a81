"""Which replays a report shows: at most one per scenario, of this study's runs if there are any."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from reports.data import ReportData
from suite.replays.files import Replay, find_replays

# Policies that belong to no study, in order of preference.
STAND_INS = ("nearest", "random")


def load_replays(data: ReportData, *places: Path) -> tuple[Replay, ...]:
    """The replay of every scenario that has any in these folders, in plan order."""
    found = [replay for place in places for replay in find_replays(place)]
    chosen = [choose(scenario, data, found) for scenario in data.scenarios]
    return tuple(replay for replay in chosen if replay is not None)


def choose(scenario: str, data: ReportData, replays: Sequence[Replay]) -> Replay | None:
    """The replay to show for a scenario, None if none fits; the first of equals.

    The study's own runs come first, in plan order, then the stand-ins; runs of other studies and
    replays under other rules than the study's are left out.
    """
    runs = [run for run in data.runs if run.scenario == scenario]
    policies = [*(run.run_id for run in runs), *STAND_INS]
    versions = {run.parameters.get("environment_version") for run in runs}
    fitting = [
        replay
        for replay in replays
        if replay.label.scenario == scenario
        and replay.label.policy in policies
        and replay.label.version in versions
    ]
    return min(fitting, key=lambda replay: policies.index(replay.label.policy), default=None)
