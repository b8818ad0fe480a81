import hashlib
import io
import struct

import pytest
import torch

from suite.errors import StoredDataError
from suite.training.checkpoint import (
    CHECKPOINT_FORMAT,
    CheckpointHeader,
    read_checkpoint,
    read_header,
    write_checkpoint,
)

HEADER = CheckpointHeader(
    ("0123456789abcdef",),
    {"torch": "2.13.0"},
    {"0123456789abcdef": [{"git_commit": "a1b2c3"}]},
)
CONTENT = {"numbers": torch.arange(5), "text": "α", "nested": {"list": [1, 2.5, None]}}


def test_round_trip(tmp_path):
    path = tmp_path / "deep" / "run.ckpt"
    write_checkpoint(path, HEADER, CONTENT)
    header, content = read_checkpoint(path)
    assert header == read_header(path) == HEADER
    assert torch.equal(content["numbers"], CONTENT["numbers"])
    assert content["nested"] == CONTENT["nested"]
    assert [p.name for p in path.parent.iterdir()] == ["run.ckpt"]  # nothing temporary is left


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:20],
        lambda data: data[:-1],
        lambda data: data[:100] + bytes([data[100] ^ 1]) + data[101:],
        lambda data: b"SQLite format 3\0" * 8,
        lambda data: data[:8] + b"\x63\0\0\0" + data[12:],
    ],
    ids=["empty", "header cut", "end cut", "bit flipped", "another file", "other version"],
)
def test_damage_is_one_line_with_a_cure(tmp_path, damage):
    path = tmp_path / "run.ckpt"
    write_checkpoint(path, HEADER, CONTENT)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(StoredDataError) as caught:
        read_checkpoint(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    assert "delete this file" in message
    assert caught.value.exit_code == 2


def crafted(rest: bytes) -> bytes:
    """A file whose checksum is right, whatever it holds."""
    return (
        struct.pack("<8sI32s", b"CADPCKPT", CHECKPOINT_FORMAT, hashlib.sha256(rest).digest()) + rest
    )


def archive(content: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def with_header(header: bytes, rest: bytes = b"") -> bytes:
    return crafted(struct.pack("<I", len(header)) + header + rest)


GOOD_HEADER = b'{"run_ids": ["0123456789abcdef"], "numerics": {}, "sittings": {}}'


@pytest.mark.parametrize(
    "data",
    [
        crafted(b"\xff\xff\xff\x7f"),
        with_header(b""),
        with_header(b"[1, 2]"),
        with_header(b"{}"),
        with_header(b'{"run_ids": 3, "numerics": {}, "sittings": {}}'),
        with_header(b'{"run_ids": [], "numerics": 3, "sittings": {}}'),
        with_header(b"[" * 100_000),
        with_header(b"\xff\xfe"),
        with_header(GOOD_HEADER),
        with_header(GOOD_HEADER, b"no archive"),
        with_header(GOOD_HEADER, archive([1, 2])),
        with_header(GOOD_HEADER, archive(torch.zeros(3))),
        with_header(GOOD_HEADER, archive({"x": 1})[:-50]),
    ],
)
def test_crafted_checkpoints_are_one_line(tmp_path, data):
    path = tmp_path / "run.ckpt"
    path.write_bytes(data)
    with pytest.raises(StoredDataError, match="delete this file") as caught:
        read_checkpoint(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600
