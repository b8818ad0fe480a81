"""What a search found, against calculations by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest
import synthetic_search as made

from reports.analysis import analyse
from reports.data import History, ReportData
from reports.evidence import weigh
from reports.quantities import Quantity
from reports.statistics.pareto import front
from reports.sweep import SearchResult, evaluate_searches, shown_of
from suite.study.objectives import OBJECTIVES

FIVE = made.random_points(5)


def result(data: ReportData) -> SearchResult:
    (found,) = evaluate_searches(weigh(data))
    return found


def with_point(data: ReportData, number: int, **changes: object) -> ReportData:
    """The same sweep with another view of one point."""
    (view,) = data.searches
    points = [replace(p, **changes) if p.number == number else p for p in view.points]
    return replace(data, searches=(replace(view, points=tuple(points)),))


def finals(run: object, mode: str) -> float:
    """Mean of the tests after 90 % of 100,000 steps, in percent."""
    history = run.histories[f"test/win_rate/{mode}"]  # type: ignore[attr-defined]
    return 100 * float(np.mean(history.values[history.steps > 90_000]))


def test_a_point_is_worth_the_mean_over_its_seeds() -> None:
    view, runs = made.search(FIVE, seeds=(101, 102, 103))
    found = result(made.sweep((view, runs)))
    own = [finals(run, "decentralised") for run in runs[3:6]]
    worth = found.points[1].worths[0]
    assert worth.by_seed == pytest.approx(dict(zip((101, 102, 103), own, strict=True)))
    assert worth.estimate is not None
    assert worth.estimate.mean == pytest.approx(sum(own) / 3)
    half = 4.302653 * np.std(own, ddof=1) / math.sqrt(3)  # Student's t, two degrees of freedom
    assert worth.estimate.high == pytest.approx(min(100.0, sum(own) / 3 + half), rel=1e-6)


def test_the_gap_is_watched_where_the_arm_has_both_modes() -> None:
    view, runs = made.search(FIVE, seeds=(101,))
    found = result(made.sweep((view, runs)))
    assert [one.short for one in found.quantities] == ["final win rate", "mode gap"]
    assert len(found.objectives) == 1
    gap = finals(runs[0], "centralised") - finals(runs[0], "decentralised")
    assert found.points[0].worths[1].by_seed == {101: pytest.approx(gap)}
    plain = made.search(FIVE, arm="qmix")
    assert [q.short for q in result(made.sweep(plain)).quantities] == ["final win rate"]


def test_core_hours_stay_hours() -> None:
    quantity = Quantity(OBJECTIVES["core_hours"])
    (run, *_) = made.search(FIVE)[1]
    assert quantity.of_run(run) == pytest.approx(60 / 3600)
    assert quantity.of_run(replace(run, elapsed_seconds=None)) is None
    assert (quantity.unit, quantity.write(0.016667)) == ("hours", "0.0167")
    assert quantity.better(2.0) < quantity.better(1.0)


def test_the_best_the_median_and_the_worst() -> None:
    found = result(made.sweep(made.search(FIVE)))
    means = [point.mean() for point in found.points]
    order = sorted(range(5), key=lambda i: -means[i])
    assert [point.view.number for point in found.ranked] == order
    assert found.best is found.points[order[0]]
    roles = {role: point.view.number for role, point in found.typical.items()}
    assert roles == {"best": order[0], "median": order[2], "worst": order[4]}
    assert list(roles) == ["best", "median", "worst"]


@pytest.mark.parametrize(("n", "roles"), [(0, []), (1, ["best"]), (2, ["best", "worst"])])
def test_of_few_points_there_are_fewer_roles(n: int, roles: list[str]) -> None:
    view, runs = made.search(FIVE[: max(n, 1)])
    view = replace(view, points=view.points[:n])
    assert list(result(made.sweep((view, runs))).typical) == roles


def test_points_that_train_the_same_runs_are_ranked_once() -> None:
    data = made.sweep(made.search(FIVE))
    copy = replace(data.searches[0].points[2], number=5)
    view = replace(data.searches[0], points=(*data.searches[0].points, copy))
    found = result(replace(data, searches=(view,)))
    assert len(found.complete) == 6
    assert sorted(point.view.number for point in found.ranked) == [0, 1, 2, 3, 4]


def test_a_point_with_a_run_that_is_no_evidence_has_no_value() -> None:
    view, runs = made.search(FIVE)
    key = "test/win_rate/decentralised"
    odd = runs[4].histories[key]
    broken = {**runs[4].histories, key: History(odd.steps, odd.values + 2)}
    runs[4] = replace(runs[4], histories=broken)
    found = result(made.sweep((view, runs)))
    assert [point.state for point in found.points] == ["complete", "left out"] + ["complete"] * 3
    assert set(found.points[1].worths[0].by_seed) == {101, 103}
    assert 1 not in {point.view.number for point in found.ranked}


def test_states_are_counted_and_core_hours_added() -> None:
    data = made.sweep(made.search(FIVE, seeds=(101, 102)))
    data = with_point(data, 0, state="failed", reason="diverged")
    data = with_point(data, 3, state="refused", run_ids=())
    found = result(data)
    assert found.counts == {"complete": 3, "failed": 1, "refused": 1}
    assert found.core_hours == pytest.approx(2 * (60 + 61 + 62 + 64) / 3600)


def test_a_front_holds_what_none_beats() -> None:
    assert front([(1, 1), (2, 0), (0, 2), (1, 0), (1, 1)]) == [0, 1, 2, 4]
    assert front([(3, 3), (1, 2)]) == [0]
    assert front([]) == []


def test_the_front_of_a_search_knows_that_less_gap_is_better() -> None:
    def truth(point: made.Parameters) -> tuple[float, float]:
        return {0.1: (0.3, 0.3), 1.0: (0.6, 0.8), 10.0: (0.2, 0.9)}[float(str(point["alpha"]))]

    points = [{"alpha": a, "pruning_start_fraction": 0.5} for a in (0.1, 1.0, 10.0)]
    both = ("final_win_rate", "mode_gap")
    found = result(made.sweep(made.search(points, truth=truth, objectives=both, spread=0.01)))
    assert [point.view.number for point in found.front] == [1, 0]


def test_arms_that_are_not_searched_are_references() -> None:
    plain = [made.run("qmix", made.SCENARIO, 9, seed, (0.5, 0.5)) for seed in (101, 102, 103)]
    plain = [replace(run, point="", counterpart="") for run in plain]
    found = result(made.sweep(made.search(FIVE), references=plain))
    (reference,) = found.references
    assert reference.label == "qmix"
    assert reference.worths[0].estimate is not None
    mean = np.mean([finals(run, "decentralised") for run in plain])
    assert reference.worths[0].estimate.mean == pytest.approx(mean)
    assert reference.worths[1].estimate is None  # it has one way of acting


def test_a_map_is_drawn_over_two_ranges() -> None:
    assert result(made.sweep(made.search(FIVE))).plane == (made.START, made.ALPHA)
    alone = (made.HIDDEN, made.ALPHA)
    points = made.random_points(5, dimensions=alone)
    one_range = made.search(points, dimensions=alone, truth=lambda _: (0.5, 0.6))
    assert result(made.sweep(one_range)).plane is None


def test_of_an_explored_arm_three_points_are_shown_and_no_claim() -> None:
    data = made.sweep(made.search(made.random_points(9)))
    analysis = analyse(data)
    conditions = analysis.shown.conditions[made.SCENARIO]
    assert list(conditions) == [(made.ARM, role) for role in ("best", "median", "worst")]
    best = analysis.searches[0].best
    assert best is not None
    shown = tuple(run.run_id for run in conditions[made.ARM, "best"])
    assert shown == best.view.run_ids
    assert analysis.claims == ()
    assert len(data.claims) == 3
    assert len(analysis.data.runs) == 27  # records, failures and provenance are of all


def test_a_tuned_arm_is_judged_on_other_seeds_alone() -> None:
    rates = made.Dimension("learning_rate", "learning_rate", "float", 1e-4, 2e-3, log=True)
    plain = made.search(
        [{"learning_rate": 1e-3}], truth=lambda _: (0.2, 0.2), dimensions=(rates,), arm="qmix"
    )
    points = [{"alpha": 1.0, "pruning_start_fraction": 0.3}, *FIVE]
    data = made.tuned(
        made.search(points), plain, truth=lambda p: made.smooth(p) if "alpha" in p else (0.2, 0.2)
    )
    analysis = analyse(data)
    assert {run.seed for run in analysis.shown.runs} == {1, 2, 3, 4, 5}
    assert list(analysis.shown.conditions[made.SCENARIO]) == [(made.ARM, ""), ("qmix", "")]
    beats = analysis.claims[0]
    assert beats.contrasts[0].pairs.seeds == (1, 2, 3, 4, 5)
    assert beats.verdict == "reproduced"
    judged = analysis.searches[0].judged[0]
    assert set(judged.by_seed) == {1, 2, 3, 4, 5}
    assert {run.seed for runs in data.conditions[made.SCENARIO].values() for run in runs} == {
        1,
        2,
        3,
        4,
        5,
    }


def test_the_chosen_point_is_the_best_whatever_the_records_say_now() -> None:
    found = result(made.tuned(made.search(FIVE)))
    assert found.ranked[0].view.number != 0
    assert found.best is found.chosen is found.points[0]
    without = result(with_point(made.tuned(made.search(FIVE)), 0, state="failed"))
    assert without.best is without.ranked[0]


def test_looks_are_at_the_seeds_on_which_arms_are_judged() -> None:
    """Runs of the search are on other seeds, and their points are no trials that a look awaits."""
    data = replace(made.tuned(made.search(FIVE)), looks=((1, 2, 3), (1, 2, 3, 4, 5)))
    runs = [replace(run, status="missing") if run.seed == 103 else run for run in data.runs]
    analysis = analyse(replace(data, runs=tuple(runs)))
    assert (analysis.judgement.look, analysis.judgement.n_seeds) == (2, 5)
    assert len(analysis.data.runs) == len(data.runs)


def test_while_arms_are_tuned_no_claim_is_judged() -> None:
    data = made.tuned(made.search(FIVE))
    (view,) = data.searches
    going_on = replace(data, searches=(replace(view, chosen=None, judged=()),))
    assert analyse(going_on).claims == ()
    assert analyse(data).claims != ()


def test_a_profile_that_searches_nothing_is_shown_as_it_is() -> None:
    data = made.made_up.study(n_points=10)
    assert shown_of(data, ()) is data
