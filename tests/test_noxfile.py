"""The nox sessions: who gets which option, and how a session ends. Nothing is installed."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nox
import pytest
import typer

import reports.cli
import suite.cli
from suite.environments.starcraft.installation import smac_commit
from suite.scheduling import coordinator

ROOT = Path(__file__).parents[1]
APPS = {"cadp-suite": suite.cli.app, "cadp-report": reports.cli.app}


def load_noxfile() -> Any:
    spec = importlib.util.spec_from_file_location("noxfile", ROOT / "noxfile.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


noxfile = load_noxfile()
UNUSUAL = os.fsdecode("my study ü.toml".encode())  # also where file names are ASCII
Execute = Callable[[list[str]], tuple[int, str]]


class Ended(Exception):
    """A session has ended itself by an error."""


class Skipped(Exception):
    """A session has ended itself without one."""


class FakeSession:
    """Records commands; `execute` answers each with an exit code and standard output."""

    name = "sweep"

    def __init__(self, posargs: list[str], execute: Execute) -> None:
        self.posargs = posargs
        self.commands: list[list[str]] = []
        self.installed: list[tuple[str, ...]] = []
        self._execute = execute

    def run(self, *command: str, success_codes: tuple[int, ...] = (0,), **how: Any) -> Any:
        self.commands.append(list(command))
        code, output = self._execute(list(command))
        if code not in success_codes:
            raise nox.command.CommandFailed(f"Returned code {code}")
        return output if how.get("silent") else True

    def install(self, *packages: str, **how: Any) -> None:
        self.installed.append(packages)

    @property
    def n_installations(self) -> int:
        return len(self.installed)

    def log(self, message: str) -> None:
        pass

    def error(self, message: str) -> None:
        raise Ended(message)

    def skip(self, message: str) -> None:
        raise Skipped(message)


def stub(code: int = 0, n_failed: int = 0) -> Execute:
    """Commands that do nothing; training ends with `code`."""

    def execute(command: list[str]) -> tuple[int, str]:
        if command[1] == "status":
            return 0, json.dumps({"counts": {"failed": n_failed}})
        return (code if command[1] == "run" else 0), ""

    return execute


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with study files in it."""
    monkeypatch.chdir(tmp_path)
    for name in ("s.toml", UNUSUAL):
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize("command", [noxfile.RUN, noxfile.STATUS, noxfile.BUILD])
def test_the_table_of_options_is_that_of_the_command_lines(command: str) -> None:
    """An option new to a command goes into noxfile.OPTIONS, with the commands that know it."""
    program, name = command.split()
    parameters = typer.main.get_command(APPS[program]).commands[name].params  # type: ignore[attr-defined]
    options = [
        p
        for p in parameters
        if p.param_type_name == "option" and not {"--json", "--follow"} & {*p.opts}
    ]
    assert not [option.opts for option in options if option.is_flag]
    known = {option for option, known_by in noxfile.OPTIONS.items() if command in known_by}
    assert known == {name for option in options for name in option.opts}


@pytest.mark.parametrize(
    "posargs",
    [
        ["s.toml", "--device", "cpu", "--profile", "tiny", "--workers", "2", "--runs-dir", "r s"],
        ["--device=cpu", "--profile=tiny", "--workers=2", "--runs-dir=r s", "s.toml"],
        ["--device", "cpu", "--profile=tiny", "s.toml", "--workers", "2", "--runs-dir", "r s"],
    ],
    ids=["after", "before", "around"],
)
def test_every_command_gets_the_options_that_it_knows(here: Path, posargs: list[str]) -> None:
    session = FakeSession(posargs, stub())
    noxfile.sweep(session)
    run, build, status = session.commands
    shared = ["--profile=tiny", "--runs-dir=r s"]
    assert run == ["cadp-suite", "run", "s.toml", *shared, "--workers=2", "--device=cpu"]
    assert build == ["cadp-report", "build", "s.toml", *shared]
    assert status == ["cadp-suite", "status", "s.toml", *shared, "--json"]
    assert session.n_installations == 1


