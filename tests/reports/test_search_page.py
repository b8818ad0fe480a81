"""Searches on the page: what is said in each state, and from databases as a search leaves them."""

import csv
import html
import io
import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import synthetic_search as made

from reports.build import build_html
from reports.data import PointState, ReportData
from reports.export import marl_eval_document, points_table, results_document
from reports.load import load_report_data
from suite.records.writer import RecordWriter
from suite.runs.directory import RunsDirectory
from suite.runs.spec import RunSpec
from suite.scheduling.proposers import proposer_for
from suite.scheduling.proposers.proposer import Result
from suite.scheduling.storage import ScheduleStorage
from suite.study.load import load_study
from suite.study.objectives import OBJECTIVES, Ended
from suite.study.plan import expand

STUDY = """
format = 1
name = "found"
question = "Where?"
default_profile = "sweep"

[arms.cadp_qmix]
framework = "cadp"
backbone = "qmix"

[arms.qmix]
framework = "ctde"
backbone = "qmix"

[profiles.sweep]
description = "for a test"
scenarios = ["skirmish/3m"]
arms = ["cadp_qmix", "qmix"]
training = { total_env_steps = 100_000, test_interval_env_steps = 5_000, n_test_episodes = 50 }
[profiles.sweep.search]
n_trials = 12
seeds = [101, 102]
[profiles.sweep.search.ranges]
alpha = { low = 0.01, high = 10.0, log = true }
pruning_start_fraction = { low = 0.2, high = 0.8 }

[profiles.tuned]
description = "for a test"
scenarios = ["skirmish/3m"]
arms = ["cadp_qmix", "qmix"]
seeds = [1, 2, 3]
training = { total_env_steps = 100_000, test_interval_env_steps = 5_000, n_test_episodes = 50 }
hyperparameters = { pruning_start_fraction = [0.5] }
[profiles.tuned.search]
n_trials = 3
seeds = [101, 102]
[profiles.tuned.search.ranges]
alpha = { low = 0.01, high = 10.0, log = true }
learning_rate = { low = 1e-4, high = 2e-3, log = true }

[[claims]]
name = "better"
text = "D beats QMIX."
kind = "greater"
left = "cadp_qmix/decentralised"
right = "qmix/decentralised"
margin = 0.0
"""


def chances(run: RunSpec) -> tuple[float, float]:
    """Of a run to win, by its α and T; QMIX at 0.4."""
    if run.arm == "qmix":
        return 0.4, 0.4
    start = run.hyperparameters["pruning_start_env_steps"] / run.training.total_env_steps
    return made.smooth({"alpha": run.hyperparameters["alpha"], "pruning_start_fraction": start})


def trained(study: Path, profile: str, runs_dir: Path, *, at_most: int = 10_000) -> None:
    """Ask, record and tell, as a coordinator does, without training."""
    plan = expand(load_study(study), profile)
    proposer, writer = proposer_for(plan), RecordWriter(runs_dir)
    proposer.open(ScheduleStorage(RunsDirectory(runs_dir)))
    n = 0
    while not proposer.is_over:
        for run in proposer.ask():
            if n == at_most:
                return
            n += 1
            recorded(writer, run, n)
            proposer.tell(run.run_id, told(run, n))


def played(run: RunSpec, number: int) -> made.RunView:
    return made.run(run.arm, run.scenario, number, run.seed, chances(run))


def recorded(writer: RecordWriter, run: RunSpec, number: int) -> None:
    writer.begin(run, {"processor": "a test"}, resuming=False)
    writer.log(
        run.run_id,
        [
            (key, int(step), float(value))
            for key, history in played(run, number).histories.items()
            for step, value in zip(history.steps, history.values, strict=True)
        ],
    )
    writer.finish(run.run_id, 36.0, "")


def told(run: RunSpec, number: int) -> Result:
    histories = {k: (h.steps, h.values) for k, h in played(run, number).histories.items()}
    ended = Ended(histories, run.training.total_env_steps, 36.0)
    value = OBJECTIVES["final_win_rate"].of_run(ended)
    return Result("finished", value, {"final_win_rate": value})


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with found.toml, and runs/ with both profiles searched to their ends."""
    directory = tmp_path_factory.mktemp("place")
    (directory / "found.toml").write_text(STUDY)
    for profile in ("sweep", "tuned"):
        trained(directory / "found.toml", profile, directory / "runs")
    return directory


def text_of(data: ReportData) -> str:
    """The page's words, without drawings, tags and folds of white space."""
    page = re.sub(r"<svg.*?</svg>|<style>.*?</style>", "", build_html(data, None), flags=re.S)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())


