"""Seeds are added look by look, until the claims are decided or the study's limit is reached."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

from suite.runs.spec import RunSpec
from suite.scheduling.proposers.proposer import Result
from suite.scheduling.storage import ScheduleStorage
from suite.study.objectives import Histories
from suite.study.plan import Plan
from suite.text import plural


class Judgement(Protocol):
    """What a report says between looks.

    undecided: names of the claims that more seeds may decide. is_over: no further look is needed.
    """

    @property
    def undecided(self) -> Sequence[str]: ...

    @property
    def is_over(self) -> bool: ...


# Judges a plan by what is recorded of it. Statistics are the reports' room, so it comes from there.
Judge: TypeAlias = Callable[[Plan], Judgement]


class SequentialSeeds:
    """One look after another; the next is proposed when every run of the last has ended."""

    weighs_results, watches_tests = True, False

    def __init__(self, plan: Plan, judge: Judge) -> None:
        self._plan = plan
        self._judge = judge
        self._look = 0
        self._going_on: set[str] = set()
        self._is_over = False
        self._lines: list[str] = []

    @property
    def is_over(self) -> bool:
        return self._is_over

    @property
    def to_come(self) -> int:
        looks = range(self._look + 1, len(self._plan.looks) + 1)
        return 0 if self._is_over else sum(len(self._plan.runs_of_look(look)) for look in looks)

    def open(self, storage: ScheduleStorage) -> None:
        pass

    def ask(self) -> Sequence[RunSpec]:
        if self._is_over or self._going_on:
            return ()
        if self._look:
            found, n_seeds = self._judge(self._plan), self._plan.looks[self._look - 1]
            told = f"look {self._look} of {len(self._plan.looks)}, {plural(n_seeds, 'seed')}"
            if found.undecided:
                told += f": undecided {', '.join(found.undecided)}"
            self._is_over = found.is_over or self._look == len(self._plan.looks)
            self._lines.append(told + ("; no more seeds" if self._is_over else "; more are added"))
            if self._is_over:
                return ()
        self._look += 1
        runs = self._plan.runs_of_look(self._look)
        self._going_on = {run.run_id for run in runs}
        return runs

    def measure(self, run_id: str, histories: Histories) -> str:
        return ""

    def tell(self, run_id: str, result: Result) -> None:
        self._going_on.discard(run_id)

    def notices(self) -> Sequence[str]:
        lines, self._lines = self._lines, []
        return lines
