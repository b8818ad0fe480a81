"""The command line: its documents, exit codes and help."""

from __future__ import annotations

import json
import re
import shlex
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import reports.__main__
from suite import __version__, cli, doctor, environments
from suite.__main__ import main
from suite.environments.backend import Problem
from suite.environments.skirmish import SKIRMISH_VERSION
from suite.runs.directory import RunsDirectory
from suite.runs.spec import RunSpec
from suite.scheduling.lock import coordinator_lock

ROOT = Path(__file__).parents[1]
COMMANDS = ["plan", "run", "status", "doctor"]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Run the command in this process: exit code, standard output, standard error."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["cadp-suite", *arguments])
        with pytest.raises(SystemExit) as exit_:
            main()
        captured = capsys.readouterr()
        return int(exit_.value.code or 0), captured.out, captured.err

    return run


@pytest.fixture
def trained_by(monkeypatch: pytest.MonkeyPatch):
    """Have `run` use a trainer of `tests/scheduling/fake_trainer.py`."""
    import suite.scheduling.coordinator as coordinator

    def use(name: str) -> None:
        monkeypatch.setenv("PYTHONPATH", str(ROOT / "tests" / "scheduling"))
        original = coordinator.run_plan

        def run_plan(*arguments, **options):
            return original(*arguments, **options, trainer=f"fake_trainer:{name}")

        monkeypatch.setattr(coordinator, "run_plan", run_plan)

    return use


def test_plan_says_what_is_run_on_what_and_what_differs(call, make_study) -> None:
    code, out, err = call("plan", str(make_study()))
    assert (code, err) == (0, "")
    assert "skirmish (embedded simulator, not StarCraft II)" in out
    assert "everything is smaller" in out
    assert "skirmish/corridor: not built yet" in out
    assert "2 trials × 2 seeds = 4 runs, 4,000 training steps" in out
    assert re.search(r"cadp_qmix +0\.5 +500 +1,000 +1 2", out)


def test_plan_as_json_is_one_document(call, make_study) -> None:
    code, out, err = call("plan", str(make_study()), "--json", "--workers", "3")
    assert (code, err) == (0, "")
    document = json.loads(out)
    assert document["n_runs"] == 4
    assert document["missing_scenarios"] == {"skirmish/corridor": "not built yet"}
    assert document["estimate"]["n_workers"] == 3
    assert [len(trial["runs"]) for trial in document["trials"]] == [2, 2]


def test_plan_says_what_is_finished_and_what_the_rest_takes(
    call, make_study, trained_by, runs_dir: Path
) -> None:
    """While a coordinator is at work and writes; as the header of `run` does."""
    trained_by("train")
    study, at = str(make_study(("[1, 2]", "[1, 101]"))), ("--runs-dir", str(runs_dir))
    everything = json.loads(call("plan", study, *at, "--json")[1])
    call("run", study, *at, "--workers", "1")
    before = {path: path.stat().st_mtime_ns for path in runs_dir.rglob("*")}
    records = sqlite3.connect(runs_dir / "mlflow.db", isolation_level=None)
    with coordinator_lock(RunsDirectory(runs_dir)), closing(records):
        records.execute("BEGIN IMMEDIATE")
        document = json.loads(call("plan", study, *at, "--json")[1])
        code, out, err = call("plan", study, *at)
    assert (code, err) == (0, "")
    assert "= 4 runs" in out
    assert "2 of them finished; estimated for the rest: " in out
    assert (everything["n_finished"], document["n_finished"], document["n_runs"]) == (0, 2, 4)
    after = {path: path.stat().st_mtime_ns for path in runs_dir.rglob("*")}
    locks = {runs_dir / "coordinator.lock", runs_dir / "coordinator.pid"}
    assert before.keys() - locks == after.keys() - locks
    assert all(before[path] == after[path] for path in before.keys() - locks)
    assert "2 of them finished; estimated for the rest: " in call("run", study, *at)[2]
    alone = str(make_study(("[1, 2]", "[1]")))
    assert "All of them are finished" in call("plan", alone, *at)[1]


