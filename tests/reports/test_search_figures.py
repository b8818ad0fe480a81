"""Figures of searches: what is told of them is what they show."""

from dataclasses import replace

import numpy as np
import pytest
import synthetic_search as made

from reports.data import ReportData
from reports.evidence import weigh
from reports.figures.dimensions import place, spread
from reports.figures.heatmap import cell_edges, cells
from reports.figures.history import best_so_far
from reports.figures.searches import SearchFigures, draw_search
from reports.figures.style import drawing_style
from reports.quantities import Quantity
from reports.sweep import SearchResult, evaluate_searches
from suite.study.dimensions import Dimension
from suite.study.objectives import OBJECTIVES

ALL = (made.ALPHA, made.START, made.HIDDEN)


def result(data: ReportData) -> SearchResult:
    (found,) = evaluate_searches(weigh(data))
    return found


def drawn(search: SearchResult) -> SearchFigures:
    with drawing_style():
        return draw_search(search, "q0")


def some(n: int = 12, **changes: object) -> SearchResult:
    points = made.random_points(n, dimensions=ALL)
    return result(made.sweep(made.search(points, dimensions=ALL, **changes)))  # type: ignore[arg-type]


def test_a_search_has_a_slice_for_each_dimension_and_maps_of_every_quantity() -> None:
    figures = drawn(some())
    assert [one.identifier for one in figures.slices] == ["q0-s0-0", "q0-s0-1", "q0-s0-2"]
    assert [one.identifier for one in figures.maps] == ["q0-m0", "q0-m1"]
    assert (len(figures.histories), len(figures.importances)) == (1, 1)
    assert figures.front is None


def test_a_slice_tells_every_point_and_names_the_best() -> None:
    search = some()
    along = drawn(search).slices[0]
    for point in search.complete:
        assert f"{point.words}: {point.worths[0].text}" in along.svg.replace("&#x27;", "'")
    assert "best point" in along.svg
    assert "12 points with 95 % interval over seeds" in along.caption


def test_a_slice_leaves_out_points_at_which_its_dimension_has_no_effect() -> None:
    view, runs = made.search(made.random_points(12))
    points = [
        replace(p, parameters={"alpha": p.parameters["alpha"]}) if p.number < 3 else p
        for p in view.points
    ]
    search = result(made.sweep((replace(view, points=tuple(points)), runs)))
    along = drawn(search).slices
    assert "12 points" in along[0].caption
    assert "9 points" in along[1].caption
    assert "Without 3 points at which T/steps has no effect." in along[1].caption


def test_references_are_lines_of_slices_and_history() -> None:
    plain = [made.run("qmix", made.SCENARIO, 9, seed, (0.5, 0.5)) for seed in (101, 102, 103)]
    plain = [replace(run, point="", counterpart="") for run in plain]
    data = made.sweep(made.search(made.random_points(6)), references=plain)
    figures = drawn(result(data))
    for one in (*figures.slices, *figures.histories):
        assert "qmix, n=3" in one.svg


def test_the_history_marks_points_without_a_value() -> None:
    view, runs = made.search(made.random_points(6))
    states = {1: "failed", 2: "pruned", 4: "running"}
    points = [replace(p, state=states.get(p.number, p.state)) for p in view.points]
    (found,) = drawn(result(made.sweep((replace(view, points=tuple(points)), runs)))).histories
    for word in states.values():
        assert f">{word}<" in found.svg
    assert "1: failed; 2: pruned" in found.svg
    assert "3 complete points" in found.caption
    assert "On the lower edge" in found.caption


def test_the_best_so_far_never_gets_worse() -> None:
    win_rate, gap = (Quantity(OBJECTIVES[name]) for name in ("final_win_rate", "mode_gap"))
    assert best_so_far([2, 1, 3, 2], win_rate) == [2, 2, 3, 3]
    assert best_so_far([2, 1, 3, 2], gap) == [2, 1, 1, 1]


