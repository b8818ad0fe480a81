"""Packs that are damaged, tampered with or made to harm: one line each, and nothing more."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load, save

from suite.errors import StoredDataError
from suite.records import RunRecord
from suite.records.packs import open_pack, write_pack
from suite.runs.spec import RunSpec

Members = dict[str, bytes]
COMMENT = b"cadp-suite pack; SHA-256 of manifest.json: "


def read_all(path: Path) -> list[tuple[Any, ...]]:
    """All that a pack says, in a form that can be compared."""
    with open_pack(path) as pack:
        return [
            (
                replace(record, histories={}, origin=None),
                {k: (s.tobytes(), v.tobytes()) for k, (s, v) in record.histories.items()},
            )
            for record in pack.load()
        ]


def refusal(path: Path) -> str:
    """The line with which a pack is refused."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(StoredDataError) as caught:
            read_all(path)
    line = str(caught.value)
    assert "\n" not in line
    assert line.startswith(str(path))
    return line


@pytest.fixture
def record(specs: tuple[RunSpec, ...], make_record) -> RunRecord:
    return make_record(specs[0])


@pytest.fixture
def path(tmp_path: Path, record: RunRecord) -> Path:
    """A pack of one run."""
    path = tmp_path / "some.pack"
    write_pack(path, [record])
    return path


def test_every_changed_byte_is_noticed_or_means_nothing(path: Path) -> None:
    """What stands before each member is also in the directory: zip programs read either."""
    whole, expected = path.read_bytes(), read_all(path)
    harmless = 0
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x21]) + whole[place + 1 :])
        with contextlib.suppress(StoredDataError):
            assert read_all(path) == expected, place
            harmless += 1
    assert harmless < 0.1 * len(whole)  # dates and the like: some 35 bytes a member


def test_a_pack_that_is_cut_short_is_refused(path: Path) -> None:
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        refusal(path)


@pytest.mark.parametrize("more", [b"x", b"PK\5\6" + bytes(18)])
def test_nothing_lies_before_or_behind(path: Path, more: bytes) -> None:
    whole = path.read_bytes()
    for content in (whole + more, more + whole):
        path.write_bytes(content)
        refusal(path)


@pytest.mark.parametrize("place", ["between", "last", "comment", "extra", "order"])
def test_nothing_lies_hidden(path: Path, place: str) -> None:
    """What the directory does not name, or names beside its members."""
    content = members(path)
    for is_hidden in (False, True):

        def hide(archive: zipfile.ZipFile, name: str, is_hidden: bool = is_hidden) -> None:
            last = name == "manifest.json"
            if is_hidden and place in ("comment", "extra") and last:
                setattr(archive.getinfo(name), place, b"\xfe\xca\x40\0" + b"hidden  " * 8)
            if is_hidden and place == "order" and last:  # so do members that overlap look
                archive.filelist[:2] = archive.filelist[1::-1]
            if is_hidden and place == ("last" if last else "between"):
                assert archive.fp is not None
                archive.fp.seek(0, os.SEEK_END)
                archive.fp.write(b"hidden")
                archive.start_dir = archive.fp.tell()

        forge(path, content, beside=hide)
        if is_hidden:
            assert "something lies between its members" in refusal(path)
        else:
            assert len(read_all(path)) == 1


def test_what_is_no_pack_is_named(tmp_path: Path) -> None:
    path = tmp_path / "some.pack"
    assert "there is no such file" in refusal(path)
    path.mkdir()
    assert "is a directory" in refusal(path)
    os.mkfifo(tmp_path / "pipe")
    assert "is not a plain file" in refusal(tmp_path / "pipe")
    path = tmp_path / "other"
    for content in (b"", b"SQLite format 3\0" * 100, COMMENT + b"0" * 64):
        path.write_bytes(content)
        assert "damaged, or no pack of cadp-suite" in refusal(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "a")
    assert "damaged, or no pack" in refusal(path)


def members(path: Path) -> Members:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()[:-1]}


