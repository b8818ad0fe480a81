"""The whole page from made-up data: structure, honesty about gaps, determinism."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import synthetic_study as made_up

from reports.analysis import analyse
from reports.build import build_html
from reports.data import History, ReportData
from reports.reasons import reason
from reports.reference import load_reference

PAPER = Path(__file__).resolve().parents[2] / "reference_results" / "paper"
VOID = {"meta", "link", "img", "br", "hr", "input", "wbr"}


class Page(HTMLParser):
    """Collects what the tests ask about, and checks that tags are balanced."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.resources: list[str] = []
        self.tags: list[str] = []
        self.headers_without_scope = 0
        self.drawings: list[dict[str, str | None]] = []
        self.badges: list[str] = []
        self._open: list[str] = []
        self._is_in_badge = False
        self.words: list[str] = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.tags.append(tag)
        if tag not in VOID:
            self._open.append(tag)
        if values.get("id"):
            self.ids.append(values["id"])
        if tag == "a":
            self.links.append(values["href"])
        elif "href" in values or "src" in values or "xlink:href" in values:
            self.resources.append(
                values.get("href") or values.get("src") or values["xlink:href"] or ""
            )
        if tag == "th" and "scope" not in values:
            self.headers_without_scope += 1
        self._is_in_badge = (values.get("class") or "").startswith("badge")
        if tag == "svg":
            self.drawings.append(values)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] != "style":
            self.words.append(data)
        if self._is_in_badge:
            self.badges.append(data)
            self._is_in_badge = False

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def complete() -> ReportData:
    return made_up.study(("skirmish/5m_vs_6m",), arms=("qmix", "cadp_qmix"), n_seeds=5, n_points=20)


@pytest.fixture(scope="module")
def html(complete: ReportData) -> str:
    return build_html(complete, load_reference(PAPER))


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def test_the_page_stands_alone(html: str, page: Page) -> None:
    assert "script" not in page.tags
    assert not {"link", "img", "iframe", "object"} & set(page.tags)
    assert all(resource.startswith("#") for resource in page.resources)
    assert "url(http" not in html
    assert "@import" not in html


def test_ids_are_unique_and_every_link_has_its_target(page: Page) -> None:
    assert len(page.ids) == len(set(page.ids))
    targets = {link.removeprefix("#") for link in page.links + page.resources}
    assert targets <= set(page.ids)


def test_figures_have_text_alternatives_and_tables_scoped_headers(page: Page) -> None:
    assert page.headers_without_scope == 0
    assert page.drawings
    for drawing in page.drawings:
        assert drawing["role"] == "img"
        assert set(drawing["aria-labelledby"].split()) <= set(page.ids)


def test_every_claim_has_its_verdict(complete: ReportData, page: Page) -> None:
    for claim in complete.claims:
        assert claim.text in page.text
    expected = [result.verdict for result in analyse(complete).claims]
    assert "reproduced" in expected
    assert page.badges == expected * 2  # at the top, and again in detail


def test_where_the_numbers_come_from_is_said_first(page: Page) -> None:
    statement = (
        "Environment: skirmish (embedded simulator). No number measured here is from StarCraft II."
    )
    assert statement in page.text
    assert page.text.index(statement) < page.text.index("Verdicts")


def test_the_papers_curves_carry_their_mark(page: Page) -> None:
    assert "StarCraft II 4.10 (paper, digitised); not comparable in absolute value" in page.text


def test_deviations_and_missing_scenarios_are_listed(page: Page) -> None:
    assert "1/20 of the paper's training steps." in page.text
    assert "starcraft/corridor : needs StarCraft II" in page.text


def test_every_run_is_traceable(complete: ReportData, page: Page) -> None:
    assert all(run.run_id in page.text for run in complete.runs)


def test_no_paper_panel_for_a_scenario_the_paper_lacks() -> None:
    data = made_up.study(arms=("qmix",), n_seeds=2, n_points=5)
    assert "StarCraft II 4.10" not in build_html(data, load_reference(PAPER))


def test_same_data_same_bytes(complete: ReportData, html: str) -> None:
    assert build_html(complete, load_reference(PAPER)) == html


