"""What a study file may say: frozen models.

`suite.study.load` is the way in; what it returns has passed every check of `checks`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Discriminator, Field, StringConstraints, Tag, create_model

from suite.algorithms.registry import hyperparameters, methods
from suite.algorithms.settings import ArmSettings
from suite.runs.hyperparameters import Hyperparameter, Value
from suite.runs.protocol import Fraction, TrainingProtocol
from suite.runs.spec import Name, ScenarioName
from suite.study.search import Search
from suite.study.seeds import Seeds, SequentialSeeds
from suite.study.table import LARGEST_PLAN, MOST_ENTRIES, Table

# Raised when a study file means something else than before.
STUDY_FORMAT = 1

# Sentences for people: shown before every run, so a page at most.
Text = Annotated[str, StringConstraints(max_length=5_000)]
Side = Annotated[str, StringConstraints(max_length=200)]


class Hyperparameters(Table):
    """Values to enumerate for the arms whose methods declare them; every combination is a trial.

    One key per declared hyperparameter (α and T of CADP: `alpha`, `pruning_start_env_steps`), a
    list each; those that count steps have a second key for fractions of `total_env_steps`
    (`pruning_start_fraction`), which excludes the first. Where none is given, the published value.
    """

    def overridden_by(self, other: Hyperparameters) -> Hyperparameters:
        """These values where `other` does not set its own; either spelling replaces both."""
        changes = other.model_dump(exclude_unset=True)
        kept = self.model_dump(exclude_unset=True)
        for one in hyperparameters().values():
            spellings = {one.name, one.fraction}
            if changes.keys() & spellings:
                kept = {key: value for key, value in kept.items() if key not in spellings}
        return type(self)(**{**kept, **changes})

    def given(self, key: str) -> tuple[Value, ...] | None:
        """The list under a key; None if there is none."""
        values: tuple[Value, ...] | None = getattr(self, key)
        return values

    def fractions(self, declared: Hyperparameter) -> tuple[float, ...]:
        """The values that are given as fractions."""
        return (declared.fraction and self.given(declared.fraction)) or ()

    def values(self, declared: Hyperparameter, total_env_steps: int) -> tuple[Value, ...] | None:
        """Every value for a run of `total_env_steps`; None if none is given."""
        if fractions := self.fractions(declared):
            return tuple(round(part * total_env_steps) for part in fractions)
        values = self.given(declared.name)
        if values is None or declared.is_whole:
            return values
        return tuple(float(value) for value in values)


def _table_of(declared: Mapping[str, Hyperparameter]) -> type[Hyperparameters]:
    """The table with a key for everything that some method declares."""

    def lists(of: Any) -> Any:
        at_most = Field(None, min_length=1, max_length=LARGEST_PLAN, fail_fast=True)
        return tuple[of, ...] | None, at_most

    fields: dict[str, Any] = {}
    for one in declared.values():
        kind = int if one.is_whole else float
        fields[one.name] = lists(Annotated[kind, Field(ge=one.low, le=one.high)])
        if one.fraction:
            fields[one.fraction] = lists(Fraction)
    return create_model("Hyperparameters", __base__=Hyperparameters, **fields)


if not TYPE_CHECKING:
    Hyperparameters = _table_of(hyperparameters())


def _tag(given: Any) -> str | None:
    """Which method's settings a table of an arm is to be read as."""
    if isinstance(given, dict):
        key = (given.get("framework"), given.get("backbone"))
    else:
        key = (getattr(given, "framework", None), getattr(given, "backbone", None))
    return arm_tags().get(key) if all(isinstance(part, str) for part in key) else None


@cache
def arm_tags() -> Mapping[tuple[Any, Any], str]:
    """(Framework, backbone) → how errors of such an arm are marked; no key of a file looks so."""
    return {key: " on ".join(key) for key in methods()}


if TYPE_CHECKING:
    AnyArm = ArmSettings
else:
    _choices = [Annotated[methods()[key].settings, Tag(tag)] for key, tag in arm_tags().items()]
    AnyArm = Annotated[reduce(or_, _choices), Discriminator(_tag)]


class ScenarioSettings(Table):
    """What one scenario changes of its profile's training settings and hyperparameters."""

    training: TrainingProtocol = TrainingProtocol()
    hyperparameters: Hyperparameters = Hyperparameters()


