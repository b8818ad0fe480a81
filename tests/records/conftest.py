"""A real tracking server for the tests of this folder; one for all, emptied for each."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import servers

from suite.records.tracking import Connection, TrackingServer


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
