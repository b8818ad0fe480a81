"""Checkpoint files: whole or absent, checked when read.

Layout of a file: 8 bytes magic, 4 bytes little-endian format version, 32 bytes SHA-256 of the
rest, then a `torch.save` archive of plain containers and tensors (read with `weights_only=True`,
so a checkpoint can run no code).
"""

from __future__ import annotations

import hashlib
import io
import os
import struct
from pathlib import Path
from typing import Any

import torch

from suite.errors import StoredDataError

MAGIC = b"CADPCKPT"
CHECKPOINT_FORMAT = 1
_HEADER = struct.Struct("<8sI32s")


def write_checkpoint(path: Path, content: dict[str, Any]) -> None:
    """Replace `path` atomically: after a crash at any moment the old or the new file is there."""
    buffer = io.BytesIO()
    torch.save(content, buffer)
    payload = buffer.getvalue()
    header = _HEADER.pack(MAGIC, CHECKPOINT_FORMAT, hashlib.sha256(payload).digest())
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("wb") as file:
        file.write(header)
        file.write(payload)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint back; `StoredDataError` if it is damaged or of another format version."""
    cure = "delete this file to train the run from its beginning; finished runs are not touched"
    data = path.read_bytes()
    if len(data) < _HEADER.size or not data.startswith(MAGIC):
        raise StoredDataError("not a checkpoint of this program", where=str(path), cure=cure)
    _, version, digest = _HEADER.unpack_from(data)
    if version != CHECKPOINT_FORMAT:
        raise StoredDataError(
            f"checkpoint format is not {CHECKPOINT_FORMAT}",
            where=str(path),
            value=version,
            cure=f"continue with the version that wrote it, or {cure}",
        )
    payload = data[_HEADER.size :]
    if hashlib.sha256(payload).digest() != digest:
        raise StoredDataError("checkpoint is damaged", where=str(path), cure=cure)
    content: dict[str, Any] = torch.load(io.BytesIO(payload), weights_only=True, map_location="cpu")
    return content
