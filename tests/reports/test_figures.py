"""Drawings: text stays as it is, and what is told of them is what they show."""

from dataclasses import replace

import synthetic_study as made_up

from reports.analysis import analyse
from reports.data import History, ReportData, RunView
from reports.figures.compose import draw
from reports.figures.style import drawing_style
from reports.figures.transition import transition
from reports.measures import WIN_RATE
from reports.series import series_keys
from suite.runs.modes import CENTRALISED


def study() -> ReportData:
    return made_up.study(arms=("qmix", "cadp_qmix"), n_seeds=3, n_points=20)


def drawings(data: ReportData) -> str:
    (scenario,) = draw(analyse(data), None).scenarios
    return " ".join(one.svg for one in (*scenario.panels, *scenario.transitions))


def test_numbers_in_names_keep_their_digits() -> None:
    data = study()
    runs = [replace(run, point="α=0.0001") if run.framework == "cadp" else run for run in data.runs]
    assert "cadp_qmix [α=0.0001] (C), n=3" in drawings(made_up.with_runs(data, runs))


def test_names_are_neither_formulas_nor_code() -> None:
    data = study()
    name = 'a$^2$ url(#x) "#010203" <b>'
    runs = [replace(run, arm=name) if run.arm == "qmix" else run for run in data.runs]
    assert 'a$^2$ url(#x) "#010203" &lt;b&gt;' in drawings(made_up.with_runs(data, runs))


def test_what_is_told_at_t_is_of_one_test() -> None:
    """Self-attention is first measured at the first update, so its history starts later."""

    def later(run: RunView) -> RunView:
        key = "train/self_attention"
        if key not in run.histories:
            return run
        history = run.histories[key]
        kept = History(history.steps[4:], history.values[4:])
        return replace(run, histories={**run.histories, key: kept})

    data = study()
    cut = made_up.with_runs(data, [later(run) for run in data.runs])
    key = next(k for k in series_keys(data, "skirmish/3m") if k.mode == CENTRALISED)
    with drawing_style():
        whole, late = (transition(one, key, WIN_RATE, "t", "title") for one in (data, cut))
    assert "self-attention 0.33. At the end" in whole.caption
    assert late.caption == whole.caption