def forge(
    path: Path,
    content: Members,
    *,
    names: dict[str, str] | None = None,
    manifest: Callable[[dict[str, Any]], Any] = lambda document: document,
    how: int = zipfile.ZIP_STORED,
    sign: bool = True,
    beside: Callable[[zipfile.ZipFile, str], None] = lambda archive, name: None,
) -> None:
    """Write a pack as somebody would who knows the format.

    names: other ones in the archive. beside: called after each member.
    """
    entries = {
        name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for name, data in content.items()
    }
    document = manifest({"kind": "cadp-suite pack", "format": 1, "members": entries})
    text = json.dumps(document).encode()
    with zipfile.ZipFile(path, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about names that are there twice
        for name, data in [*content.items(), ("manifest.json", text)]:
            entry = zipfile.ZipInfo((names or {}).get(name, name))
            archive.writestr(entry, data, how)
            beside(archive, name)
        digest = hashlib.sha256(text).hexdigest() if sign else "0" * 64
        archive.comment = COMMENT + digest.encode()


def test_what_is_forged_here_is_a_pack(path: Path) -> None:
    """So that the forgeries below fail for what is wrong with them."""
    expected = read_all(path)
    forge(path, members(path))
    assert read_all(path) == expected


def test_a_bomb_is_not_unpacked(path: Path, record: RunRecord) -> None:
    content = members(path) | {f"weights/{record.run_id}.safetensors": bytes(50_000_000)}
    content[f"weights/{record.run_id}.json"] = b"{}"
    forge(path, content, how=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 100_000
    assert "a member is compressed" in refusal(path)


@pytest.mark.parametrize("name", ["../../evil", "/etc/evil", "weights/evil", "runs/..json", "a\\b"])
def test_no_member_chooses_its_path(path: Path, name: str) -> None:
    forge(path, members(path) | {name: b"evil"})
    assert "members that no pack has" in refusal(path)


def test_the_manifest_lists_everything_and_nothing_else(path: Path, record: RunRecord) -> None:
    content = members(path)
    run, histories = content
    forge(path, content, manifest=lambda m: m | {"members": {}})
    assert "the members are not those of the manifest" in refusal(path)
    forge(path, content, names={run: histories})
    assert "its name unusable" in refusal(path)
    forge(path, content, names={run: "other"})
    assert "the members are not those of the manifest" in refusal(path)
    forge(path, {run: content[run]})
    assert "some that are missing" in refusal(path)
    forge(path, content, sign=False)
    assert "the manifest was changed" in refusal(path)

    def lie(manifest: dict[str, Any]) -> dict[str, Any]:
        manifest["members"][run]["sha256"] = "0" * 64
        return manifest

    forge(path, content, manifest=lie)
    assert f"{run} is not what the manifest says" in refusal(path)


def test_other_versions_are_told(path: Path) -> None:
    forge(path, members(path), manifest=lambda m: m | {"format": 2, "more": 1})
    assert "a pack of another version (got 'format 2'); update cadp-suite" in refusal(path)
    for odd in ({"format": 0}, {"format": "1"}, {"kind": "other"}, {"more": 1}):
        forge(path, members(path), manifest=lambda m, odd=odd: m | odd)
        refusal(path)
    forge(path, members(path), manifest=lambda m: [m])
    refusal(path)


def test_an_archive_of_very_many_members_is_not_even_listed(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from suite.records import archive

    monkeypatch.setattr(archive, "_LARGEST_DIRECTORY", 100)
    assert "its directory is too large" in refusal(path)


def test_a_member_larger_than_any_is_not_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from suite.records import packs

    monkeypatch.setattr(packs, "_LARGEST_DOCUMENT", 100)
    assert "has more than 100 bytes" in refusal(path)


def change(path: Path, record: RunRecord, **changes: Any) -> None:
    """Forge the run's document."""
    content = members(path)
    name = f"runs/{record.run_id}.json"
    document = json.loads(content[name])
    for key, value in changes.items():
        assert key in document
        document[key] = value
    forge(path, content | {name: json.dumps(document).encode()})


def test_settings_are_those_of_the_run_id(path: Path, record: RunRecord) -> None:
    spec = json.loads(record.spec.model_dump_json())
    change(path, record, spec=spec | {"seed": 77})
    assert f"the settings of run {record.run_id} have the id" in refusal(path)
    other = record.spec.model_copy(update={"seed": 77})
    change(path, record, run_id=other.run_id, spec=json.loads(other.model_dump_json()))
    assert f"run {other.run_id} goes by the name {record.run_id}" in refusal(path)


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "running"},
        {"status": "failed", "failure": 5},
        {"failure": "finished all the same"},
        {"status": "failed", "failure": "x" * 8_001},
        {"elapsed_seconds": -1.0},
        {"elapsed_seconds": float("nan")},
        {"elapsed_seconds": float("inf")},
        {"started": "yesterday"},
        {"started": "1969-12-31T23:59:59Z"},
        {"ended": "9999-12-31T23:59:59Z"},
        {"started": "2026-05-17T12:00:00"},
        {"weights_sha256": "../x"},
        {"spec": {}},
        {"spec": None},
        {"sittings": [{"a": 1}]},
        {"sittings": [{"../a": "x"}]},
        {"sittings": [{"a": "x" * 8_000}]},
        {"run_id": "../../../../etc/x"},
    ],
)
def test_documents_that_no_run_has_are_refused(
    path: Path, record: RunRecord, changes: dict[str, Any]
) -> None:
    change(path, record, **changes)
    assert "damaged, or no pack" in refusal(path)


