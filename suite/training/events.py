"""What a worker tells the coordinator while it trains: one JSON document per line.

Trainers emit the first six, the worker that runs them the rest. No torch here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from suite.text import shortened, visible
from suite.training.progress import Count, Point

Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_LONGEST_SHOWN = 80


@dataclass(frozen=True)
class _Event:
    """The field `event` of every kind is its name on the line. Metrics may be no numbers."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True)


@dataclass(frozen=True)
class Alive(_Event):
    """Something that takes long goes on, and has no other news."""

    event: Literal["alive"] = field(default="alive", kw_only=True, repr=False)


@dataclass(frozen=True)
class RunEvent(_Event):
    """News of one run of the cohort in hand."""

    run_id: str


@dataclass(frozen=True)
class Progress(RunEvent):
    """Training steps that the run has done."""

    env_steps: Count
    event: Literal["progress"] = field(default="progress", kw_only=True, repr=False)


@dataclass(frozen=True)
class Measured(RunEvent):
    """Points (key, step, value, when measured) of its metrics; a point may be told again."""

    points: tuple[Point, ...]
    event: Literal["measured"] = field(default="measured", kw_only=True, repr=False)


@dataclass(frozen=True)
class Sittings(RunEvent):
    """The provenance of every sitting that took part in the run, in order."""

    sittings: tuple[dict[str, str], ...]
    event: Literal["sittings"] = field(default="sittings", kw_only=True, repr=False)


@dataclass(frozen=True)
class Finished(RunEvent):
    """It is trained, and its weights lie in their place, durably.

    elapsed_seconds: wall time spent on its cohort, earlier sittings included.
    """

    elapsed_seconds: Seconds
    weights_sha256: Digest
    event: Literal["finished"] = field(default="finished", kw_only=True, repr=False)


@dataclass(frozen=True)
class Failed(RunEvent):
    """Its training cannot go on, for a reason of its own; others of the cohort do."""

    reason: str
    event: Literal["failed"] = field(default="failed", kw_only=True, repr=False)


@dataclass(frozen=True)
class CohortFailed(_Event):
    """The trainer raised; what was going on has failed. exit_code: 2 if a user can mend it."""

    traceback: str
    exit_code: Annotated[int, Field(ge=1, le=255)]
    event: Literal["cohort failed"] = field(default="cohort failed", kw_only=True, repr=False)


@dataclass(frozen=True)
class DiskFull(_Event):
    """No space is left to store anything."""

    event: Literal["disk full"] = field(default="disk full", kw_only=True, repr=False)


@dataclass(frozen=True)
class Idle(_Event):
    """The cohort is over, one way or the other; the worker waits for another."""

    event: Literal["idle"] = field(default="idle", kw_only=True, repr=False)


Event: TypeAlias = (
    Alive | Progress | Measured | Sittings | Finished | Failed | CohortFailed | DiskFull | Idle
)
Emit: TypeAlias = Callable[[Event], None]

_EVENT: TypeAdapter[Event] = TypeAdapter(
    Annotated[Event, Field(discriminator="event")],
    config=ConfigDict(ser_json_inf_nan="constants"),
)


def to_json(event: Event) -> str:
    """The event as one line, without its end; every number reads back as it is."""
    return _EVENT.dump_json(event).decode()


def from_json(line: str) -> Event:
    """The event of a line. Raises ValueError, in one short line, for everything else."""
    try:
        return _EVENT.validate_json(line)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]["msg"]
        shown = visible(shortened(line.strip(), _LONGEST_SHOWN))
        raise ValueError(f"no event ({visible(fault)}): {shown}") from None
