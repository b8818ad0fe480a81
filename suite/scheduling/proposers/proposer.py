"""What every proposer offers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from suite.runs.spec import RunSpec
from suite.scheduling.storage import ScheduleStorage
from suite.study.objectives import Histories


@dataclass(frozen=True)
class Result:
    """How a run ended. reason: why it did not finish.

    value, objectives: of one that finished (`suite.scheduling.worth`).
    """

    state: Literal["finished", "failed", "pruned"]
    value: float = math.nan
    objectives: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""


class Proposer(Protocol):
    """Asked again and again, by one thread; its answers follow from what it was told.

    weighs_results: whether what it proposes depends on how runs ended that were finished before.
    watches_tests: whether it is to be told of tests while runs go on.
    """

    weighs_results: bool
    watches_tests: bool

    @property
    def is_over(self) -> bool:
        """Whether `ask` has nothing more to say, ever."""

    @property
    def to_come(self) -> int:
        """Most runs that may still be proposed."""

    def open(self, storage: ScheduleStorage) -> None:
        """Before the first question. storage: where what is proposed is kept."""

    def ask(self) -> Sequence[RunSpec]:
        """Runs that were not proposed before, to be trained in this order; none if it has to wait.

        May include runs that are finished already: how they ended is told soon.
        """

    def measure(self, run_id: str, histories: Histories) -> str:
        """Test metrics of a run so far; why it is to be ended, empty if it is to go on."""

    def tell(self, run_id: str, result: Result) -> None:
        """A proposed run has ended, or had before. May be told twice."""

    def notices(self) -> Sequence[str]:
        """Lines for the user since the last call."""
