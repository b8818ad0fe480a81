"""Progress: fractions, remaining time, lines."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from suite.scheduling.display import LiveDisplay, PlainDisplay, make_display
from suite.scheduling.tracking import Tracker, duration_text
from suite.study.definition import load_study
from suite.study.plan import Plan, expand


class Clock:
    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def plan(make_study) -> Plan:
    return expand(load_study(make_study()))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tracker(plan: Plan, clock: Clock) -> Tracker:
    """Four runs of 1000 steps, the CADP ones estimated at three times the cost."""
    seconds = {run.run_id: 30.0 if run.alpha else 10.0 for run in plan.runs}
    return Tracker(plan.runs, seconds, n_before=2, n_workers=2, now=clock)


def progress(run_id: str, env_steps: int) -> dict[str, object]:
    return {"event": "progress", "run_id": run_id, "env_steps": env_steps}


def test_fraction_is_weighted_by_cost(tracker: Tracker, plan: Plan) -> None:
    plain, cadp = plan.runs[0].run_id, plan.runs[1].run_id
    tracker.start(plan.runs[0], 1)
    tracker.start(plan.runs[1], 2)
    tracker.update(progress(cadp, 500))
    assert tracker.fraction == pytest.approx(15 / 80)
    tracker.settle(plain, failed=False)
    assert tracker.fraction == pytest.approx(25 / 80)


def test_remaining_time_follows_the_speed_not_what_a_checkpoint_had(
    tracker: Tracker, plan: Plan, clock: Clock
) -> None:
    cadp = plan.runs[1].run_id
    assert tracker.remaining_seconds == pytest.approx(80 / 2)
    tracker.start(plan.runs[1], 1)
    tracker.update(progress(cadp, 600))  # resumed there
    clock.time = 10.0
    tracker.update(progress(cadp, 700))  # a tenth of 30 cost units in 10 seconds
    # The estimate counts as one minute of two workers at its pace: 120 cost units.
    assert tracker.remaining_seconds == pytest.approx((80 - 21) * (10 + 60) / (3 + 120))
    assert tracker.steps_per_second(tracker.current[cadp]) == pytest.approx(10.0)


def test_plain_lines_tell_runs_and_failures(tracker: Tracker, plan: Plan) -> None:
    text = io.StringIO()
    display = PlainDisplay(Console(file=text, width=40))
    display.begin(tracker)
    tracker.start(plan.runs[0], 1)
    points = [["test/win_rate/decentralised", 10, 0.25], ["test/win_rate/centralised", 10, 0.5]]
    tracker.update({"event": "metrics", "run_id": plan.runs[0].run_id, "points": points})
    display.refresh()  # not due yet: no line
    display.finished(tracker.settle(plan.runs[0].run_id, failed=False), 95.0)
    tracker.start(plan.runs[1], 1)
    display.failed(tracker.settle(plan.runs[1].run_id, failed=True), "ValueError: [no] markup")
    first, second, third = text.getvalue().splitlines()
    assert first == "4 of 6 runs to train, 2 finished earlier"
    assert second.startswith("finished skirmish/3m qmix seed 1 in 2 min: last test win rate D 0.25")
    assert "3/6 runs" in second
    assert third == "FAILED skirmish/3m cadp_qmix α=0.5 seed 1: ValueError: [no] markup"


def test_plain_display_reports_when_due(
    tracker: Tracker, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = io.StringIO()
    display = PlainDisplay(Console(file=text))
    display.begin(tracker)
    tracker.start(plan.runs[0], 1)
    monkeypatch.setattr("suite.scheduling.display.PLAIN_INTERVAL_SECONDS", 0.0)
    display.refresh()
    assert "skirmish/3m qmix seed 1 0/1,000 steps" in text.getvalue().splitlines()[1]


def test_live_display_draws_on_terminals_only(tracker: Tracker, plan: Plan) -> None:
    terminal = Console(file=io.StringIO(), force_terminal=True, width=100)
    display = make_display(terminal)
    assert isinstance(display, LiveDisplay)
    assert isinstance(make_display(Console(file=io.StringIO())), PlainDisplay)
    display.begin(tracker)
    tracker.start(plan.runs[1], 1)
    display.refresh()
    display.finished(tracker.settle(plan.runs[1].run_id, failed=False), 3.0)
    display.end()
    drawn = terminal.file.getvalue()  # type: ignore[attr-defined]
    assert "cadp_qmix α=0.5" in drawn
    assert "0/4 runs" in drawn or "2/6 runs" in drawn


def test_durations_read_well() -> None:
    assert [duration_text(s) for s in (3.2, 89, 600, 20_000)] == ["3 s", "89 s", "10 min", "5.6 h"]
