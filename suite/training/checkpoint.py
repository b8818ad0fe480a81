"""Checkpoint files: whole or absent, checked when read.

Layout of a file: 8 bytes magic, 4 bytes little-endian format version, 32 bytes SHA-256 of the
rest; then 4 bytes length of the header and the header, a JSON document that says without torch
what the checkpoint is; then a `torch.save` archive of plain containers and tensors (read with
`weights_only=True`, so a checkpoint can run no code).
"""

from __future__ import annotations

import hashlib
import io
import json
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from suite.disk import read_plain_file, write_atomically
from suite.errors import CadpSuiteError, StoredDataError

MAGIC = b"CADPCKPT"
# 4: every point of a history says when it was measured.
CHECKPOINT_FORMAT = 4
_PREFIX = struct.Struct("<8sI32s")
_LENGTH = struct.Struct("<I")
# Seeds and actions of a full replay take some ten megabytes.
_LARGEST_BYTES = 1 << 32
_CURE = "delete this file to train the run from its beginning; finished runs are not touched"


@dataclass(frozen=True)
class CheckpointHeader:
    """run_ids: the cohort. numerics: code and versions (`suite.records.provenance.numerics`).

    sittings: run id → the provenance of every sitting so far, this one's last. Records have it too;
    they may lag behind, or be lost.
    """

    run_ids: tuple[str, ...]
    numerics: Mapping[str, str]
    sittings: Mapping[str, Sequence[Mapping[str, str]]]

    @property
    def commit(self) -> str:
        """The commit that wrote it, for people."""
        all_sittings = [sitting for each in self.sittings.values() for sitting in each]
        last = all_sittings[-1] if all_sittings else {}
        dirty = " with uncommitted changes" if last.get("git_dirty") == "true" else ""
        return last.get("git_commit", "unknown") + dirty


_HEADER = TypeAdapter(CheckpointHeader)


def write_checkpoint(path: Path, header: CheckpointHeader, content: dict[str, Any]) -> None:
    """Replace `path` atomically: after a crash at any moment the old or the new file is there."""
    import torch

    text = json.dumps(asdict(header)).encode()
    buffer = io.BytesIO()
    buffer.write(_LENGTH.pack(len(text)) + text)
    torch.save(content, buffer)
    rest = buffer.getvalue()
    prefix = _PREFIX.pack(MAGIC, CHECKPOINT_FORMAT, hashlib.sha256(rest).digest())
    cure = "make the folder writable, or choose another --runs-dir"
    write_atomically(path, prefix + rest, cure)


def read_header(path: Path) -> CheckpointHeader:
    """What a checkpoint is, without torch; StoredDataError if it is damaged."""
    with unusable_content(path):
        return _split(path)[0]


def read_checkpoint(path: Path) -> tuple[CheckpointHeader, dict[str, Any]]:
    """Read a checkpoint back; StoredDataError if it is damaged or of another format version."""
    import torch

    with unusable_content(path):
        header, archive = _split(path)
        content = torch.load(io.BytesIO(archive), weights_only=True, map_location="cpu")
        if not isinstance(content, dict):
            raise ValueError("its content is no table")
        return header, content


@contextmanager
def unusable_content(path: Path) -> Iterator[None]:
    """Whatever reading a checkpoint, or continuing from it, raises: one line with a cure.

    The checksum finds damage; a file made to fool it, or by a faulty program, ends here too.
    """
    try:
        yield
    except CadpSuiteError:
        raise
    except Exception as error:
        text = str(error).partition("For further information")[0]  # pydantic's
        reason = " ".join(f"{type(error).__name__}: {text}".split())[:200]
        what = f"checkpoint cannot be used ({reason})"
        raise StoredDataError(what, where=str(path), cure=_CURE) from error


def _split(path: Path) -> tuple[CheckpointHeader, bytes]:
    data = read_plain_file(path, _LARGEST_BYTES)
    if len(data) < _PREFIX.size + _LENGTH.size or not data.startswith(MAGIC):
        raise StoredDataError("not a checkpoint of this program", where=str(path), cure=_CURE)
    _, version, digest = _PREFIX.unpack_from(data)
    if version != CHECKPOINT_FORMAT:
        raise StoredDataError(
            f"checkpoint format is not {CHECKPOINT_FORMAT}",
            where=str(path),
            value=version,
            cure=f"continue with the version that wrote it, or {_CURE}",
        )
    rest = data[_PREFIX.size :]
    if hashlib.sha256(rest).digest() != digest:
        raise StoredDataError("checkpoint is damaged", where=str(path), cure=_CURE)
    (length,) = _LENGTH.unpack_from(rest)
    header = rest[_LENGTH.size : _LENGTH.size + length]
    return _HEADER.validate_json(header), rest[_LENGTH.size + length :]
