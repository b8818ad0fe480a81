"""What methods and backends declare is what a report does with them, whatever they are called."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import synthetic_study as made_up

from reports import measures
from reports.analysis import analyse
from reports.build import build_html
from reports.data import ClaimView, History, MethodView, Moment, ReportData, RunView
from reports.evidence import left_out, weigh
from reports.figures import style
from reports.figures.compose import MOST_LINES, ScenarioFigures, draw
from reports.figures.learning_curves import Drawing
from reports.figures.paper_panel import paper_panels
from reports.html import words
from reports.reference import load_reference
from reports.series import series_keys
from suite.algorithms.declaration import TrainingMetric
from suite.environments.backend import Backend
from suite.runs.metrics import EPISODE_LENGTH, RETURN
from suite.runs.modes import CENTRALISED, DECENTRALISED, TEACHER, ExecutionMode

PAPER = Path(__file__).resolve().parents[2] / "reference_results" / "paper"
ADVISERS = tuple(
    ExecutionMode(f"advisers_{k}", f"{k}", f"with the {k} most attended advisers") for k in (2, 1)
)
LOSS = TrainingMetric("loss_td", "TD loss", low=0.0, kind="loss")
BEST_OF_K = MethodView(
    "Advice of k",
    "QMIX",
    (CENTRALISED, *ADVISERS, DECENTRALISED),
    published_as="CADP",
    metrics=(LOSS, TrainingMetric("reliance", "reliance", 0.0, 2.0, is_watched=True)),
)
TEACHING = MethodView("A teacher", "QMIX", (TEACHER, DECENTRALISED), "CTDS", (LOSS,))


def retold(
    run: RunView, arm: str, framework: str, method: MethodView, backbone: str = "qmix"
) -> RunView:
    """A made-up run of CADP as if another method had trained it: modes share C and D evenly."""
    c, d = (run.histories[f"test/win_rate/{mode.name}"] for mode in (CENTRALISED, DECENTRALISED))
    kept = {k: h for k, h in run.histories.items() if k.startswith("train/loss")}
    kept["train/n_updates"] = run.histories["train/n_updates"]
    for mode, share in zip(method.modes, np.linspace(1, 0, len(method.modes)), strict=True):
        rates = np.rint(32 * (share * c.values + (1 - share) * d.values)) / 32
        kept[f"test/win_rate/{mode.name}"] = History(c.steps, rates)
        kept[f"test/return/{mode.name}"] = History(c.steps, 20 * rates + 0.01 * share)
    kept["train/reliance"] = History(c.steps, np.linspace(2, 0, len(c.steps)))
    return replace(
        run,
        run_id=f"{made_up.hash_text(f'{run.run_id}{arm}'):016x}",
        arm=arm,
        framework=framework,
        backbone=backbone,
        method=method,
        histories=kept,
    )


def study(methods: Mapping[str, MethodView], n_seeds: int = 3) -> ReportData:
    """QMIX, and an arm for each method, named and with a framework like its key."""
    scenario = "skirmish/5m_vs_6m"
    plain = made_up.study((scenario,), arms=("qmix",), n_seeds=n_seeds, n_points=20)
    runs = [
        retold(made_up.run(scenario, "cadp_qmix", 100 * i + seed, n_points=20), arm, arm, method)
        for i, (arm, method) in enumerate(methods.items())
        for seed in range(n_seeds)
    ]
    runs = [replace(run, seed=run.seed % 100) for run in runs]
    return replace(made_up.with_runs(plain, [*plain.runs, *runs]), claims=())


def figures(data: ReportData) -> ScenarioFigures:
    (found,) = draw(analyse(data), load_reference(PAPER)).scenarios
    return found


@pytest.fixture(scope="module")
def advised() -> ReportData:
    return study({"advised": BEST_OF_K})


def test_every_mode_is_a_series_with_its_letter_in_the_declared_order(advised: ReportData) -> None:
    labels = [key.label for key in series_keys(advised, "skirmish/5m_vs_6m")]
    assert labels == ["qmix", "advised (C)", "advised (2)", "advised (1)", "advised (D)"]
    assert left_out(weigh(advised)) == []
    (panel,) = figures(advised).panels
    assert all(f"{label}, n=3" in panel.svg for label in labels)


def test_a_record_without_one_of_the_modes_is_incomplete(advised: ReportData) -> None:
    run = advised.runs[-1]
    key = "test/win_rate/advisers_1"
    less = replace(run, histories={k: h for k, h in run.histories.items() if k != key})
    (doubtful,) = left_out(weigh(made_up.with_runs(advised, [*advised.runs[:-1], less])))
    assert doubtful.doubts[0].detail == "no test win rate acting advisers_1"


def test_the_way_from_the_first_mode_to_the_last_is_a_curve(advised: ReportData) -> None:
    """Of arms with more than two modes only; its means are those of the table."""
    (drawing,) = figures(advised).modes
    rows = [one for one in analyse(advised).results if one.key.arm == "advised"]
    means = [f"({r.key.mode.letter}) {r.key.mode.name} {r.estimate.mean:.1f}" for r in rows]
    assert [drawing.caption.index(mean) for mean in means] == sorted(
        drawing.caption.index(mean) for mean in means
    )
    assert figures(study({"taught": TEACHING})).modes == ()
    runs = [run for run in advised.runs if run.arm == "advised"]
    keys = {"test/win_rate/advisers_2", "test/return/advisers_2"}
    less = [
        replace(r, histories={k: h for k, h in r.histories.items() if k not in keys}) for r in runs
    ]
    assert figures(made_up.with_runs(advised, less)).modes == ()


def test_training_is_compared_with_acting_alone() -> None:
    analysis = analyse(study({"advised": BEST_OF_K, "taught": TEACHING}))
    sides = [(c.left.key.label, c.right.key.label) for c, _ in analysis.mode_differences]
    assert sides == [("advised (C)", "advised (D)"), ("taught (T)", "taught (D)")]
    assert words.modes_heading(analysis) == "Centralised or teacher against decentralised"
    page = build_html(analysis.data, None)
    assert "<td>C − D</td>" in page
    assert "<td>T − D</td>" in page


def test_a_margin_is_that_of_the_claim_on_the_same_two_modes() -> None:
    def margins(*sides: str) -> list[float]:
        left, right = (("advised", side) for side in sides)
        claim = ClaimView("c", "text", "equivalent", left, right, 0.02, ("skirmish/5m_vs_6m",))
        data = replace(study({"advised": BEST_OF_K}), claims=(claim,))
        return [margin for _, margin in analyse(data).mode_differences]

    assert margins("decentralised", "centralised") == [2.0]
    assert margins("advisers_1", "centralised") == [5.0]


def test_steps_that_hyperparameters_name_are_marked_by_their_symbol(advised: ReportData) -> None:
    moments = (Moment("S", "step of the switch", 400_000), Moment("U", "end", 600_000))
    runs = [replace(r, moments=moments if r.arm == "advised" else ()) for r in advised.runs]
    data = made_up.with_runs(advised, runs)
    found = figures(data)
    (panel,), (around,) = found.panels, found.transitions
    for symbol in "SU":
        assert f">{symbol}</text>" in panel.svg
        assert f">{symbol}</text>" in around.svg
    assert ">T</text>" not in panel.svg
    assert "advised around S and U" in around.svg
    assert "Last test up to S = 400,000 steps: (C) " in around.caption
    assert all(f", ({letter}) " in around.caption for letter in "21D")
    assert "reliance 1.2" in around.caption
    assert "reliance" in around.svg
    told = "Vertical lines: S is the step of the switch; U is the end."
    assert words.moments_statement(analyse(data)) == told


def test_without_such_a_step_or_with_one_mode_there_is_no_transition(advised: ReportData) -> None:
    none = made_up.with_runs(advised, [replace(run, moments=()) for run in advised.runs])
    assert figures(none).transitions == ()
    one_mode = replace(BEST_OF_K, modes=(DECENTRALISED,))
    assert study({"alone": one_mode}).runs[-1].moments
    assert figures(study({"alone": one_mode})).transitions == ()


def test_letters_are_explained_as_the_modes_say(advised: ReportData) -> None:
    page = build_html(advised, None)
    assert "(C) agents advise each other, (2) with the 2 most attended advisers" in page
    assert "<td>Advice of k</td>" in page
    assert "Vertical lines" not in build_html(
        made_up.study(arms=("qmix",), n_seeds=2, n_points=5), None
    )


MANY = {
    f"{kind}_{i}": replace(method, title=f"{kind} {i}", backbone_title=f"B{i}")
    for i in range(5)
    for kind, method in (("advised", BEST_OF_K), ("taught", TEACHING), ("alone", made_up.PLAIN))
}


def test_twenty_arms_on_one_page_stay_apart() -> None:
    """More lines than one pair of axes holds are shown by framework, panels in parts."""
    data = study(MANY, n_seeds=2)
    runs = [
        replace(run, framework=kind, backbone=f"b{i}")
        for run in data.runs
        if "_" in run.arm
        for kind, i in [run.arm.split("_")]
    ]
    spread = figures(made_up.with_runs(data, runs))
    assert spread.overview is not None
    for kind in ("advised", "taught", "alone"):
        assert f"all arms, framework {kind}" in spread.overview.svg
    # All on one backbone: every part has the first arm with one mode, and no more than it holds.
    panels = figures(data).panels
    assert len(panels) > 5
    for panel in panels:
        assert "qmix, n=2" in panel.svg
        assert panel.svg.count(", n=2") <= MOST_LINES
        assert f" of {len(panels)})" in panel.svg
    labels = [key.label for key in series_keys(data, data.scenarios[0])]
    assert [sum(f">{label}, n=2<" in one.svg for one in panels) for label in labels] == [
        len(panels),
        *[1 for _ in labels[1:]],
    ]


def test_ways_of_acting_that_look_alike_are_not_drawn_together() -> None:
    """Two frameworks with several modes on one backbone would have the same lines."""
    data = study({"advised": replace(BEST_OF_K, modes=TEACHING.modes), "taught": TEACHING})
    others = made_up.study(("skirmish/5m_vs_6m",), arms=("vdn",), n_seeds=3, n_points=20).runs
    drawing = figures(made_up.with_runs(data, [*data.runs, *others])).overview
    assert drawing is not None
    assert "framework taught" in drawing.svg
    few = figures(made_up.with_runs(data, [*data.runs[:6], *others])).overview
    assert few is not None
    assert "framework" not in few.svg


def test_more_lines_than_one_pair_of_axes_holds_are_not_drawn_together() -> None:
    """Also where each has a look of its own."""
    scenario = "skirmish/5m_vs_6m"
    data = made_up.study((scenario,), n_seeds=2, n_points=20)  # ten lines
    lines = {f"b{i}": replace(made_up.PLAIN, backbone_title=f"B{i}") for i in range(3)}
    more = [
        retold(run, arm, "ctde", method, arm)
        for i, (arm, method) in enumerate(lines.items())
        for run in (made_up.run(scenario, "cadp_qmix", 100 * (i + 1), n_points=20),)
    ]
    for n, is_together in ((2, True), (3, False)):
        drawing = figures(made_up.with_runs(data, [*data.runs, *more[:n]])).overview
        assert drawing is not None
        assert ("framework ctde" not in drawing.svg) == is_together


def test_backbones_keep_their_colours_and_have_different_ones() -> None:
    names = [f"mixer_{i}" for i in range(6)]
    found = style.colours(["qmix", *names, "iql", "vdn", "qplex"])
    assert len(set(found.values())) == len(found) == 10
    known = {name: found[name] for name in ("iql", "vdn", "qmix", "qplex")}
    assert style.colours(list(known)) == known
    many = [f"mixer_{i}" for i in range(len(style.CYCLE) + 1)]
    assert style.colours(many)[many[-1]] == style.colours(many)[many[0]]


def test_modes_of_one_arm_have_different_looks() -> None:
    looks = style.mode_looks([BEST_OF_K])
    assert len(set(looks.values())) == len(BEST_OF_K.modes)
    assert looks[CENTRALISED] == (style.BLUE, "solid")
    assert looks[DECENTRALISED] == (style.VERMILION, style.DASHED)


def test_acting_alone_is_dashed_wherever_an_arm_declares_it() -> None:
    """So a line of a panel looks the same whatever else is drawn there."""
    alone_first = replace(TEACHING, modes=(DECENTRALISED, TEACHER))
    keys = series_keys(study({"a": alone_first, "b": BEST_OF_K}), "skirmish/5m_vs_6m")
    dashes = {key.label: style.line_look(key, keys)[1] for key in keys}
    assert (dashes["a (D)"], dashes["b (D)"]) == (style.DASHED, style.DASHED)
    assert (dashes["a (T)"], dashes["b (C)"]) == ("solid", "solid")


def test_a_mode_looks_the_same_in_every_arm_of_a_figure() -> None:
    """Whichever mode an arm declares first, legend and caption say what is drawn."""
    alone_first = replace(TEACHING, modes=(DECENTRALISED, TEACHER))
    advised = replace(TEACHING, modes=(CENTRALISED, DECENTRALISED))
    data = study({"taught": alone_first, "advised": advised})
    others = made_up.study(("skirmish/5m_vs_6m",), arms=("vdn",), n_seeds=3, n_points=20).runs
    drawing = figures(made_up.with_runs(data, [*data.runs, *others])).overview
    assert drawing is not None
    assert (
        "Dotted: arm with one way of acting. Solid: acting teacher (T). Broken: acting "
        "centralised (C). Dashed: acting decentralised (D)." in drawing.caption
    )
    drawn = re.findall(r'stroke-dasharray: ([^;]*);[^"]*stroke-width: 1\.7"', drawing.svg)
    # In units of the line's width: 1, 1 dotted; 6, 1.5, 1.5, 1.5 broken; 5, 2 dashed.
    assert sorted(drawn) == ["1.7,1.7"] * 2 + ["10.2,2.55,2.55,2.55"] + ["8.5,3.4"] * 2


def test_lines_of_one_panel_have_different_looks() -> None:
    arms = {"a": BEST_OF_K, "b": TEACHING} | {f"p{i}": made_up.PLAIN for i in range(4)}
    keys = series_keys(study(arms), "skirmish/5m_vs_6m")
    looks = [style.line_look(key, keys) for key in keys]
    assert len(set(looks)) == len(keys) == 11


def test_the_papers_lines_are_those_that_methods_are_published_as() -> None:
    """In the paper's own panels; one that shows nothing new is left out."""

    def names(drawing: Drawing) -> set[str]:
        return {name for name in every if f">{name}</text>" in drawing.svg}

    every = {f"{name} ({letter})" for name in ("CADP", "CTDS", "IGM-DA") for letter in "CDT"}
    every |= {curve.algorithm for curve in load_reference(PAPER).curves}
    both = figures(study({"advised": BEST_OF_K, "taught": TEACHING})).paper
    cadp = {"CADP (C)", "CADP (D)"}
    assert [names(one) for one in both] == [cadp | {"QMIX"}, cadp | {"CTDS (T)", "CTDS (D)"}]
    assert "(panel d of exp-smac.png)" in both[1].caption
    assert "6 more lines of that panel" in both[0].caption
    assert "2 more lines of that panel" in both[1].caption
    assert [names(one) for one in figures(study({"advised": BEST_OF_K})).paper] == [cadp | {"QMIX"}]
    only = figures(study({"taught": TEACHING})).paper
    assert [names(one) for one in only] == [{"QMIX"}, {"CTDS (T)", "CTDS (D)"}]