def test_a_sweep_from_its_databases(place: Path) -> None:
    data = load_report_data(place / "found.toml", "sweep", place / "runs")
    (search,) = data.searches
    assert [point.state for point in search.points] == ["complete"] * 12
    assert (data.explores, data.n_to_come, len(data.runs)) == (True, 0, 26)
    point = search.points[0]
    run = next(run for run in data.runs if run.run_id == point.run_ids[0])
    assert run.parameters["hyperparameters.alpha"] == str(point.parameters["alpha"])
    text = text_of(data)
    assert "This profile explores" in text
    assert "The 1 claim of the study" in text
    assert "12 asked for 12 trials: 12 complete" in text
    assert "This is the best of 12 points, chosen by the very seeds" in text
    assert "Importance by Optuna's PED-ANOVA: along which dimensions the best 5 of 12" in text
    assert "qmix, cadp_qmix (12 points searched)" in text
    assert "0.24 core hours of finished runs" in text
    assert "reproduced" not in text.partition("How to read this report")[0]
    assert all(f"cadp_qmix [{role}]" in text for role in ("best", "median", "worst"))
    assert all(run_id in text for point in search.points for run_id in point.run_ids)


def test_of_several_places_that_counts_which_has_got_furthest(place: Path, tmp_path: Path) -> None:
    study = place / "found.toml"
    trained(study, "sweep", tmp_path / "begun", at_most=9)
    places = (tmp_path / "begun", place / "runs")
    for order in (places, places[::-1]):
        data = load_report_data(study, "sweep", order)
        assert [point.state for point in data.searches[0].points] == ["complete"] * 12
    alone = load_report_data(study, "sweep", tmp_path / "begun")
    assert len(alone.searches[0].points) < 12


def test_a_page_about_searches_stands_alone_and_is_the_same_again(place: Path) -> None:
    data = load_report_data(place / "found.toml", "sweep", place / "runs")
    page = build_html(data, None)
    assert page == build_html(data, None)
    ids = re.findall(r'\bid="([^"]*)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'<a [^>]*href="#([^"]*)"', page)) <= set(ids)
    assert "<script" not in page
    assert not re.search(r'(?:src|href)="https?:', page)


def test_a_tuned_comparison_from_its_databases(place: Path) -> None:
    data = load_report_data(place / "found.toml", "tuned", place / "runs")
    assert {run.seed for run in data.runs if not run.is_tuning} == {1, 2, 3}
    assert len(data.runs) == 2 * (3 * 2 + 3)
    text = text_of(data)
    assert "Every arm was tuned first, with the same budget on each scenario: 3 trials of 2" in text
    assert "Seeds of the tuning 2 (101, 102)" in text
    assert "3 paired seeds" in text
    assert text.count("3 of 3 2") == 2  # trials and seeds of each arm
    assert "α from 0.01 to 10, logarithmic; learning_rate from" in text
    assert "That is the best of 3, on the seeds that chose it, and flatters. On 3 other" in text
    assert "with fewer than 10 it would be noise" in text
    chosen = data.searches[0].chosen
    assert chosen is not None
    alpha = data.searches[0].points[chosen].parameters["alpha"]
    judged = [run for run in data.runs if run.run_id in data.searches[0].judged]
    assert {run.parameters["hyperparameters.alpha"] for run in judged} == {str(alpha)}


def test_a_tuning_under_way_judges_nothing(tmp_path: Path) -> None:
    (tmp_path / "found.toml").write_text(STUDY)
    trained(tmp_path / "found.toml", "tuned", tmp_path / "runs", at_most=5)
    data = load_report_data(tmp_path / "found.toml", "tuned", tmp_path / "runs")
    assert data.n_to_come > 0
    text = text_of(data)
    assert "The arms are still being tuned" in text
    assert "0 of 2 searches over" in text
    assert f"of {len(data.runs) + data.n_to_come} " in text
    assert "not yet" in text
    assert "paired seed" not in text.partition("How to read this report")[0]


@pytest.mark.parametrize(
    ("state", "reason", "words"),
    [
        ("failed", "diverged at step 5", "failed: diverged at step 5"),
        ("pruned", "hopeless after step 3", "pruned: hopeless after step 3"),
        ("refused", "no such thing", "refused by the arm: no such thing"),
        ("running", "", "under way"),
    ],
)
def test_points_without_a_value_say_why(state: PointState, reason: str, words: str) -> None:
    view, runs = made.search(made.random_points(3))
    odd = replace(view.points[1], state=state, reason=reason)
    view = replace(view, points=(view.points[0], odd, view.points[2]))
    text = text_of(made.sweep((view, runs)))
    assert words in text
    assert "This is the best of 2 points" in text


