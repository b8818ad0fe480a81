"""Which seeds a profile trains: a list, or more and more until its claims are decided."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

from pydantic import Discriminator, Field, Tag

from suite.runs.protocol import Seed
from suite.study.table import LARGEST_PLAN, Table

# Of seeds that are added look by look: more looks save little and take more to be decided.
MOST_LOOKS = 20


class SequentialSeeds(Table):
    """Seeds 1, 2, …, added look by look until the primary claims are decided.

    first: seeds of the first look. then: how many each further look adds; the last one may add
    fewer. up_to: the most seeds.
    """

    first: int = Field(ge=2, le=LARGEST_PLAN)
    then: int = Field(ge=1, le=LARGEST_PLAN)
    up_to: int = Field(ge=3, le=LARGEST_PLAN)

    @property
    def n_looks(self) -> int:
        """Number of looks, that at `first` included."""
        return 1 + -(-(self.up_to - self.first) // self.then)

    @property
    def numbers(self) -> tuple[int, ...]:
        """Number of seeds at each look, ascending; the last is `up_to`."""
        return (*range(self.first, self.up_to, self.then), self.up_to)


# How errors of either form are marked; no key of a file looks so.
SEED_LIST, SEED_TABLE = "list of seeds", "table of seeds"


def _tag(given: Any) -> str:
    """Which form of seeds a value is to be read as."""
    return SEED_TABLE if isinstance(given, dict | SequentialSeeds) else SEED_LIST


SeedList: TypeAlias = Annotated[
    tuple[Seed, ...], Field(min_length=1, max_length=LARGEST_PLAN, fail_fast=True)
]
Seeds = Annotated[
    Annotated[SeedList, Tag(SEED_LIST)] | Annotated[SequentialSeeds, Tag(SEED_TABLE)],
    Discriminator(_tag),
]
