"""What tests of records share: `made_records`, and a real tracking server, emptied for each."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import servers
from made_records import made_record

from suite.records import RunRecord
from suite.records.tracking import Connection, TrackingServer
from suite.runs.spec import RunSpec
from suite.study.load import load_study
from suite.study.plan import expand

NEEDED = ("flask", "flask_cors", "aiohttp")


@pytest.fixture
def specs(make_study) -> tuple[RunSpec, ...]:
    return expand(load_study(make_study())).runs


@pytest.fixture
def make_record() -> Callable[..., RunRecord]:
    """A finished run, but for changes."""

    def make(spec: RunSpec, **changes: Any) -> RunRecord:
        return replace(made_record(spec), **changes)

    return make


@pytest.fixture(scope="session")
def running_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.MlflowServer]:
    """With an SQLite database, `mlflow.db` in its folder."""
    servers.require_mlflow_server()
    with servers.mlflow_server(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
def tracking(running_server: servers.MlflowServer) -> TrackingServer:
    """The address of a server on which nothing is recorded."""
    server = TrackingServer.parse(running_server.address)
    forget_everything(server)
    return server


def forget_everything(server: TrackingServer) -> None:
    """Delete the experiment for good, as far as the program can tell: under another name."""
    connection = Connection(server)
    api = "/api/2.0/mlflow/experiments"
    found = connection.post(f"{api}/search", {"view_type": "ALL", "max_results": 1_000})
    for one in found["experiments"]:
        which = {"experiment_id": one["experiment_id"]}
        if one["name"] == "Default" or one["name"].startswith("of an earlier test"):
            continue
        if one["lifecycle_stage"] == "deleted":
            connection.post(f"{api}/restore", which)
        untag = {"key": "cadp.records", "value": "no"}
        connection.post(f"{api}/set-experiment-tag", which | untag)
        name = {"new_name": f"of an earlier test {one['experiment_id']}"}
        connection.post(f"{api}/update", which | name)
