"""Progress on standard error: a live table on a terminal, plain lines anywhere else."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from suite.printing import least_width, make_table, say
from suite.scheduling.tracking import RunProgress, Tracker
from suite.text import duration_text, visible

PLAIN_INTERVAL_SECONDS = 30.0
_LIVE_INTERVAL_SECONDS = 0.5


class Display(Protocol):
    """What the coordinator tells the user."""

    def begin(self, tracker: Tracker) -> None:
        """Training starts."""

    def refresh(self) -> None:
        """Time has passed; show what the tracker knows if it is due."""

    def finished(self, run: RunProgress, elapsed_seconds: float) -> None:
        """A run is recorded as finished."""

    def failed(self, run: RunProgress, reason: str) -> None:
        """A run is recorded as failed."""

    def notice(self, line: str) -> None:
        """Something the user should know while work goes on."""

    def end(self) -> None:
        """Leave the terminal as it was; also after an error."""


def make_display(console: Console) -> Display:
    """The live display on a terminal, else plain lines; neither can stop training."""
    return LiveDisplay(console) if console.is_terminal else PlainDisplay(console)


class SilentDisplay:
    """Shows nothing."""

    def begin(self, tracker: Tracker) -> None:
        """Nothing."""

    def refresh(self) -> None:
        """Nothing."""

    def finished(self, run: RunProgress, elapsed_seconds: float) -> None:
        """Nothing."""

    def failed(self, run: RunProgress, reason: str) -> None:
        """Nothing."""

    def notice(self, line: str) -> None:
        """Nothing."""

    def end(self) -> None:
        """Nothing."""


_Given = ParamSpec("_Given")
_AnyShown = TypeVar("_AnyShown", bound="_Shown")


class _Shown:
    """What the displays that show something have in common."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.is_silent = False
        self._tracker: Tracker | None = None
        self._last = 0.0

    def _restore(self) -> None:
        """Leave the terminal as it was."""


def _harmless(show: Callable[Concatenate[_AnyShown, _Given], None]) -> Callable[..., None]:
    """Have a method of a display fall silent instead of failing, and say so if that can be said."""

    @functools.wraps(show)
    def attempt(self: _AnyShown, *given: _Given.args, **named: _Given.kwargs) -> None:
        if self.is_silent:
            return
        try:
            show(self, *given, **named)
        except (Exception, SystemExit) as error:  # rich leaves the program when a pipe breaks
            self.is_silent = True
            with suppress(Exception, SystemExit):
                self._restore()
            with suppress(Exception, SystemExit):
                text = f"progress is no longer shown ({type(error).__name__}: {error})"
                say(self.console, f"{text}; training goes on")

    return attempt


class PlainDisplay(_Shown):
    """One line per ended run, and one every half minute."""

    @_harmless
    def begin(self, tracker: Tracker) -> None:
        """Say what is to do."""
        self._tracker, self._last = tracker, time.monotonic()
        self._print(_opening(tracker))

    @_harmless
    def refresh(self) -> None:
        """A summary line when the interval is over."""
        if self._tracker is None or time.monotonic() - self._last < PLAIN_INTERVAL_SECONDS:
            return
        runs = [_one_run(self._tracker, run) for run in self._tracker.current.values()]
        self._print(f"{_summary(self._tracker)}; {'; '.join(runs)}")

    @_harmless
    def finished(self, run: RunProgress, elapsed_seconds: float) -> None:
        """A line for the run."""
        self._print(_ending(self._tracker, run, elapsed_seconds))

    @_harmless
    def failed(self, run: RunProgress, reason: str) -> None:
        """A line for the run."""
        self._print(f"FAILED {run.label}: {reason}")

    @_harmless
    def notice(self, line: str) -> None:
        """A line."""
        self._print(line)

    @_harmless
    def end(self) -> None:
        """Nothing to restore."""

    def _print(self, line: str) -> None:
        self._last = time.monotonic()
        say(self.console, line)


