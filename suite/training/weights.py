"""Weights files: the final networks of a run by name, whole, and checked when read.

A file is `torch.save({"format", "run_id", "sha256", "weights"})`; `torch.load(path,
weights_only=True)["weights"]` gives the tensors to anybody. The checksum covers the tensors, not
the archive around them. torch is imported by the functions: processes without it know the names.
"""

from __future__ import annotations

import hashlib
import io
import json
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from suite.disk import read_plain_file, write_atomically
from suite.errors import StoredDataError

if TYPE_CHECKING:
    import torch

WEIGHTS_FORMAT = 2  # the first was the dictionary of tensors alone, without run and checksum
TRAIN_AGAIN = "delete this file and give the `run` command again, which trains the run anew"

# A network of our algorithms takes less than a megabyte, one with the widest layers some hundred.
_LARGEST_BYTES = 1 << 30
_KEYS = {"format", "run_id", "sha256", "weights"}


def write_weights(path: Path, run_id: str, weights: Mapping[str, torch.Tensor]) -> str:
    """Write a run's weights, atomically and durably; returns their SHA-256 (`checksum`).

    weights: name -> float32 tensor. Equal weights give equal bytes. Raises ValueError for weights
    that `read_weights` would refuse, InputError if the file cannot be written.
    """
    import torch

    # Copies: torch.save would store all of what a tensor is a view of.
    copies = {
        name: weights[name].detach().cpu().clone(memory_format=torch.contiguous_format)
        for name in sorted(weights)
    }
    fault = _fault(copies, _LARGEST_BYTES)
    if fault:
        raise ValueError(f"weights of run {run_id}: {fault}")
    sha256, buffer = checksum(copies), io.BytesIO()
    content = {"format": WEIGHTS_FORMAT, "run_id": run_id, "sha256": sha256, "weights": copies}
    torch.save(content, buffer)
    write_atomically(path, buffer.getvalue(), "make the runs directory writable, or use another")
    return sha256


def read_weights(path: Path, run_id: str, sha256: str | None = None) -> dict[str, torch.Tensor]:
    """A run's weights as they were written: finite float32 tensors by name.

    sha256: the checksum recorded for the run, if there is one. Raises StoredDataError for
    everything else that may lie there: another file, a damaged one, another run's, an older
    format, changed weights. Whether they fit the run's network is for the learner to say.
    """
    where = str(path)
    try:
        data = read_plain_file(path, _LARGEST_BYTES)
        return _checked(_unpack(data), len(data), where, run_id, sha256)
    except StoredDataError:
        raise
    except FileNotFoundError:
        cure = "give the `run` command again, which trains the run anew"
        raise StoredDataError("the run's weights are missing", where=where, cure=cure) from None
    except OSError as error:
        what = f"the weights cannot be read: {error.strerror or error}"
        cure = f"make it readable, or {TRAIN_AGAIN}"
        raise StoredDataError(what, where=where, cure=cure) from None
    except MemoryError:
        what, cure = "too little memory to read the weights", "free some and try again"
        raise StoredDataError(what, where=where, cure=cure) from None
    except Exception as error:  # whatever torch and pickle make of foreign bytes
        what = f"the weights are damaged, or no weights file ({type(error).__name__})"
        raise StoredDataError(what, where=where, cure=TRAIN_AGAIN) from None


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


def _unpack(data: bytes) -> Any:
    """What an archive of torch's holds; raises whatever torch does if it is none."""
    import torch

    entries = zipfile.ZipFile(io.BytesIO(data)).infolist()
    if sum(entry.file_size for entry in entries) > len(data):
        raise ValueError("a compressed archive, which may unpack to any size")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about contents that are refused anyway
        return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)


def _checked(
    content: Any, n_bytes: int, where: str, run_id: str, sha256: str | None
) -> dict[str, torch.Tensor]:
    """The weights in the content of a file of `n_bytes` if all of it is right."""
    import torch

    def refusal(what: str, value: object = None) -> StoredDataError:
        return StoredDataError(what, where=where, value=value, cure=TRAIN_AGAIN)

    if type(content) is not dict:
        raise refusal("not a weights file of a run")
    if content and all(isinstance(value, torch.Tensor) for value in content.values()):
        raise refusal("weights of an older version of cadp-suite, which had no checksum")
    version = content.get("format")
    if type(version) is int and WEIGHTS_FORMAT < version < 1_000:
        cure = "update cadp-suite to read them"
        raise StoredDataError(
            "weights of a newer version", where=where, value=f"format {version}", cure=cure
        )
    if type(version) is not int or version != WEIGHTS_FORMAT:
        raise refusal(f"not a weights file of format {WEIGHTS_FORMAT}")
    if content.keys() != _KEYS:
        raise refusal(f"a weights file has {', '.join(sorted(_KEYS))}, this one has not")
    if content["run_id"] != run_id:
        is_text = type(content["run_id"]) is str
        raise refusal("the weights of another run", content["run_id"][:40] if is_text else None)
    weights = content["weights"]
    fault = _fault(weights, n_bytes)
    if fault:
        raise refusal(fault)
    found = checksum(weights)
    if content["sha256"] != found:
        raise refusal("the weights are damaged: they do not match the file's checksum")
    if sha256 is not None and sha256 != found:
        raise refusal("not the weights that were recorded for the run", found)
    return {name: tensor.detach() for name, tensor in weights.items()}


def _fault(weights: Any, n_bytes: int) -> str | None:
    """What keeps `weights` from being named dense finite float32 tensors of at most `n_bytes`."""
    import torch

    if type(weights) is not dict or not weights:
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
