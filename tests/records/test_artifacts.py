"""Checkpoints and weights go through a server's store and come back whole, or not at all."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
import servers

from suite.errors import InputError, StoredDataError
from suite.records import TrackingServer
from suite.records.artifacts import ArtifactStore
from suite.records.database import BusyError
from suite.records.tracking import Connection
from suite.records.writer import RecordWriter
from suite.runs.directory import RunsDirectory
from suite.study.load import load_study
from suite.study.plan import Plan, expand


@pytest.fixture
def plan(make_study) -> Plan:
    return expand(load_study(make_study()))


@pytest.fixture
def here(tmp_path: Path) -> RunsDirectory:
    return RunsDirectory(tmp_path / "here")


@pytest.fixture
def there(tmp_path: Path) -> RunsDirectory:
    """The runs directory of another machine."""
    return RunsDirectory(tmp_path / "there")


@pytest.fixture
def store(tracking: TrackingServer, plan: Plan) -> ArtifactStore:
    """Of a server on which the first run of the plan has been begun."""
    RecordWriter(tracking, plan).begin(plan.runs[0], {}, resuming=False)
    return ArtifactStore(tracking)


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def stored_files(server: servers.MlflowServer, name: str) -> list[Path]:
    """Files of one cohort or run in the server's own folder."""
    return sorted(
        p for p in (server.folder / "artifacts").rglob("*") if name in str(p) and p.is_file()
    )


def test_a_checkpoint_goes_to_another_machine(
    store: ArtifactStore, tracking: TrackingServer, here: RunsDirectory, there: RunsDirectory
) -> None:
    run_ids = ["a" * 16]
    path = here.checkpoint_path(run_ids)
    content = os.urandom(3_000_001)
    write(path, content)
    stored = store.put_checkpoint(here, run_ids)
    assert stored == (hashlib.sha256(content).hexdigest(), 3_000_001)
    other = ArtifactStore(tracking)
    assert other.checkpoints() == {"a" * 16: stored}
    assert other.fetch_checkpoint(there, run_ids)
    assert there.checkpoint_path(run_ids).read_bytes() == content
    assert [p.name for p in there.checkpoints_folder.iterdir()] == ["a" * 16 + ".ckpt"]
    assert not other.fetch_checkpoint(there, ["b" * 16])


def test_the_latest_checkpoint_counts_and_is_kept_alone(
    store: ArtifactStore,
    running_server: servers.MlflowServer,
    here: RunsDirectory,
    there: RunsDirectory,
) -> None:
    run_ids = ["c" * 16, "d" * 16]
    path = here.checkpoint_path(run_ids)
    for content in (b"first", b"second", b"second", b"third"):
        write(path, content)
        store.put_checkpoint(here, run_ids)
        assert len(stored_files(running_server, path.stem)) == 1
    assert store.fetch_checkpoint(there, run_ids)
    assert there.checkpoint_path(run_ids).read_bytes() == b"third"
    store.delete_checkpoint(run_ids)
    assert (store.checkpoints(), stored_files(running_server, path.stem)) == ({}, [])
    assert not store.fetch_checkpoint(there, run_ids)
    store.delete_checkpoint(run_ids)


def test_weights_and_their_description_go_to_another_machine(
    store: ArtifactStore,
    tracking: TrackingServer,
    plan: Plan,
    here: RunsDirectory,
    there: RunsDirectory,
) -> None:
    run_id = plan.runs[0].run_id
    write(here.weights_path(run_id), b"weights")
    write(here.description_path(run_id), b"{}")
    assert not ArtifactStore(tracking).fetch_weights(there, run_id)
    store.put_weights(here, run_id)
    assert ArtifactStore(tracking).fetch_weights(there, run_id)
    assert there.weights_path(run_id).read_bytes() == b"weights"
    assert there.description_path(run_id).read_bytes() == b"{}"
    assert not store.fetch_weights(there, "f" * 16)
    with pytest.raises(InputError, match="has no record of the run"):
        store.put_weights(here, plan.runs[1].run_id)