def test_other_data_other_page(html: str) -> None:
    data = made_up.study(("skirmish/5m_vs_6m",), arms=("qmix", "cadp_qmix"), n_seeds=4, n_points=20)
    assert build_html(data, None) != html


@pytest.fixture(scope="module")
def partial_page() -> Page:
    """A study in trouble: failed, unfinished, missing, duplicated and non-finite runs."""
    data = made_up.study(arms=("qmix", "cadp_qmix"), n_seeds=4, n_points=20)
    runs = list(data.runs)
    runs[0] = replace(runs[0], status="failed", histories={}, failure="ValueError: <bad> & worse")
    runs[1] = replace(runs[1], status="unfinished")
    runs[2] = replace(runs[2], status="missing", histories={}, sittings=())
    other = dict(runs[6].provenance) | {"processor": "Another processor"}
    runs[6] = replace(runs[6], histories=runs[5].histories, sittings=(other,))
    key = "test/win_rate/centralised"
    values = runs[7].histories[key].values.copy()
    values[3] = np.nan
    broken = History(runs[7].histories[key].steps, values)
    runs[7] = replace(runs[7], histories=runs[7].histories | {key: broken})
    return Page(build_html(made_up.with_runs(data, runs), None))


@pytest.mark.parametrize(
    "words",
    [
        "1 run failed and left out of every number",
        "2 runs of the plan not finished (1 started, 1 not started): this is a partial report",
        "2 finished runs left out of every number below, because of a history identical to",
        "1 finished run left out of every number below, because of values that are not finite",
        "values that are not finite: 1 value of test/win_rate/centralised",
        "Without 3 finished runs that count as no evidence",
        "Runs differ in processor",
        "ValueError: <bad> & worse",
        "1 of 4",
        "1 of 4 without seeds 0, 1, 2",
        "No seed has finished on both sides in skirmish/3m",
        "seeds without a partner enter no difference; only left has 0; only right has 3",
    ],
)
def test_trouble_is_told(partial_page: Page, words: str) -> None:
    assert words in partial_page.text


@pytest.mark.parametrize(
    ("last", "is_odd"), [(("matrix/two_step", "3"), False), (("skirmish/8m", "2"), True)]
)
def test_versions_may_differ_between_backends_not_within_one(
    last: tuple[str, str], is_odd: bool
) -> None:
    scenario, version = last
    data = made_up.study(("skirmish/3m", scenario), arms=("qmix",), n_seeds=2, n_points=5)
    runs = [
        replace(run, sittings=({**run.provenance, "environment_version": version},))
        if run.scenario == scenario
        else run
        for run in data.runs
    ]
    html = build_html(made_up.with_runs(data, runs), None)
    rows = re.findall(r'<tbody( class="flag")?>\s*<tr><th scope="row">environment_version', html)
    assert rows == [' class="flag"' if is_odd else ""]
    assert ("Runs differ in environment_version" in html) == is_odd


def test_nothing_finished_still_makes_an_honest_page() -> None:
    data = made_up.study(arms=("qmix", "cadp_qmix"), n_seeds=2, n_points=5)
    runs = [replace(run, status="failed", histories={}, failure="boom") for run in data.runs]
    page = Page(build_html(made_up.with_runs(data, runs), None))
    assert "there is nothing to draw" in page.text
    assert page.badges == ["undecided"] * 6
    assert "No seed has finished on both sides" in page.text


def test_no_claims_no_verdicts() -> None:
    data = replace(made_up.study(arms=("qmix",), n_seeds=2, n_points=5), claims=())
    assert "This study states no claims" in Page(build_html(data, None)).text


def test_claims_on_arms_that_are_not_run_say_so() -> None:
    data = made_up.study(arms=("qmix",), n_seeds=2, n_points=5)
    page = Page(build_html(data, None))
    assert "Not tested: this profile does not run cadp_qmix." in page.text
    assert page.badges == ["not tested"] * 6


