"""How the command lines end: one line and an exit code, whatever goes wrong, whoever reads."""

from __future__ import annotations

import errno
import json
import os
import pty
import resource
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from suite.command_line import interrupts_deferred, run_command
from suite.memory import require_address_space

ROOT = Path(__file__).parents[1]
HOSTILE = {"FORCE_COLOR": "1", "COLUMNS": "20", "TERM": "xterm"}

Raising = Callable[[str], tuple[int, str, str]]


@pytest.fixture
def raising(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Raising:
    """Run a command whose body is the given code: exit code, standard output, standard error."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "argv", ["tool"])
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()

    def run(body: str) -> tuple[int, str, str]:
        source = "import typer\napp = typer.Typer(pretty_exceptions_enable=False)\n@app.command()\n"
        source += "def tool() -> None:\n" + textwrap.indent(textwrap.dedent(body), "    ")
        (tmp_path / "raising_app.py").write_text(source)
        sys.modules.pop("raising_app", None)
        code = run_command("raising_app", "tool", interrupted="all is well")
        return (code, *capsys.readouterr())

    return run


@pytest.mark.parametrize(
    ("body", "code", "expected"),
    [
        ("raise MemoryError", 2, "memory: ran out; free some"),
        ("raise OSError(12, 'Cannot allocate memory')", 2, "memory: ran out"),
        (
            "raise ImportError('libx.so: failed to map segment from shared object')",
            2,
            "memory: ran",
        ),
        ('raise RuntimeError("can\'t start new thread")', 2, "memory: ran out"),
        ("try: raise MemoryError\nexcept MemoryError: raise ValueError('numpy')", 2, "memory: ran"),
        ("import no_such_package", 2, "no_such_package: cannot be imported"),
        ("open('no/such\\x1b/file')", 2, r"no/such\x1b/file: No such file or directory; make"),
        ("open(b'no/\\xff')", 2, r"no/\xff: No such file or directory; make it"),
        ("raise OSError(24, 'Too many open files')", 2, "this process: Too many open files; raise"),
        ("raise KeyboardInterrupt", 130, "interrupted; all is well"),
        ("raise typer.Abort", 130, "interrupted; all is well"),
        ("raise typer.BadParameter('a' * 5000 + '\\x1b')", 2, "aaa…aaa"),
        ("raise typer.Exit(1)", 1, ""),
    ],
)
def test_what_can_be_expected_is_one_line(
    body: str, code: int, expected: str, raising: Raising
) -> None:
    ended, out, err = raising(body)
    assert (ended, out) == (code, "")
    assert expected.replace("aaa…aaa", "a" * 20 + "…") in err
    assert err.count("\n") == (1 if expected else 0)
    assert err.rstrip("\n").isprintable()
    assert len(err) < 500


@pytest.mark.parametrize(
    ("body", "summary"),
    [
        ("raise KeyError('x')", "KeyError: 'x'"),
        (
            "raise ValueError('one\\ntwo \\x1b[31m \\udcff ' + 'x' * 5000)",
            r"ValueError: one two \x1b",
        ),
        ("def f(): f()\nf()", "RecursionError: maximum recursion depth exceeded"),
        ("'\\ud800'.encode()", "UnicodeEncodeError: 'utf-8' codec can't encode"),
        ("from suite.text import no_such_name", "ImportError: cannot import name"),
        ("class Odd(BaseException): pass\nraise Odd('one')", "Odd: one"),
    ],
)
def test_a_fault_of_ours_is_one_line_and_a_file(
    body: str, summary: str, raising: Raising, tmp_path: Path
) -> None:
    code, out, err = raising(body)
    assert (code, out, err.count("\n")) == (70, "", 1)
    assert err.startswith("tool: a fault of tool itself")
    assert summary in err
    assert err.rstrip("\n").isprintable()
    assert len(err) < 1000
    (written,) = (tmp_path / "temporary").iterdir()
    assert str(written) in err
    text = written.read_text()
    assert text.startswith("Traceback (most recent call last)")
    assert "raising_app.py" in text


def test_a_fault_that_cannot_be_written_is_shown(raising: Raising, tmp_path: Path) -> None:
    (tmp_path / "temporary").rmdir()
    code, _, err = raising("raise KeyError('x\\x1b')")
    lines = err.splitlines()
    assert code == 70
    assert lines[0].startswith("Traceback")
    assert lines[-1].endswith("with the traceback above")
    assert all(line.isprintable() for line in lines)


def test_an_application_that_cannot_be_imported(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command("no_such_package.app", "tool", interrupted="") == 2
    assert "no_such_package: cannot be imported" in capsys.readouterr().err


def test_a_folder_that_was_deleted_under_us(raising: Raising, tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    before = Path.cwd()
    os.chdir(tmp_path / "gone")
    try:
        (tmp_path / "gone").rmdir()
        code, _, err = raising("import os; os.getcwd()")
    finally:
        os.chdir(before)
    assert code == 2
    assert "the current folder: No such file or directory" in err


def test_too_little_address_space_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    from suite.errors import InputError

    monkeypatch.setattr(resource, "getrlimit", lambda _: (400 << 20, resource.RLIM_INFINITY))
    require_address_space(399 << 20, "a tool")
    with pytest.raises(InputError, match=r"ulimit -v: a tool needs at least 500 MiB .*got 409600"):
        require_address_space(500 << 20, "a tool")
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY,) * 2)
    require_address_space(1 << 60, "a tool")


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is not kept elsewhere")
@pytest.mark.parametrize(("command", "kib"), [("plan", 100_000), ("run", 400_000)])
def test_a_small_memory_limit_is_one_line(
    command: str, kib: int, make_study, tmp_path: Path
) -> None:
    limited = ["sh", "-c", f'ulimit -v {kib}; exec "$@"', "sh", sys.executable, "-m", "suite"]
    done = subprocess.run(
        [*limited, command, str(make_study())],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert f"address space (got {kib}); raise the limit" in done.stderr
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["suite", "--help"],
        ["suite", "plan", "{study}"],
        ["suite", "plan", "{study}", "--json"],
        ["suite", "status", "{study}", "--runs-dir", "{runs}"],
        ["reports", "build", "--help"],
    ],
    ids=" ".join,
)
def test_readers_may_leave(arguments: list[str], make_study, tmp_path: Path) -> None:
    places = {"study": str(make_study()), "runs": str(tmp_path / "runs")}
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing) as out:
        done = subprocess.run(
            [sys.executable, "-m", *(part.format(**places) for part in arguments)],
            cwd=ROOT,
            stdout=out,
            stderr=subprocess.PIPE,
        )
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_full_disk_under_the_output_is_told(make_study) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    with Path("/dev/full").open("w") as out:
        done = subprocess.run(
            [sys.executable, "-m", "suite", "plan", str(make_study())],
            cwd=ROOT,
            stdout=out,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert f"standard output: cannot be written: {os.strerror(errno.ENOSPC)}" in done.stderr


def test_plain_locales_get_readable_output(make_study) -> None:
    question = r"does :smile: [bold]it[/bold] \u001b[31m работает α × \u202E?"
    study = make_study()
    study.write_text(study.read_text().replace("does it work?", question), encoding="utf-8")
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", **HOSTILE}
    plan = [sys.executable, "-m", "suite", "plan", str(study)]
    environment = {**os.environ, **plain}
    environment.pop("PYTHONIOENCODING", None)
    done = subprocess.run(plan, cwd=ROOT, capture_output=True, env=environment)
    text = done.stdout.decode("ascii")
    assert (done.returncode, done.stderr) == (0, b"")
    assert r"Question: does :smile: [bold]it[/bold] \x1b[31m \u0440\u0430" in text
    assert r"alpha x \u202e?" in text
    assert "2 trials x 2 seeds" in text
    assert "skirmish/3m  cadp_qmix" in text

    done = subprocess.run([*plan, "--json"], cwd=ROOT, capture_output=True, env=environment)
    assert (done.returncode, done.stderr) == (0, b"")
    expected = "does :smile: [bold]it[/bold] \x1b[31m работает α × \u202e?"
    assert json.loads(done.stdout)["question"] == expected


def _lost_pipe() -> int:
    reading, writing = os.pipe()
    os.close(reading)
    return writing


def _closed_terminal() -> int:
    ours, theirs = pty.openpty()
    os.close(ours)
    return theirs


def _full_disk() -> int:
    return os.open("/dev/full", os.O_WRONLY)


def _never_opened() -> None:
    """How Python answers `2>&-`."""


@contextmanager
def _standard_error(descriptor: int | None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        if descriptor is None:
            patch.setattr(sys, "stderr", None)
            yield
            return
        with os.fdopen(descriptor, "w") as stream:
            patch.setattr(sys, "stderr", stream)
            yield


@pytest.mark.parametrize("lose", [_lost_pipe, _closed_terminal, _full_disk, _never_opened])
def test_training_needs_no_reader(
    lose: Callable[[], int | None], make_study, runs_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import suite.scheduling.coordinator as coordinator

    if lose is _full_disk and not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "tests" / "scheduling"))
    monkeypatch.setenv("TERM", "xterm")
    original = coordinator.run_plan

    def run_plan(*arguments: object, **options: object) -> object:
        return original(*arguments, **options, trainer="fake_trainer:train")

    monkeypatch.setattr(coordinator, "run_plan", run_plan)
    study = str(make_study(("[1, 2]", "[1, 101]")))  # the second seed fails
    monkeypatch.setattr(sys, "argv", ["tool", "run", study, "--runs-dir", str(runs_dir)])
    with _standard_error(lose(), monkeypatch):
        code = run_command("suite.cli", "tool", interrupted="")
    trained = (runs_dir / "trained.txt").read_text().splitlines()
    assert (code, len(trained)) == (1, 4)


def test_ctrl_c_during_imports_is_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "interrupted_tool.py").write_text(
        "import importlib, signal\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "def interrupted(name):\n"
        "    exec('signal.raise_signal(signal.SIGINT)')\n"  # dataclasses run code like this
        "importlib.import_module = interrupted\n"
        "from suite.__main__ import main\n"
        "main()"
    )
    path = os.pathsep.join((str(tmp_path), str(ROOT)))
    done = subprocess.run(
        [sys.executable, "-m", "interrupted_tool"],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr.count("\n")) == (130, 1)
    assert "cadp-suite: interrupted; finished runs are stored" in done.stderr


def test_ctrl_c_waits_for_an_import_that_would_abort() -> None:
    steps = []

    def body(name: str, *, is_interrupted: bool = True) -> None:
        with interrupts_deferred():
            if is_interrupted:
                signal.raise_signal(signal.SIGINT)
            steps.append(name)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            body("went on")
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        thread = threading.Thread(
            target=body, args=("in a thread",), kwargs={"is_interrupted": False}
        )
        thread.start()
        thread.join()
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # as under nohup
        body("ignored as before")
    finally:
        signal.signal(signal.SIGINT, before)
    assert steps == ["went on", "in a thread", "ignored as before"]
