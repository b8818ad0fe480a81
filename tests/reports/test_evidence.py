"""Which finished runs count: every kind of doubt, what it must not touch, and where it is told."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
import synthetic_study as made_up

from reports.analysis import analyse
from reports.build import build_html
from reports.data import History, ReportData, RunView
from reports.evidence import left_out, weigh
from reports.reasons import reason
from suite.environments import backend_of

D, C = "test/win_rate/decentralised", "test/win_rate/centralised"
LOSS, UPDATES = "train/loss_td", "train/n_updates"
Change = Callable[[RunView], RunView]


def study(scenario: str = "skirmish/3m", n_seeds: int = 6) -> ReportData:
    made = made_up.study((scenario,), arms=("qmix", "cadp_qmix"), n_seeds=n_seeds, n_points=20)
    return made_up.with_runs(made, [replace(run, episode_limit=60) for run in made.runs])


def with_history(run: RunView, key: str, steps: np.ndarray, values: np.ndarray) -> RunView:
    return replace(run, histories={**run.histories, key: History(steps, values)})


def value(key: str, new: float, index: int = 3) -> Change:
    def change(run: RunView) -> RunView:
        history = run.histories[key]
        values = history.values.copy()
        values[index] = new
        return with_history(run, key, history.steps, values)

    return change


def step(new: float, index: int = 3) -> Change:
    """Another step of every test."""

    def change(run: RunView) -> RunView:
        for key, history in run.histories.items():
            if key.startswith("test/"):
                steps = history.steps.copy()
                steps[index] = new
                run = with_history(run, key, steps, history.values)
        return run

    return change


def only(chosen: Callable[[np.ndarray], np.ndarray]) -> Change:
    """Some of the points of every metric."""

    def change(run: RunView) -> RunView:
        for key, history in run.histories.items():
            run = with_history(run, key, chosen(history.steps), chosen(history.values))
        return run

    return change


def without(*keys: str) -> Change:
    def change(run: RunView) -> RunView:
        return replace(run, histories={k: h for k, h in run.histories.items() if k not in keys})

    return change


def added(key: str, value: float) -> Change:
    def change(run: RunView) -> RunView:
        steps = run.histories[D].steps
        return with_history(run, key, steps, np.full(len(steps), value))

    return change


def no_update(run: RunView) -> RunView:
    return added(UPDATES, 0.0)(run)


def episodes(count: Callable[[np.ndarray], np.ndarray]) -> Change:
    """`train/n_episodes` from the steps of the tests, the first of which follows a step."""

    def change(run: RunView) -> RunView:
        for key, history in run.histories.items():
            run = with_history(run, key, history.steps + 1, history.values)
        steps = run.histories[D].steps
        return with_history(run, "train/n_episodes", steps, count(steps))

    return change


def plausible(steps: np.ndarray) -> np.ndarray:
    return np.ceil(steps / 40)


def many_updates(run: RunView) -> RunView:
    run = episodes(plausible)(run)
    updates = run.histories[UPDATES]
    return with_history(run, UPDATES, updates.steps, updates.values * 1e3)


def fewer(key: str, first: int) -> Change:
    """Only the points before number `first` of one metric."""

    def change(run: RunView) -> RunView:
        run = episodes(plausible)(run)
        history = run.histories[key]
        return with_history(run, key, history.steps[:first], history.values[:first])

    return change


def inserted(steps: Sequence[float], index: int) -> Change:
    """More points of every metric before number `index`, values as in its first."""

    def change(run: RunView) -> RunView:
        for key, history in run.histories.items():
            at = index if index <= len(history.steps) else len(history.steps)
            more = np.insert(history.steps, at, steps)
            values = np.insert(history.values, at, [history.values[at - 1]] * len(steps))
            run = with_history(run, key, more, values)
        return run

    return change


def before_updates_were_counted(run: RunView) -> RunView:
    loss = run.histories[LOSS]
    run = with_history(run, LOSS, np.delete(loss.steps, 5), np.delete(loss.values, 5))
    return without(UPDATES)(run)


def changed(data: ReportData, change: Change, *indices: int) -> ReportData:
    runs = [change(run) if i in indices else run for i, run in enumerate(data.runs)]
    return made_up.with_runs(data, runs)


DOUBTS: Sequence[tuple[Change, str, str]] = [
    (value(C, np.nan), "values that are not finite", "1 value of test/win_rate/centralised"),
    (value(C, np.inf), "values that are not finite", "1 value of test/win_rate/centralised"),
    (value(LOSS, np.nan), "values that are not finite", "1 value of train/loss_td"),
    (value(D, 2.0), "values out of range", "test/win_rate/decentralised is 2, possible is 0 to 1"),
    (value(C, -0.1), "values out of range", "is -0.1, possible is 0 to 1"),
    (value(LOSS, -1.0), "values out of range", "train/loss_td is -1, possible is at least 0"),
    (added("test/episode_length/centralised", -5.0), "values out of range", "is -5"),
    (added("test/episode_length/centralised", 61.0), "values out of range", "possible is 1 to 60"),
    (value("train/self_attention", 1.1), "values out of range", "train/self_attention is 1.1"),
    (step(-1.0, 0), "impossible steps", "step -1, possible are 0 to 1,000,060"),
    (step(1_000_061.0, -1), "impossible steps", "step 1,000,061, possible are 0 to 1,000,060"),
    (step(1e300, -1), "impossible steps", "possible are 0 to 1,000,060"),
    (step(1.0), "impossible steps", "steps do not ascend"),
    (step(np.nan), "impossible steps", "steps do not ascend"),
    (step(50_000.0, 2), "impossible steps", "steps do not ascend"),
    (only(lambda points: points[:-1]), "missing tests", "the last at step 950,0"),
    (only(lambda points: points[-1:]), "missing tests", "none between steps 0 and 1,000,0"),
    (only(lambda points: points[:1]), "missing tests", "of 1,000,000"),
    (only(lambda points: np.delete(points, [3, 4])), "missing tests", "though due every 50,000"),
    (without(C), "incomplete records", "no test win rate acting centralised"),
    (without(C, D), "incomplete records", "acting centralised and decentralised"),
    (no_update, "no update of the networks", "train/n_updates stays 0"),
    (without(LOSS, UPDATES), "no update of the networks", "neither train/n_updates nor a finite"),
    (lambda run: replace(run, histories={}), "incomplete records", "acting centralised and"),
    (inserted([1_000_100.0, 1_000_101.0], 99), "surplus tests", "though due every 50,000"),
    (inserted([1_000_100.0], 99), "surplus tests", "of 1,000,000, which ended the training"),
    (inserted([120_000.0], 3), "surplus tests", "and 120,000, though due every 50,000"),
    (value(C, 0.37), "impossible win rates", "is 0.37, of 32 episodes a test"),
    (added("train/epsilon", 7.0), "values out of range", "train/epsilon is 7, possible is 0 to 1"),
    (added("train/epsilon", -0.1), "values out of range", "train/epsilon is -0.1"),
    (added("train/loss_pruning", -5.0), "values out of range", "train/loss_pruning is -5"),
    (added("train/n_episodes", 0.0), "values out of range", "train/n_episodes is 0"),
    (added("train/n_episodes", 30.0), "impossible counts", "train/n_episodes does not ascend"),
    (episodes(lambda steps: steps + 1), "impossible counts", "is more than steps were taken"),
    (episodes(lambda steps: np.ceil(steps / 70)), "impossible counts", "too few for the steps"),
    (value(UPDATES, 1e7), "impossible counts", "train/n_updates falls"),
    (many_updates, "impossible counts", "train/n_updates is more than train/n_episodes"),
    (fewer(UPDATES, 5), "impossible counts", "train/n_updates not recorded at every test"),
    (fewer("train/n_episodes", 5), "impossible counts", "train/n_episodes not recorded at every"),
    (fewer(LOSS, 8), "missing losses", "no train/loss_td at step "),
    (without(LOSS), "missing losses", "no train/loss_td at step "),
    (before_updates_were_counted, "missing losses", "no train/loss_td at step "),
]


def test_counts_as_training_writes_them_are_no_doubt() -> None:
    """Also ε, and where no update was made before the first tests."""

    def counted(run: RunView) -> RunView:
        run = added("train/loss_pruning", -1e-8)(
            added("train/epsilon", 0.05)(episodes(plausible)(run))
        )
        updates = run.histories[UPDATES].values.copy()
        updates[:3] = 0.0
        loss = run.histories[LOSS]
        run = with_history(run, LOSS, loss.steps[2:], loss.values[2:])
        return with_history(run, UPDATES, run.histories[UPDATES].steps, updates)

    data = study()
    assert left_out(weigh(changed(data, counted, *range(len(data.runs))))) == []


@pytest.mark.parametrize(("change", "kind", "detail"), DOUBTS)
def test_a_doubtful_run_is_left_out_whole_and_named(change: Change, kind: str, detail: str) -> None:
    data = study()
    index = next(i for i, run in enumerate(data.runs) if run.arm == "cadp_qmix")
    odd = changed(data, change, index)
    run = odd.runs[index]
    doubts = weigh(odd).runs[index].doubts
    assert any(d.kind == kind and detail in d.detail for d in doubts), doubts
    analysis = analyse(odd)
    assert [one.run_id for one in analysis.left_out] == [run.run_id]
    for result in analysis.results:
        assert run.seed not in result.finals or result.key.arm == "qmix"
    for claim in analysis.claims:
        assert all(run.seed not in contrast.pairs.seeds for contrast in claim.contrasts)
        assert run.run_id in reason(claim)
    page = build_html(odd, None)
    assert kind in page
    assert page.count(run.run_id) >= 2
    # The rest of the numbers are those of a study in which the run was never trained.
    never = changed(odd, lambda r: replace(r, status="missing", histories={}), index)
    estimates = [[r.estimate for r in analyse(d).results] for d in (odd, never)]
    assert estimates[0] == estimates[1]


def test_nothing_of_a_sound_study_is_left_out() -> None:
    data = study()
    assert weigh(data) == data
    assert left_out(weigh(data)) == []


def test_weighing_twice_changes_nothing() -> None:
    once = weigh(changed(study(), value(D, 2.0), 0))
    assert [run.status for run in weigh(once).runs] == [run.status for run in once.runs]
    assert [run.doubts for run in weigh(once).runs] == [run.doubts for run in once.runs]


def test_runs_that_did_not_finish_are_not_weighed() -> None:
    data = changed(study(), lambda r: replace(r, status="failed", histories={}), 0)
    data = changed(data, lambda r: replace(value(D, 2.0)(r), status="unfinished"), 1)
    assert [run.status for run in weigh(data).runs[:2]] == ["failed", "unfinished"]


def test_records_from_before_updates_were_counted_tell_by_the_loss() -> None:
    data = study()
    before = changed(data, without(UPDATES), *range(len(data.runs)))
    assert left_out(weigh(before)) == []


def test_networks_that_never_worked_prove_nothing() -> None:
    """0 % against 0 % in every seed, because every loss is NaN: not "C equals D"."""

    def ruined(run: RunView) -> RunView:
        for key, history in run.histories.items():
            worth = np.nan if key == LOSS else 0.0
            if key.startswith("test/") or key == LOSS:
                run = with_history(run, key, history.steps, np.full(len(history.steps), worth))
        return run

    data = study()
    analysis = analyse(changed(data, ruined, *range(len(data.runs))))
    assert {claim.verdict for claim in analysis.claims} == {"undecided"}
    assert all(result.estimate is None for result in analysis.results)


def test_six_seeds_with_one_history_are_no_six_samples() -> None:
    data = study()
    first = next(run for run in data.runs if run.arm == "cadp_qmix")
    same = [
        replace(run, histories=first.histories) if run.arm == "cadp_qmix" else run
        for run in data.runs
    ]
    analysis = analyse(made_up.with_runs(data, same))
    assert len(analysis.left_out) == 6
    assert all(not r.per_run for r in analysis.results if r.key.arm == "cadp_qmix")
    assert {claim.verdict for claim in analysis.claims} == {"undecided"}
    detail = analysis.left_out[0].doubts[0].detail
    assert detail.startswith("the same as cadp_qmix seed 1 (")
    assert detail.endswith("and 2 more runs")


def test_a_history_under_another_arms_name_counts_for_neither() -> None:
    """Also where the arms record different metrics: what both have is the same."""
    data = study()
    plain, pruned = data.runs[0], data.runs[6]
    copied = {key: h for key, h in pruned.histories.items() if key in plain.histories}
    runs = [replace(plain, histories=copied), *data.runs[1:]]
    assert [run.run_id for run in left_out(weigh(made_up.with_runs(data, runs)))] == [
        plain.run_id,
        pruned.run_id,
    ]


def test_solved_in_every_test_is_no_identical_history() -> None:
    """A matrix game may be solved by every seed in every test; the losses still differ."""
    data = study("matrix/two_step")

    def solved(run: RunView) -> RunView:
        steps = np.arange(21) * 50_000.0 + 2
        for key, history in run.histories.items():
            best = 8.0 if "return" in key else 1.0
            values = np.full(21, best) if key.startswith("test/") else history.values
            run = with_history(run, key, steps[-len(values) :], values)
        return replace(run, return_bounds=(0.0, 8.0))

    equal = changed(data, solved, *range(len(data.runs)))
    assert left_out(weigh(equal)) == []
    assert {r.estimate.n for r in analyse(equal).results} == {6}


def test_points_of_one_arm_and_seed_may_agree() -> None:
    """α changes nothing where pruning never starts; other seeds must differ all the same."""
    data = study()
    pruned = [run for run in data.runs if run.arm == "cadp_qmix"]
    points = [
        replace(run, point=point, run_id=f"{run.run_id[:-1]}{i}")
        for i, point in enumerate(("α=0.1", "α=0.5"))
        for run in pruned
    ]
    assert left_out(weigh(made_up.with_runs(data, points))) == []
    points[1] = replace(points[1], histories=points[0].histories)
    assert len(left_out(weigh(made_up.with_runs(data, points)))) == 3


def test_returns_beyond_a_games_optimum_are_out_of_range() -> None:
    data = study("matrix/two_step")
    bounded = changed(data, lambda r: replace(r, return_bounds=(0.0, 8.0)), 0)
    assert "possible is 0 to 8" in weigh(bounded).runs[0].doubts[0].detail


def test_a_damaged_history_is_told_and_not_computed_with() -> None:
    def cut(run: RunView) -> RunView:
        history = run.histories[D]
        return with_history(run, D, history.steps, history.values[:-1])

    odd = changed(study(), cut, 0)
    assert "not as many values as steps" in weigh(odd).runs[0].doubts[0].detail
    assert "not as many values as steps" in build_html(odd, None)


def test_modes_tested_at_different_steps_are_told() -> None:
    def moved(run: RunView) -> RunView:
        history = run.histories[C]
        return with_history(run, C, history.steps + 1, history.values)

    data = study()
    doubts = weigh(changed(data, moved, 6)).runs[6].doubts
    assert "test/win_rate/centralised: tested at other steps" in doubts[0].detail


def test_curves_do_not_show_what_was_left_out() -> None:
    data = study(n_seeds=3)
    odd = changed(
        data, only(lambda points: points[-1:]), 0
    )  # would cut every mean curve to one point
    page = build_html(odd, None)
    assert "qmix, n=2" in page
    assert "that not every seed reached" not in page


def twins(data: ReportData, copy: Callable[[RunView, RunView], RunView]) -> ReportData:
    """The study in which the second seed of the first arm is made from the first."""
    first, second, *others = data.runs
    return made_up.with_runs(data, [first, copy(first, second), *others])


def with_values(run: RunView, other: RunView, phase: str) -> RunView:
    """The run with what another measured in metrics of this beginning."""
    for key, history in run.histories.items():
        if key.startswith(phase):
            run = with_history(run, key, history.steps, other.histories[key].values)
    return run


def with_losses_off(run: RunView, by: float) -> RunView:
    loss = run.histories[LOSS]
    return with_history(run, LOSS, loss.steps, loss.values + by)


@pytest.mark.parametrize(
    "copy",
    [
        lambda first, _: with_losses_off(first, 1e-9),
        lambda first, second: with_values(first, second, LOSS),
        lambda first, second: with_values(second, first, LOSS),
        lambda first, _: value(D, 0.25)(first),
        lambda first, _: only(lambda points: points + (points > 1) * 1e-9)(first),
    ],
    ids=["losses a bit off", "tests alone", "losses alone", "one other test", "all a bit off"],
)
def test_a_copy_is_known_by_its_tests_and_by_its_losses(
    copy: Callable[[RunView, RunView], RunView],
) -> None:
    def copied(first: RunView, second: RunView) -> RunView:
        return replace(second, histories=copy(first, second).histories)

    odd = twins(study(), copied)
    assert [run.run_id for run in left_out(weigh(odd))] == [run.run_id for run in odd.runs[:2]]


def ablation(data: ReportData, **changes: str) -> ReportData:
    """The study with a second arm that measured what the first one did."""
    first = [run for run in data.runs if run.arm == "qmix"]
    again = [
        replace(run, arm="qmix_loose", run_id=f"{run.run_id[:-4]}{i:04}", **changes)
        for i, run in enumerate(first)
    ]
    return made_up.with_runs(data, [*data.runs, *again])


def test_a_setting_may_change_nothing_and_the_page_says_so() -> None:
    data = ablation(study())
    assert left_out(weigh(data)) == []
    words = "qmix, qmix_loose measured the same with the same seed: the settings in which they"
    assert words in build_html(data, None)
    assert "measured the same with the same seed" not in build_html(study(), None)


@pytest.mark.parametrize("changes", [{"backbone": "vdn"}, {"framework": "other"}])
def test_another_algorithm_cannot_have_measured_the_same(changes: dict[str, str]) -> None:
    assert len(left_out(weigh(ablation(study(), **changes)))) == 12


def test_tests_with_few_results_prove_no_copy() -> None:
    """Losing every battle, or one of a matrix game's few outcomes."""
    data = study()

    def beaten(run: RunView) -> RunView:
        for key, history in run.histories.items():
            if key.startswith("test/"):
                run = with_history(run, key, history.steps, np.zeros(len(history.steps)))
        return run

    assert left_out(weigh(changed(data, beaten, *range(len(data.runs))))) == []
    game = study("matrix/climbing")
    agreeing = twins(game, lambda first, second: with_values(second, first, "test/"))
    assert left_out(weigh(agreeing)) == []


