"""Every run of a plan, once, in the plan's order."""

from __future__ import annotations

from collections.abc import Sequence

from suite.runs.spec import RunSpec
from suite.scheduling.proposers.proposer import Result
from suite.scheduling.storage import ScheduleStorage
from suite.study.objectives import Histories


class Enumeration:
    """Proposes all at once: what is trained does not depend on how anything ends."""

    weighs_results, watches_tests = False, False

    def __init__(self, runs: Sequence[RunSpec]) -> None:
        self._left = tuple(runs)

    @property
    def is_over(self) -> bool:
        return not self._left

    @property
    def to_come(self) -> int:
        return len(self._left)

    def open(self, storage: ScheduleStorage) -> None:
        pass

    def ask(self) -> Sequence[RunSpec]:
        asked, self._left = self._left, ()
        return asked

    def measure(self, run_id: str, histories: Histories) -> str:
        return ""

    def tell(self, run_id: str, result: Result) -> None:
        pass

    def notices(self) -> Sequence[str]:
        return ()
