"""What a study file may say: frozen models, one TOML file parsed once.

`load_study` is the way in; whatever it returns has passed every check of `suite.study.checks`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from suite.algorithms.settings import AlgorithmSettings, Alpha
from suite.runs.protocol import Fraction, Seed, TrainingProtocol
from suite.runs.spec import Name, PruningStart, ScenarioName

# Raised when a study file means something else than before.
STUDY_FORMAT = 1

Mode = Literal["decentralised", "centralised"]
# Sentences for people: shown before every run, so a page at most.
Text = Annotated[str, StringConstraints(max_length=5_000)]
Side = Annotated[str, StringConstraints(max_length=200)]
# Of arms, profiles, claims and other things that a person names; seeds and grids have more.
MOST_ENTRIES = 1_000
# Runs of one profile, and so seeds: planned in seconds.
LARGEST_PLAN = 100_000


class _Table(BaseModel):
    """A table of the study file: immutable, unknown keys rejected."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Hyperparameters(_Table):
    """Values to enumerate for the arms that prune (CADP); every combination becomes a trial.

    alpha: the paper's α; None takes the published value of the arm's backbone.
    pruning_start_env_steps: the paper's T.
    pruning_start_fraction: T as a fraction of `total_env_steps`; excludes the former.
    """

    alpha: tuple[Alpha, ...] | None = Field(
        None, min_length=1, max_length=LARGEST_PLAN, fail_fast=True
    )
    pruning_start_env_steps: tuple[PruningStart, ...] | None = Field(
        None, min_length=1, max_length=LARGEST_PLAN, fail_fast=True
    )
    pruning_start_fraction: tuple[Fraction, ...] | None = Field(
        None, min_length=1, max_length=LARGEST_PLAN, fail_fast=True
    )

    def overridden_by(self, other: Hyperparameters) -> Hyperparameters:
        """These values where `other` does not set its own; a T of either spelling replaces both."""
        changes = other.model_dump(exclude_unset=True)
        kept = self.model_dump(exclude_unset=True)
        if changes.keys() & {"pruning_start_env_steps", "pruning_start_fraction"}:
            kept.pop("pruning_start_env_steps", None)
            kept.pop("pruning_start_fraction", None)
        return Hyperparameters(**{**kept, **changes})

    def pruning_starts(self, total_env_steps: int) -> tuple[int, ...] | None:
        """Every T in environment steps for a run of `total_env_steps`; None if none is given."""
        if self.pruning_start_fraction is not None:
            return tuple(round(part * total_env_steps) for part in self.pruning_start_fraction)
        return self.pruning_start_env_steps


class ScenarioSettings(_Table):
    """What one scenario changes of its profile's training settings and hyperparameters."""

    training: TrainingProtocol = TrainingProtocol()
    hyperparameters: Hyperparameters = Hyperparameters()


class Profile(_Table):
    """A size of the study: `smoke`, `quick`, `paper`.

    deviations: sentences, how this profile differs from the paper; shown before every run.
    missing_scenarios: scenario of the paper → why it is not run; shown likewise.
    """

    description: Text
    deviations: tuple[Text, ...] = Field((), max_length=MOST_ENTRIES)
    scenarios: tuple[ScenarioName, ...] = Field(min_length=1, max_length=MOST_ENTRIES)
    arms: tuple[Name, ...] = Field(min_length=1, max_length=MOST_ENTRIES)
    seeds: tuple[Seed, ...] = Field(min_length=1, max_length=LARGEST_PLAN, fail_fast=True)
    training: TrainingProtocol = TrainingProtocol()
    hyperparameters: Hyperparameters = Hyperparameters()
    scenario_settings: dict[ScenarioName, ScenarioSettings] = Field({}, max_length=MOST_ENTRIES)
    missing_scenarios: dict[ScenarioName, Text] = Field({}, max_length=MOST_ENTRIES)

    def training_for(self, scenario: str) -> TrainingProtocol:
        """The training settings of `scenario`, its own overrides applied."""
        own = self.scenario_settings.get(scenario, ScenarioSettings())
        return self.training.model_copy(update=own.training.model_dump(exclude_unset=True))

    def hyperparameters_for(self, scenario: str) -> Hyperparameters:
        """The hyperparameter values of `scenario`, its own overrides applied."""
        own = self.scenario_settings.get(scenario, ScenarioSettings())
        return self.hyperparameters.overridden_by(own.hyperparameters)


class Claim(_Table):
    """A sentence of the paper made testable on final test win rates.

    kind: "greater": left exceeds right by more than `margin`; "equivalent": they differ by less
        than `margin`.
    left, right: `arm/mode`, mode being `decentralised` or `centralised`.
    scenarios: where it is claimed; None means every scenario of the profile.
    """

    name: Name
    text: Text
    kind: Literal["greater", "equivalent"]
    left: Side
    right: Side
    margin: Fraction = 0.0
    scenarios: tuple[ScenarioName, ...] | None = Field(None, min_length=1, max_length=MOST_ENTRIES)

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


class StudyDefinition(_Table):
    """One study file."""

    format: Literal[1]
    name: Name
    question: Text
    default_profile: Name
    arms: dict[Name, AlgorithmSettings] = Field(min_length=1, max_length=MOST_ENTRIES)
    profiles: dict[Name, Profile] = Field(min_length=1, max_length=MOST_ENTRIES)
    claims: tuple[Claim, ...] = Field((), max_length=MOST_ENTRIES)


def modes_of(algorithm: AlgorithmSettings) -> tuple[Mode, ...]:
    """The execution modes in which a trained model of this arm is tested."""
    if algorithm.framework == "cadp":
        return ("decentralised", "centralised")
    return ("decentralised",)


def load_study(path: Path) -> StudyDefinition:
    """Read, validate and check a study file.

    Raises
    ------
    InputError: the file cannot be read or says something it must not; one line.
    """
    # Imported here because both need the models above.
    from suite.study.checks import check_study
    from suite.study.parsing import parse_study

    study = parse_study(path)
    check_study(study, path)
    return study
