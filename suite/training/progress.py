"""What a member of a cohort has done so far: counters, running means, metric history."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class MemberProgress:
    """Counters of one run; plain data, stored in checkpoints as it is.

    env_steps: training steps done (PyMARL's t_env). last_test: env_steps at the last test.
    n_updates: gradient steps done. last_target_copy: episode number of the last target copy.
    failure: why training had to stop. running: sum and count of each
    training metric since the last test. history: [key, step, value] of everything measured.
    """

    env_steps: int = 0
    n_episodes: int = 0
    n_tests: int = 0
    n_updates: int = 0
    last_test: int | None = None
    last_target_copy: int = 0
    finished: bool = False
    failure: str | None = None
    running: dict[str, list[float]] = field(default_factory=dict)
    history: list[list[Any]] = field(default_factory=list)

    def observe(self, metrics: dict[str, float]) -> None:
        """Take values into the running means."""
        for key, value in metrics.items():
            entry = self.running.setdefault(key, [0.0, 0])
            entry[0] += value
            entry[1] += 1

    def record(self, metrics: dict[str, float]) -> list[list[Any]]:
        """Close the running means, add `metrics`; returns the new points of the history."""
        means = {key: total / count for key, (total, count) in self.running.items()}
        self.running.clear()
        points = [[key, self.env_steps, value] for key, value in (means | metrics).items()]
        self.history.extend(points)
        return points

    def to_dict(self) -> dict[str, Any]:
        """Plain containers for a checkpoint."""
        return asdict(self)