def test_claims_that_are_not_tested_are_counted_apart() -> None:
    """Also where Holm's correction tells its number of claims."""
    data = made_up.study(arms=("qmix", "cadp_qmix"), n_seeds=2, n_points=5)
    absent = [replace(data.claims[0], name=f"absent_{i}", left=("none", "teacher")) for i in (0, 1)]
    page = Page(build_html(replace(data, claims=(*data.claims, *absent)), None))
    assert "0 reproduced, 0 not reproduced, 3 undecided, 2 not tested of 5 claims." in page.text
    assert page.text.count("Holm's correction over 3 tested claims") == 3
    assert "not tested of" not in Page(build_html(data, None)).text


def test_several_scenarios_are_aggregated_and_claims_must_hold_in_all() -> None:
    scenarios = ("skirmish/3m", "skirmish/2s3z")
    data = made_up.study(scenarios, arms=("qmix", "cadp_qmix"), n_seeds=4, n_points=10)
    page = Page(build_html(data, None))
    assert "Across scenarios" in page.text
    assert "Must hold in all 2 comparisons" in page.text


def level(data: ReportData, worth: float) -> ReportData:
    """The same study, but CADP wins this share of every test in the second scenario."""
    runs = []
    for run in data.runs:
        if run.framework == "cadp" and run.scenario == data.scenarios[-1]:
            tests = {
                key: History(h.steps, np.full(len(h.steps), worth))
                for key, h in run.histories.items()
                if "win_rate" in key
            }
            runs.append(replace(run, histories=dict(run.histories) | tests))
        else:
            runs.append(run)
    return made_up.with_runs(data, runs)


@pytest.mark.parametrize(
    ("worth", "verdict", "shown"),
    [
        (0.0, "undecided", "undecided: floor"),
        (0.04, "undecided", "undecided: floor"),
        (0.06, "reproduced", "reproduced"),
        (1.0, "reproduced", "reproduced"),
    ],
)
def test_equality_of_sides_that_win_nothing_shows_nothing(
    worth: float, verdict: str, shown: str
) -> None:
    made = made_up.study(("skirmish/3m",), arms=("qmix", "cadp_qmix"), n_seeds=6, n_points=10)
    data = level(made, worth)
    data = made_up.with_runs(data, [replace(run, n_test_episodes=100) for run in data.runs])
    (claim,) = [r for r in analyse(data).claims if r.claim.kind == "equivalent"]
    assert (claim.verdict, claim.uncorrected) == (verdict, verdict)
    page = Page(build_html(data, None))
    words = "no seed of either side wins more than 5 %, so no difference beyond the margin could"
    assert (words in page.text) == (verdict == "undecided")
    assert shown in page.text


def test_a_scenario_at_the_floor_withholds_a_claim_over_several() -> None:
    scenarios = ("skirmish/8m", "skirmish/3m")
    made = made_up.study(scenarios, arms=("qmix", "cadp_qmix"), n_seeds=6, n_points=10)
    (claim,) = [r for r in analyse(level(made, 0.0)).claims if r.claim.kind == "equivalent"]
    assert claim.verdict == "undecided"
    assert "; in skirmish/3m no seed of either side wins more than 5 %" in reason(claim)


@pytest.mark.parametrize(
    ("scenarios", "told"),
    [
        (("skirmish/3m",), "; in skirmish/3m at α=0.5 and at α=1 no seed"),
        (
            ("skirmish/3m", "skirmish/8m"),
            "; in skirmish/3m at α=0.5 and at α=1 and in skirmish/8m at α=0.5 and at α=1 no seed",
        ),
    ],
)
def test_points_at_the_floor_are_told_as_a_list(scenarios: tuple[str, ...], told: str) -> None:
    made = made_up.study(scenarios, arms=("cadp_qmix",), n_seeds=3, n_points=5)
    for scenario in scenarios:
        made = replace(level(replace(made, scenarios=(scenario,)), 0.0), scenarios=scenarios)
    runs = [
        replace(run, point=point, run_id=run.run_id[:-1] + point[-1])
        for run in made.runs
        for point in ("α=0.5", "α=1")
    ]
    (claim,) = [c for c in analyse(made_up.with_runs(made, runs)).claims if c.contrasts]
    assert told in reason(claim)


def test_deviations_name_no_paper_that_a_study_may_not_have(page: Page) -> None:
    """The study file does not say whether its question is a paper's."""
    assert "Deviations of this profile" in page.text
    assert "Scenarios left out" in page.text