def test_a_papers_line_of_a_mode_that_is_not_tested_is_not_shown() -> None:
    (alone,) = figures(study({"alone": replace(BEST_OF_K, modes=(DECENTRALISED,))})).paper
    assert ">CADP (D)</text>" in alone.svg
    assert ">CADP (C)</text>" not in alone.svg


def with_metric(data: ReportData, name: str, value: float) -> ReportData:
    run = data.runs[-1]
    steps = run.histories["test/win_rate/decentralised"].steps
    history = History(steps, np.full(len(steps), value))
    changed = replace(run, histories={**run.histories, f"train/{name}": history})
    return made_up.with_runs(data, [*data.runs[:-1], changed])


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("reliance", 2.1, "train/reliance is 2.1, possible is 0 to 2"),
        ("reliance", 2.0 + 1e-6, ""),  # a mean of single-precision values
        ("loss_td", -1e-6, "train/loss_td is -1e-06, possible is at least 0"),
        ("something_else", -1e9, ""),
    ],
)
def test_ranges_are_those_that_the_method_declares(
    advised: ReportData, name: str, value: float, told: str
) -> None:
    doubts = [
        d.detail for run in left_out(weigh(with_metric(advised, name, value))) for d in run.doubts
    ]
    assert doubts == ([told] if told else [])


