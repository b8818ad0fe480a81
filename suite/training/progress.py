"""What a member of a cohort has done so far: counters, running means, metric history."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any

from pydantic import Field, TypeAdapter

Count = Annotated[int, Field(ge=0, lt=2**62)]
Key = Annotated[str, Field(pattern=r"^(test|train)/[a-z0-9_/]+$", max_length=100)]
Milliseconds = Count  # since 1970, UTC
Point = tuple[Key, Count, float, Milliseconds]


@dataclass
class MemberProgress:
    """Counters of one run; plain data, stored in checkpoints as it is.

    env_steps: training steps done (PyMARL's t_env). last_test: env_steps at the last test.
    n_updates: updates done. failure: why training had to stop. running: sum and count of each
    training metric since the last test. history: [key, step, value, when it was measured] of
    everything measured.
    """

    env_steps: Count = 0
    n_episodes: Count = 0
    n_tests: Count = 0
    n_updates: Count = 0
    last_test: Count | None = None
    finished: bool = False
    failure: str | None = None
    running: dict[Key, tuple[float, Annotated[int, Field(ge=1)]]] = field(default_factory=dict)
    history: list[Point] = field(default_factory=list)

    def observe(self, metrics: dict[str, float]) -> None:
        """Take values into the running means."""
        for key, value in metrics.items():
            total, count = self.running.get(key, (0.0, 0))
            self.running[key] = (total + value, count + 1)

    def record(self, metrics: dict[str, float]) -> list[Point]:
        """Close the running means, add `metrics`; returns the new points of the history."""
        means = {key: total / count for key, (total, count) in self.running.items()}
        self.running.clear()
        now = time.time_ns() // 1_000_000
        points = [(key, self.env_steps, value, now) for key, value in (means | metrics).items()]
        self.history.extend(points)
        return points

    def to_dict(self) -> dict[str, Any]:
        """Plain containers for a checkpoint."""
        return asdict(self)


_MEMBERS = TypeAdapter(list[MemberProgress])


def read_progress(text: str) -> list[MemberProgress]:
    """The members of a checkpoint; ValueError if something is not what was written."""
    return _MEMBERS.validate_json(text, strict=True)
