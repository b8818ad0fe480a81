"""A plan with what was proposed for it in a runs directory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from suite.records import layout
from suite.records.schedule import ScheduleStore, StoredSearch
from suite.study.plan import Plan
from suite.study.spaces import SearchSpace
from suite.study.trial import Trial


def with_proposals(plan: Plan, runs_dir: Path) -> Plan:
    """The plan with the trials that its searches have proposed so far; the plan if it has none.

    Raises StoredDataError for a damaged schedule, BusyError while another program holds it.
    """
    if not plan.searches:
        return plan
    stored = stored_searches(plan, runs_dir)
    return plan.with_trials(
        trial for space in plan.searches for trial in _trials(plan, space, stored.get(space.key))
    )


def stored_searches(plan: Plan, runs_dir: Path) -> dict[str, StoredSearch]:
    """`SearchSpace.key` → what is stored of each search of the plan that was begun."""
    name = layout.schedule_name(plan.study.name, plan.profile_name)
    wanted = {space.key for space in plan.searches}
    found = {one.key: one for one in ScheduleStore(runs_dir).searches(name)}
    return {key: one for key, one in found.items() if key in wanted}


def _trials(plan: Plan, space: SearchSpace, stored: StoredSearch | None) -> Iterator[Trial]:
    """Points, then the chosen one on the seeds on which it is judged."""
    if stored is None:
        return
    for point in stored.points:
        if point.run_ids:
            yield space.trial(point.parameters, space.seeds)
    chosen = stored.attributes.get(layout.CHOSEN)
    if chosen is not None:
        yield space.trial(stored.points[int(chosen)].parameters, plan.profile.all_seeds)
