"""Searches without training: what is asked depends on nothing but the search and its results."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import optuna
import pytest

from suite.errors import InputError
from suite.records import RecordStore
from suite.records.database import BusyError
from suite.records.proposals import stored_searches, with_proposals
from suite.records.schedule import ScheduleStore
from suite.runs.directory import RunsDirectory
from suite.runs.spec import RunSpec
from suite.scheduling.coordinator import run_plan
from suite.scheduling.proposers import proposer_for
from suite.scheduling.proposers.proposer import Proposer, Result
from suite.scheduling.proposers.search import SearchProposer
from suite.scheduling.storage import ScheduleStorage
from suite.study.load import load_study
from suite.study.plan import Plan, expand

SEARCH = """
[profiles.tiny.search]
sampler = "{sampler}"
n_trials = {n_trials}
seeds = [11, 12]
objectives = {objectives}
n_parallel = 3

[profiles.tiny.search.ranges]
alpha = {{low = 0.01, high = 10.0, log = true}}
pruning_start_fraction = {{low = 0.2, high = 0.9}}
"""


@pytest.fixture
def plan_of(make_study) -> Callable[..., Plan]:
    def build(
        *,
        sampler: str = "TPESampler",
        n_trials: int = 14,
        objectives: str = '["final_win_rate"]',
        seeds: str = "",
        ranges: str = "",
    ) -> Plan:
        search = SEARCH.format(sampler=sampler, n_trials=n_trials, objectives=objectives) + ranges
        path = make_study(
            ("seeds = [1, 2]", seeds),
            ("[profiles.tiny.hyperparameters]\npruning_start_fraction = [0.5]", search),
            ('arms = ["qmix", "cadp_qmix"]', 'arms = ["cadp_qmix"]'),
        )
        return expand(load_study(path))

    return build


def worth(run: RunSpec) -> Result:
    """A smooth function of α and T with its best at α = 1, T = half of training."""
    alpha, start = run.hyperparameters["alpha"], run.hyperparameters["pruning_start_env_steps"]
    part = start / run.training.total_env_steps
    value = 1 / (1 + (alpha - 1) ** 2 + 4 * (part - 0.5) ** 2) - 0.001 * (run.seed % 2)
    objectives = {"final_win_rate": value, "mode_gap": part, "core_hours": alpha}
    return Result("finished", value, objectives)


def opened(plan: Plan, runs_dir: Path) -> Proposer:
    proposer = proposer_for(plan)
    proposer.open(ScheduleStorage(RunsDirectory(runs_dir)))
    return proposer


def played(
    plan: Plan,
    runs_dir: Path,
    *,
    order: Callable[[list[RunSpec]], int] = lambda waiting: 0,
    killed: Callable[[], bool] = lambda: False,
    judge: Callable[[RunSpec], Result] = worth,
) -> list[RunSpec]:
    """The runs that were trained, once each. order: which of those that wait ends next. killed:
    whether the program dies now and is started again; how runs ended is in the records then."""
    recorded: dict[str, Result] = {}
    trained: list[RunSpec] = []
    proposer, waiting = opened(plan, runs_dir), []
    while True:
        if killed():
            proposer, waiting = opened(plan, runs_dir), []
        asked = list(proposer.ask())
        before = [run for run in asked if run.run_id in recorded]
        waiting.extend(run for run in asked if run.run_id not in recorded)
        for run in before:
            proposer.tell(run.run_id, recorded[run.run_id])
        if before:
            continue
        if not waiting:
            assert proposer.is_over, "nothing waits, and it is not over"
            return trained
        run = waiting.pop(order(waiting))
        trained.append(run)
        recorded[run.run_id] = judge(run)
        if proposer.watches_tests and (reason := _tested(proposer, run)):
            recorded[run.run_id] = Result("pruned", reason=reason)
        if not killed():  # it may also die between the record and what the proposer is told
            proposer.tell(run.run_id, recorded[run.run_id])
        else:
            proposer, waiting = opened(plan, runs_dir), []


def _tested(proposer: Proposer, run: RunSpec) -> str:
    """Tell of ten tests that rise to what the run is worth, until it is given up."""
    total, values = run.training.total_env_steps, np.arange(1, 11) / 10 * worth(run).value
    for n in range(1, 11):
        steps = np.arange(1, n + 1) * total // 10
        key = "test/win_rate/decentralised"
        if reason := proposer.measure(run.run_id, {key: (steps, values[:n])}):
            return reason
    return ""


def reasons(plan: Plan, runs_dir: Path) -> list[str | None]:
    """Why points did not complete: of pruned ones, after which step."""
    (stored,) = stored_searches(plan, runs_dir).values()
    return [one.reason for one in stored.points]


def points(plan: Plan, runs_dir: Path) -> list[tuple[str, dict[str, float], tuple[float, ...]]]:
    (stored,) = stored_searches(plan, runs_dir).values()
    return [(one.state, dict(one.parameters), one.values) for one in stored.points]


def test_a_search_tries_its_budget_and_comes_near_the_best(
    plan_of: Callable[..., Plan], runs_dir: Path
) -> None:
    plan = plan_of(n_trials=40)
    trained = played(plan, runs_dir)
    assert len(trained) == 80
    found = points(plan, runs_dir)
    assert [state for state, _, _ in found] == ["complete"] * 40
    first, last = (max(values[0] for _, _, values in part) for part in (found[:8], found[8:]))
    assert last > max(first, 0.9)
    with_all = with_proposals(plan, runs_dir)
    assert {run.run_id for run in with_all.runs} == {run.run_id for run in trained}


@pytest.mark.parametrize(
    "sampler", ["TPESampler", "GPSampler", "CmaEsSampler", "RandomSampler", "NSGAIISampler"]
)
def test_every_sampler_searches_and_asks_the_same_again(
    plan_of: Callable[..., Plan], runs_dir: Path, tmp_path: Path, sampler: str
) -> None:
    """Whoever ends first, and killed at any moment."""
    plan = plan_of(sampler=sampler, n_trials=12)
    played(plan, runs_dir)
    expected = points(plan, runs_dir)
    assert len(expected) == 12
    chance = random.Random(7)
    other = tmp_path / "other"
    other.mkdir()
    trained = played(
        plan,
        other,
        order=lambda waiting: chance.randrange(len(waiting)),
        killed=lambda: chance.random() < 0.1,
    )
    assert points(plan, other) == expected
    assert len({run.run_id for run in trained}) == len(trained)


def test_another_seed_of_the_sampler_is_another_search(
    plan_of: Callable[..., Plan], runs_dir: Path
) -> None:
    plan = plan_of()
    played(plan, runs_dir)
    search = plan.profile.search.model_copy(update={"seed": 1})
    other = _with_search(plan, search)
    played(other, runs_dir)
    assert [p for _, p, _ in points(other, runs_dir)] != [p for _, p, _ in points(plan, runs_dir)]
    storage = f"sqlite:///{runs_dir / 'optuna.db'}"
    names = optuna.get_all_study_names(storage)
    assert names == [
        "example/tiny skirmish/3m cadp_qmix",
        "example/tiny skirmish/3m cadp_qmix #2",
    ]


def test_a_budget_may_grow(plan_of: Callable[..., Plan], runs_dir: Path) -> None:
    played(plan_of(n_trials=6), runs_dir)
    before = points(plan_of(n_trials=6), runs_dir)
    trained = played(plan_of(n_trials=9), runs_dir)
    assert points(plan_of(n_trials=9), runs_dir)[:6] == before
    assert len(points(plan_of(n_trials=9), runs_dir)) == 9
    assert len(trained) == 6


def test_two_objectives(plan_of: Callable[..., Plan], runs_dir: Path) -> None:
    plan = plan_of(sampler="NSGAIISampler", objectives='["final_win_rate", "core_hours"]')
    played(plan, runs_dir)
    storage = f"sqlite:///{runs_dir / 'optuna.db'}"
    study = optuna.load_study(study_name="example/tiny skirmish/3m cadp_qmix", storage=storage)
    assert [one.name for one in study.directions] == ["MAXIMIZE", "MINIMIZE"]
    assert study.metric_names == [
        "final test win rate of agents that act alone",
        "time that one core trains a run",
    ]
    assert study.best_trials
    assert study.user_attrs["sampler"] == "NSGAIISampler"


def test_a_point_is_worth_the_mean_over_its_seeds(
    plan_of: Callable[..., Plan], runs_dir: Path
) -> None:
    plan = plan_of(n_trials=3)
    trained = played(plan, runs_dir)
    for number, (_, _, values) in enumerate(points(plan, runs_dir)):
        pair = trained[2 * number : 2 * number + 2]
        assert values == (pytest.approx(sum(worth(run).value for run in pair) / 2),)


def test_a_failed_point_is_tried_again_by_the_next_invocation(
    plan_of: Callable[..., Plan], runs_dir: Path
) -> None:
    plan, failing = plan_of(n_trials=5), set()

    def fails_first(run: RunSpec) -> Result:
        if not failing:
            failing.add(run.run_id)
            return Result("failed", reason="diverged")
        return worth(run)

    played(plan, runs_dir, judge=fails_first)
    assert [state for state, _, _ in points(plan, runs_dir)] == ["failed"] + ["complete"] * 4
    again = played(plan, runs_dir)
    assert failing <= {run.run_id for run in again}
    states = [state for state, _, _ in points(plan, runs_dir)]
    assert states == ["failed"] + ["complete"] * 5
    assert points(plan, runs_dir)[5][1] == points(plan, runs_dir)[0][1]
    (stored,) = stored_searches(plan, runs_dir).values()
    assert stored.points[0].reason == "diverged"
    played(plan, runs_dir)
    assert len(points(plan, runs_dir)) == 6


def test_two_points_with_the_same_runs_train_them_once(runs_dir: Path, make_study) -> None:
    path = make_study(
        ("seeds = [1, 2]", ""),
        (
            "[profiles.tiny.hyperparameters]\npruning_start_fraction = [0.5]",
            '[profiles.tiny.search]\nsampler = "RandomSampler"\nn_trials = 6\nseeds = [1]\n'
            "[profiles.tiny.search.ranges]\nalpha = [0.1, 1.0]\n"
            "[profiles.tiny.hyperparameters]\npruning_start_fraction = [0.5]",
        ),
        ('arms = ["qmix", "cadp_qmix"]', 'arms = ["cadp_qmix"]'),
    )
    plan = expand(load_study(path))
    trained = played(plan, runs_dir)
    assert len(trained) == 2
    assert [state for state, _, _ in points(plan, runs_dir)] == ["complete"] * 6


def test_tuning_takes_the_best_point_to_other_seeds(
    plan_of: Callable[..., Plan], runs_dir: Path
) -> None:
    plan = plan_of(seeds="seeds = [1, 2, 3]", n_trials=6)
    chance = random.Random(3)
    trained = played(plan, runs_dir, killed=lambda: chance.random() < 0.2)
    assert sorted(run.seed for run in trained) == [1, 2, 3] + [11] * 6 + [12] * 6
    best = max(points(plan, runs_dir), key=lambda point: point[2])
    judged = [run for run in trained if run.seed < 10]
    assert {run.hyperparameters["alpha"] for run in judged} == {
        plan.searches[0].trial(best[1], [1]).hyperparameters["alpha"]
    }
    with_all = with_proposals(plan, runs_dir)
    tuned = with_all.tuned(plan.searches[0])
    assert tuned is not None
    assert [run.run_id for run in tuned.runs] == [run.run_id for run in judged]


def test_tuning_without_a_finished_point_is_told(
    plan_of: Callable[..., Plan], runs_dir: Path
) -> None:
    plan = plan_of(seeds="seeds = [1, 2, 3]", n_trials=2)
    with pytest.raises(InputError, match=r"search of skirmish/3m cadp_qmix: no point has finished"):
        played(plan, runs_dir, judge=lambda run: Result("failed", reason="diverged"))


def test_hopeless_runs_are_ended_and_stay_so(make_study, runs_dir: Path) -> None:
    """Real processes: a worker whose run is given up is replaced, nothing of the run is left."""
    plan = _pruned_plan(make_study)
    outcome = run_plan(plan, runs_dir, 2, trainer="fake_trainer:train_by_alpha")
    found = points(plan, runs_dir)
    states = [state for state, _, _ in found]
    assert len(found) == 9
    assert states[:5] == ["complete"] * 5  # the median of fewer tells nothing
    assert "pruned" in states
    assert set(states) == {"complete", "pruned"}
    assert len(outcome.pruned) == states.count("pruned")
    assert outcome.failed == []
    statuses = RecordStore.open(runs_dir).statuses()
    assert {statuses[run_id] for run_id in outcome.pruned} == {"pruned"}
    assert not list((runs_dir / "checkpoints").glob("*.ckpt"))
    records = RecordStore.open(runs_dir).load(outcome.pruned)
    assert all("(MedianPruner)" in record.failure for record in records)
    told = ScheduleStore(runs_dir).runs("example/tiny")
    assert {run.state for run in told if run.run_id in outcome.pruned} == {"pruned"}
    n_trained = len((runs_dir / "trained.txt").read_text().split())
    again = run_plan(with_proposals(plan, runs_dir), runs_dir, 2, trainer="fake_trainer:train")
    assert (again.finished, again.pruned) == ([], [])
    assert len((runs_dir / "trained.txt").read_text().split()) == n_trained
    assert points(plan, runs_dir) == found


@pytest.mark.parametrize(
    ("pruner", "n_trials", "n_seeds"),
    [("MedianPruner", 9, 2), ("HyperbandPruner", 16, 2), ("WilcoxonPruner", 7, 6)],
)
def test_what_is_pruned_does_not_depend_on_who_ends_first(
    make_study, runs_dir: Path, tmp_path: Path, pruner: str, n_trials: int, n_seeds: int
) -> None:
    plan = _pruned_plan(make_study, pruner, n_trials, n_seeds)
    trained = played(plan, runs_dir)
    expected = points(plan, runs_dir)
    states = [state for state, _, _ in expected]
    assert "pruned" in states
    assert len(trained) < n_seeds * n_trials  # seeds are saved
    chance = random.Random(5)
    other = tmp_path / "other"
    other.mkdir()
    played(
        plan,
        other,
        order=lambda waiting: chance.randrange(len(waiting)),
        killed=lambda: chance.random() < 0.1,
    )
    assert points(plan, other) == expected
    assert reasons(plan, other) == reasons(plan, runs_dir)


def test_a_database_in_use_loses_no_decision(
    make_study, runs_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every write to Optuna fails now and then, before or after it was made; all is asked again."""
    plan = _pruned_plan(make_study)
    played(plan, runs_dir)
    expected = points(plan, runs_dir)
    chance = random.Random(11)

    def unreliable(name: str) -> None:
        original = getattr(ScheduleStorage, name)

        def attempt(self, *given, **named):
            if chance.random() < 0.5:
                raise BusyError("in use", where="optuna.db", cure="wait")
            return original(self, *given, **named)

        monkeypatch.setattr(ScheduleStorage, name, attempt)

    for name in ("add", "end", "tell_step", "note", "trials"):
        unreliable(name)

    def patient(method):
        def ask_again(self, *given):
            while True:
                try:
                    return method(self, *given)
                except BusyError:
                    pass

        return ask_again

    for name in ("open", "ask", "tell", "measure"):
        monkeypatch.setattr(SearchProposer, name, patient(getattr(SearchProposer, name)))
    other = tmp_path / "other"
    other.mkdir()
    played(plan, other)
    assert points(plan, other) == expected
    assert reasons(plan, other) == reasons(plan, runs_dir)