class Profile(Table):
    """A size of the study: `smoke`, `quick`, `paper`.

    seeds: a list, or up to how many are added until the primary claims are decided.
    deviations: sentences, what it does otherwise than its subject, a paper; shown before every
    run.
    missing_scenarios: scenario that is left out → why; shown likewise.
    search: how points are searched. Without `seeds` that is all, and no claim is judged; with them
    the best point of every arm is then trained on these other seeds.
    """

    description: Text
    deviations: tuple[Text, ...] = Field((), max_length=MOST_ENTRIES)
    scenarios: tuple[ScenarioName, ...] = Field(min_length=1, max_length=MOST_ENTRIES)
    arms: tuple[Name, ...] = Field(min_length=1, max_length=MOST_ENTRIES)
    seeds: Seeds = ()
    training: TrainingProtocol = TrainingProtocol()
    hyperparameters: Hyperparameters = Hyperparameters()
    scenario_settings: dict[ScenarioName, ScenarioSettings] = Field({}, max_length=MOST_ENTRIES)
    missing_scenarios: dict[ScenarioName, Text] = Field({}, max_length=MOST_ENTRIES)
    search: Search | None = None

    @property
    def is_exploratory(self) -> bool:
        """Whether it searches and nothing more: no claim is judged."""
        return self.search is not None and not self.seeds

    @property
    def looks(self) -> tuple[tuple[int, ...], ...]:
        """All seeds that are there at each look, ascending; one look where seeds are a list."""
        if isinstance(self.seeds, SequentialSeeds):
            return tuple(tuple(range(1, n + 1)) for n in self.seeds.numbers)
        return (self.seeds,)

    @property
    def all_seeds(self) -> tuple[int, ...]:
        """Every seed that may be trained."""
        return self.looks[-1]

    def training_for(self, scenario: str) -> TrainingProtocol:
        """The training settings of `scenario`, its own overrides applied."""
        own = self.scenario_settings.get(scenario, ScenarioSettings())
        return self.training.model_copy(update=own.training.model_dump(exclude_unset=True))

    def training_said_for(self, scenario: str) -> frozenset[str]:
        """Names of the training settings that the study itself decides on `scenario`."""
        own = self.scenario_settings.get(scenario, ScenarioSettings())
        return frozenset(self.training.model_fields_set | own.training.model_fields_set)

    def hyperparameters_for(self, scenario: str) -> Hyperparameters:
        """The hyperparameter values of `scenario`, its own overrides applied."""
        own = self.scenario_settings.get(scenario, ScenarioSettings())
        return self.hyperparameters.overridden_by(own.hyperparameters)

    def written_for(
        self, scenario: str, declared: Hyperparameter, value: object
    ) -> tuple[list[str | int], object]:
        """Where this profile gives a hyperparameter of `scenario`, and `value` as written there."""
        own = self.scenario_settings.get(scenario, ScenarioSettings()).hyperparameters
        is_own = bool(own.model_fields_set & {declared.name, declared.fraction})
        keys: list[str | int] = ["scenario_settings", scenario] if is_own else []
        table = self.hyperparameters_for(scenario)
        fractions, key = table.fractions(declared), declared.name
        if fractions and declared.fraction:
            values = table.values(declared, self.training_for(scenario).total_env_steps) or ()
            said: dict[object, float] = dict(
                zip(reversed(values), reversed(fractions), strict=True)
            )
            value = said.get(value, value)
            key = declared.fraction
        return [*keys, "hyperparameters", key], value


class Claim(Table):
    """A sentence of the paper made testable on final test win rates.

    kind: "greater": left exceeds right by more than `margin`; "equivalent": they differ by less
        than `margin`.
    left, right: `arm/mode`, an execution mode of that arm.
    scenarios: where it is claimed; None means every scenario of the profile.
    primary: whether it gets a verdict where some claim of the study is marked so; the others are
        then descriptive. Where none is marked, all get one.
    """

    name: Name
    text: Text
    kind: Literal["greater", "equivalent"]
    left: Side
    right: Side
    margin: Fraction = 0.0
    scenarios: tuple[ScenarioName, ...] | None = Field(None, min_length=1, max_length=MOST_ENTRIES)
    primary: bool = False

    @property
    def left_arm(self) -> str:
        """Arm of the left side."""
        return self.left.partition("/")[0]

    @property
    def left_mode(self) -> str:
        """Execution mode of the left side."""
        return self.left.partition("/")[2]

    @property
    def right_arm(self) -> str:
        """Arm of the right side."""
        return self.right.partition("/")[0]

    @property
    def right_mode(self) -> str:
        """Execution mode of the right side."""
        return self.right.partition("/")[2]


class StudyDefinition(Table):
    """One study file.

    backend_deviations: backend → a sentence that is true of every profile with scenarios of it;
    shown among their deviations.
    backend_arms: backend → name → how an arm is set up where the study is moved to it
    (`suite.study.moving`).
    """

    format: Literal[1]
    name: Name
    question: Text
    default_profile: Name
    backend_deviations: dict[Name, Text] = Field({}, max_length=MOST_ENTRIES)
    arms: dict[Name, AnyArm] = Field(min_length=1, max_length=MOST_ENTRIES)
    backend_arms: dict[Name, dict[Name, AnyArm]] = Field({}, max_length=MOST_ENTRIES)
    profiles: dict[Name, Profile] = Field(min_length=1, max_length=MOST_ENTRIES)
    claims: tuple[Claim, ...] = Field((), max_length=MOST_ENTRIES)

    @property
    def primary_claims(self) -> tuple[Claim, ...]:
        """Those that are marked primary; all of them where none is."""
        return tuple(claim for claim in self.claims if claim.primary) or self.claims