def test_an_option_of_the_report_is_not_given_to_the_run(here: Path) -> None:
    session = FakeSession([UNUSUAL, "--output", "out.html"], stub())
    noxfile.sweep(session)
    assert [command[2:] for command in session.commands] == [
        [UNUSUAL],
        [UNUSUAL, "--output=out.html"],
        [UNUSUAL, "--json"],
    ]


def test_the_sessions_without_a_study_of_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    session = FakeSession(["--profile", "smoke", "--workers", "1"], stub())
    noxfile.reproduce_smac(session)
    study = "studies/reproduce_smac.toml"
    assert session.commands[0] == [*noxfile.RUN.split(), study, "--profile=smoke", "--workers=1"]
    session = FakeSession(["--profile", "smoke"], stub())
    noxfile.report(session)
    assert session.commands == [["cadp-report", "build", study, "--profile=smoke"]]


def test_football_is_built_before_it_is_played(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    session = FakeSession(["--profile", "smoke"], stub())
    noxfile.reproduce_football(session)
    assert session.installed == [("-e", ".[football]")]
    install, run, build, _ = session.commands
    assert install == ["python", "-m", "suite.environments.football.install"]
    study = "studies/reproduce_football.toml"
    assert run == [*noxfile.RUN.split(), study, "--profile=smoke"]
    assert build == [*noxfile.BUILD.split(), study, "--profile=smoke"]


def test_studies_of_starcraft_get_its_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SMAC at the commit whose maps are known; its own dependencies would break MLflow."""
    monkeypatch.chdir(ROOT)
    study = tmp_path / "s.toml"
    for text, packages in (
        ("skirmish/3m", "."),
        ("smax/3m", ".[smax]"),
        ("pettingzoo/mpe2.x:env", ".[mpe2]"),
        ("starcraft/3m", ".[starcraft]"),
    ):
        study.write_text(f'scenarios = ["{text}"]')
        session = FakeSession([str(study)], stub())
        noxfile.sweep(session)
        assert session.installed[0] == ("-e", packages)
    smac = f"git+https://github.com/oxwhirl/smac@{smac_commit()}"
    assert session.installed[1:] == [("--no-deps", "pysc2", smac)]


def test_studies_moved_to_starcraft_get_its_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And those that are moved away do without them; every command is told."""
    monkeypatch.chdir(ROOT)
    moved = FakeSession(["--profile=smoke", "--backend", "starcraft"], stub())
    noxfile.reproduce_smac(moved)
    assert [packages[:2] for packages in moved.installed] == [
        ("-e", ".[starcraft]"),
        ("--no-deps", "pysc2"),
    ]
    assert [command[:2] for command in moved.commands] == [
        ["cadp-suite", "run"],
        ["cadp-report", "build"],
        ["cadp-suite", "status"],
    ]
    assert all("--backend=starcraft" in command for command in moved.commands)
    study = tmp_path / "s.toml"
    study.write_text('scenarios = ["starcraft/3m"]')
    for name in ("sweep", "report"):
        for backend, packages in (("starcraft", ".[starcraft]"), ("skirmish", ".")):
            session = FakeSession([str(study), "--backend", backend], stub())
            getattr(noxfile, name)(session)
            assert session.installed[0] == ("-e", packages)
    plain = FakeSession([], stub())
    noxfile.reproduce_smac(plain)
    assert plain.installed == [("-e", ".")]


def test_starcraft_is_fetched_as_the_user_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    session = FakeSession(["--folder", "my games"], stub())
    noxfile.install_starcraft(session)
    fetch = ["python", "-m", "suite.environments.starcraft.install", "--folder", "my games"]
    assert session.commands == [fetch, ["cadp-suite", "doctor"]]
    assert len(session.installed) == 2


@pytest.mark.parametrize(("posargs", "ending"), [(["--help"], Skipped), (["--bogus"], Ended)])
def test_the_game_s_options_are_looked_at_first(posargs: list[str], ending: type) -> None:
    session = FakeSession(posargs, stub())
    with pytest.raises(ending):
        noxfile.install_starcraft(session)
    assert session.installed == session.commands == []


WRONG = {
    "no study": ("sweep", [], "name one study: nox -s sweep -- studies/<name>.toml"),
    "two studies": ("sweep", ["s.toml", "t.toml"], r"name one study \(got s.toml and t.toml\)"),
    "no such study": ("sweep", ["t.toml"], "no such study file: t.toml"),
    "a folder": ("sweep", ["."], "no such study file: ."),
    "unknown option": ("sweep", ["s.toml", "--frobnicate", "3"], "unrecognized.*--frobnicate"),
    "unknown with =": ("sweep", ["--frobnicate=3", "s.toml"], "unrecognized.*--frobnicate=3"),
    "abbreviation": ("sweep", ["s.toml", "--prof", "tiny"], "unrecognized.*--prof"),
    "option of another session": ("report", ["s.toml", "--device", "cpu"], "--device"),
    "no value": ("sweep", ["s.toml", "--profile"], "--profile: expected one argument"),
    "an option as value": ("sweep", ["s.toml", "--profile", "--device"], "--profile: expected"),
    "a page of another kind": ("sweep", ["s.toml", "--output", "s.toml"], "names no .html file"),
    "no page": ("sweep", ["s.toml", "--output="], "names no .html file"),
    "a study of the user": ("reproduce_smac", ["s.toml"], "run yours by: nox -s sweep -- s.toml"),
    "one of the user's": ("reproduce_football", ["s.toml"], "run yours by: nox -s sweep -- s.toml"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_arguments_end_before_anything_is_installed(here: Path, case: str) -> None:
    session_name, posargs, message = WRONG[case]
    session = FakeSession(posargs, stub())
    with pytest.raises(Ended, match=message):
        getattr(noxfile, session_name)(session)
    assert (session.n_installations, session.commands) == (0, [])


@pytest.mark.parametrize("posargs", [["--help"], ["-h"], ["s.toml", "--device", "x", "--help"]])
def test_help_lists_the_options_and_does_nothing(
    here: Path, capsys: pytest.CaptureFixture[str], posargs: list[str]
) -> None:
    session = FakeSession(posargs, stub())
    with pytest.raises(Skipped):
        noxfile.sweep(session)
    assert (session.n_installations, session.commands) == (0, [])
    assert set(re.findall(r"--[a-z-]+", capsys.readouterr().out)) >= set(noxfile.OPTIONS)


def test_failed_runs_fail_the_session_after_the_report(here: Path) -> None:
    session = FakeSession(["s.toml"], stub(code=1, n_failed=3))
    with pytest.raises(Ended, match="3 runs failed; the report lists them"):
        noxfile.sweep(session)
    assert [command[1] for command in session.commands] == ["run", "build", "status"]


@pytest.mark.parametrize("code", [2, 130, -9])
def test_bad_input_and_interruption_end_the_session(here: Path, code: int) -> None:
    session = FakeSession(["s.toml"], stub(code))
    with pytest.raises(nox.command.CommandFailed):
        noxfile.sweep(session)
    assert [command[1] for command in session.commands] == ["run"]


def test_only_installing_is_no_failure(here: Path) -> None:
    session = FakeSession(["s.toml"], stub())
    session.run = lambda *_, **__: None  # type: ignore[method-assign]  # so does --install-only
    noxfile.sweep(session)
    assert session.n_installations == 1


@pytest.fixture
def really(monkeypatch: pytest.MonkeyPatch) -> Execute:
    """The commands themselves, in this process, with a trainer that only pretends."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "tests" / "scheduling"))
    run_plan = coordinator.run_plan

    def pretend(*arguments: Any, **options: Any) -> Any:
        return run_plan(*arguments, **options, trainer="fake_trainer:train")

    monkeypatch.setattr(coordinator, "run_plan", pretend)

    def execute(command: list[str]) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", command)
        main = {"cadp-suite": suite.cli.main, "cadp-report": reports.cli.main}[command[0]]
        with contextlib.redirect_stdout(io.StringIO()) as out, pytest.raises(SystemExit) as exit_:
            main()
        return int(exit_.value.code or 0), out.getvalue()

    return execute


def test_a_sweep_with_every_option_ends_with_a_report(
    make_study, runs_dir: Path, tmp_path: Path, really: Execute
) -> None:
    posargs = [str(make_study()), "--runs-dir", str(runs_dir), "--profile", "tiny"]
    posargs += ["--workers", "1", "--device", "cpu", "--output", str(tmp_path / "out.html")]
    noxfile.sweep(FakeSession(posargs, really))
    assert "CADP is better." in (tmp_path / "out.html").read_text(encoding="utf-8")


def test_a_sweep_with_a_failing_run_reports_it(make_study, runs_dir: Path, really: Execute) -> None:
    posargs = [str(make_study(("[1, 2]", "[1, 101]"))), "--runs-dir", str(runs_dir)]
    with pytest.raises(Ended, match="2 runs failed"):
        noxfile.sweep(FakeSession([*posargs, "--device=cpu"], really))
    (page,) = (runs_dir / "reports").glob("*.html")
    assert "the networks have exploded" in page.read_text(encoding="utf-8")


STUB = """#!{python}
import json, os, sys, time
with open("calls.jsonl", "a") as calls:
    print(json.dumps([os.path.basename(sys.argv[0]), *sys.argv[1:]]), file=calls)
print("a warning on standard error", file=sys.stderr)
if sys.argv[1] == "run" and "waits" in os.environ:
    try:
        open("trains", "w").close()
        time.sleep(100)
    except KeyboardInterrupt:
        time.sleep(1)  # nox by itself grants 0.3 seconds
        open("stopped", "w").close()
        sys.exit(130)
if sys.argv[1] == "status":
    print(json.dumps({{"counts": {{"failed": 0}}}}))
sys.exit(int(os.environ["RUN_EXIT_CODE"]) if sys.argv[1] == "run" else 0)
"""


@pytest.fixture
def start_nox(here: Path) -> Callable[..., subprocess.Popen[str]]:
    """Start a sweep with commands that only note how they were called."""
    shutil.copy(ROOT / "noxfile.py", here)
    (here / "bin").mkdir()
    for name in ("cadp-suite", "cadp-report"):
        (here / "bin" / name).write_text(STUB.format(python=sys.executable))
        (here / "bin" / name).chmod(0o755)
    path = os.pathsep.join((str(here / "bin"), os.environ["PATH"]))
    session = ["--no-venv", "--no-install", "-s", "sweep", "--", UNUSUAL]

    def start(**environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "nox", *session, "--device", "cpu", "--profile=tiny"],
            env={**os.environ, "PATH": path, **environment},
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            start_new_session=True,
        )

    return start


@pytest.mark.parametrize("code", [0, 2, 130])
def test_nox_itself(here: Path, start_nox: Callable[..., subprocess.Popen[str]], code: int) -> None:
    """What commands write on standard error does no harm."""
    process = start_nox(RUN_EXIT_CODE=str(code))
    _, said = process.communicate(timeout=100)
    calls = [json.loads(line) for line in (here / "calls.jsonl").read_text().splitlines()]
    assert (process.returncode == 0) is (code == 0), said
    given = ["my study ü.toml", "--profile=tiny"]
    run, *others = calls
    assert run == ["cadp-suite", "run", *given, "--device=cpu"]
    if code == 0:
        build, status = others
        assert build == ["cadp-report", "build", *given]
        assert status == ["cadp-suite", "status", *given, "--json"]
    else:
        assert others == []
        assert f"failed with exit code {code}" in said
        assert "Traceback" not in said


def test_ctrl_c_leaves_the_command_time_to_stop(
    here: Path, start_nox: Callable[..., subprocess.Popen[str]]
) -> None:
    process = start_nox(waits="1")
    while not (here / "trains").exists():
        assert process.poll() is None
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=100)
    assert process.returncode == 130
    assert (here / "stopped").exists()