class LiveDisplay(_Shown):
    """A bar over all runs and a row per worker, redrawn in place; ended runs scroll above it."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._live = Live(console=console, auto_refresh=False, transient=True)

    @_harmless
    def begin(self, tracker: Tracker) -> None:
        """Start drawing."""
        self._tracker = tracker
        self._print(_opening(tracker))
        self._live.start()

    @_harmless
    def refresh(self) -> None:
        """Redraw at most twice a second."""
        if self._tracker is None or time.monotonic() - self._last < _LIVE_INTERVAL_SECONDS:
            return
        self._last = time.monotonic()
        self._live.update(_drawing(self._tracker, self.console), refresh=True)

    @_harmless
    def finished(self, run: RunProgress, elapsed_seconds: float) -> None:
        """A line above the drawing."""
        self._print(_ending(self._tracker, run, elapsed_seconds))

    @_harmless
    def failed(self, run: RunProgress, reason: str) -> None:
        """A line above the drawing."""
        self._print(f"FAILED {run.label}: {reason}")

    @_harmless
    def notice(self, line: str) -> None:
        """A line above the drawing."""
        self._print(line)

    @_harmless
    def end(self) -> None:
        """Remove the drawing."""
        self._restore()

    def _restore(self) -> None:
        self._live.stop()

    def _print(self, line: str) -> None:
        self.console.print(Text(visible(line, self.console.encoding), overflow="fold"))


def _opening(tracker: Tracker) -> str:
    left = tracker.n_total - tracker.n_before
    up_to = "up to " if tracker.n_to_come else ""
    text = f"{up_to}{left} of {tracker.n_total} runs to train"
    return text + (f", {tracker.n_before} finished earlier" if tracker.n_before else "")


def _summary(tracker: Tracker) -> str:
    done = tracker.n_before + tracker.n_finished
    failed = f", {tracker.n_failed} failed" if tracker.n_failed else ""
    left = duration_text(tracker.remaining_seconds)
    return f"{done}/{tracker.n_total} runs{failed}, {tracker.fraction:.0%}, about {left} left"


def _one_run(tracker: Tracker, run: RunProgress) -> str:
    speed = tracker.steps_per_second(run)
    tested = f" test {run.win_rate_text}" if run.win_rates else ""
    steps = f"{run.env_steps:,}/{run.spec.training.total_env_steps:,} steps"
    return f"{run.label} {steps}{tested} {speed:,.0f} steps/s"


def _ending(tracker: Tracker | None, run: RunProgress, elapsed_seconds: float) -> str:
    text = f"finished {run.label} in {duration_text(elapsed_seconds)}"
    if run.win_rates:
        text += f": last test win rate {run.win_rate_text}"
    return text if tracker is None else f"{text} ({_summary(tracker)})"


def _drawing(tracker: Tracker, console: Console) -> Group:
    overall = Table.grid(padding=(0, 2, 0, 0))
    bar = ProgressBar(total=1.0, completed=tracker.fraction, width=min(24, console.width // 4))
    overall.add_row(bar, Text(_summary(tracker)))
    runs = sorted(tracker.current.values(), key=lambda run: run.worker)
    titles = ("worker", "run", "done", "test win rate", "steps/s")
    rows = (_row(tracker, run) for run in runs)
    workers = make_table(console, titles, rows, numbers=("done", "steps/s"), foldable=("run",))
    if least_width(workers) <= console.width:
        return Group(overall, workers)
    # Too narrow for columns: names stay whole in lines, folded where they must be.
    lines = (visible(_one_run(tracker, run), console.encoding) for run in runs)
    return Group(overall, *(Text(line, overflow="fold") for line in lines))


def _row(tracker: Tracker, run: RunProgress) -> tuple[str, ...]:
    done = f"{run.env_steps / run.spec.training.total_env_steps:.0%}"
    speed = f"{tracker.steps_per_second(run):,.0f}"
    return (str(run.worker), run.label, done, run.win_rate_text or "-", speed)