def test_a_search_killed_while_it_is_made_is_made_whole(
    plan_of: Callable[..., Plan], runs_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After each of its attributes in turn: readers find nothing or all, and it goes on."""
    plan, original = plan_of(n_trials=2), optuna.storages.RDBStorage.set_study_user_attr
    for n_allowed in range(12):
        left = [n_allowed]

        def die(self, *given, left=left) -> None:
            if left[0] == 0:
                raise KeyboardInterrupt
            left[0] -= 1
            original(self, *given)

        monkeypatch.setattr(optuna.storages.RDBStorage, "set_study_user_attr", die)
        with suppress(KeyboardInterrupt):
            opened(plan, runs_dir)
        assert len(stored_searches(plan, runs_dir)) <= 1
        monkeypatch.setattr(optuna.storages.RDBStorage, "set_study_user_attr", original)
    assert left[0] > 0, "the last was not interrupted"
    assert len(played(plan, runs_dir)) == 4
    (found,) = stored_searches(plan, runs_dir).values()
    assert found.attributes["arm"] == "cadp_qmix"


def _pruned_plan(
    make_study, pruner: str = "MedianPruner", n_trials: int = 9, n_seeds: int = 2
) -> Plan:
    objectives = '["final_win_rate"]'
    search = SEARCH.format(sampler="TPESampler", n_trials=n_trials, objectives=objectives)
    search = search.replace("n_parallel = 3", f'n_parallel = 3\npruner = "{pruner}"')
    search = search.replace("[11, 12]", str(list(range(11, 11 + n_seeds))))
    other = "learning_rate = {low = 1e-4, high = 1e-3}"
    search = search.replace("pruning_start_fraction = {low = 0.2, high = 0.9}", other)
    search += "[profiles.tiny.hyperparameters]\npruning_start_fraction = [0.5]\n"
    path = make_study(
        ("seeds = [1, 2]", ""),
        ("[profiles.tiny.hyperparameters]\npruning_start_fraction = [0.5]", search),
        ('arms = ["qmix", "cadp_qmix"]', 'arms = ["cadp_qmix"]'),
    )
    return expand(load_study(path))


def test_what_has_ended_is_told_in_a_line(plan_of: Callable[..., Plan], runs_dir: Path) -> None:
    proposer = SearchProposer(plan_of(n_trials=3))
    proposer.open(ScheduleStorage(RunsDirectory(runs_dir)))
    runs: Sequence[RunSpec] = proposer.ask()
    assert proposer.notices() == []
    for run in runs[:2]:
        proposer.tell(run.run_id, worth(run))
    (line,) = proposer.notices()
    assert line.startswith("skirmish/3m cadp_qmix α=")
    assert line.endswith("(point 1 of 3)")


def _with_search(plan: Plan, search) -> Plan:
    profile = plan.profile.model_copy(update={"search": search})
    return expand(plan.study.model_copy(update={"profiles": {"tiny": profile}}))
