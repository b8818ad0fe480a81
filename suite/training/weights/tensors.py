"""Tensors by name: what they may be, their checksum, and how files of strangers are read."""

from __future__ import annotations

import hashlib
import json
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Any

from suite.command_line import interrupts_deferred
from suite.errors import StoredDataError

if TYPE_CHECKING:
    import torch

# A network of our algorithms takes less than a megabyte, one with the widest layers some hundred.
LARGEST_BYTES = 1 << 30
# How the archives that torch writes since version 1.6 begin.
ARCHIVE_START = b"PK\x03\x04"


def load_torch() -> None:
    """In one thread, so that networks give the same values however many cores there are."""
    with interrupts_deferred():
        import torch
    torch.set_num_threads(1)


def checksum(weights: Mapping[str, torch.Tensor]) -> str:
    """SHA-256 over names, types, shapes and little-endian values, in order of the names; hex.

    Raises TypeError for tensors of another type than float32.
    """
    digest = hashlib.sha256()
    for name in sorted(weights):
        tensor = weights[name]
        digest.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode() + b"\n")
        digest.update(tensor.detach().numpy().astype("<f4", casting="equiv", copy=False).tobytes())
    return digest.hexdigest()


def fault_of(weights: Any, n_bytes: int) -> str | None:
    """What keeps `weights` from being named dense finite float32 tensors of at most `n_bytes`."""
    import torch

    if not isinstance(weights, dict) or not weights:
        return "the weights are not a dictionary of tensors"
    for name, tensor in weights.items():
        if type(name) is not str or type(tensor) is not torch.Tensor:
            return "the weights are not tensors by name"
        shown = f"weight {name!r:.60}"
        if tensor.dtype != torch.float32 or tensor.layout != torch.strided or tensor.is_nested:
            return f"{shown} is not of dense float32 values"
        n_bytes -= tensor.nbytes
        if n_bytes < 0:  # tensors may share what is stored, or repeat it by strides of 0
            return f"{shown} has more values than can be stored"
        if tensor.device.type != "cpu" or not tensor.is_contiguous():
            return f"{shown} is not stored value by value"
        if not torch.isfinite(tensor).all():
            return f"{shown} has values that are not finite"
    return None


def unpack_torch(data: bytes) -> Any:
    """What a file of `torch.save` holds; no code in it is run. Raises whatever torch does.

    Tensors of whatever device are on the CPU.
    """
    import torch

    if data.startswith(ARCHIVE_START):
        entries = zipfile.ZipFile(BytesIO(data)).infolist()
        if sum(entry.file_size for entry in entries) > len(data):
            raise ValueError("a compressed archive, which may unpack to any size")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about contents that are refused anyway
        return torch.load(BytesIO(data), map_location="cpu", weights_only=True)


@contextmanager
def reading(
    where: str, *, kind: str, cure: str, missing: StoredDataError | None = None
) -> Iterator[None]:
    """Whatever the system and libraries make of foreign bytes ends as one line.

    kind: what the file should be. missing: what is raised where a file is read and there is none.
    """
    try:
        yield
    except StoredDataError:
        raise
    except FileNotFoundError as error:
        raise missing or error from None
    except OSError as error:
        what = f"the weights cannot be read: {error.strerror or error}"
        raise StoredDataError(what, where=where, cure=f"make it readable, or {cure}") from None
    except MemoryError:
        what, cure = "too little memory to read the weights", "free some and try again"
        raise StoredDataError(what, where=where, cure=cure) from None
    except Exception as error:
        what = f"the weights are damaged, or no {kind} ({type(error).__name__})"
        raise StoredDataError(what, where=where, cure=cure) from None