def test_tests_before_the_first_updates_prove_no_copy() -> None:
    """All arms of a seed start from the same weights and are tested on the same battles."""

    def late(run: RunView) -> RunView:
        updates, loss = run.histories[UPDATES], run.histories[LOSS]
        values = np.where(np.arange(21) < 19, 0.0, updates.values)
        run = with_history(run, LOSS, loss.steps[-2:], loss.values[-2:])
        return with_history(run, UPDATES, updates.steps, values)

    data = twins(study(), lambda first, second: with_values(second, first, "test/"))
    assert len(left_out(weigh(data))) == 2
    assert left_out(weigh(changed(data, late, 0, 1))) == []


def test_few_losses_are_compared_with_all_their_digits() -> None:
    def short(run: RunView) -> RunView:
        loss = run.histories[LOSS]
        return without(UPDATES)(with_history(run, LOSS, loss.steps[-2:], loss.values[-2:]))

    data = changed(study(), short, 0, 1)
    first = data.runs[0].histories[LOSS].values

    def close(by: float) -> ReportData:
        return twins(
            data, lambda _, run: with_history(run, LOSS, run.histories[LOSS].steps, first + by)
        )

    assert left_out(weigh(close(1e-9))) == []
    assert len(left_out(weigh(close(0.0)))) == 2


def test_a_skirmish_pays_twenty_at_most_where_no_life_grows_again() -> None:
    bounds = {
        name: backend_of(f"skirmish/{name}").return_bounds(name)
        for name in ("3m", "2s3z", "MMM", "2m_vs_1z")
    }
    assert {name: low for name, (low, _) in bounds.items()} == dict.fromkeys(bounds, 0.0)
    assert bounds["3m"][1] == pytest.approx(20, rel=1e-6)
    assert {name for name, (_, high) in bounds.items() if high == np.inf} == {
        "2s3z",
        "MMM",
        "2m_vs_1z",
    }