def renamed(run: RunView, name: str) -> RunView:
    """The same run with another name of its loss, declared."""
    histories = {k: h for k, h in run.histories.items() if k != "train/loss_td"}
    histories[f"train/{name}"] = run.histories["train/loss_td"]
    metrics = (TrainingMetric(name, "a loss", kind="loss"),)
    return replace(run, histories=histories, method=replace(run.method, metrics=metrics))


def test_a_loss_of_any_name_tells_updates_and_copies(advised: ReportData) -> None:
    runs = [renamed(run, "loss_policy") for run in advised.runs]
    data = made_up.with_runs(advised, runs)
    assert left_out(weigh(data)) == []
    lossless = {k: h for k, h in runs[-1].histories.items() if k != "train/loss_policy"}
    without = made_up.with_runs(data, [*runs[:-1], replace(runs[-1], histories=lossless)])
    (doubtful,) = left_out(weigh(without))
    assert "no train/loss_policy at step" in doubtful.doubts[0].detail
    copied = {**runs[-1].histories, "train/loss_policy": runs[-2].histories["train/loss_policy"]}
    copies = made_up.with_runs(data, [*runs[:-1], replace(runs[-1], histories=copied)])
    assert [run.run_id for run in left_out(weigh(copies))] == [r.run_id for r in runs[-2:]]


