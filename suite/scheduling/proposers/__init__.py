"""Who says what is trained next: asked for runs, told how they ended."""

from __future__ import annotations

from suite.scheduling.proposers.enumeration import Enumeration
from suite.scheduling.proposers.proposer import Proposer
from suite.scheduling.proposers.search import SearchProposer
from suite.scheduling.proposers.tuning import Tuning
from suite.study.plan import Plan


def proposer_for(plan: Plan) -> Proposer:
    """What a profile asks for: its runs one by one, a search, or a search and then other seeds."""
    if plan.profile.search is None:
        return Enumeration(plan.runs)
    if plan.profile.is_exploratory:
        return SearchProposer(plan)
    return Tuning(plan, _of_seeds)


def _of_seeds(plan: Plan) -> Proposer:
    """The runs that are judged, of a plan that has others as well."""
    seeds = plan.profile.seeds
    judged = [trial for trial in plan.trials if trial.seeds == seeds]
    by_seed = zip(*(trial.runs for trial in judged), strict=True)
    return Enumeration([run for runs in by_seed for run in runs])
