"""The command line: what goes where, exit codes, and that no trainer is imported.

Records are written as a real run writes them.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import synthetic_study as made_up

from reports.build import build_html
from reports.cli import main
from reports.load import load_report_data
from reports.reference import load_reference
from suite.errors import InputError
from suite.records.writer import RecordWriter
from suite.runs.spec import RunSpec
from suite.study.load import load_study
from suite.study.plan import expand

STUDY = """
format = 1
name = "small"
question = "Does it work?"
default_profile = "tiny"

[arms.qmix]
framework = "ctde"
backbone = "qmix"

[arms.cadp_qmix]
framework = "cadp"
backbone = "qmix"

[profiles.tiny]
description = "for a test"
deviations = ["nothing is trained"]
scenarios = ["skirmish/3m"]
arms = ["qmix", "cadp_qmix"]
seeds = [1, 2]
training = { total_env_steps = 10_000, test_interval_env_steps = 1_000 }
hyperparameters = { pruning_start_fraction = [0.5, 0.7] }

[profiles.other]
description = "never run"
scenarios = ["skirmish/3m"]
arms = ["qmix"]
seeds = [9]

[[claims]]
name = "as-good"
text = "D is as good as C."
kind = "equivalent"
left = "cadp_qmix/decentralised"
right = "cadp_qmix/centralised"
margin = 0.05
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with small.toml and runs/: all finished but one failed and one unfinished."""
    directory = tmp_path_factory.mktemp("place")
    study = directory / "small.toml"
    study.write_text(STUDY)
    plan = expand(load_study(study))
    writer = RecordWriter(directory / "runs")
    for index, spec in enumerate(plan.runs):
        _write(writer, spec)
        if index == 0:
            writer.fail(spec.run_id, "Traceback …\nValueError: as planned")
        elif index > 1:
            writer.finish(spec.run_id, 12.0, "")
    return directory


def _write(writer: RecordWriter, spec: RunSpec, *, odd: bool = False) -> None:
    """Begin a run and log all its metrics. odd: with a win rate of 200 %."""
    writer.begin(spec, {"processor": "a test"}, resuming=False)
    source = made_up.run(spec.scenario, spec.arm, spec.seed, n_points=10, total=10_000)
    points = [
        (key, int(step), float(value))
        for key, history in source.histories.items()
        for step, value in zip(history.steps, history.values, strict=True)
    ]
    if odd:
        points.append(("test/win_rate/centralised", points[0][1], 2.0))
    writer.log(spec.run_id, points)


def call(
    arguments: Sequence[str], place: Path, monkeypatch: pytest.MonkeyPatch
) -> int | str | None:
    """Run the command in `place`; returns its exit code."""
    monkeypatch.chdir(place)
    monkeypatch.setattr(sys, "argv", ["cadp-report", *arguments])
    with pytest.raises(SystemExit) as leaving:
        main()
    return leaving.value.code


def test_what_to_run_first_is_told_with_its_backend(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], twin: None
) -> None:
    for command in (["build"], ["export"], ["compare", "--against", "runs"]):
        assert call([*command, "small.toml", "--backend", "twin"], place, monkeypatch) == 2
        line = capsys.readouterr().err
        assert "none of the 6 runs of study small_twin, profile tiny, has been started" in line
        assert "cadp-suite run small.toml --profile tiny --backend twin --runs-dir runs" in line


def test_build_prints_the_path_and_nothing_else(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(["build", "small.toml"], place, monkeypatch) == 0
    path = place / "runs" / "reports" / "small-tiny.html"
    captured = capsys.readouterr()
    assert captured.out == f"{path}\n"
    assert captured.err == ""
    text = path.read_text()
    assert "ValueError: as planned" in text
    assert "1 started, 0 not started" in text
    assert list(path.parent.iterdir()) == [path]  # nothing temporary is left


def test_hyperparameter_points_are_named(place: Path) -> None:
    data = load_report_data(place / "small.toml", None, place / "runs")
    assert {run.condition for run in data.runs} == {
        "qmix",
        "cadp_qmix [T=5,000]",
        "cadp_qmix [T=7,000]",
    }
    assert {run.status for run in data.runs} == {"finished", "failed", "unfinished"}


def test_reports_import_neither_torch_nor_optuna_nor_mlflow(place: Path) -> None:
    """And another process writes the same bytes."""
    program = (
        "import sys; sys.argv[1:] = ['build', 'small.toml', '--output', 'sub/dir/r.html']\n"
        "from reports.cli import app\n"
        "assert not app(standalone_mode=False)\n"
        "print(sorted({'torch', 'optuna', 'mlflow', 'numba'} & sys.modules.keys()))"
    )
    root = str(Path(__file__).resolve().parents[2])
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=place,
        env={**os.environ, "PYTHONPATH": root, "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines()[-1] == "[]", done.stderr
    data = load_report_data(place / "small.toml", None, place / "runs")
    reference = load_reference(Path(root) / "reference_results" / "paper")
    assert (place / "sub" / "dir" / "r.html").read_text() == build_html(data, reference)


def test_help_is_quick_to_import() -> None:
    program = (
        "import sys, reports.cli\n"
        "print(sorted({'matplotlib', 'seaborn', 'scipy', 'jinja2'} & sys.modules.keys()))"
    )
    root = str(Path(__file__).resolve().parents[2])
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": root},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["build", "small.toml", "--profile", "other"], "none of the 1 runs of study small"),
        (["build", "small.toml", "--runs-dir", "nowhere"], "nothing has been run here"),
        (["build", "absent.toml"], "absent.toml"),
        (["build", "small.toml", "--profile", "tinny"], "unknown profile"),
        (["build", "small.toml", "--output", "runs"], "is a directory"),
        (["build", "small.toml", "--output", "small.toml"], "not the name of a .html file"),
        (["build", "small.toml", "--output", "/dev/stdout"], "not the name of a .html file"),
        (["export", "small.toml", "--output", "runs/mlflow.db"], "not the name of a .json file"),
        (["build"], "Missing argument 'STUDY'; see cadp-report build --help"),
        (["bild", "small.toml"], "No such command 'bild'"),
        (["export", "small.toml", "--format", "csv"], "csv"),
    ],
)
def test_errors_are_one_line_and_exit_code_two(
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    words: str,
) -> None:
    assert call(arguments, place, monkeypatch) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert captured.err.startswith("cadp-report: ")
    assert words in captured.err


def test_a_place_that_cannot_be_written_is_one_line(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["build", "small.toml", "--output", "small.toml/report.html"]
    assert call(arguments, place, monkeypatch) == 2
    assert "cannot write the file" in capsys.readouterr().err
    assert (place / "small.toml").read_text() == STUDY


@pytest.mark.parametrize(
    ("link", "target"),
    [("a.html", "small.toml"), ("b.html", "runs/mlflow.db"), ("c.html", "/dev/stdout")],
)
def test_a_link_to_something_else_is_refused(
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    link: str,
    target: str,
) -> None:
    (place / link).symlink_to(target)
    assert call(["build", "small.toml", "--output", link], place, monkeypatch) == 2
    assert "not the name of a .html file" in capsys.readouterr().err
    assert (place / "small.toml").read_text() == STUDY


def test_the_study_itself_is_no_place_for_its_results(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "study.json").write_text(STUDY)
    assert call(["export", "study.json", "--output", "study.json"], place, monkeypatch) == 2
    assert "is the study itself" in capsys.readouterr().err
    assert (place / "study.json").read_text() == STUDY


def test_a_link_leads_to_its_target(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "target.html").write_text("old")
    (place / "link.html").symlink_to("target.html")
    assert call(["build", "small.toml", "--output", "link.html"], place, monkeypatch) == 0
    assert (place / "link.html").is_symlink()
    assert "<!doctype html>" in (place / "target.html").read_text()


def test_interruption_leaves_with_130_and_no_file(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("reports.build.build_html", interrupt)
    assert call(["build", "small.toml", "--output", "no.html"], place, monkeypatch) == 130
    assert "interrupted" in capsys.readouterr().err
    assert not (place / "no.html").exists()


def test_export_writes_what_was_measured(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(["export", "small.toml"], place, monkeypatch) == 0
    document = json.loads(Path(capsys.readouterr().out.strip()).read_text())
    assert (document["format"], document["backends"]) == (2, ["skirmish"])
    assert len(document["runs"]) == 6
    run = next(r for r in document["runs"] if r["status"] == "finished")
    expected = made_up.run(run["scenario"], run["arm"], run["seed"], n_points=10, total=10_000)
    history = expected.histories["test/win_rate/decentralised"]
    assert run["tests"]["test/win_rate/decentralised"] == {
        "env_steps": history.steps.astype(int).tolist(),
        "values": history.values.tolist(),
    }
    assert run["provenance"] == {"processor": "a test"}
    assert run["sittings"] == [{"processor": "a test"}]
    assert {r["status"] for r in document["runs"]} == {"finished", "failed", "unfinished"}
    assert all(r["left_out"] == [] for r in document["runs"])


def test_export_for_marl_eval(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(["export", "small.toml", "--format", "marl-eval"], place, monkeypatch) == 0
    document = json.loads(Path(capsys.readouterr().out.strip()).read_text())
    algorithms = document["skirmish"]["3m"]
    assert "cadp_qmix [T=5,000] (centralised)" in algorithms
    steps = algorithms["cadp_qmix [T=5,000] (centralised)"]["seed_2"]
    assert steps["step_0"].keys() == {"step_count", "win_rate", "return"}
    assert [steps[f"step_{i}"]["step_count"] for i in range(len(steps))] == sorted(
        step["step_count"] for step in steps.values()
    )


def test_compare_with_itself_finds_no_difference(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(["compare", "small.toml", "--against", "runs"], place, monkeypatch) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 + 5
    assert all(" 0.0" in line for line in lines[4:])


def test_compare_says_what_the_numbers_lack(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The other place lacks a run, and one recorded a win rate of 200 %."""
    plan = expand(load_study(place / "small.toml"))
    writer = RecordWriter(tmp_path)
    for spec in plan.runs[1:]:
        _write(writer, spec, odd=spec is plan.runs[-1])
        writer.finish(spec.run_id, 12.0, "")
    arguments = ["compare", "small.toml", "--against", str(tmp_path)]
    assert call(arguments, place, monkeypatch) == 0
    out = capsys.readouterr().out
    last = plan.runs[-1]
    assert (
        f"* B without a run that is no evidence: cadp_qmix [T=7,000] seed 2 ({last.run_id})" in out
    )
    assert "test/win_rate/centralised is 2, possible is 0 to 1" in out
    assert "[T=7,000] (C): the means are over different seeds (A: 1, 2; B: 1), A-B is over" in out


def test_marl_eval_names_what_it_leaves_out(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    plan = expand(load_study(place / "small.toml"))
    writer = RecordWriter(tmp_path)
    _write(writer, plan.runs[-1], odd=True)
    writer.finish(plan.runs[-1].run_id, 12.0, "")
    arguments = ["export", "small.toml", "--format", "marl-eval", "--runs-dir", str(tmp_path)]
    assert call(arguments, place, monkeypatch) == 0
    captured = capsys.readouterr()
    assert json.loads(Path(captured.out.strip()).read_text()) == {}
    assert captured.err.startswith("cadp-report: left out, no evidence: cadp_qmix [T=7,000] seed 2")
    assert captured.err.count("\n") == 1


def test_nothing_started_is_an_input_error(place: Path) -> None:
    with pytest.raises(InputError, match="run them first: cadp-suite run"):
        load_report_data(place / "small.toml", "other", place / "runs")
