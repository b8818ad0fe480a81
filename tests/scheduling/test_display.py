"""Progress: fractions, remaining time, lines."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from suite.scheduling.display import LiveDisplay, PlainDisplay, make_display
from suite.scheduling.tracking import Tracker
from suite.study.load import load_study
from suite.study.plan import Plan, expand
from suite.training.events import Measured, Progress


@pytest.fixture(autouse=True)
def _a_usual_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    for name in ("FORCE_COLOR", "NO_COLOR", "COLUMNS", "LINES", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)


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
    seconds = {run.run_id: 30.0 if run.hyperparameters else 10.0 for run in plan.runs}
    tracker = Tracker(n_before=2, n_workers=2, now=clock)
    tracker.expect(seconds, n_to_come=0)
    return tracker


def test_fraction_is_weighted_by_cost(tracker: Tracker, plan: Plan) -> None:
    plain, cadp = plan.runs[0].run_id, plan.runs[1].run_id
    tracker.start(plan.runs[0], 1)
    tracker.start(plan.runs[1], 2)
    tracker.update(Progress(cadp, 500))
    assert tracker.fraction == pytest.approx(15 / 80)
    tracker.settle(plain, failed=False)
    assert tracker.fraction == pytest.approx(25 / 80)


def test_remaining_time_follows_the_speed_not_what_a_checkpoint_had(
    tracker: Tracker, plan: Plan, clock: Clock
) -> None:
    cadp = plan.runs[1].run_id
    assert tracker.remaining_seconds == pytest.approx(80 / 2)
    tracker.start(plan.runs[1], 1)
    tracker.update(Progress(cadp, 600))  # resumed there
    clock.time = 10.0
    tracker.update(Progress(cadp, 700))  # a tenth of 30 cost units in 10 seconds
    # The estimate counts as one minute of two workers at its pace: 120 cost units.
    assert tracker.remaining_seconds == pytest.approx((80 - 21) * (10 + 60) / (3 + 120))
    assert tracker.steps_per_second(tracker.current[cadp]) == pytest.approx(10.0)


def test_plain_lines_tell_runs_and_failures(tracker: Tracker, plan: Plan) -> None:
    text = io.StringIO()
    display = PlainDisplay(Console(file=text, width=40))
    display.begin(tracker)
    tracker.start(plan.runs[1], 1)
    modes = (("test/win_rate/decentralised", 0.25), ("test/win_rate/centralised", 0.5))
    points = tuple((key, 10, value, 1) for key, value in modes)
    tracker.update(Measured(plan.runs[1].run_id, points))
    display.refresh()  # not due yet: no line
    display.finished(tracker.settle(plan.runs[1].run_id, failed=False), 95.0)
    tracker.start(plan.runs[0], 1)
    display.failed(tracker.settle(plan.runs[0].run_id, failed=True), "ValueError: [no] markup")
    first, second, third = text.getvalue().splitlines()
    assert first == "4 of 6 runs to train, 2 finished earlier"
    told = "finished skirmish/3m cadp_qmix α=0.5 T=500 seed 1 in 2 min: last test win rate"
    assert second.startswith(f"{told} C 0.50 D 0.25")
    assert "3/6 runs" in second
    assert third == "FAILED skirmish/3m qmix seed 1: ValueError: [no] markup"


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


@pytest.mark.parametrize("width", [20, 40, 60, 80, 200])
def test_live_display_fits_and_keeps_names_whole(tracker: Tracker, plan: Plan, width: int) -> None:
    terminal = Console(file=io.StringIO(), force_terminal=True, color_system=None, width=width)
    display = LiveDisplay(terminal)
    display.begin(tracker)
    run = plan.runs[1].model_copy(update={"arm": "cadp_qmix_of_the_many"})
    tracker.start(run, 1)
    modes = (("test/win_rate/decentralised", 0.25), ("test/win_rate/centralised", 0.5))
    points = tuple((key, 10, value, 1) for key, value in modes)
    tracker.update(Measured(run.run_id, points))
    display.refresh()
    drawn = terminal.file.getvalue()  # type: ignore[attr-defined]
    display.end()
    lines = [re.sub("\x1b\\[[?0-9]*[a-zA-Z]", "", line) for line in drawn.split("\n")]
    assert max(len(line.strip("\r")) for line in lines) <= width
    assert {"skirmish/3m", "0.50"} <= set("\n".join(lines).split())
    # An arm's name may be longer than the terminal is wide.
    assert "cadp_qmix_of_the_many" in "".join(lines).replace(" ", "") or width < 21


def test_what_a_failure_says_is_shown_as_it_is(tracker: Tracker, plan: Plan) -> None:
    for is_terminal in (False, True):
        console = Console(file=io.StringIO(), force_terminal=is_terminal, color_system=None)
        console.width = 200
        display = make_display(console)
        display.begin(tracker)
        run = tracker.start(plan.runs[0], 1)
        display.failed(run, ":smile: [red]x[/red]\x1b]0;title\x07\u202e\n")
        display.end()
        text = console.file.getvalue()  # type: ignore[attr-defined]
        assert r":smile: [red]x[/red]\x1b]0;title\x07\u202e\n" in text


class Broken(io.StringIO):
    """A stream that fails from a moment on."""

    error: BaseException | None = None

    def write(self, text: str) -> int:
        if self.error is not None:
            raise self.error
        return super().write(text)


@pytest.mark.parametrize("is_terminal", [False, True])
@pytest.mark.parametrize(
    "error",
    [OSError(5, "input/output error"), OSError(28, "no space"), ValueError("closed file")],
    ids=repr,
)
def test_a_display_that_fails_is_silent(
    error: Exception, is_terminal: bool, tracker: Tracker, plan: Plan
) -> None:
    stream = Broken()
    console = Console(file=stream, force_terminal=is_terminal)
    display = make_display(console)
    display.begin(tracker)
    run = tracker.start(plan.runs[0], 1)
    shown = stream.getvalue()
    stream.error = error
    display.finished(run, 1.0)
    display.failed(run, "a reason")
    display.refresh()
    display.end()
    assert stream.getvalue() == shown


@pytest.mark.parametrize("is_terminal", [False, True])
def test_a_display_with_a_fault_says_that_it_stops(
    is_terminal: bool, tracker: Tracker, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    console = Console(file=io.StringIO(), force_terminal=is_terminal, width=200)
    display = make_display(console)
    display.begin(tracker)
    run = tracker.start(plan.runs[0], 1)
    monkeypatch.setattr(Tracker, "fraction", property(lambda tracker: 1 / 0))
    display.finished(run, 1.0)
    display.finished(run, 1.0)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    line = "progress is no longer shown (ZeroDivisionError: division by zero); training goes on"
    assert text.count(line) == 1
    if is_terminal:
        assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")  # the cursor is back
