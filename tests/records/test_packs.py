"""What goes into a pack comes out of it, bit by bit; and equal runs make equal files."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from suite.errors import InputError, StoredDataError
from suite.records import RunRecord
from suite.records.packs import open_pack, write_pack
from suite.runs.spec import RunSpec

VALUES = [np.nan, np.inf, -np.inf, -0.0, 5e-324, 1.7e308, 0.1 + 0.2]
STEPS = [0, 1, 2, 3, 2**53 + 1, 2**62, 2**63 - 1]


def loaded(path: Path) -> list[RunRecord]:
    with open_pack(path) as pack:
        return list(pack.load())


def assert_equal(one: RunRecord, other: RunRecord) -> None:
    assert one.histories.keys() == other.histories.keys()
    for key, (steps, values) in one.histories.items():
        assert other.histories[key][0].dtype == np.int64
        assert other.histories[key][1].dtype == np.float64
        assert other.histories[key][0].tobytes() == steps.tobytes()
        assert other.histories[key][1].tobytes() == values.tobytes()
    bare = {"histories": {}, "origin": None}
    assert replace(one, **bare) == replace(other, **bare)


@pytest.fixture
def several(specs: tuple[RunSpec, ...], make_record) -> list[RunRecord]:
    odd = {"a metric: of another.one": (np.array(STEPS, np.int64), np.array(VALUES))}
    return [
        make_record(specs[0], histories=odd, sittings=({"torch": "2"}, {"torch": "3 \u2603"})),
        make_record(specs[1], status="failed", failure="Traceback\nValueError: boom", ended=None),
        make_record(specs[2], sittings=(), elapsed_seconds=None, weights_sha256=None),
        make_record(specs[3], status="failed", histories={}, weights_sha256=""),
    ]


def test_records_come_out_as_they_went_in(tmp_path: Path, several: list[RunRecord]) -> None:
    path = tmp_path / "some.pack"
    sha256 = write_pack(path, several)
    found = {record.run_id: record for record in loaded(path)}
    assert list(found) == sorted(found)
    assert len(found) == 4
    for record in several:
        assert_equal(record, found[record.run_id])
    origin = found[several[0].run_id].origin
    assert origin is not None
    assert (origin.pack, origin.sha256, origin.with_weights) == ("some.pack", sha256, False)


def test_the_wanted_runs_are_read(tmp_path: Path, several: list[RunRecord]) -> None:
    write_pack(tmp_path / "some.pack", several)
    with open_pack(tmp_path / "some.pack") as pack:
        wanted = [several[2].run_id, "not a run"]
        assert [record.run_id for record in pack.load(wanted)] == [several[2].run_id]
        assert list(pack.load([])) == []


def test_the_same_runs_make_the_same_file(tmp_path: Path, several: list[RunRecord]) -> None:
    one, other, less = (tmp_path / name for name in ("a.pack", "b.pack", "c.pack"))
    digests = [
        write_pack(one, several),
        write_pack(other, several[::-1]),
        write_pack(less, several[1:]),
    ]
    assert one.read_bytes() == other.read_bytes()
    assert digests[0] == digests[1] != digests[2]


def test_times_and_weights_come_out_as_they_went_in(
    tmp_path: Path, several: list[RunRecord]
) -> None:
    path = tmp_path / "some.pack"
    timed, bare = several[0].run_id, several[2].run_id
    times = {timed: {2: 1_700_000_000_002, 1: 1_700_000_000_001}}
    write_pack(path, several, lambda r: (b"w", b"{}") if r.run_id == timed else None, times)
    with open_pack(path) as pack:
        assert (pack.times(timed), pack.times(bare)) == (times[timed], {})
        assert (pack.weights(timed), pack.with_weights) == ((b"w", b"{}"), {timed})
        (record,) = pack.load([timed])
    assert_equal(several[0], record)
    assert record.origin is not None
    assert record.origin.with_weights


def test_anybody_can_read_it(tmp_path: Path, several: list[RunRecord]) -> None:
    """With a zip program, and what is at hand for JSON and safetensors."""
    from safetensors.numpy import load

    path = tmp_path / "some.pack"
    write_pack(path, several)
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        arrays = load(archive.read(f"histories/{several[0].run_id}.safetensors"))
    np.testing.assert_array_equal(arrays["a metric: of another.one#steps"], STEPS)


def test_a_failed_export_leaves_the_file_as_it_was(
    tmp_path: Path, several: list[RunRecord]
) -> None:
    path = tmp_path / "some.pack"
    write_pack(path, several)
    before = path.read_bytes()

    def weights(record: RunRecord) -> None:
        if record.run_id == max(one.run_id for one in several):
            raise StoredDataError("damaged", where="weights", cure="none")

    with pytest.raises(StoredDataError, match="weights: damaged"):
        write_pack(path, several[1:], weights)
    assert path.read_bytes() == before
    assert list(tmp_path.glob(".*")) == []


def test_a_record_that_no_pack_can_hold_is_told(tmp_path: Path, several: list[RunRecord]) -> None:
    odd = replace(several[0], sittings=({"no/name": "x"},))
    with pytest.raises(InputError, match=f"run {odd.run_id}: cannot go into a pack: sittings"):
        write_pack(tmp_path / "some.pack", [odd])
    running = replace(several[0], status="running")
    with pytest.raises(InputError, match="cannot go into a pack: status"):
        write_pack(tmp_path / "some.pack", [running])
    assert list(tmp_path.glob("*.pack")) == []


def test_archives_beyond_what_old_zips_hold(
    tmp_path: Path, several: list[RunRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if 2 GiB were 2,000 bytes: later members and the end are written as zip64 does."""
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 2_000)
    path = tmp_path / "some.pack"
    write_pack(path, several)
    assert b"PK\6\6" in path.read_bytes()
    assert len(loaded(path)) == 4