def test_plan_needs_no_runs_directory(call, make_study, tmp_path: Path) -> None:
    study, nowhere = str(make_study()), tmp_path / "none" / "runs"
    code, out, err = call("plan", study, "--runs-dir", str(nowhere))
    assert (code, err) == (0, "")
    assert "Estimated: " in out
    assert not nowhere.parent.exists()
    code, out, err = call("plan", study, "--runs-dir", study)
    assert (code, out) == (2, "")
    assert err.endswith("study.toml: not a directory; choose another --runs-dir\n")


def test_status_says_that_nothing_has_been_run(call, make_study, tmp_path: Path) -> None:
    study, place = str(make_study()), str(tmp_path / "nowhere")
    code, out, _ = call("status", study, "--runs-dir", place)
    assert code == 0
    assert f"Nothing has been run in {place} yet" in out
    assert not json.loads(call("status", study, "--runs-dir", place, "--json")[1])["has_records"]


def test_run_then_status(call, make_study, trained_by, runs_dir: Path) -> None:
    trained_by("train")
    study, at = str(make_study()), ("--runs-dir", str(runs_dir))
    before = json.loads(call("status", study, *at, "--json")[1])
    assert before["counts"]["waiting"] == 4
    code, out, err = call("run", study, *at, "--workers", "2")
    assert (code, out) == (0, "")
    assert "not StarCraft II" in err
    assert "4 runs finished, 0 were already, 0 failed" in err
    code, out, err = call("status", study, *at, "--json")
    document = json.loads(out)
    assert (code, err) == (0, "")
    assert document["counts"]["finished"] == 4
    assert document["runs"][1]["last_win_rate"] == {"decentralised": 1.0, "centralised": 1.0}
    shown = call("status", study, *at)[1]
    assert "4 finished" in shown
    assert "Nothing has been run" not in shown


def test_failed_runs_are_listed_and_leave_with_1(
    call, make_study, trained_by, runs_dir: Path
) -> None:
    trained_by("train")
    study, at = str(make_study(("[1, 2]", "[1, 101]"))), ("--runs-dir", str(runs_dir))
    code, out, err = call("run", study, *at, "--workers", "1")
    assert (code, out) == (1, "")
    assert "2 runs finished, 0 were already, 2 failed" in err
    line = "failed: skirmish/3m qmix seed 101: ValueError: the networks have exploded"
    assert line in err
    assert line in call("status", study, *at)[1]
    document = json.loads(call("status", study, *at, "--json")[1])
    failures = [run["failure"] for run in document["runs"] if run["state"] == "failed"]
    assert len(failures) == 2
    assert failures[0].startswith("Traceback")