def test_mlflows_pages_show_the_weights(
    store: ArtifactStore, tracking: TrackingServer, plan: Plan, here: RunsDirectory
) -> None:
    run_id = plan.runs[0].run_id
    write(here.weights_path(run_id), b"weights")
    write(here.description_path(run_id), b"{}")
    store.put_weights(here, run_id)
    which = {"run_id": store._mlflow_id(run_id)}
    listed = Connection(tracking).get("/api/2.0/mlflow/artifacts/list", which)
    assert [one["path"] for one in listed["files"]] == [f"{run_id}.json", f"{run_id}.safetensors"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-1],
        lambda content: content + b"x",
        lambda content: b"X" + content[1:],
        lambda content: b"",
    ],
    ids=["cut", "longer", "other", "empty"],
)
def test_what_was_altered_in_the_store_never_arrives(
    store: ArtifactStore,
    running_server: servers.MlflowServer,
    here: RunsDirectory,
    there: RunsDirectory,
    damage,
) -> None:
    """What lay there before stays."""
    run_ids = ["e" * 16]
    write(here.checkpoint_path(run_ids), b"content")
    store.put_checkpoint(here, run_ids)
    (file,) = stored_files(running_server, "e" * 16)
    file.write_bytes(damage(b"content"))
    write(there.checkpoint_path(run_ids), b"earlier")
    with pytest.raises(StoredDataError, match=r"is not what was put there|more than 7 bytes"):
        store.fetch_checkpoint(there, run_ids)
    assert there.checkpoint_path(run_ids).read_bytes() == b"earlier"
    assert len(list(there.checkpoints_folder.iterdir())) == 1
    file.unlink()
    with pytest.raises(StoredDataError, match=r"refuses \(404: No such artifact"):
        store.fetch_checkpoint(there, run_ids)


@pytest.mark.parametrize(
    "tag",
    [
        "../../../etc/passwd 5",
        f"{'a' * 64}/../x 5",
        f"{'a' * 63} 5",
        f"{'a' * 64} -5",
        f"{'a' * 64} 999999999999",
        f"{'A' * 64} 5",
        "yes",
    ],
)
def test_what_a_server_says_becomes_no_path(
    store: ArtifactStore, tracking: TrackingServer, there: RunsDirectory, tag: str
) -> None:
    value = {"experiment_id": store._experiment, "key": "cadp.checkpoint." + "a" * 16, "value": tag}
    Connection(tracking).post("/api/2.0/mlflow/experiments/set-experiment-tag", value)
    with pytest.raises(StoredDataError, match=r"has another content|is said to have"):
        store.fetch_checkpoint(there, ["a" * 16])
    assert not there.root.exists() or list(there.root.rglob("*.ckpt")) == []


def test_tags_of_others_are_no_checkpoints(store: ArtifactStore, tracking: TrackingServer) -> None:
    for name in ("notes", "A" * 16):
        value = {"experiment_id": store._experiment, "key": f"cadp.checkpoint.{name}", "value": "x"}
        Connection(tracking).post("/api/2.0/mlflow/experiments/set-experiment-tag", value)
    assert store.checkpoints() == {}


def test_what_is_too_large_or_no_file_is_not_put(
    store: ArtifactStore, here: RunsDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("suite.records.artifacts.LARGEST_CHECKPOINT_BYTES", 10)
    run_ids = ["b" * 16]
    for content in (b"", b"x" * 11):
        write(here.checkpoint_path(run_ids), content)
        with pytest.raises(StoredDataError, match="has not between 1 and 10 bytes"):
            store.put_checkpoint(here, run_ids)
    here.checkpoint_path(run_ids).unlink()
    os.mkfifo(here.checkpoint_path(run_ids))
    with pytest.raises(OSError, match="not a plain file"):
        store.put_checkpoint(here, run_ids)
    assert store.checkpoints() == {}


def test_a_network_that_is_cut_leaves_the_checkpoint_before(
    store: ArtifactStore,
    here: RunsDirectory,
    there: RunsDirectory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At each request in turn, after the server has done it; given again, it is put."""
    import requests

    run_ids, send = ["f" * 16], requests.Session.send
    path = here.checkpoint_path(run_ids)
    write(path, b"old")
    store.put_checkpoint(here, run_ids)
    for at in range(3):
        n_sent = iter(range(100))

        def send_and_lose(self: requests.Session, request: object, **how: object) -> object:
            answer = send(self, request, **how)
            if next(n_sent) == at:  # noqa: B023
                raise requests.ConnectionError("the network is down")
            return answer

        before, after = path.read_bytes(), f"new {at}".encode()
        write(path, after)
        with monkeypatch.context() as patched:
            patched.setattr(requests.Session, "send", send_and_lose)
            with pytest.raises(BusyError):
                store.put_checkpoint(here, run_ids)
        assert store.fetch_checkpoint(there, run_ids)
        assert there.checkpoint_path(run_ids).read_bytes() in (before, after)
        store.put_checkpoint(here, run_ids)
        assert store.fetch_checkpoint(there, run_ids)
        assert there.checkpoint_path(run_ids).read_bytes() == after
