"""Records from several places as one: runs directories, packs, and folders of packs."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from suite.errors import InputError
from suite.records.packs import SUFFIX, open_pack
from suite.records.store import RecordStore, RunRecord, Status
from suite.runs.directory import RunsDirectory
from suite.text import visible

# Of several records of one run, those with the first of these count.
_ORDER: tuple[Status, ...] = ("finished", "failed", "pruned", "running")


@dataclass(frozen=True)
class FoundRun:
    """A run as one or several places recorded it.

    record: of the first place that has its best status: finished, else failed, else running.
    sources: every place that has the same results, in words. differing: places where it finished
    with other results, that of `record` first; empty where all agree.
    others: (place, status) of what does not count beside `record`.
    """

    record: RunRecord
    sources: tuple[str, ...]
    differing: tuple[str, ...] = ()
    others: tuple[tuple[str, Status], ...] = ()


def gather(places: Sequence[Path], run_ids: Collection[str]) -> dict[str, FoundRun]:
    """Run id → what all places together know of it; ids without a record are left out.

    places: runs directories, packs, or folders of packs. Raises InputError for one that has no
    records, StoredDataError for damaged ones.
    """
    found: dict[str, list[tuple[_Source, RunRecord]]] = {}
    for source in _named(itertools.chain.from_iterable(map(_sources, places))):
        for record in source.load(run_ids):
            found.setdefault(record.run_id, []).append((source, record))
    return {run_id: _settled(several) for run_id, several in found.items()}


@dataclass(frozen=True)
class Results:
    """What a record says of its run's results; where and when it was trained is not asked.

    digest: of every point; one not-a-number is like another, and zero has no sign.
    weights_sha256: "" where not known.
    """

    status: Status
    digest: bytes
    weights_sha256: str

    def agree(self, other: Results) -> bool:
        """Whether they are the same, weights included where both know them."""
        weights = {self.weights_sha256, other.weights_sha256} - {""}
        return (self.status, self.digest) == (other.status, other.digest) and len(weights) < 2


def results(record: RunRecord) -> Results:
    """The results of a record that was loaded with its histories."""
    digest = hashlib.sha256()
    for key, (steps, values) in sorted(record.histories.items()):
        digest.update(f"{key} {len(steps)} ".encode() + steps.astype("<i8").tobytes())
        plain = np.where(np.isnan(values), np.nan, values + 0.0)
        digest.update(plain.astype("<f8").tobytes())
    return Results(record.status, digest.digest(), record.weights_sha256 or "")


def _settled(several: Sequence[tuple[_Source, RunRecord]]) -> FoundRun:
    best = min((record.status for _, record in several), key=_ORDER.index)
    record = next(one for _, one in several if one.status == best)
    first = results(record)
    told = [(source.told(one), one.status, results(one).agree(first)) for source, one in several]
    alike = tuple(place for place, _, agrees in told if agrees)
    unlike = [(place, status) for place, status, agrees in told if not agrees]
    differing = tuple(place for place, status in unlike if status == best == "finished")
    return FoundRun(
        record,
        sources=alike,
        differing=(alike[0], *differing) if differing else (),
        others=tuple((place, status) for place, status in unlike if place not in differing),
    )


@dataclass(frozen=True)
class _Source:
    """A runs directory or a pack. name: for people; two of one report have different ones."""

    path: Path
    is_pack: bool
    name: str

    def load(self, run_ids: Collection[str]) -> Iterable[RunRecord]:
        if not self.is_pack:
            return RecordStore.open(self.path).load(run_ids)
        with open_pack(self.path) as pack:
            return list(pack.load(run_ids))

    def told(self, record: RunRecord) -> str:
        """The place, and the pack that the run came in if it was imported there."""
        if record.origin is None:
            return self.name
        if self.is_pack:
            return replace(record.origin, pack=self.name).told
        return f"{self.name}, imported from {record.origin.told}"


def _sources(place: Path) -> Iterator[_Source]:
    """A folder that has records of its own is a runs directory, whatever packs lie in it."""
    if place.suffix == SUFFIX and not place.is_dir():
        yield _Source(place, True, place.name)
        return
    if place.exists() and not place.is_dir():
        cure = f"give a runs directory, a {SUFFIX} file that `export` wrote, or a folder of them"
        raise InputError("neither runs directory nor pack", where=str(place), cure=cure)
    packs = sorted(place.glob(f"*{SUFFIX}"))
    if packs and not RunsDirectory(place).records_path.exists():
        yield from (_Source(path, True, path.name) for path in packs)
    else:
        yield _Source(place, False, place.absolute().name)


def _named(sources: Iterable[_Source]) -> list[_Source]:
    """Each place once; those of the same name go by their path."""
    different = {source.path.resolve(): source for source in sources}.values()
    names = [source.name for source in different]
    return [
        _Source(one.path, one.is_pack, visible(str(one.path)))
        if names.count(one.name) > 1
        else _Source(one.path, one.is_pack, visible(one.name))
        for one in different
    ]