def test_aggregates_of_a_partial_study_weigh_scenarios_alike() -> None:
    """Arm by arm the same order as in the complete study, and what is missing beside the number."""
    scenarios = ("skirmish/3m", "skirmish/8m")
    made = made_up.study(scenarios, arms=("qmix", "vdn"), n_seeds=5, n_points=10)
    levels = {("qmix", "skirmish/3m"): 30, ("qmix", "skirmish/8m"): 4}
    levels |= {("vdn", "skirmish/3m"): 28, ("vdn", "skirmish/8m"): 2}
    runs = []
    for run in made.runs:
        key = "test/win_rate/decentralised"
        steps = run.histories[key].steps
        values = np.full(len(steps), (levels[run.arm, run.scenario] - run.seed % 2) / 32)
        own = replace(run, histories=dict(run.histories) | {key: History(steps, values)})
        # qmix, which is better, still lacks the easy scenario; vdn the hard one.
        is_late = run.scenario == ("skirmish/3m" if run.arm == "qmix" else "skirmish/8m")
        if is_late and run.seed > 1:
            own = replace(own, status="missing", histories={})
        runs.append(own)
    data = made_up.with_runs(made, runs)
    qmix, vdn = analyse(data).aggregates
    assert qmix.mean.mean == pytest.approx(100 / 32 * ((30 - 0.5) + (4 - 0.4)) / 2)
    assert qmix.mean.mean > vdn.mean.mean
    assert qmix.iqm.mean > vdn.iqm.mean
    text = Page(build_html(data, None)).text
    assert "7 of 10 skirmish/3m: without seeds 2, 3, 4" in text
    assert "arms may rest on different seeds" in text


def test_arms_without_an_aggregate_are_named() -> None:
    made = made_up.study(("skirmish/3m", "skirmish/8m"), arms=("qmix", "vdn"), n_seeds=2)
    runs = [
        replace(run, status="missing", histories={}) if run.condition == "vdn" else run
        for run in made.runs
        if (run.arm, run.scenario) != ("vdn", "skirmish/8m")
    ]
    text = Page(build_html(made_up.with_runs(made, runs), None)).text
    assert "Not shown, without results in some scenario: vdn." in text


def test_matrix_games_show_returns_first() -> None:
    data = made_up.study(("matrix/two_step",), arms=("qmix", "cadp_qmix"), n_seeds=3, n_points=10)
    page = Page(build_html(data, None))
    assert "Test return, mean over seeds" in page.text
    assert page.text.index("Test return, mean") < page.text.index("Test win rate (%), mean")
    assert "matrix games (embedded)" in page.text


def test_hyperparameter_points_are_arms_of_their_own() -> None:
    data = made_up.study(arms=("qmix", "cadp_qmix"), n_seeds=3, n_points=10)
    runs = [
        replace(run, point=point, run_id=run.run_id[:-1] + point[-1])
        for point in ("α=0.1", "α=0.5")
        for run in data.runs
        if run.arm == "cadp_qmix"
    ]
    plain = [run for run in data.runs if run.arm == "qmix"]
    analysis = analyse(made_up.with_runs(data, plain + runs))
    by_name = {result.claim.name: result for result in analysis.claims}
    assert [c.place for c in by_name["beats-qmix"].contrasts] == [
        "skirmish/3m at α=0.1",
        "skirmish/3m at α=0.5",
    ]
    assert len(by_name["d-equals-c"].contrasts) == 2


def test_duplicate_runs_under_one_id_are_no_duplicates() -> None:
    data = made_up.study(arms=("qmix",), n_seeds=2, n_points=5)
    twice = made_up.with_runs(data, [*data.runs, replace(data.runs[0], arm="qmix_again")])
    assert analyse(twice).left_out == ()


def test_holm_can_take_a_verdict_away_and_the_page_says_so() -> None:
    data = made_up.study(n_seeds=3, n_points=100)
    lost = [r for r in analyse(data).claims if r.verdict != r.uncorrected]
    assert lost
    assert "but not after Holm's correction" in Page(build_html(data, None)).text


def test_the_template_names_no_machine(html: str) -> None:
    assert not re.search(r"/(home|tmp|root|work)/", html)
    assert str(Path.cwd()) not in html
