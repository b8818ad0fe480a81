"""What every table of a study file has in common, and how much it may hold."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

# Of arms, profiles, claims and other things that a person names; seeds and grids have more.
MOST_ENTRIES = 1_000
# Runs of one profile, and so seeds: planned in seconds.
LARGEST_PLAN = 100_000


class Table(BaseModel):
    """A table of the study file: immutable, unknown keys rejected."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
