"""Files of runs in the artifact store of a tracking server, for other machines to go on with.

Where a file lies is fixed here, whatever the server says of its runs: nothing it answers becomes a
path on this machine. A checkpoint lies under its own SHA-256, and a tag says which is the latest:
so the tag always names a whole file, and what is fetched is known to be what was put.

    <experiment>/checkpoints/<cohort>/<SHA-256>.ckpt             tag of the experiment
    <experiment>/<MLflow run>/artifacts/<run>.safetensors, .json  tag of the run
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from suite.disk import open_plain_file, written_atomically
from suite.errors import InputError, StoredDataError
from suite.records import layout
from suite.records.server import ServerStore
from suite.records.store import is_run_id
from suite.records.tracking import Connection, TrackingServer
from suite.runs.cohorts import cohort_id
from suite.runs.directory import CHECKPOINT, RunsDirectory

_FILES = "/api/2.0/mlflow-artifacts/artifacts"
_API = "/api/2.0/mlflow"
# As large as the files themselves may be: `suite.training.checkpoint` and `weights`.
LARGEST_CHECKPOINT_BYTES = 1 << 32
LARGEST_WEIGHTS_BYTES = 1 << 30
_CURE = "make the runs directory writable, or use another"
_LARGEST_DESCRIPTION_BYTES = 1 << 20
_CHUNK_BYTES = 1 << 20
_POINTER = re.compile(r"([0-9a-f]{64}) (\d{1,12})")


class Stored(NamedTuple):
    """What the tag of a stored file says."""

    sha256: str
    n_bytes: int

    def __str__(self) -> str:
        return f"{self.sha256} {self.n_bytes}"


class ArtifactStore:
    """The checkpoints and weights on a server that serves artifacts (`mlflow server` does).

    Every method raises BusyError while the server is away, and can then be given again;
    StoredDataError for files that are not what was put; InputError where nothing was recorded yet.
    For one thread.
    """

    def __init__(self, server: TrackingServer) -> None:
        self._server = server
        self._connection = Connection(server)
        self._store = ServerStore.open(server)
        self._experiment = self._store.experiment_id() or ""
        self._put: dict[str, Stored] = {}

    def checkpoints(self) -> dict[str, Stored]:
        """Id of a cohort → its latest checkpoint, of all that are stored."""
        answer = self._connection.get(
            f"{_API}/experiments/get", {"experiment_id": self._experiment}
        )
        try:
            tags = answer["experiment"].get("tags", [])
            pointers = {str(tag["key"]): str(tag["value"]) for tag in tags}
        except (KeyError, TypeError, AttributeError) as error:
            raise self._server.no_server(f"{type(error).__name__}: {error}") from error
        prefix = layout.CHECKPOINT_PREFIX
        return {
            key.removeprefix(prefix): self._read(key, value)
            for key, value in pointers.items()
            if key.startswith(prefix) and is_run_id(key.removeprefix(prefix)) and value
        }

    def put_checkpoint(self, directory: RunsDirectory, run_ids: Sequence[str]) -> Stored:
        """Store the checkpoint of a cohort that lies in `directory`; it is the latest from now on.

        What this object put before goes; what other machines put, with `delete_checkpoint`.
        """
        cohort = cohort_id(run_ids)
        stored = self._upload(
            directory.checkpoint_path(run_ids), self._checkpoints(cohort), LARGEST_CHECKPOINT_BYTES
        )
        self._point(cohort, str(stored))
        before = self._put.get(cohort)
        self._put[cohort] = stored
        if before is not None and before != stored:
            self._connection.delete(f"{self._checkpoints(cohort)}/{before.sha256}{CHECKPOINT}")
        return stored

    def fetch_checkpoint(self, directory: RunsDirectory, run_ids: Sequence[str]) -> bool:
        """Bring a cohort's latest checkpoint to its place in `directory`; False without one."""
        cohort = cohort_id(run_ids)
        stored = self.checkpoints().get(cohort)
        if stored is None:
            return False
        name = f"{self._checkpoints(cohort)}/{stored.sha256}{CHECKPOINT}"
        self._download(name, stored, directory.checkpoint_path(run_ids), LARGEST_CHECKPOINT_BYTES)
        return True

    def delete_checkpoint(self, run_ids: Sequence[str]) -> None:
        """Forget a cohort's checkpoints, whoever put them: it is begun anew, or has ended."""
        cohort = cohort_id(run_ids)
        self._put.pop(cohort, None)
        if cohort in self.checkpoints():
            self._point(cohort, "")
        self._connection.delete(self._checkpoints(cohort))

    def put_weights(self, directory: RunsDirectory, run_id: str) -> Stored:
        """Store a run's weights and their description; before it is recorded as finished."""
        mlflow_id = self._mlflow_id(run_id)
        for tag, path, most in self._files(directory, run_id):  # the weights come last
            stored = self._upload(path, self._folder(mlflow_id), most, name=path.name)
            value = {"run_id": mlflow_id, "key": tag, "value": str(stored)}
            self._connection.post(f"{_API}/runs/set-tag", value)
        return stored

    def fetch_weights(self, directory: RunsDirectory, run_id: str) -> bool:
        """Bring a run's weights and their description to their places; False if there are none."""
        tags = self._store.tags([run_id]).get(run_id, {})
        if layout.WEIGHTS_FILE_TAG not in tags:
            return False
        folder = self._folder(self._mlflow_id(run_id))
        for tag, path, most in self._files(directory, run_id):
            stored = self._read(tag, tags.get(tag, ""))
            self._download(f"{folder}/{path.name}", stored, path, most)
        return True

    def _files(self, directory: RunsDirectory, run_id: str) -> tuple[tuple[str, Path, int], ...]:
        """Tag, path and largest size of what is kept of a finished run, the weights last."""
        description, weights = directory.description_path(run_id), directory.weights_path(run_id)
        return (
            (layout.DESCRIPTION_FILE_TAG, description, _LARGEST_DESCRIPTION_BYTES),
            (layout.WEIGHTS_FILE_TAG, weights, LARGEST_WEIGHTS_BYTES),
        )

    def _upload(
        self, path: Path, folder: str, largest_bytes: int, *, name: str | None = None
    ) -> Stored:
        """name: under which it is stored; its SHA-256 and own suffix if None."""
        with open_plain_file(path) as file:
            digest = hashlib.sha256()
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
            stored = Stored(digest.hexdigest(), file.tell())
            if not 0 < stored.n_bytes <= largest_bytes:
                what = f"has not between 1 and {largest_bytes:,} bytes"
                raise StoredDataError(what, where=str(path), value=stored.n_bytes, cure=_CURE)
            file.seek(0)
            self._connection.put(f"{folder}/{name or stored.sha256 + path.suffix}", file)
        return stored

    def _download(self, name: str, stored: Stored, path: Path, largest_bytes: int) -> None:
        if stored.n_bytes > largest_bytes:
            raise self._damaged(name, f"is said to have {stored.n_bytes:,} bytes")
        digest, size = hashlib.sha256(), 0
        with written_atomically(path, _CURE) as file:
            for chunk in self._connection.chunks(name, stored.n_bytes):
                digest.update(chunk)
                size += len(chunk)
                file.write(chunk)
            if (digest.hexdigest(), size) != stored:
                raise self._damaged(name, "is not what was put there")

    def _point(self, cohort: str, value: str) -> None:
        key = layout.CHECKPOINT_PREFIX + cohort
        tag = {"experiment_id": self._experiment, "key": key, "value": value}
        self._connection.post(f"{_API}/experiments/set-experiment-tag", tag)

    def _read(self, key: str, value: str) -> Stored:
        found = _POINTER.fullmatch(value)
        if found is None:
            raise self._damaged(f"tag {key}", "has another content than we write")
        return Stored(found[1], int(found[2]))

    def _damaged(self, what: str, is_wrong: str) -> StoredDataError:
        cure = "delete it in MLflow to train from the beginning"
        return StoredDataError(f"{what} {is_wrong}", where=str(self._server), cure=cure)

    def _mlflow_id(self, run_id: str) -> str:
        found = self._store.mlflow_ids([run_id]).get(run_id)
        if found is None:
            cure = "begin it first"
            raise InputError("has no record of the run", where=str(self._server), cure=cure)
        return found

    def _folder(self, mlflow_id: str) -> str:
        """MLflow's own folder for the artifacts of a run, which its pages show."""
        return f"{_FILES}/{self._experiment}/{mlflow_id}/artifacts"

    def _checkpoints(self, cohort: str) -> str:
        return f"{_FILES}/{self._experiment}/checkpoints/{cohort}"
