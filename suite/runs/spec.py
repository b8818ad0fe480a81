"""A run: one scenario, arm, hyperparameter point and seed; the unit of training and resuming."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from suite.runs import earlier
from suite.runs.hyperparameters import Value
from suite.runs.protocol import Seed, TrainingProtocol

# What does not change a run's result.
LABELS = frozenset({"arm", "searched"})
# Raised when the meaning of stored runs changes, so that old records are not mistaken for new ones.
RUN_FORMAT = 2

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=100)]
ScenarioName = Annotated[str, StringConstraints(max_length=200)]
Text = Annotated[str, StringConstraints(max_length=1_000)]
# What floats and JSON hold exactly; methods declare narrower bounds.
Whole = Annotated[int, Field(ge=-(2**53), le=2**53)]
Number = Whole | Annotated[float, Field(ge=-(2.0**53), le=2.0**53)]
Scalar = bool | Whole | Annotated[float, Field(ge=-1e300, le=1e300)] | Text | None
Scalars = Annotated[tuple[Scalar, ...], Field(max_length=1_000)]


class AlgorithmSpec(BaseModel):
    """What an arm trains: framework × backbone, and every setting of it, as plain values.

    What the settings mean is declared by the method: `suite.algorithms.registry.settings_of`.
    """

    model_config = ConfigDict(frozen=True, extra="allow", strict=True, allow_inf_nan=False)
    __pydantic_extra__: dict[str, Scalar | Scalars]

    framework: Name
    backbone: Name

    @model_validator(mode="before")
    @classmethod
    def _plain(cls, given: Any) -> Any:
        """Settings models are taken as well; lists of JSON are tuples."""
        if isinstance(given, BaseModel) and not isinstance(given, cls):
            given = given.model_dump(mode="json")
        if isinstance(given, dict):
            return {k: tuple(v) if isinstance(v, list) else v for k, v in given.items()}
        return given


class RunSpec(BaseModel):
    """Everything that can change a run's result, and nothing else but labels: `arm`, `searched`.

    hyperparameters: name → value of what the arm's method declares, for example the paper's α and
    T (`alpha`, `pruning_start_env_steps`).
    environment_version: `EnvironmentInfo.backend_version` of the scenario's backend.
    searched: names of the arm's settings that a search chose; people tell its runs apart by them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    scenario: ScenarioName
    arm: Name
    algorithm: AlgorithmSpec
    training: TrainingProtocol
    hyperparameters: dict[Name, Number] = Field({}, max_length=100)
    seed: Seed
    environment_version: Annotated[str, StringConstraints(max_length=100)]
    searched: tuple[Name, ...] = Field((), max_length=100, exclude_if=lambda names: not names)

    @model_validator(mode="before")
    @classmethod
    def _as_stored(cls, given: Any) -> Any:
        """Records of the first format are read as well; lists of JSON are tuples."""
        if not isinstance(given, dict):
            return given
        content = earlier.upgraded(given)
        if isinstance(content.get("searched"), list):
            content["searched"] = tuple(content["searched"])
        return content

    @cached_property
    def run_id(self) -> str:
        """16 hex digits; equal content gives an equal id, whatever its labels are."""
        content = self.model_dump(mode="json", exclude={*LABELS})
        content = earlier.first_format(content) or {"format": RUN_FORMAT, **content}
        text = json.dumps(content, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy, with other values; its id is its own."""
        copied = super().model_copy(update=update, deep=deep)
        copied.__dict__.pop("run_id", None)  # pydantic copies what is cached as well
        return copied

    def value(self, name: str) -> Value | None:
        """A hyperparameter of the run; None where its method has none of that name."""
        return self.hyperparameters.get(name)
