"""Packs: records of any number of runs in one checked file, to travel, to be kept or published.

`suite.records.archive` says what keeps a pack whole. Of every run it has `runs/<id>.json`, what
there is to say in words, and `histories/<id>.safetensors`, each metric's points bit by bit; and
its weights files if they were asked for. No member holds code, and none becomes a path by its name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)
from safetensors.numpy import load, save

from suite.errors import StoredDataError
from suite.records import layout
from suite.records.archive import Archive, Sha256, open_archive, reading, reason, write_archive
from suite.records.store import History, Origin, RunRecord
from suite.runs.directory import RunsDirectory
from suite.runs.spec import Name, RunSpec

SUFFIX = ".pack"

# Arrays are called `<metric>#steps` and `<metric>#values`. `#steps` and `#times`, of no metric, say
# when the run was measured, where that is known.
_STEPS, _VALUES, _TIMES = "steps", "values", "times"
_TYPES = {_STEPS: np.dtype(np.int64), _VALUES: np.dtype(np.float64), _TIMES: np.dtype(np.int64)}

# A document is mostly provenance, one kilobyte a sitting; a history has 24 bytes a point.
_LARGEST_DOCUMENT = 16 << 20
_LARGEST_HISTORIES = 256 << 20
LARGEST_WEIGHTS, LARGEST_DESCRIPTION = 1 << 30, 1 << 20
# What MLflow takes as the name of a metric or setting; it is no path.
_KEY = re.compile(r"(?!\.\.|.*(^|/)\.{0,2}(/|$))[\w\-. /:]{1,250}")
_RUN = re.compile(r"runs/([0-9a-f]{16})\.json")
_FIRST, _LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)

# Weights are called in a pack as in a runs directory.
_AS_IN = RunsDirectory(Path())

Weights = tuple[bytes, bytes]
Times = Mapping[int, int]
Arrays = dict[str, NDArray[Any]]


class _Document(BaseModel):
    """`runs/<id>.json`."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    run_id: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
    status: Literal["finished", "failed"]
    spec: RunSpec
    sittings: list[dict[Name, str]]
    failure: Annotated[str, StringConstraints(max_length=layout.LONGEST_TAG)] | None
    elapsed_seconds: Annotated[float, Field(ge=0)] | None
    started: AwareDatetime
    ended: AwareDatetime | None
    weights_sha256: Sha256 | Literal[""] | None

    @model_validator(mode="after")
    def _is_of_one_run(self) -> _Document:
        if self.spec.run_id != self.run_id:
            raise ValueError(f"the settings of run {self.run_id} have the id {self.spec.run_id}")
        if not all(_KEY.fullmatch(f"algorithm.{key}") for key in self.spec.algorithm.model_dump()):
            raise ValueError(f"run {self.run_id} has a setting that no run has")
        if not all(_FIRST <= one < _LAST for one in (self.started, self.ended) if one):
            raise ValueError(f"run {self.run_id} has a time that no run has")
        tags = [self.spec.model_dump_json(), *map(json.dumps, self.sittings)]
        if any(len(tag) > layout.LONGEST_TAG for tag in tags):
            raise ValueError(f"run {self.run_id} has more settings or provenance than any run")
        if self.status == "finished" and self.failure is not None:
            raise ValueError(f"run {self.run_id} is finished and failed")
        return self


def write_pack(
    path: Path,
    records: Iterable[RunRecord],
    weights: Callable[[RunRecord], Weights | None] = lambda record: None,
    times: Mapping[str, Times] | None = None,
) -> str:
    """Replace `path` by a pack of finished and failed runs; returns its SHA-256 (`Pack.sha256`).

    weights: the bytes of a run's weights file and of the description beside it; None leaves it
    without. times: run id → step → when it was measured, in milliseconds since 1970 (UTC). The same
    runs make the same bytes, in whatever order and wherever they come from.
    Raises InputError if the file cannot be written.
    """
    ordered = sorted(records, key=lambda record: record.run_id)
    return write_archive(
        path,
        (
            member
            for record in ordered
            for member in _members(record, weights(record), (times or {}).get(record.run_id, {}))
        ),
    )


def _members(
    record: RunRecord, weights: Weights | None, times: Times
) -> Iterator[tuple[str, bytes]]:
    try:
        document = _Document(
            run_id=record.run_id,
            status=record.status,  # type: ignore[arg-type]
            spec=record.spec,
            sittings=list(record.sittings),
            failure=record.failure,
            elapsed_seconds=record.elapsed_seconds,
            started=record.started,
            ended=record.ended,
            weights_sha256=record.weights_sha256,
        )
    except ValidationError as error:
        what = f"cannot go into a pack: {reason(error)}"
        cure = "delete this run in MLflow: it is trained again"
        raise StoredDataError(what, where=f"run {record.run_id}", cure=cure) from None
    text = json.dumps(document.model_dump(mode="json"), indent=1, sort_keys=True)
    yield _document(record.run_id), text.encode()
    yield _histories(record.run_id), save(_arrays(record.histories, times))
    if weights is not None:
        yield from zip(_weights(record.run_id), weights, strict=True)


