"""What a study file says of a search, `[profiles.NAME.search]`: frozen models.

Names of samplers and pruners are Optuna's; what is said of them here are facts of Optuna 5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, PlainValidator, Tag
from pydantic_core import PydanticCustomError, PydanticKnownError

from suite.runs.protocol import Seed
from suite.runs.spec import Name
from suite.study.objectives import ObjectiveName
from suite.study.table import LARGEST_PLAN, MOST_ENTRIES, Table

SamplerName = Literal["TPESampler", "GPSampler", "CmaEsSampler", "RandomSampler", "NSGAIISampler"]
PrunerName = Literal["MedianPruner", "HyperbandPruner", "WilcoxonPruner"]

# What can be held; the setting that is searched has narrower bounds.
LARGEST_NUMBER = 1e300
LONGEST_CHOICE = 1_000
_Float = Annotated[float, Field(ge=-LARGEST_NUMBER, le=LARGEST_NUMBER)]
_Text = Annotated[str, Field(max_length=LONGEST_CHOICE)]


@dataclass(frozen=True)
class Sampler:
    """What a sampler can do. takes_two: two objectives. takes_choices: categorical ranges.

    n_random: how many points are random before it begins to learn from them.
    """

    takes_two: bool = True
    takes_choices: bool = True
    n_random: int = 0


@dataclass(frozen=True)
class Pruner:
    """How a pruner tells a hopeless trial.

    compares_tests: by the tests of trials at the same training step; else by whole runs, seed for
    seed. least_seeds: with fewer it can tell nothing before a trial is over.
    """

    compares_tests: bool = True
    least_seeds: int = 1


SAMPLERS: Mapping[SamplerName, Sampler] = {
    "TPESampler": Sampler(n_random=10),
    "GPSampler": Sampler(n_random=10),
    # Of choices it takes a random one, and it refuses a second objective.
    "CmaEsSampler": Sampler(takes_two=False, takes_choices=False),
    "RandomSampler": Sampler(),
    # Optuna's 50 would be more than most searches have points.
    "NSGAIISampler": Sampler(n_random=10),
}
PRUNERS: Mapping[PrunerName, Pruner] = {
    "MedianPruner": Pruner(),
    "HyperbandPruner": Pruner(),
    # The p value of n pairs that all speak against a trial is 2⁻ⁿ: below 0.1 from the fourth on.
    "WilcoxonPruner": Pruner(compares_tests=False, least_seeds=5),
}


def _number(given: Any) -> Any:
    if type(given) not in (int, float):
        raise PydanticKnownError("float_type")
    if given > LARGEST_NUMBER:
        raise PydanticKnownError("less_than_equal", {"le": LARGEST_NUMBER})
    if given < -LARGEST_NUMBER:
        raise PydanticKnownError("greater_than_equal", {"ge": -LARGEST_NUMBER})
    return given


def _choice(given: Any) -> Any:
    if isinstance(given, bool):
        return given
    if not isinstance(given, int | float | str):
        raise PydanticCustomError("choice_type", "a number, a text, true or false")
    if isinstance(given, str) and len(given) > LONGEST_CHOICE:
        raise PydanticKnownError("string_too_long", {"max_length": LONGEST_CHOICE})
    return given if isinstance(given, str) else _number(given)


Number = Annotated[int | float, PlainValidator(_number, json_schema_input_type=_Float)]


class Range(Table):
    """Values from `low` to `high`, ends included.

    log: as many between 0.01 and 0.1 as between 0.1 and 1. step: only low, low + step, …
    """

    low: Number
    high: Number
    log: bool = False
    step: Number | None = None


# Plain values, as a setting may have them.
Choice = Annotated[
    bool | int | float | str,
    PlainValidator(_choice, json_schema_input_type=bool | _Float | _Text),
]
Choices = Annotated[
    tuple[Choice, ...],
    Field(min_length=1, max_length=MOST_ENTRIES),
]
# How errors mark which of the two was read; no key of a file looks so.
RANGE_TAG, CHOICES_TAG = "a range", "a list of choices"


def _tag(given: Any) -> str | None:
    if isinstance(given, dict | Range):
        return RANGE_TAG
    return CHOICES_TAG if isinstance(given, tuple) else None


AnyRange = Annotated[
    Annotated[Range, Tag(RANGE_TAG)] | Annotated[Choices, Tag(CHOICES_TAG)],
    Discriminator(
        _tag,
        custom_error_type="range_type",
        custom_error_message="neither a range nor a list of choices",
    ),
]


class Search(Table):
    """A search of the points at which arms are trained, in place of lists that are enumerated.

    n_trials: points that are tried, for each arm on each scenario. seeds: those over which each of
    them is judged. ranges: key → what is searched: hyperparameters in either spelling, settings of
    arms, and `backbone`. seed: of the sampler. n_parallel: how many points may be under way: a
    point is asked when all but so many of those before have ended, and with what those told, so
    that the same search asks the same points on any machine.
    """

    sampler: SamplerName = "TPESampler"
    n_trials: int = Field(ge=1, le=LARGEST_PLAN)
    seeds: tuple[Seed, ...] = Field(min_length=1, max_length=LARGEST_PLAN, fail_fast=True)
    objectives: tuple[ObjectiveName, ...] = Field(("final_win_rate",), min_length=1, max_length=2)
    pruner: PrunerName | None = None
    seed: Seed = 0
    n_parallel: int = Field(4, ge=1, le=MOST_ENTRIES)
    ranges: dict[Name, AnyRange] = Field(min_length=1, max_length=MOST_ENTRIES)