def test_a_method_that_declares_no_loss_is_asked_for_none(advised: ReportData) -> None:
    method = replace(BEST_OF_K, metrics=())
    runs = [replace(r, method=method) if r.arm == "advised" else r for r in advised.runs]
    assert left_out(weigh(made_up.with_runs(advised, runs))) == []


@pytest.mark.parametrize(
    ("side_by_side", "updates", "told"),
    [
        (1, 1, "train/n_updates is more than train/n_episodes"),
        (8, 4, "train/n_updates is more than train/n_episodes × 4 ÷ 8"),
        (8, 16, ""),
        (1, 2, ""),
    ],
)
def test_updates_are_as_many_as_the_protocol_allows(
    advised: ReportData, side_by_side: int, updates: int, told: str
) -> None:
    """Twice as many updates as episodes."""
    run = advised.runs[-1]
    counted = run.histories["train/n_updates"]
    episodes = History(counted.steps, np.maximum(1.0, counted.values / 2))
    first = {k: History(h.steps + 1, h.values) for k, h in run.histories.items()}
    changed = replace(
        run,
        histories={**first, "train/n_episodes": History(episodes.steps + 1, episodes.values)},
        episodes_per_collection=side_by_side,
        updates_per_collection=updates,
    )
    data = made_up.with_runs(advised, [*advised.runs[:-1], changed])
    assert [d.detail for r in left_out(weigh(data)) for d in r.doubts] == ([told] if told else [])


