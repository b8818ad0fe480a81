"""What the caller's surroundings may not decide: tests, records and figures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest

from suite.records import RecordStore
from suite.scheduling.coordinator import run_plan
from suite.study.load import load_study
from suite.study.plan import expand

ROOT = Path(__file__).parents[1]

# Surroundings of others, then those that `tests/conftest.py` makes of them, here and in a program
# started from here.
HOSTILE = """
import os, signal, subprocess, sys
os.umask(0o077)
for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGCHLD"):
    signal.signal(getattr(signal, name), signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGUSR1})
os.execve(sys.executable, [sys.executable, "-c", sys.argv[1]], {**os.environ,
    "HOME": "/nonexistent", "LC_ALL": "C", "PYTHONUTF8": "0", "TZ": "Asia/Kathmandu",
    "COLUMNS": "20", "FORCE_COLOR": "1", "NO_COLOR": "1", "MLFLOW_TRACKING_URI": "http://x",
    "GIT_DIR": "/x", "MPLCONFIGDIR": "/x", "NUMBA_CACHE_DIR": "/x", "PYTHONWARNINGS": "error",
    "PYTHONPATH": "other", "TMPDIR": os.getcwd()})
"""
LOOK = """
import json, os, signal, subprocess, sys, time
umask = os.umask(0)
os.umask(umask)
seen = {
    "ignored": [s.name for s in signal.Signals if signal.getsignal(s) == signal.SIG_IGN],
    "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
    "umask": umask,
    "encoding": __import__("locale").getpreferredencoding(False).lower(),
    "zone": time.tzname[0],
    "environment": sorted(os.environ),
    "can write at home": os.access(os.environ["HOME"], os.W_OK),
    "temporary": os.environ["TMPDIR"],
    "suite": __import__("suite").__file__,
}
"""
HERE = f"""
import runpy
conftest = runpy.run_path({str(ROOT / "tests" / "conftest.py")!r})
{LOOK}
program = subprocess.run([sys.executable, "-c", {LOOK + "print(json.dumps(seen))"!r}],
    capture_output=True, text=True, check=True)
print(json.dumps([seen, json.loads(program.stdout)]))
"""


def test_tests_run_in_known_surroundings(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "suite.py").write_text("raise ImportError('the wrong suite')")
    command = [sys.executable, "-c", HOSTILE, HERE]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    here, program = json.loads(done.stdout)
    assert here == program
    ignored_by_python = ["SIGPIPE", "SIGXFSZ"]
    assert here["ignored"] == ignored_by_python
    assert here["blocked"] == []
    assert here["umask"] == 0o022
    assert here["encoding"] == "utf-8"
    assert here["zone"] == "UTC"
    assert here["can write at home"]
    assert here["temporary"] == str(tmp_path)
    assert here["suite"] == str(ROOT / "suite" / "__init__.py")
    known = {"HOME", "LC_ALL", "TZ", "PYTHONPATH", "OMP_NUM_THREADS", "MKL_NUM_THREADS"}
    kept = {"PATH", "TMPDIR", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "CUDA_VISIBLE_DEVICES"}
    ours = {name for name in here["environment"] if not name.startswith(("PYTEST_", "COV"))}
    assert known <= ours <= known | kept


def test_the_checkout_may_lie_in_a_folder_with_spaces() -> None:
    """Where pip takes PIP_CONSTRAINT for a list of files."""
    tox = ConfigParser()
    tox.read(ROOT / "tox.ini", encoding="utf-8")
    settings = tox["testenv"]["set_env"].replace("{tox_root}", "/my checkout").splitlines()
    (pins,) = (line for line in settings if line.startswith("PIP_CONSTRAINT"))
    assert pins.partition("=")[2].split() == ["constraints.txt"]


def test_settings_for_mlflow_and_optuna_do_not_redirect_records(
    make_study, runs_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "MLFLOW_TRACKING_URI": "http://127.0.0.1:9",
        "MLFLOW_REGISTRY_URI": "http://127.0.0.1:9",
        "MLFLOW_RUN_ID": "of another program",
        "MLFLOW_EXPERIMENT_ID": "77",
        "MLFLOW_EXPERIMENT_NAME": "of another program",
        "MLFLOW_ENABLE_ASYNC_LOGGING": "true",
        "OPTUNA_STORAGE": "sqlite:////nonexistent/optuna.db",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "tests" / "scheduling"))
    plan = expand(load_study(make_study()))
    outcome = run_plan(plan, runs_dir, 2, trainer="fake_trainer:train")
    assert len(outcome.finished) == 4
    records = RecordStore.open(runs_dir).load()
    assert [record.status for record in records] == ["finished"] * 4
    assert {len(record.histories["train/loss_td"][0]) for record in records} == {10}


DRAW = """
import io, sys
from reports.figures.style import drawing_style
with drawing_style():
    from matplotlib.figure import Figure
    axes = Figure().subplots()
    axes.plot([0, 1, 2], [-1e9, 1e9, 0], label="a")
    axes.set_title("α = 10 % of_it")
    axes.legend()
    axes.figure.savefig(sys.stdout, format="svg", metadata={"Date": None})
"""


def drawn(tmp_path: Path, configuration: bytes = b"", **environment: str) -> str:
    (tmp_path / "matplotlibrc.user").write_bytes(configuration)
    user = {"MATPLOTLIBRC": str(tmp_path / "matplotlibrc.user"), "PYTHONUTF8": "1"}
    done = subprocess.run(
        [sys.executable, "-c", DRAW],
        env={**os.environ, **user, **environment},
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    assert done.stderr == ""
    return done.stdout


def test_figures_do_not_depend_on_the_users_matplotlib(tmp_path: Path) -> None:
    plain = drawn(tmp_path)
    assert "<svg" in plain
    crooked = b"lines.linewidth: 9\npath.sketch: 1, 100, 2\nfigure.autolayout: True\n"
    assert drawn(tmp_path, b"text.usetex: True\naxes.formatter.use_mathtext: True\n") == plain
    assert drawn(tmp_path, crooked, MPLBACKEND="QtAgg") == plain
    assert drawn(tmp_path, b"\xff\xfe no text", MPLBACKEND="nonsense") == plain


def test_matplotlibs_own_settings_stay_as_found() -> None:
    import matplotlib as mpl

    from reports.figures.style import drawing_style

    with mpl.rc_context({"lines.linewidth": 9.0}):
        with drawing_style():
            assert mpl.rcParams["lines.linewidth"] != 9.0
        assert mpl.rcParams["lines.linewidth"] == 9.0
