"""Real servers for tests, on loopback, started and stopped by them: MLflow's, and PostgreSQL."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

SECONDS_TO_START = 90


def require_mlflow_server() -> None:
    """Skip, and say why, where `mlflow server` cannot be started."""
    for package in ("flask", "flask_cors", "aiohttp"):
        pytest.importorskip(package, reason="the extra `server` is not installed")


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class MlflowServer:
    """`mlflow server --serve-artifacts`; keeps everything in `folder`, or in `database`."""

    def __init__(self, folder: Path, database: str | None = None) -> None:
        self.folder, self.port = folder, free_port()
        self.database = database or f"sqlite:///{folder}/mlflow.db"
        self.address = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [
            *(sys.executable, "-m", "mlflow", "server", "--serve-artifacts", "--workers", "1"),
            *("--backend-store-uri", self.database),
            *("--artifacts-destination", str(self.folder / "artifacts")),
            *("--host", "127.0.0.1", "--port", str(self.port)),
        ]
        quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                env={**os.environ, **quiet},
                cwd=self.folder,
                start_new_session=True,
            )
        deadline = time.monotonic() + SECONDS_TO_START
        while not self.answers():
            log_text = (self.folder / "server.log").read_text(errors="replace")[-2_000:]
            assert self._process.poll() is None, f"the server has ended:\n{log_text}"
            assert time.monotonic() < deadline, f"the server does not start:\n{log_text}"
            time.sleep(0.1)

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.address}/health", timeout=1) as answer:
                return bool(answer.status == 200)
        except (OSError, urllib.error.URLError):
            return False

    def kill(self) -> None:
        """It and its own children, at once."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None


@contextmanager
def mlflow_server(folder: Path, database: str | None = None) -> Iterator[MlflowServer]:
    server = MlflowServer(folder, database)
    server.start()
    try:
        yield server
    finally:
        server.kill()


def why_no_postgres() -> str | None:
    """None where PostgreSQL can be started here."""
    missing = [name for name in ("initdb", "pg_ctl") if shutil.which(name) is None]
    if missing:
        return f"{' and '.join(missing)} not found"
    if os.geteuid() == 0 and shutil.which("setpriv") is None:
        return "PostgreSQL does not run as root, and setpriv is not here"
    return None


@contextmanager
def postgres() -> Iterator[str]:
    """The address of a new, empty PostgreSQL; as user postgres where tests run as root."""
    folder, port = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp")), free_port()
    as_user: tuple[str, ...] = ()
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
        as_user = ("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups")
    data = folder / "data"
    initdb = ("initdb", "-D", str(data), "-U", "suite", "-A", "trust", "--no-sync")
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    start = ("pg_ctl", "-D", str(data), "-o", options, "-w", "-l", str(folder / "log"), "start")
    _run(*as_user, *initdb)
    _run(*as_user, *start)
    try:
        yield f"postgresql+psycopg://suite@127.0.0.1:{port}/postgres"
    finally:
        _run(*as_user, "pg_ctl", "-D", str(data), "-m", "immediate", "stop")
        shutil.rmtree(folder)


def _run(*command: str, environment: Mapping[str, str] | None = None) -> None:
    done = subprocess.run(command, capture_output=True, text=True, cwd="/", env=environment)
    assert done.returncode == 0, f"{command}: {done.stderr}"