def test_training_may_end_a_collection_past_its_budget(advised: ReportData) -> None:
    def ending(past: int, side_by_side: int) -> list[str]:
        run = advised.runs[-1]
        late = {
            k: History(np.append(h.steps[:-1], run.total_env_steps + past), h.values)
            for k, h in run.histories.items()
        }
        changed = replace(
            run, histories=late, episode_limit=70, episodes_per_collection=side_by_side
        )
        data = made_up.with_runs(advised, [*advised.runs[:-1], changed])
        return [d.kind for r in left_out(weigh(data)) for d in r.doubts]

    assert ending(70, 1) == []
    assert ending(71, 1) == ["impossible steps"]
    assert ending(560, 8) == []
    assert ending(561, 8) == ["impossible steps"]


class Elsewhere(Backend):
    """Another backend, as far as a report asks."""

    title = "elsewhere"

    def __init__(self, *measures: str, disclaimer: str = "") -> None:
        self.name = "elsewhere"
        self.measures, self.disclaimer = measures, disclaimer

    def scenarios(self) -> list[str]:
        return ["3m"]

    def describe(self, scenario: str) -> None:  # type: ignore[override]
        raise NotImplementedError

    def make(self, *_: object) -> None:  # type: ignore[override]
        raise NotImplementedError


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[Elsewhere]:
    """Stands behind every scenario of the name."""
    backend, known = Elsewhere(EPISODE_LENGTH, RETURN), measures.backend_of
    monkeypatch.setattr(
        measures, "backend_of", lambda s: backend if s.startswith("elsewhere/") else known(s)
    )
    yield backend
    measures.backend.cache_clear()
    measures.measures.cache_clear()


