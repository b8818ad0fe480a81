"""Where records are kept: a runs directory's database, or a tracking server; opened for writing.

What differs between the two, and nothing else: how they are made, MLflow's client for them, who
reads them, and what their errors mean.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from suite.errors import StoredDataError
from suite.records import layout
from suite.records.database import address, boundary, created_aside
from suite.records.reader import RecordReader
from suite.records.server import ServerStore
from suite.records.store import RecordStore
from suite.records.tracking import TrackingServer, deleted_meanwhile
from suite.runs.directory import RunsDirectory

_CURE = "restore it from a backup, or move it away to start anew"
# A question to a server is asked once: who waits, and says so, is `database.patiently`.
_HTTP = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "60",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}


class Opened(NamedTuple):
    """MLflow's client, a reader of the same records, MLflow's id of our experiment."""

    client: Any
    reader: RecordReader
    experiment_id: str


class Home(Protocol):
    """is_shared: whether others may be writing there at the same time."""

    @property
    def is_shared(self) -> bool: ...

    def open(self) -> Opened:
        """Open it; made where it is absent."""
        ...

    def boundary(self) -> AbstractContextManager[None]:
        """MLflow's and other exceptions as one of ours."""
        ...


class FolderHome:
    """The database of a runs directory. Whoever opens it holds the directory's lock."""

    is_shared = False

    def __init__(self, runs_dir: Path) -> None:
        self._runs_dir = runs_dir
        self._path = RunsDirectory(runs_dir).records_path

    def open(self) -> Opened:
        """As `Home`. Raises StoredDataError for a database of another MLflow or program."""
        mlflow_client = _import_mlflow()
        if not self._path.exists():
            self._create(mlflow_client)
        # First: MLflow would fill an empty or foreign database with its tables.
        store = RecordStore.open(self._runs_dir)
        with self.boundary():
            client = mlflow_client(tracking_uri=address(self._path))
            experiment_id = store.experiment_id() or _experiment_by_name(client)
        return Opened(client, store, experiment_id)

    def _create(self, mlflow_client: Any) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self.boundary(), created_aside(self._path) as unfinished:
            _create_experiment(mlflow_client(tracking_uri=address(unfinished)))

    @contextmanager
    def boundary(self) -> Iterator[None]:
        """As `Home`."""
        with boundary(self._path, "cannot be used", _CURE):
            try:
                yield
            except Exception as error:
                if "out-of-date database schema" in str(error):
                    raise _other_schema(self._path, str(error)) from error
                if deleted := deleted_meanwhile(str(error), str(self._path)):
                    raise deleted from error
                raise


class ServerHome:
    """A tracking server, which several machines may write to."""

    is_shared = True

    def __init__(self, server: TrackingServer) -> None:
        self._server = server

    def open(self) -> Opened:
        """As `Home`. Two that make the experiment at the same time get the same one."""
        store = ServerStore(self._server)
        experiment_id = store.experiment_id()
        for name, value in _HTTP.items():
            os.environ.setdefault(name, value)
        with self.boundary():
            client = _import_mlflow()(tracking_uri=self._server.uri)
            if experiment_id is None:
                experiment_id = _experiment_by_name(client)
        return Opened(client, store, experiment_id)

    def boundary(self) -> AbstractContextManager[None]:
        """As `Home`."""
        return self._server.boundary()


def _experiment_by_name(client: Any) -> str:
    """Of a place that holds no run of ours yet."""
    experiment = client.get_experiment_by_name(layout.EXPERIMENT)
    if experiment is not None:
        return str(experiment.experiment_id)
    try:
        return _create_experiment(client)
    except Exception as error:
        if getattr(error, "error_code", None) != "RESOURCE_ALREADY_EXISTS":
            raise
        return str(client.get_experiment_by_name(layout.EXPERIMENT).experiment_id)


def _create_experiment(client: Any) -> str:
    return str(client.create_experiment(layout.EXPERIMENT, tags=layout.EXPERIMENT_TAGS))


def _import_mlflow() -> Any:
    """MLflow's client, telemetry and chatter off; imported late because it takes seconds."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("DO_NOT_TRACK", "true")
    try:
        Path.home()
    except RuntimeError:  # a container's user without a name; MLflow asks at import
        os.environ["HOME"] = tempfile.gettempdir()
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    from mlflow.tracking import MlflowClient

    # Importing MLflow configures its loggers anew. Its errors reach us as exceptions too.
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return MlflowClient


def _other_schema(path: Path, message: str) -> StoredDataError:
    """MLflow calls every schema but its own out of date; a newer one it does not know at all."""
    found = message.partition("found version ")[2].partition(",")[0].strip()
    if found == "None":
        return StoredDataError("has no schema version", where=str(path), cure=_CURE)
    known = files("mlflow.store.db_migrations").joinpath("versions").iterdir()
    if any(script.name.startswith(f"{found}_") for script in known):
        cure = f"back the file up and run: mlflow db upgrade {address(path)}"
        return StoredDataError("made by an older MLflow", where=str(path), cure=cure)
    cure = (
        "install the MLflow that wrote it (pip install --upgrade mlflow-skinny), or use another "
        "--runs-dir"
    )
    what = "made by a newer MLflow than is installed"
    return StoredDataError(what, where=str(path), value=found, cure=cure)