def test_a_search_without_an_ended_point_has_no_figures() -> None:
    view, runs = made.search(made.random_points(2))
    points = tuple(replace(p, state="running") for p in view.points)
    figures = drawn(result(made.sweep((replace(view, points=points), runs))))
    assert figures == SearchFigures(None, (), (), (), ())


def test_two_objectives_have_a_front() -> None:
    figures = drawn(some(objectives=("final_win_rate", "mode_gap")))
    assert figures.front is not None
    assert "that no other beats in both" in figures.front.caption
    assert [one.identifier for one in figures.histories] == ["q0-h0", "q0-h1"]
    assert len(figures.slices) == 6


def test_cells_are_equally_wide_on_the_scale_of_their_range() -> None:
    assert cell_edges(made.ALPHA, 9) == pytest.approx([0.01, 0.1, 1, 10])
    assert cell_edges(made.START, 16) == pytest.approx([0.2, 0.35, 0.5, 0.65, 0.8])
    assert len(cell_edges(made.START, 400)) == 6
    assert len(cell_edges(made.START, 1)) == 3


def test_a_cell_per_value_where_there_are_few() -> None:
    steps = Dimension("start", "T", "float", 0.2, 0.8, step=0.2)
    assert cell_edges(steps, 9) == pytest.approx([0.1, 0.3, 0.5, 0.7, 0.9])


def test_a_cell_is_the_mean_of_its_points_and_its_interval_over_seeds() -> None:
    inside = [
        {"alpha": 0.02, "pruning_start_fraction": 0.3},
        {"alpha": 0.05, "pruning_start_fraction": 0.25},
    ]
    outside = [{"alpha": 9.0, "pruning_start_fraction": 0.7}]
    search = result(made.sweep(made.search([*inside, *outside], seeds=(101, 102))))
    plane = (made.START, made.ALPHA)
    found = cells(search.complete, plane, [cell_edges(one, 4) for one in plane], 0)
    assert [(cell.column, cell.row, len(cell.points)) for cell in found] == [(0, 0, 2), (1, 1, 1)]
    first, second = (point.worths[0].by_seed for point in search.points[:2])
    over_seeds = [(first[seed] + second[seed]) / 2 for seed in (101, 102)]
    assert found[0].estimate.mean == pytest.approx(np.mean(over_seeds))
    assert found[0].estimate.n == 2
    half = 12.7062 * np.std(over_seeds, ddof=1) / np.sqrt(2)  # t, one degree of freedom
    assert found[0].estimate.high == pytest.approx(np.mean(over_seeds) + half, rel=1e-4)


def test_a_value_on_the_upper_end_lies_in_the_last_cell() -> None:
    ends = [{"alpha": 10.0, "pruning_start_fraction": 0.8}]
    search = result(made.sweep(made.search(ends)))
    plane = (made.START, made.ALPHA)
    (cell,) = cells(search.complete, plane, [cell_edges(one, 9) for one in plane], 0)
    assert (cell.column, cell.row) == (2, 2)


def test_choices_stand_side_by_side() -> None:
    assert [place(made.HIDDEN, value) for value in (32, 64, 128)] == [0, 1, 2]
    assert spread([0, 1, 1]) == pytest.approx([0, 0.825, 1.175])


def test_importance_names_its_evaluator_and_its_chance() -> None:
    (bars,) = drawn(some(20)).importances
    assert bars.caption.startswith("PED-ANOVA: ")
    assert "chance up to" in bars.caption
    assert drawn(some(9)).importances == ()


@pytest.mark.parametrize("low", [1.0, 3.0])
def test_a_narrow_logarithmic_range_still_has_ticks(low: float) -> None:
    narrow = Dimension("alpha", "α", "float", low, 2 * low, log=True)
    points = [{"alpha": low * f, "pruning_start_fraction": 0.5} for f in (1.1, 1.5, 1.9)]
    search = result(made.sweep(made.search(points, dimensions=(narrow, made.START))))
    along = drawn(search).slices[0]
    for tick in (low, low * 2**0.5, 2 * low):
        assert f">{tick:.3g}<" in along.svg