def test_settings_whose_names_are_paths_are_refused(path: Path, make_record, record) -> None:
    algorithm = record.spec.algorithm.model_copy(update={"a/../b": 1})
    spec = record.spec.model_copy(update={"algorithm": algorithm})
    odd = record.run_id, spec.run_id
    content = members(path)
    document = json.loads(content[f"runs/{odd[0]}.json"])
    document |= {"run_id": odd[1], "spec": json.loads(spec.model_dump_json())}
    forge(
        path,
        {
            f"runs/{odd[1]}.json": json.dumps(document).encode(),
            f"histories/{odd[1]}.safetensors": content[f"histories/{odd[0]}.safetensors"],
        },
    )
    assert "has a setting that no run has" in refusal(path)


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"{", b"\xff", b"[" * 100_000, b'{"run_id": ' + b"9" * 10_000 + b"}"]
)
def test_documents_that_are_none_are_refused(path: Path, record: RunRecord, text: bytes) -> None:
    forge(path, members(path) | {f"runs/{record.run_id}.json": text})
    assert "damaged, or no pack" in refusal(path)


STEPS, VALUES = np.array([1, 2]), np.array([0.5, 1.0])
PAIR = {"a#steps": STEPS, "a#values": VALUES}


@pytest.mark.parametrize(
    "arrays",
    [
        {},
        {"a#steps": STEPS},
        PAIR | {"a#more": VALUES},
        PAIR | {"a": VALUES},
        {"../a#steps": STEPS, "../a#values": VALUES},
        {"a/./b#steps": STEPS, "a/./b#values": VALUES},
        {"/a#steps": STEPS, "/a#values": VALUES},
        {"a\n#steps": STEPS, "a\n#values": VALUES},
        {"a" * 300 + "#steps": STEPS, "a" * 300 + "#values": VALUES},
        PAIR | {"a#steps": STEPS[::-1].copy()},
        PAIR | {"a#steps": np.array([1, 1])},
        PAIR | {"a#steps": np.array([-1, 1])},
        PAIR | {"a#steps": np.array([1, 2], np.int32)},
        PAIR | {"a#steps": np.array([1.0, 2.0])},
        PAIR | {"a#values": VALUES.astype(np.float32)},
        PAIR | {"a#values": VALUES[:1]},
        PAIR | {"a#values": VALUES.reshape(1, 2)},
        {"a#steps": STEPS[:0], "a#values": VALUES[:0]},
        PAIR | {"#steps": STEPS},
        PAIR | {"#steps": STEPS, "#values": VALUES},
        PAIR | {"#steps": STEPS, "#times": np.array([-1, 1])},
        PAIR | {"#steps": STEPS, "#times": np.array([1, 2**62])},
    ],
)
def test_histories_that_no_run_has_are_refused(
    path: Path, record: RunRecord, arrays: dict[str, Any]
) -> None:
    name = f"histories/{record.run_id}.safetensors"
    assert load(save(PAIR)).keys() == PAIR.keys()
    forge(path, members(path) | {name: save(PAIR)})
    assert len(read_all(path)) == 1
    forge(path, members(path) | {name: save(arrays)})
    assert "damaged, or no pack" in refusal(path)


@pytest.mark.parametrize("content", [b"", b"\x80\x04N.", bytes(8), b"\xff" * 100])
def test_histories_that_are_none_are_refused(path: Path, record: RunRecord, content: bytes) -> None:
    forge(path, members(path) | {f"histories/{record.run_id}.safetensors": content})
    assert "damaged, or no pack" in refusal(path)
