"""What the settings of every arm have in common. No torch here: study files use it too.

Each method declares a model of its own in its room, each mixer one in its file; the settings of an
arm are both together (`suite.algorithms.registry`).
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

# The bounds say what can be held, not what is wise.
# Far inside what float32 holds, which networks are trained in: neither rounded to 0 nor to inf.
Positive = Annotated[float, Field(ge=1e-30, le=1e30)]
# A layer between two of the widest has 67 MB of weights.
WIDEST = 4_096
Width = Annotated[int, Field(ge=1, le=WIDEST)]


class Settings(BaseModel):
    """A table of settings: immutable, unknown keys rejected.

    added_later: settings that came after runs had been recorded without them. They are left out of
    a run where they have their default, which says what was always so, and its id stays.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    added_later: ClassVar[frozenset[str]] = frozenset()


class ArmSettings(Settings):
    """One arm of a study: framework × backbone.

    protocol: "repaired" is the release's behaviour, repaired where it cannot run or contradicts the
    paper; "as_released" is the release. Only CADP on QPLEX and on MAPPO train otherwise under it
    (docs/deviations.md).
    """

    framework: str
    backbone: str
    protocol: Literal["repaired", "as_released"] = "repaired"