def test_what_a_backend_measures_is_tabulated_and_claims_stay_on_win_rates(
    elsewhere: Elsewhere,
) -> None:
    data = made_up.study(("elsewhere/3m",), arms=("qmix", "cadp_qmix"), n_seeds=3, n_points=10)
    analysis = analyse(data)
    assert [one.quantity for one in analysis.measures] == [EPISODE_LENGTH, RETURN]
    assert all(claim.contrasts[0].estimate is not None for claim in analysis.claims)
    skirmish = analyse(made_up.study(arms=("qmix", "cadp_qmix"), n_seeds=3, n_points=10))
    assert len(analysis.mode_differences) == len(skirmish.mode_differences) == 1
    page = build_html(data, None)
    assert "Steps of a test episode, mean over seeds" in page
    assert "Environment: elsewhere.</p>" in page


def test_a_disclaimer_is_said_of_its_backend_only(elsewhere: Elsewhere) -> None:
    scenarios = ("skirmish/3m", "elsewhere/3m")
    data = made_up.study(scenarios, arms=("qmix",), n_seeds=2, n_points=5)
    assert words.environment_statement(analyse(data)) == (
        "Environment: skirmish (embedded simulator) and elsewhere. skirmish (embedded simulator): "
        "No number measured here is from StarCraft II."
    )


def test_tests_of_a_backend_with_few_results_prove_no_copy(elsewhere: Elsewhere) -> None:
    data = made_up.study(("elsewhere/3m",), arms=("qmix", "vdn"), n_seeds=1, n_points=20)
    first, second = data.runs
    tests = {k: h for k, h in first.histories.items() if k.startswith("test/")}
    same = {**second.histories, **tests}
    loss = second.histories["train/loss_td"]
    same["train/loss_td"] = History(first.histories["train/loss_td"].steps, loss.values)
    same["train/n_updates"] = first.histories["train/n_updates"]
    twins = made_up.with_runs(data, [first, replace(second, histories=same)])
    assert len(left_out(weigh(twins))) == 2
    elsewhere.few_results = True
    assert left_out(weigh(twins)) == []


def test_football_figures_are_called_so() -> None:
    keys = series_keys(study({"advised": BEST_OF_K}), "skirmish/5m_vs_6m")
    reference = load_reference(PAPER)
    scenarios = {c.scenario for c in reference.curves if c.figure == "exp-gfootball.png"}
    for scenario in scenarios:
        with style.drawing_style():
            (drawing,) = paper_panels(reference, f"football/{scenario}", keys, "p")
        assert "Google Research Football (paper, digitised)" in drawing.caption
        assert "StarCraft" not in drawing.svg + drawing.caption
        assert "the same game; versions may differ" in drawing.caption
        assert "not comparable" not in drawing.svg + drawing.caption


@pytest.mark.parametrize(
    ("scenario", "is_same"),
    [("starcraft/5m_vs_6m", True), ("skirmish/5m_vs_6m", False)],
)
def test_published_curves_are_comparable_where_the_game_is_the_same(
    scenario: str, is_same: bool
) -> None:
    keys = series_keys(study({"advised": BEST_OF_K}), "skirmish/5m_vs_6m")
    with style.drawing_style():
        first, *_ = paper_panels(load_reference(PAPER), scenario, keys, "p")
    assert ("the same game" in first.caption) == is_same
    assert ("not comparable in absolute value" in first.caption) != is_same


def test_versions_of_an_environment_are_told_first() -> None:
    data = made_up.study(("skirmish/3m",), arms=("qmix",), n_seeds=2, n_points=5)
    first, second = data.runs
    versions = [
        replace(run, parameters={**run.parameters, "environment_version": version})
        for run, version in ((first, "3"), (second, "4.2"))
    ]
    assert words.environment_statement(analyse(made_up.with_runs(data, versions))).startswith(
        "Environment: skirmish (embedded simulator), rules version 3, 4.2. No number"
    )


def test_our_methods_declare_what_the_papers_figures_show() -> None:
    assert made_up.method("cadp", "qmix").title == "CADP on QMIX"
    assert made_up.method("cadp", "vdn").published_as == "CADP"
    assert made_up.method("ctde", "qplex").title == "QPLEX"
    paper = {curve.algorithm for curve in load_reference(PAPER).curves}
    for backbone in ("iql", "vdn", "qmix", "qplex"):
        assert made_up.method("ctde", backbone).published_as in paper