def test_run_ends_with_the_command_that_makes_the_report(
    call, make_study, trained_by, runs_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained_by("train")
    study = str(make_study().rename(runs_dir.parent / "my study.toml"))
    place = runs_dir.rename(runs_dir.parent / "my runs")
    code, _, err = call("run", study, "--profile", "tiny", "--runs-dir", str(place))
    assert code == 0
    name, command = err.splitlines()[-1].split(": ", 1)
    assert name == "the report is made by"
    words = shlex.split(command)
    assert words == ["cadp-report", "build", study, "--profile", "tiny", "--runs-dir", str(place)]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as exit_:
        reports.__main__.main()
    assert not exit_.value.code
    assert list((place / "reports").glob("*.html"))


@pytest.mark.parametrize(
    ("study", "backend", "runs_dir", "expected"),
    [
        ("studies/x.toml", None, "runs", "cadp-report build studies/x.toml --profile p"),
        ("x.toml", "b", "runs", "cadp-report build x.toml --profile p --backend b"),
        ("-x.toml", None, "-r", "cadp-report build ./-x.toml --profile p --runs-dir -r"),
        ("a b", None, "it's", """cadp-report build 'a b' --profile p --runs-dir 'it'"'"'s'"""),
    ],
)
def test_the_command_for_the_report_can_be_typed(
    study: str, backend: str | None, runs_dir: str, expected: str
) -> None:
    assert cli._report_command(Path(study), "p", backend, Path(runs_dir)) == expected


def test_a_study_on_another_backend_from_plan_to_report(
    call, make_study, trained_by, runs_dir: Path, twin: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside its runs on its own, with records and reports of its own."""
    trained_by("train")
    study, at = str(make_study()), ("--runs-dir", str(runs_dir))
    moved = (study, "--backend", "twin", *at)
    call("run", study, *at, "--workers", "1")
    code, out, _ = call("plan", *moved)
    assert code == 0
    assert "Study example_twin, profile tiny" in out
    assert "Environment: twin (a twin of skirmish)" in out
    document = json.loads(call("plan", *moved, "--json")[1])
    assert (document["study"], document["n_finished"]) == ("example_twin", 0)
    assert json.loads(call("status", *moved, "--json")[1])["counts"]["waiting"] == 4
    code, _, err = call("run", *moved, "--workers", "1")
    assert code == 0
    assert "4 runs finished, 0 were already, 0 failed" in err
    assert json.loads(call("status", *moved, "--json")[1])["counts"]["finished"] == 4
    words = shlex.split(err.splitlines()[-1].split(": ", 1)[1])
    assert words[2:] == [study, "--profile", "tiny", *moved[1:]]
    for command in (words, [word for word in words if word not in ("--backend", "twin")]):
        monkeypatch.setattr(sys, "argv", command)
        with pytest.raises(SystemExit) as exit_:
            reports.__main__.main()
        assert not exit_.value.code
    pages = sorted((runs_dir / "reports").glob("*.html"))
    assert [page.name for page in pages] == ["example-tiny.html", "example_twin-tiny.html"]
    own, other = (page.read_text() for page in pages)
    assert "twin/3m" in other
    assert "skirmish/3m" not in other
    assert "twin/3m" not in own
    with closing(sqlite3.connect(runs_dir / "optuna.db")) as ledger:
        names = {name for (name,) in ledger.execute("SELECT study_name FROM studies")}
    assert names == {"example/tiny", "example_twin/tiny"}


def test_interruption_leaves_with_130(
    call, make_study, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("suite.scheduling.coordinator.run_plan", interrupted)
    code, out, err = call("run", str(make_study()), "--runs-dir", str(tmp_path / "runs"))
    assert (code, out) == (130, "")
    assert "the same command continues" in err


def test_damaged_records_are_one_line(call, make_study, tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_bytes(b"garbage" * 1000)
    for command in ("plan", "run", "status"):
        code, out, err = call(command, str(make_study()), "--runs-dir", str(tmp_path))
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert "mlflow.db" in err
        assert "restore it from a backup" in err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["plan", ""], "STUDY: not a path (got '')"),
        (["plan", "no\x1b\n\udcff.toml"], r"no\x1b\n\xff.toml: no such study file"),
        (["plan", "{study}\0"], "STUDY: not a path"),
        (
            ["plan", "{study}", "--profile", "\x1b[31m\u202e"],
            r"unknown profile (got '\x1b[31m\u202e')",
        ),
        (["plan", "{study}", "--workers", "٣"], "--workers: not a whole number from 1 to 1024"),
        (["plan", "{study}", "--workers", "1_0"], "--workers: not a whole number"),
        (["plan", "{study}", "--workers", "1025"], "--workers: not a whole number"),
        (["plan", "{study}", "--workers", "9" * 5000], "--workers: not a whole number"),
        (["run", "{study}", "--device", "cuda:-1"], "--device: unknown device (got 'cuda:-1')"),
        (["run", "{study}", "--device", "cuda:٣"], "--device: unknown device"),
        (["run", "{study}", "--device", "cuda:" + "9" * 5000], "--device: unknown device"),
        (["run", "{study}", "--device", "cuda:"], "--device: unknown device"),
        (["run", "{study}", "--device", "cpu\n"], "--device: unknown device"),
        (["run", "{study}", "--runs-dir", ""], "--runs-dir: not a path (got '')"),
        (["run", "{study}", "--backend", "\x1b"], r"--backend: unknown backend (got '\x1b')"),
        (["status", "{study}", "--runs-dir", "a\0b"], "--runs-dir: not a path (got 'a\\x00b')"),
        (["watch", "3m", "--seed", "٣"], "'--seed': not a whole number from 0"),
        (["watch", "3m", "--seed", "9" * 5000], "'--seed': not a whole number from 0"),
        (["watch", "3m", "--output", ""], "--output: not a path"),
        (["\x1b[31m"], r"No such command '\x1b[31m'"),
    ],
)
def test_strange_options_are_one_short_line(
    arguments: list[str], expected: str, call, make_study
) -> None:
    study = str(make_study())
    code, out, err = call(*(part.replace("{study}", study) for part in arguments))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert expected in err
    assert err.rstrip("\n").isprintable()
    assert len(err) < 500


def test_the_command_stops_when_the_answer_is_in(
    call, make_study, trained_by, runs_dir: Path
) -> None:
    """The real statistics: one arm is better by far, so that the limit is not reached; the same
    command again trains nothing, and the report says why it stopped."""
    from suite.records.schedule import ScheduleStore

    trained_by("train_apart")
    study = str(make_study(("seeds = [1, 2]", "seeds = {first = 4, then = 2, up_to = 12}")))
    arguments = ("run", study, "--runs-dir", str(runs_dir), "--workers", "2")
    code, _, err = call(*arguments)
    assert code == 0, err
    assert "look 1 of 5, 4 seeds" in err
    assert "; no more seeds" in err
    n_trained = len(ScheduleStore(runs_dir).runs("example/tiny"))
    assert 8 <= n_trained < 24, err
    code, _, err = call(*arguments)
    assert code == 0
    assert f"0 runs finished, {n_trained} were already" in err
    assert len(ScheduleStore(runs_dir).runs("example/tiny")) == n_trained
    code, out, _ = call("status", study, "--runs-dir", str(runs_dir), "--json")
    counts = json.loads(out)["counts"]
    assert counts["finished"] == n_trained
    assert counts["waiting"] == 0


def test_status_follows_until_the_coordinator_has_ended() -> None:
    from suite.status import follow

    seen = iter([(1, 7), (1, 7), (2, 7), (4, 7), (4, None)])
    shown, slept = [], []

    def look() -> dict[str, Any]:
        n_finished, pid = next(seen)
        return {"counts": {"finished": n_finished}, "coordinator_pid": pid}

    follow(look, lambda one: shown.append(one["counts"]["finished"]), slept.append)
    assert shown == [1, 2, 4, 4]
    assert len(slept) == 4


def test_status_follows_in_lines_of_json(call, make_study, runs_dir: Path) -> None:
    study = str(make_study())
    code, out, err = call("status", study, "--runs-dir", str(runs_dir), "--follow", "--json")
    assert (code, err) == (0, "")
    (line,) = out.splitlines()
    assert json.loads(line)["counts"]["waiting"] == 4


def test_status_of_many_runs_is_a_row_per_trial(
    call, make_study, runs_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("suite.status._MOST_ROWS", 3)
    code, out, _ = call("status", str(make_study()), "--runs-dir", str(runs_dir))
    rows = [line.split() for line in out.splitlines() if line.startswith("skirmish/3m")]
    assert code == 0
    assert [row[1] for row in rows] == ["qmix", "cadp_qmix"]
    assert "0 of 2" in out
    monkeypatch.setattr("suite.status._MOST_ROWS", 1)
    _, out, _ = call("status", str(make_study()), "--runs-dir", str(runs_dir))
    assert "… and 1 more trials; --json has all" in out


def test_status_names_a_failure_without_a_word(
    call, make_study, runs_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from suite import status

    def failed(run: RunSpec, record: object, **more: Any) -> dict[str, Any]:
        return {**original(run, None, **more), "state": "failed", "failure": " \n"}

    original = status._run_document
    monkeypatch.setattr(status, "_run_document", failed)
    code, out, err = call("status", str(make_study()), "--runs-dir", str(runs_dir))
    assert (code, err) == (0, "")
    assert "failed: skirmish/3m qmix seed 1: no reason was recorded" in out


def test_version(call) -> None:
    assert call("--version") == (0, f"cadp-suite {__version__}\n", "")


def test_without_a_command_the_help_is_shown(call) -> None:
    code, out, err = call()
    assert (code, out) == (2, "")
    assert "Examples:" in err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(call, command: str) -> None:
    code, out, _ = call(command, "--help")
    assert code == 0
    assert f"Example: cadp-suite {command}" in " ".join(out.split())


@pytest.mark.parametrize(
    "arguments", [["--help"], ["plan", "studies/reproduce_smac.toml", "--json"]], ids=str
)
def test_help_and_planning_import_nothing_heavy(arguments: list[str]) -> None:
    code = (
        f"import sys; sys.argv = ['cadp-suite', *{arguments!r}]\n"
        "from suite.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'mlflow', 'optuna', 'numba'} & sys.modules.keys()\n"
        "print(sorted(heavy), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stderr == "[]\n"


def test_doctor_as_json(call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SC2PATH", raising=False)
    code, out, err = call("doctor", "--json")
    report = json.loads(out)
    assert (code, err) == (0, "")
    assert report["is_usable"]
    assert report["packages"]["optuna"]
    usable = {entry["name"]: entry["is_usable"] for entry in report["environments"]}
    starcraft = usable.pop("starcraft")
    assert starcraft == any(name.startswith("starcraft/") for name in environments.usable())
    ours = {"skirmish": True, "matrix": True, "pettingzoo": True}
    ours["smax"] = all(map(doctor.package_version, ("jaxmarl", "jax")))
    ours["football"] = environments.backends()["football"].problem() is None
    assert usable == ours
    assert "ready" in call("doctor")[1]


def test_doctor_names_missing_packages(call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "NEEDED_PACKAGES", ("numpy", "no-such-package"))
    code, out, _ = call("doctor")
    assert code == 2
    assert "MISSING: pip install no-such-package" in out


def test_doctor_says_what_a_backend_lacks(call, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is optional leaves the rest usable."""
    assert "pettingzoo     usable: " in call("doctor")[1]
    assert f"gymnasium {doctor.package_version('gymnasium')}" in call("doctor")[1]
    needs = ("pettingzoo", "no-such-package")
    monkeypatch.setattr("suite.environments.pettingzoo.backend.PettingZooBackend.needs", needs)
    code, out, _ = call("doctor")
    assert code == 0
    assert "pettingzoo     not usable: " in out
    assert "cure: run: pip install no-such-package" in out


def test_doctor_says_what_a_backend_says_of_itself(call, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its version where it can be used, else what is missing and what to do about it."""
    out = call("doctor")[1]
    assert f"skirmish       usable: rules version {SKIRMISH_VERSION}; " in out
    problem = Problem("the game is gone", "look for it")
    for backend in ("matrix.MatrixBackend", "starcraft.backend.StarCraftBackend"):
        monkeypatch.setattr(f"suite.environments.{backend}.problem", lambda self: problem)
    code, out, _ = call("doctor")
    assert code == 0
    assert "matrix         not usable: the game is gone; " in out
    assert out.count("cure: look for it") == 2


def test_more_workers_than_memory_holds_are_refused(call, make_study, monkeypatch) -> None:
    monkeypatch.setattr("suite.scheduling.capacity.memory_bytes", lambda: 500_000_000)
    code, _, err = call("run", str(make_study()), "--workers", "2")
    assert code == 2
    assert "--workers: a run takes up to 0." in err
    assert "this machine has 0.5 GiB (got '2'); give 1" in err
