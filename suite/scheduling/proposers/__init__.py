"""Who says what is trained next: asked for runs, told how they ended."""

from __future__ import annotations

from dataclasses import replace

from suite.scheduling.proposers.enumeration import Enumeration
from suite.scheduling.proposers.proposer import Proposer
from suite.scheduling.proposers.search import SearchProposer
from suite.scheduling.proposers.sequential import Judge, SequentialSeeds
from suite.scheduling.proposers.tuning import Tuning
from suite.study.plan import Plan


def proposer_for(plan: Plan, judge: Judge | None = None) -> Proposer:
    """What a profile asks for: all runs, more and more seeds, a search, a search and then seeds.

    judge: needed where seeds are added until claims are decided.
    """
    if plan.profile.search is None:
        return _of_seeds(plan, judge)
    if plan.profile.is_exploratory:
        return SearchProposer(plan)
    return Tuning(plan, lambda tuned: _of_seeds(tuned, judge))


def _of_seeds(plan: Plan, judge: Judge | None) -> Proposer:
    """The runs that claims are judged on."""
    plan = replace(plan, trials=plan.judged)
    if len(plan.looks) > 1:
        assert judge is not None
        return SequentialSeeds(plan, judge)
    return Enumeration(plan.runs_of_look(1))
