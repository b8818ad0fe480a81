"""Several places as one: equal records count once, others are never silently one of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_records import RATE, failed, history, other

from suite.errors import InputError
from suite.records import RunRecord
from suite.records.packs import write_pack
from suite.records.sources import gather, results
from suite.records.writer import RecordWriter
from suite.runs.spec import RunSpec


@pytest.fixture
def record(specs: tuple[RunSpec, ...], make_record) -> RunRecord:
    return make_record(specs[0])


def packed(path: Path, *records: RunRecord) -> Path:
    path.parent.mkdir(exist_ok=True)
    write_pack(path, records)
    return path


def test_equal_records_count_once(tmp_path: Path, record: RunRecord) -> None:
    elsewhere = replace(record, sittings=({"processor": "another"},), elapsed_seconds=99.0)
    places = [packed(tmp_path / "a.pack", record), packed(tmp_path / "b.pack", elsewhere)]
    found = gather(places, [record.run_id])[record.run_id]
    assert found.record.elapsed_seconds == 12.5
    assert [source.partition(" ")[0] for source in found.sources] == ["a.pack", "b.pack"]
    assert (found.differing, found.others) == ((), ())


def test_records_that_differ_are_told(tmp_path: Path, record: RunRecord) -> None:
    places = [
        packed(tmp_path / "a.pack", record),
        packed(tmp_path / "b.pack", other(record)),
        packed(tmp_path / "c.pack", replace(record, weights_sha256="cd" * 32)),
    ]
    found = gather(places, [record.run_id])[record.run_id]
    assert [name.partition(" ")[0] for name in found.differing] == ["a.pack", "b.pack", "c.pack"]
    assert found.others == ()


@pytest.mark.parametrize("order", [1, -1])
def test_a_finished_record_counts_before_others(
    tmp_path: Path, record: RunRecord, order: int
) -> None:
    places = [packed(tmp_path / "a.pack", failed(record)), packed(tmp_path / "b.pack", record)][
        ::order
    ]
    found = gather(places, [record.run_id])[record.run_id]
    assert found.record.status == "finished"
    assert (len(found.sources), found.differing) == (1, ())
    assert found.sources[0].startswith("b.pack (SHA-256 ")
    ((place, status),) = found.others
    assert (place.partition(" ")[0], status) == ("a.pack", "failed")


def test_a_folder_of_packs_and_a_runs_directory(
    tmp_path: Path, runs_dir: Path, specs, make_record
) -> None:
    writer = RecordWriter(runs_dir)
    writer.begin(specs[0], {}, resuming=False)
    writer.log(specs[0].run_id, [("a", 1, 1.0)])
    folder = tmp_path / "packs"
    packed(folder / "one.pack", make_record(specs[1]))
    packed(folder / "two.pack", make_record(specs[2]))
    packed(runs_dir / "three.pack", make_record(specs[3]))
    wanted = {spec.run_id for spec in specs}
    found = gather([runs_dir, folder], wanted)
    assert {run_id: one.sources[0].partition(" ")[0] for run_id, one in found.items()} == {
        specs[0].run_id: "runs",
        specs[1].run_id: "one.pack",
        specs[2].run_id: "two.pack",
    }
    assert gather([folder], {specs[0].run_id}) == {}


def test_a_place_named_twice_is_one(tmp_path: Path, record: RunRecord) -> None:
    path = packed(tmp_path / "a.pack", record)
    found = gather([path, tmp_path, path], [record.run_id])[record.run_id]
    assert len(found.sources) == 1


def test_places_of_one_name_go_by_their_path(tmp_path: Path, record: RunRecord) -> None:
    places = [packed(tmp_path / folder / "a.pack", record) for folder in ("x", "y")]
    found = gather(places, [record.run_id])[record.run_id]
    assert [source.partition(" ")[0] for source in found.sources] == [str(one) for one in places]


def test_places_without_records_are_named(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(InputError, match="nothing has been run here"):
            gather([place], ["x"])
    with pytest.raises(InputError, match="there is no such file; give the path of a pack"):
        gather([tmp_path / "absent.pack"], ["x"])
    (tmp_path / "study.toml").touch()
    with pytest.raises(InputError, match="neither runs directory nor pack"):
        gather([tmp_path / "study.toml"], ["x"])


def test_results_are_what_was_measured(record: RunRecord) -> None:
    nans = [replace(record, histories={RATE: history([1, 2], [np.nan, 0.0])}) for _ in range(2)]
    values = nans[1].histories[RATE][1]
    values.view(np.uint64)[0] ^= 1  # another not-a-number
    values[1] = -0.0
    assert results(nans[0]) == results(nans[1])
    unknown = replace(record, weights_sha256=None)
    assert results(record).agree(results(unknown))
    changed = [
        other(record),
        replace(record, weights_sha256="cd" * 32),
        replace(record, status="failed"),
        replace(record, histories={}),
        replace(record, histories={"other": record.histories[RATE]}),
        replace(record, histories={RATE: history([100, 1001], [0.25, 0.5])}),
        replace(record, histories={RATE: history([100], [0.25])}),
    ]
    assert not any(results(record).agree(results(one)) for one in changed)
