"""Reading and writing a run's weights, whole, and checked when read.

A file is of the format safetensors, which anybody reads; `format`, `run_id` and `sha256` are in its
header, the run's description is the JSON document beside it. The checksum covers the tensors, not
the file around them. Format 2, `torch.save({"format", "run_id", "sha256", "weights"})`, is read as
well.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from suite.disk import read_plain_file, write_atomically
from suite.errors import StoredDataError
from suite.runs.directory import RunsDirectory
from suite.runs.spec import RunSpec
from suite.training.weights.description import describe_weights
from suite.training.weights.tensors import (
    ARCHIVE_START,
    LARGEST_BYTES,
    checksum,
    fault_of,
    reading,
    unpack_torch,
)

if TYPE_CHECKING:
    import torch

# The first was the dictionary of tensors alone, without run and checksum; the second torch's.
WEIGHTS_FORMAT = 3
_TORCH_FORMAT = 2
TRAIN_AGAIN = "delete this file and give the `run` command again, which trains the run anew"

_KEYS = {"format", "run_id", "sha256", "weights"}
_LENGTH_BYTES = 8  # how long the header is, little-endian, stands before it


def write_weights(
    directory: RunsDirectory, run: RunSpec, weights: Mapping[str, torch.Tensor]
) -> str:
    """Write a run's weights and their description, durably; returns their SHA-256 (`checksum`).

    The weights come last: where they are, they are described. weights: name -> float32 tensor.
    Equal weights give equal bytes. Raises ValueError for weights that `read_weights` would refuse,
    InputError if a file cannot be written.
    """
    # Copies: what a tensor is a view of would have to be contiguous, and not be shared.
    copies = {name: _plain(weights[name]) for name in sorted(weights)}
    fault = fault_of(copies, LARGEST_BYTES)
    if fault:
        raise ValueError(f"weights of run {run.run_id}: {fault}")
    sha256 = checksum(copies)
    path = directory.weights_path(run.run_id)
    description = describe_weights(run, WEIGHTS_FORMAT, path.name, copies, sha256)
    header = {"format": str(WEIGHTS_FORMAT), "run_id": run.run_id, "sha256": sha256}
    cure = "make the runs directory writable, or use another"
    write_atomically(directory.description_path(run.run_id), description, cure)
    write_atomically(path, _pack(copies, header), cure)
    return sha256


def read_weights(path: Path, run_id: str, sha256: str | None = None) -> dict[str, torch.Tensor]:
    """A run's weights as they were written: finite float32 tensors by name.

    sha256: the checksum recorded for the run, if there is one. Raises StoredDataError for
    everything else that may lie there: another file, a damaged one, another run's, an older
    format, changed weights. Whether they fit the run's network is for the learner to say.
    """
    where = str(path)
    missing = StoredDataError(
        "the run's weights are missing",
        where=where,
        cure="give the `run` command again, which trains the run anew",
    )
    with reading(where, kind="weights file", missing=missing, cure=TRAIN_AGAIN):
        data = read_plain_file(path, LARGEST_BYTES)
    return unpack_weights(data, where, run_id, sha256)


def unpack_weights(
    data: bytes, where: str, run_id: str, sha256: str | None = None
) -> dict[str, torch.Tensor]:
    """As `read_weights`, of the bytes of a file; where: what they are called in errors."""
    with reading(where, kind="weights file", cure=TRAIN_AGAIN):
        if data.startswith(ARCHIVE_START):
            content = unpack_torch(data)
            return _checked(content, _TORCH_FORMAT, len(data), where, run_id, sha256)
        content, version = _unpack(data), str(WEIGHTS_FORMAT)
        return _checked(content, version, len(data), where, run_id, sha256)


def _plain(tensor: torch.Tensor) -> torch.Tensor:
    import torch

    return tensor.detach().cpu().clone(memory_format=torch.contiguous_format)


def _pack(weights: Mapping[str, torch.Tensor], header: Mapping[str, str]) -> bytes:
    """A safetensors file; the library alone would shuffle what is in the header."""
    from safetensors.torch import save

    data = save(dict(weights))
    end = _LENGTH_BYTES + int.from_bytes(data[:_LENGTH_BYTES], "little")
    entries = {"__metadata__": dict(header), **json.loads(data[_LENGTH_BYTES:end])}
    text = json.dumps(entries, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % _LENGTH_BYTES)  # tensors start at a multiple of 8 bytes
    return len(text).to_bytes(_LENGTH_BYTES, "little") + text + data[end:]


def _unpack(data: bytes) -> dict[str, Any]:
    """What a safetensors file holds, as format 2 arranged it; raises whatever the library does."""
    from safetensors.torch import load

    weights = load(data)
    end = _LENGTH_BYTES + int.from_bytes(data[:_LENGTH_BYTES], "little")
    return {**json.loads(data[_LENGTH_BYTES:end]).get("__metadata__", {}), "weights": weights}


def _checked(
    content: Any, version: int | str, n_bytes: int, where: str, run_id: str, sha256: str | None
) -> dict[str, torch.Tensor]:
    """The weights in the content of a file of `n_bytes` if all of it is right."""
    import torch

    def refusal(what: str, value: object = None) -> StoredDataError:
        return StoredDataError(what, where=where, value=value, cure=TRAIN_AGAIN)

    if type(content) is not dict:
        raise refusal("not a weights file of a run")
    if content and all(isinstance(value, torch.Tensor) for value in content.values()):
        raise refusal("weights of an older version of cadp-suite, which had no checksum")
    found_version = content.get("format")
    if _is_newer(found_version):
        cure = "update cadp-suite to read them"
        value = f"format {found_version}"
        raise StoredDataError("weights of a newer version", where=where, value=value, cure=cure)
    if type(found_version) is not type(version) or found_version != version:
        raise refusal(f"not a weights file of format {version}")
    if content.keys() != _KEYS:
        raise refusal(f"a weights file has {', '.join(sorted(_KEYS))}, this one has not")
    if content["run_id"] != run_id:
        is_text = type(content["run_id"]) is str
        raise refusal("the weights of another run", content["run_id"][:40] if is_text else None)
    weights = content["weights"]
    fault = fault_of(weights, n_bytes)
    if fault:
        raise refusal(fault)
    found = checksum(weights)
    if content["sha256"] != found:
        raise refusal("the weights are damaged: they do not match the file's checksum")
    if sha256 is not None and sha256 != found:
        raise refusal("not the weights that were recorded for the run", found)
    return {name: tensor.detach() for name, tensor in weights.items()}


def _is_newer(version: object) -> bool:
    """Whether it is a format that a later version of this suite may have."""
    is_number = type(version) is int or (type(version) is str and version.isdecimal())
    return is_number and len(str(version)) < 4 and int(str(version)) > WEIGHTS_FORMAT
