"""Events pass a pipe as they are, and nothing else does."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.training import events
from suite.training.events import Event, Measured, from_json, to_json

RUN = "0123456789abcdef"
EXAMPLES: list[Event] = [
    events.Alive(),
    events.Progress(RUN, 2**61),
    Measured(RUN, (("test/win_rate/centralised", 10, 0.1, 5), ("train/a", 10, -math.inf, 2**41))),
    events.Sittings(RUN, ({"device": "cpu", "processor": "α"}, {})),
    events.Finished(RUN, 0.1 + 0.2, "0" * 64),
    events.Failed(RUN, "training diverged"),
    events.CohortFailed("Traceback\n  line\nValueError: …", 2),
    events.DiskFull(),
    events.Idle(),
]


@pytest.mark.parametrize("event", EXAMPLES, ids=lambda event: event.event)
def test_an_event_comes_back_from_its_line(event: Event) -> None:
    line = to_json(event)
    assert "\n" not in line
    assert from_json(line + "\n") == event
    assert type(from_json(line)) is type(event)


@given(st.floats(width=64))
def test_every_number_comes_back_to_the_last_bit(value: float) -> None:
    back = from_json(to_json(Measured(RUN, (("train/loss_td", 1, value, 1),))))
    assert isinstance(back, Measured)
    assert math.isnan(value) or back.points[0][2] == value
    assert math.isnan(value) == math.isnan(back.points[0][2])


@pytest.mark.parametrize(
    "line",
    [
        "",
        "\n",
        "{",
        "[]",
        "3",
        "{}",
        '{"event": "perhaps"}',
        '{"event": "alive", "more": 1}',
        '{"event": "progress", "run_id": "a"}',
        '{"event": "progress", "run_id": "a", "env_steps": "3"}',
        '{"event": "progress", "run_id": "a", "env_steps": 3.5}',
        '{"event": "measured", "run_id": "a", "points": [["test/a", 1]]}',
        '{"event": "measured", "run_id": "a", "points": [["; DROP TABLE", 1, 1.0, 1]]}',
        '{"event": "measured", "run_id": "a", "points": [["test/a", 1, 1.0]]}',
        '{"event": "measured", "run_id": "a", "points": [["test/a", 1, 1.0, 1.5]]}',
        '{"event": "finished", "run_id": "a", "elapsed_seconds": NaN, "weights_sha256": "0"}',
        '{"event": "cohort failed", "traceback": "a", "exit_code": 0}',
        "a line of a library \x1b[31m",
        "[" * 100_000,
        "9" * 100_000,
    ],
)
def test_what_is_no_event_is_one_short_line(line: str) -> None:
    with pytest.raises(ValueError, match=r"^no event \(") as caught:
        from_json(line)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


def test_events_need_no_torch() -> None:
    """Coordinators import them."""
    program = "import sys, suite.training.events; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