def test_importance_says_what_is_more_than_chance_and_how_rough_it_is() -> None:
    text = text_of(made.sweep(made.search(made.random_points(40))))
    assert re.search(r"More than chance: α \(\d+ %\)", text)
    assert "From 40 points this is rough." in text
    text = text_of(made.sweep(made.search(made.random_points(60))))
    assert "the best 6 of 60 points" in text
    assert "this is rough" not in text
    same = made.search(made.random_points(20), truth=lambda _: (0.5, 0.6))
    text = text_of(made.sweep(same))
    assert "No dimension stands out from what chance gives." in text


@pytest.mark.parametrize(("n", "words"), [(1, "One seed for"), (2, "Two seeds for"), (3, "")])
def test_few_seeds_are_warned_of(n: int, words: str) -> None:
    seeds = (101, 102, 103)[:n]
    text = text_of(made.sweep(made.search(made.random_points(3), seeds=seeds)))
    found = [one for one in ("One seed for", "Two seeds for") if one in text]
    assert found == [words] * bool(words)
    if n != 2:  # of two, both may agree
        assert ("The interval does not allow for that" in text) == (n == 3)


def test_without_a_point_it_says_so() -> None:
    view, runs = made.search(made.random_points(2))
    points = tuple(replace(point, state="running") for point in view.points)
    text = text_of(made.sweep((replace(view, points=points), runs)))
    assert "No point has a value yet" in text
    assert "2 asked for 2 trials: 2 under way" in text


def test_two_objectives_have_no_best_point() -> None:
    both = ("final_win_rate", "mode_gap")
    text = text_of(made.sweep(made.search(made.random_points(12), objectives=both)))
    assert "With two objectives there is no best point." in text
    assert "Importance for the final test win rate with advice" in text
    assert "highest final test win rate of agents that act alone; lowest" in text


def test_where_all_points_are_worth_the_same_importance_says_so() -> None:
    none = made.search(made.random_points(12), truth=lambda _: (0.0, 0.0), spread=0.0)
    assert "too many points are worth the same" in text_of(made.sweep(none))


def test_runs_that_a_pruner_ended_are_no_failures() -> None:
    view, runs = made.search(made.random_points(3))
    runs[3:6] = [replace(run, status="pruned") for run in runs[3:6]]
    view = replace(
        view, points=tuple(replace(p, state="pruned") if p.number == 1 else p for p in view.points)
    )
    text = text_of(made.sweep((view, runs)))
    assert "3 runs ended before their time" in text
    assert "Pruned 3" in text
    assert "Failed 0" in text


def test_an_export_has_every_point(place: Path) -> None:
    data = load_report_data(place / "found.toml", "sweep", place / "runs")
    document = json.loads(json.dumps(results_document(data), allow_nan=False))
    (search,) = document["searches"]
    assert [point["number"] for point in search["points"]] == list(range(12))
    tests = {run["run_id"]: run["tests"] for run in document["runs"]}
    for point in search["points"]:
        for run in point["runs"]:
            history = tests[run["run_id"]]["test/win_rate/decentralised"]
            last = [
                value
                for step, value in zip(history["env_steps"], history["values"], strict=True)
                if step > 90_000
            ]
            assert run["final_win_rate"] == pytest.approx(sum(last) / len(last))
    rows = list(csv.DictReader(io.StringIO(points_table(data))))
    assert [row["run_id"] for row in rows] == [
        run["run_id"] for point in search["points"] for run in point["runs"]
    ]
    assert float(rows[2]["alpha"]) == search["points"][1]["parameters"]["alpha"]
    assert float(rows[2]["final_win_rate"]) == search["points"][1]["runs"][0]["final_win_rate"]


def test_an_export_without_searches_is_as_before() -> None:
    assert "searches" not in results_document(made.made_up.study(n_points=10))


def test_marl_eval_gets_no_run_that_only_tuned(place: Path) -> None:
    data = load_report_data(place / "found.toml", "tuned", place / "runs")
    (task,) = marl_eval_document(data)["skirmish"].values()
    assert {seed for runs in task.values() for seed in runs} == {"seed_1", "seed_2", "seed_3"}


def test_only_pages_about_searches_import_optuna(place: Path) -> None:
    program = (
        "import sys; from reports.cli import app\n"
        "sys.argv[1:] = ['export', 'found.toml', '--format', 'points', '--output', 'p.csv']\n"
        "assert not app(standalone_mode=False)\n"
        "print('optuna' in sys.modules)\n"
        "sys.argv[1:] = ['build', 'found.toml', '--output', 'p.html']\n"
        "assert not app(standalone_mode=False)\n"
        "print(sorted({'torch', 'mlflow', 'numba'} & sys.modules.keys()))"
    )
    root = str(Path(__file__).resolve().parents[2])
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=place,
        env={"PYTHONPATH": root, "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert (lines[1], lines[3]) == ("False", "[]")
    data = load_report_data(place / "found.toml", "sweep", place / "runs")
    assert (place / "p.csv").read_text() == points_table(data)
