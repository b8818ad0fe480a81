"""Every arm is tuned with the same budget, then its best point is trained on other seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from suite.runs.spec import RunSpec
from suite.scheduling.proposers.proposer import Proposer, Result
from suite.scheduling.proposers.search import SearchProposer
from suite.scheduling.storage import ScheduleStorage
from suite.study.objectives import Histories
from suite.study.plan import Plan
from suite.study.trial import Trial


class Tuning:
    """The searches of a plan; when all are over, `then` proposes for the points chosen."""

    weighs_results, watches_tests = True, False

    def __init__(self, plan: Plan, then: Callable[[Plan], Proposer]) -> None:
        self._plan = plan
        self._search = SearchProposer(plan)
        self._then = then
        self._second: Proposer | None = None
        self._storage: ScheduleStorage
        self._results: dict[str, Result] = {}
        self._lines: list[str] = []

    @property
    def is_over(self) -> bool:
        return self._second is not None and self._second.is_over

    @property
    def to_come(self) -> int:
        if self._second is not None:
            return self._second.to_come
        return self._search.to_come + len(self._plan.searches) * len(self._plan.profile.all_seeds)

    def open(self, storage: ScheduleStorage) -> None:
        self._storage = storage
        self._search.open(storage)

    def ask(self) -> Sequence[RunSpec]:
        if self._second is None:
            runs = self._search.ask()
            if runs or not self._search.is_over:
                return runs
            self._second = self._then(self._plan.with_trials(self._chosen()))
            self._second.open(self._storage)
        return self._second.ask()

    def measure(self, run_id: str, histories: Histories) -> str:
        return ""  # pruning would make budgets unequal

    def tell(self, run_id: str, result: Result) -> None:
        (self._second or self._search).tell(run_id, result)

    def notices(self) -> Sequence[str]:
        lines, self._lines = [*self._search.notices(), *self._lines], []
        return [*lines, *(self._second.notices() if self._second else ())]

    def _chosen(self) -> list[Trial]:
        trials = []
        for search in self._search.searches:
            point = search.choose()
            assert point.trial is not None
            n = len(self._plan.profile.all_seeds)
            self._lines.append(f"tuned: {point.trial.label}, to be trained on {n} other seeds")
            trials.append(
                search.space.trial(search.parameters(point), self._plan.profile.all_seeds)
            )
        return trials
