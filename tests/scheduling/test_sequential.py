"""Seeds that are added look by look: what is proposed when, and a study that stops by itself."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

import pytest

from suite.runs.directory import RunsDirectory
from suite.runs.spec import RunSpec
from suite.scheduling.proposers import proposer_for
from suite.scheduling.proposers.proposer import Proposer, Result
from suite.scheduling.storage import ScheduleStorage
from suite.study.load import load_study
from suite.study.plan import Plan, expand


@dataclass(frozen=True)
class Judged:
    undecided: tuple[str, ...]

    @property
    def is_over(self) -> bool:
        return not self.undecided


def sequential(make_study, seeds: str = "{first = 3, then = 2, up_to = 8}") -> Plan:
    return expand(load_study(make_study(("seeds = [1, 2]", f"seeds = {seeds}"))))


def asked_after(proposer: Proposer, runs: list[RunSpec], chance: random.Random) -> list[RunSpec]:
    """What is asked when all these runs have ended, in some order; nothing before the last."""
    runs = list(runs)
    chance.shuffle(runs)
    for run in runs:
        assert proposer.ask() == ()
        failed = chance.random() < 0.3
        proposer.tell(run.run_id, Result("failed" if failed else "finished", 0.5))
    return list(proposer.ask())


@pytest.mark.parametrize(("decided_at", "looks"), [(3, [3]), (5, [3, 5]), (99, [3, 5, 7, 8])])
def test_seeds_are_added_until_the_claims_are_decided(
    make_study, decided_at: int, looks: list[int]
) -> None:
    plan, chance, judged_at = sequential(make_study), random.Random(1), []
    proposed: set[str] = set()

    def judge(judged: Plan) -> Judged:
        n_seeds = len(proposed) // len(plan.trials)
        judged_at.append(n_seeds)
        return Judged(() if n_seeds >= decided_at else ("better",))

    proposer = proposer_for(plan, judge)
    assert proposer.to_come == 16
    runs = list(proposer.ask())
    while runs:
        assert proposed.isdisjoint(run.run_id for run in runs)
        proposed.update(run.run_id for run in runs)
        assert proposer.to_come == 16 - len(proposed)
        assert not proposer.is_over
        runs = asked_after(proposer, runs, chance)
    assert proposer.is_over
    assert proposer.to_come == 0
    assert judged_at == looks
    told = proposer.notices()
    assert told[0].startswith("look 1 of 4, 3 seeds")
    assert told[-1].endswith("; no more seeds")
    assert all(line.endswith("undecided better; more are added") for line in told[:-1])


def test_a_tuned_profile_may_add_seeds(make_study, runs_dir: Path) -> None:
    search = (
        '[profiles.tiny.search]\nsampler = "RandomSampler"\nn_trials = 2\nseeds = [101, 102]\n'
        "[profiles.tiny.search.ranges]\nlearning_rate = {low = 1e-4, high = 1e-3}\n"
        "[profiles.tiny.hyperparameters]\npruning_start_fraction = [0.5]"
    )
    path = make_study(
        ("seeds = [1, 2]", "seeds = {first = 3, then = 2, up_to = 5}"),
        ("[profiles.tiny.hyperparameters]\npruning_start_fraction = [0.5]", search),
    )
    plan, seen = expand(load_study(path)), []

    def judge(judged: Plan) -> Judged:
        seen.append({run.seed for run in judged.runs})
        return Judged(("better",))

    proposer = proposer_for(plan, judge)
    proposer.open(ScheduleStorage(RunsDirectory(runs_dir)))
    trained: list[RunSpec] = []
    while not proposer.is_over:
        runs = list(proposer.ask())
        trained += runs
        for run in runs:
            worth = {"final_win_rate": run.seed / 1000}
            proposer.tell(run.run_id, Result("finished", 0.5, worth))
    seeds = [run.seed for run in trained]
    assert sorted(seeds[:8]) == [101] * 4 + [102] * 4
    assert seeds[8:] == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert seen == [{1, 2, 3, 4, 5}, {1, 2, 3, 4, 5}]
