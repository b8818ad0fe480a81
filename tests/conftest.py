"""Surroundings that are the same for every test, and fixtures that several folders share.

Who starts the tests may live in another locale or time zone, ignore signals, have settings for
MLflow, matplotlib or git, a narrow terminal or no home. None of it may decide whether a test
passes; a test that is about surroundings sets its own.
"""

from __future__ import annotations

import locale
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]

# Variables that say where things are, not how they behave; all others are taken away.
KEPT_VARIABLES = ("PATH", "TMPDIR", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "CUDA_VISIBLE_DEVICES")
KEPT_PREFIXES = ("PYTEST_", "COVERAGE_", "COV_")
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
N_OPEN_FILES, N_NEEDED_FILES = 1024, 256

_home = tempfile.TemporaryDirectory(prefix="home-of-tests-", ignore_cleanup_errors=True)


def set_surroundings() -> None:
    """For this process and those it starts; before any library reads them."""
    _set_environment()
    _set_signals()
    _set_text_encoding()
    _set_open_files()
    os.umask(0o022)
    sys.path.insert(0, str(ROOT))  # another `suite` on PYTHONPATH comes later


def _set_environment() -> None:
    kept = {
        name: value
        for name, value in os.environ.items()
        if (name in KEPT_VARIABLES or name.startswith(KEPT_PREFIXES)) and _is_text(value)
    }
    os.environ.clear()
    os.environ.update(kept)
    os.environ.update(
        HOME=_home.name,
        LC_ALL="C.UTF-8",
        TZ="UTC",
        PYTHONPATH=str(ROOT),
        OMP_NUM_THREADS="1",
        MKL_NUM_THREADS="1",
    )
    time.tzset()
    tempfile.tempdir = None  # asked again


def _is_text(value: str) -> bool:
    """False for bytes that the encoding of file names, fixed at the start, does not know."""
    return not any("\udc80" <= character <= "\udcff" for character in value)


def _set_signals() -> None:
    """Nothing blocked; nothing ignored by programs started here, though still by this one."""
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored, it would hide how programs end
    for number in STOP_SIGNALS:
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, lambda *_: None)


def _set_open_files() -> None:
    """As many as programs usually may have; MLflow keeps those of every database open."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = N_OPEN_FILES if most == resource.RLIM_INFINITY else min(N_OPEN_FILES, most)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, most))
    if allowed < N_NEEDED_FILES:
        reason = f"the tests need {N_NEEDED_FILES} open files, {allowed} are allowed (ulimit -Hn)"
        pytest.exit(reason, returncode=pytest.ExitCode.USAGE_ERROR)


def _set_text_encoding() -> None:
    """What `open` takes for text. File names keep the encoding of the start."""
    locale.setlocale(locale.LC_ALL, "C.UTF-8")


set_surroundings()

# So that scenarios can name what lies there, and processes of games import it.
sys.path.insert(0, str(ROOT / "tests" / "environments" / "examples"))

STUDY_TEXT = """\
format = 1
name = "example"
question = "does it work?"
default_profile = "tiny"

[arms.qmix]
framework = "ctde"
backbone = "qmix"

[arms.cadp_qmix]
framework = "cadp"
backbone = "qmix"

[profiles.tiny]
description = "for tests"
deviations = ["everything is smaller"]
scenarios = ["skirmish/3m"]
arms = ["qmix", "cadp_qmix"]
seeds = [1, 2]

[profiles.tiny.training]
total_env_steps = 1000
test_interval_env_steps = 100

[profiles.tiny.hyperparameters]
pruning_start_fraction = [0.5]

[profiles.tiny.missing_scenarios]
"skirmish/corridor" = "not built yet"

[[claims]]
name = "better"
text = "CADP is better."
kind = "greater"
left = "cadp_qmix/decentralised"
right = "qmix/decentralised"
"""

MakeStudy = Callable[..., Path]


@pytest.fixture
def make_study(tmp_path: Path) -> MakeStudy:
    """Write the example study with pieces of its text replaced; returns its path."""

    def make(*replacements: tuple[str, str]) -> Path:
        text = STUDY_TEXT
        for old, new in replacements:
            assert old in text, old
            text = text.replace(old, new, 1)
        path = tmp_path / "study.toml"
        path.write_text(text)
        return path

    return make


@pytest.fixture(scope="session")
def empty_databases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with MLflow's and Optuna's databases and no runs; making them takes seconds."""
    import optuna

    from suite.records.writer import RecordWriter

    directory = tmp_path_factory.mktemp("databases")
    RecordWriter(directory)
    optuna.storages.RDBStorage(f"sqlite:///{directory / 'optuna.db'}")
    return directory


@pytest.fixture
def runs_dir(empty_databases: Path, tmp_path: Path) -> Path:
    """A runs directory in which nothing has been run."""
    directory = tmp_path / "runs"
    shutil.copytree(empty_databases, directory)
    return directory


@contextmanager
def registered(monkeypatch: pytest.MonkeyPatch, *more: Any) -> Iterator[None]:
    """Further backends beside ours."""
    from suite.environments import registry

    both = registry.our_backends() | {one.name: one for one in more}
    monkeypatch.setattr(registry, "our_backends", lambda: both)
    registry.backends.cache_clear()
    yield
    registry.backends.cache_clear()


@pytest.fixture
def games(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Backends of `environments/examples/engine_examples.py`, registered while a test runs."""
    import engine_examples

    with registered(monkeypatch, engine_examples.EXACT, engine_examples.LOOSE):
        yield engine_examples


@pytest.fixture
def twin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A backend `twin` that has maps of skirmish: `environments/examples/twin_example.py`."""
    import twin_example

    with registered(monkeypatch, twin_example.TWIN):
        yield


@pytest.fixture
def trouble(games: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file for the games; what is written there happens at a fourth step."""
    path = tmp_path / "trouble"
    for backend in (games.EXACT, games.LOOSE):
        monkeypatch.setattr(backend, "trouble", str(path))
    return path