def _arrays(histories: Mapping[str, History], times: Times) -> Arrays:
    arrays: Arrays = {}
    for key, (steps, values) in histories.items():
        arrays |= {f"{key}#{_STEPS}": steps, f"{key}#{_VALUES}": values}
    if times:
        steps = np.array(sorted(times), np.int64)
        moments = np.array([times[step] for step in steps.tolist()], np.int64)
        arrays |= {f"#{_STEPS}": steps, f"#{_TIMES}": moments}
    return {name: np.ascontiguousarray(array) for name, array in arrays.items()}


class Pack:
    """A pack opened by `open_pack`.

    run_ids: of the runs in it. with_weights: of those whose weights are in it.
    """

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        ids = [found[1] for name in archive.sizes if (found := _RUN.fullmatch(name))]
        weights = [one for one in ids if _weights(one)[0] in archive.sizes]
        expected = {name for one in ids for name in (_document(one), _histories(one))}
        expected |= {name for one in weights for name in _weights(one)}
        if expected != archive.sizes.keys():
            raise ValueError("members that no pack has, or some that are missing")
        self.run_ids, self.with_weights = tuple(ids), frozenset(weights)

    @property
    def path(self) -> Path:
        return self._archive.path

    @property
    def sha256(self) -> str:
        """Of its manifest: equal for packs of the same content."""
        return self._archive.sha256

    def load(self, run_ids: Collection[str] | None = None) -> Iterator[RunRecord]:
        """The records of `run_ids` (of all runs when None), in order of their ids.

        Ids that are not in the pack are left out. Raises StoredDataError for a record that is
        damaged, or impossible.
        """
        for run_id in self.run_ids:
            if run_ids is None or run_id in run_ids:
                yield self._record(run_id)

    def _record(self, run_id: str) -> RunRecord:
        text = self._archive.read(_document(run_id), _LARGEST_DOCUMENT)
        histories = {
            key: (arrays[_STEPS], arrays[_VALUES])
            for key, arrays in self._measured(run_id).items()
            if key
        }
        with reading(self.path):
            document = _Document.model_validate_json(text)
            if document.run_id != run_id:
                raise ValueError(f"run {document.run_id} goes by the name {run_id}")
            if document.status == "finished" and not histories:
                raise ValueError(f"run {run_id} is finished and has no metric")
        return RunRecord(
            run_id=run_id,
            status=document.status,
            spec=document.spec,
            sittings=tuple(document.sittings),
            histories=histories,
            failure=document.failure,
            elapsed_seconds=document.elapsed_seconds,
            started=document.started.astimezone(UTC),
            ended=document.ended and document.ended.astimezone(UTC),
            weights_sha256=document.weights_sha256,
            origin=Origin(self.path.name, self.sha256, None, run_id in self.with_weights),
        )

    def times(self, run_id: str) -> dict[int, int]:
        """Step → when it was measured, in milliseconds since 1970 (UTC); empty if not known."""
        pair = self._measured(run_id).get("")
        if pair is None:
            return {}
        return dict(zip(pair[_STEPS].tolist(), pair[_TIMES].tolist(), strict=True))

    def _measured(self, run_id: str) -> dict[str, Arrays]:
        content = self._archive.read(_histories(run_id), _LARGEST_HISTORIES)
        with reading(self.path):
            return _by_metric(load(content))

    def weights(self, run_id: str) -> Weights:
        """A run's weights file and its description, as they are: nothing in them is checked.

        Raises KeyError for a run that is not in `with_weights`.
        """
        file, description = _weights(run_id)
        return (
            self._archive.read(file, LARGEST_WEIGHTS),
            self._archive.read(description, LARGEST_DESCRIPTION),
        )


@contextmanager
def open_pack(path: Path) -> Iterator[Pack]:
    """A pack to read from while the body lasts. What of it is read is checked.

    Raises StoredDataError for a file that is damaged, of another version or no pack.
    """
    with open_archive(path) as archive:
        with reading(path):
            pack = Pack(archive)
        yield pack


def _document(run_id: str) -> str:
    return f"runs/{run_id}.json"


def _histories(run_id: str) -> str:
    return f"histories/{_AS_IN.weights_path(run_id).name}"  # a safetensors file too


def _weights(run_id: str) -> tuple[str, str]:
    files = _AS_IN.weights_path(run_id), _AS_IN.description_path(run_id)
    return files[0].as_posix(), files[1].as_posix()


def _by_metric(arrays: Arrays) -> dict[str, Arrays]:
    """Metric, or "" for the times → its two arrays. Raises ValueError for what no record holds."""
    found: dict[str, Arrays] = {}
    for name, array in arrays.items():
        key, _, kind = name.rpartition("#")
        if array.dtype != _TYPES.get(kind) or array.ndim != 1 or not len(array):
            raise ValueError(f"{name!r:.100} is no array of a metric")
        found.setdefault(key, {})[kind] = array
    for key, pair in found.items():
        if pair.keys() != {_STEPS, _VALUES if key else _TIMES} or (key and not _KEY.fullmatch(key)):
            raise ValueError(f"{key!r:.100} is no metric")
        if len({len(array) for array in pair.values()}) > 1:
            raise ValueError(f"{key!r:.100} has not as many values as steps")
        steps, times = pair[_STEPS], pair.get(_TIMES, np.zeros(1))
        if steps[0] < 0 or not np.all(steps[1:] > steps[:-1]):
            raise ValueError(f"{key!r:.100} has steps that do not ascend")
        if np.min(times) < 0 or np.max(times) >= 1000 * _LAST.timestamp():
            raise ValueError("was measured at times that cannot be")
    return found
