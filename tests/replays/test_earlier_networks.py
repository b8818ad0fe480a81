"""Weights files of format 2, written by earlier versions: read as before, and nothing else is."""

from __future__ import annotations

import io
import os
import pickle
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch

from suite.runs.spec import RunSpec
from suite.training.weights import checksum

if TYPE_CHECKING:
    from suite.algorithms.value.base import QLearner

Call = Callable[..., tuple[int, str, str]]
Weights = dict[str, torch.Tensor]


@dataclass
class Stored:
    """A run's weights file and what stands in it."""

    path: Path
    run_id: str
    weights: Weights

    def save(self, content: Any, **options: Any) -> None:
        torch.save(content, self.path, **options)

    def save_with(self, **values: Any) -> None:
        """As written, but for these values; the checksum is left as it was."""
        sha256 = checksum(self.weights)
        content = {"format": 2, "run_id": self.run_id, "sha256": sha256, "weights": self.weights}
        self.save(content | values)

    def save_weights(self, change: Callable[[Weights], Weights]) -> None:
        """Other weights, with their own checksum where they have one."""
        changed = change(dict(self.weights))
        try:
            sha256 = checksum(changed)
        except Exception:
            sha256 = "0" * 64
        self.save_with(weights=changed, sha256=sha256)

    def rezip(
        self, change: Callable[[str, bytes], bytes], method: int = zipfile.ZIP_STORED
    ) -> None:
        """The same archive with other bytes in it, its own checks made to fit."""
        packed = io.BytesIO()
        with zipfile.ZipFile(self.path) as old, zipfile.ZipFile(packed, "w", method) as new:
            for entry in old.infolist():
                new.writestr(entry.filename, change(entry.filename, old.read(entry)))
        self.path.write_bytes(packed.getvalue())


@pytest.fixture
def stored(finished_dir: Path, make_spec: Callable[..., RunSpec], learner: QLearner) -> Stored:
    run_id = make_spec().run_id
    path = finished_dir / "weights" / f"{run_id}.pt"
    path.with_suffix(".safetensors").unlink()
    path.with_suffix(".json").unlink()
    earlier = Stored(path, run_id, learner.member_weights(0))
    earlier.save_with()
    return earlier


@pytest.fixture
def watch(call: Call, finished_dir: Path, stored: Stored) -> Callable[[], tuple[int, str, str]]:
    return lambda: call("3m", "--policy", stored.run_id, "--runs-dir", str(finished_dir))


def replaced(put: Callable[[Path], object]) -> Callable[[Stored], None]:
    """Something else at the file's place."""

    def craft(stored: Stored) -> None:
        stored.path.unlink()
        put(stored.path)

    return craft


def edited(change: Callable[[bytes], bytes]) -> Callable[[Stored], object]:
    return lambda stored: stored.path.write_bytes(change(stored.path.read_bytes()))


def one(change: Callable[[torch.Tensor], Any]) -> Callable[[Stored], None]:
    """One tensor replaced by another one."""

    def changed(weights: Weights) -> Weights:
        return weights | {"head.weight": change(weights["head.weight"])}

    return lambda stored: stored.save_weights(changed)


def flip_in_a_tensor(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 4]) + data[middle + 1 :]


def flip_unnoticed_by_zip(stored: Stored) -> None:
    stored.rezip(lambda name, data: flip_in_a_tensor(data) if name.endswith("data/3") else data)


def shorter_than_declared(stored: Stored) -> None:
    stored.rezip(lambda name, data: data[:8] if name.endswith("data/0") else data)


def a_bomb(stored: Stored) -> None:
    """80 MB of zeros that take 80 kB."""
    stored.save_with(weights={"head.weight": torch.zeros(20_000_000)})
    stored.rezip(lambda _, data: data, zipfile.ZIP_DEFLATED)
    assert stored.path.stat().st_size < 1_000_000


def strided(stored: Stored) -> None:
    """Four bytes that say they are 4 TB."""
    huge = torch.zeros(1).as_strided((1 << 20, 1 << 20), (0, 0))
    stored.save_with(weights=stored.weights | {"head.weight": huge})


def shared(stored: Stored) -> None:
    """A thousand names for the same megabyte."""
    values = torch.zeros(1 << 18)
    stored.save_with(weights={f"w{index}": values for index in range(1000)})


def deep(stored: Stored) -> None:
    """{"format": [[[…]]]}"""
    depth = 100_000
    payload = b"\x80\x02}X\x06\0\0\0format" + b"]" * depth + b"a" * (depth - 1) + b"s."
    stored.rezip(lambda name, data: payload if name.endswith("data.pkl") else data)


def swap(weights: Weights) -> Weights:
    first, second = "gru.weight_ih", "gru.weight_hh"
    return weights | {first: weights[second], second: weights[first]}


def compiled(stored: Stored) -> None:
    """By this entry torch knows programs; it warns."""
    with zipfile.ZipFile(stored.path, "a") as archive:
        archive.writestr("archive/constants.pkl", b"")


def a_tar(path: Path) -> None:
    with tarfile.open(path, "w") as archive:
        archive.addfile(tarfile.TarInfo("storages"))


def a_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("notes.txt", "hello")


class Code:
    """Unpickled, it would leave a file."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("code-was-run",)


DAMAGED = "the weights are damaged"
NO_FORMAT = "not a weights file of format 2"
FILES: dict[str, tuple[Callable[[Stored], object], str]] = {
    "a broken link": (replaced(lambda path: path.symlink_to("nowhere")), "weights are missing"),
    "a link to itself": (replaced(lambda path: path.symlink_to(path)), "Too many levels"),
    "a folder": (replaced(Path.mkdir), "cannot be read: is a directory"),
    "a pipe": (replaced(os.mkfifo), "cannot be read: is not a plain file"),
    "a device": (replaced(lambda path: path.symlink_to("/dev/zero")), "is not a plain file"),
    "a gigantic hole": (lambda stored: os.truncate(stored.path, 1 << 40), "is larger than"),
    "empty": (edited(lambda data: b""), DAMAGED),
    "garbage": (edited(lambda data: b"garbage" * 999), DAMAGED),
    "begins like an archive": (edited(lambda data: data[:4] + b"\0" * 999), DAMAGED),
    "cut": (edited(lambda data: data[:1000]), DAMAGED),
    "last byte cut": (edited(lambda data: data[:-1]), DAMAGED),
    "a bit flipped": (edited(flip_in_a_tensor), DAMAGED),
    "a bit flipped, archive mended": (flip_unnoticed_by_zip, "not match the file's checksum"),
    "shorter than declared": (shorter_than_declared, DAMAGED),
    "the first format": (lambda stored: stored.save(stored.weights), "of an older version"),
    "a later format": (lambda stored: stored.save_with(format=4), "newer version (got 'format 4')"),
    "the format of other files": (lambda stored: stored.save_with(format=3), NO_FORMAT),
    "format as text": (lambda stored: stored.save_with(format="2"), NO_FORMAT),
    "format of 300 digits": (lambda stored: stored.save_with(format=10**300), NO_FORMAT),
    "format True": (lambda stored: stored.save_with(format=True), NO_FORMAT),
    "format of 20,000 digits": (lambda stored: stored.save_with(format=10**20_000), DAMAGED),
    "format a tensor": (lambda stored: stored.save_with(format=torch.ones(3)), NO_FORMAT),
    "nothing": (lambda stored: stored.save(None), "not a weights file of a run"),
    "an empty dictionary": (lambda stored: stored.save({}), NO_FORMAT),
    "a list of weights": (
        lambda stored: stored.save(list(stored.weights.values())),
        "not a weights file of a run",
    ),
    "one tensor": (lambda stored: stored.save(torch.ones(3)), "not a weights file of a run"),
    "no checksum": (
        lambda stored: stored.save(
            {"format": 2, "run_id": stored.run_id, "weights": stored.weights}
        ),
        "this one has not",
    ),
    "more than belongs there": (lambda stored: stored.save_with(extra=1), "this one has not"),
    "another run's": (
        lambda stored: stored.save_with(run_id="0" * 16),
        "the weights of another run (got '0000000000000000')",
    ),
    "run id a number": (lambda stored: stored.save_with(run_id=7), "the weights of another run"),
    "run id a tensor": (lambda stored: stored.save_with(run_id=torch.ones(2)), "another run"),
    "another checksum": (lambda stored: stored.save_with(sha256="0" * 64), DAMAGED),
    "checksum a number": (lambda stored: stored.save_with(sha256=0), DAMAGED),
    "two tensors swapped": (
        lambda stored: stored.save_with(weights=swap(stored.weights)),
        "not match the file's checksum",
    ),
    "no weights": (lambda stored: stored.save_with(weights={}), "not a dictionary of tensors"),
    "weights a list": (lambda stored: stored.save_with(weights=[1]), "not a dictionary of tensors"),
    "a number for a tensor": (one(lambda tensor: 1.0), "are not tensors by name"),
    "a parameter": (one(torch.nn.Parameter), "are not tensors by name"),
    "a number for a name": (
        lambda stored: stored.save_weights(lambda weights: weights | {3: torch.ones(1)}),
        "are not tensors by name",
    ),
    "NaN": (one(lambda tensor: tensor * torch.nan), "'head.weight' has values that are not finite"),
    "one infinity": (
        one(lambda tensor: tensor.index_fill(0, torch.tensor([1]), torch.inf)),
        "'head.weight' has values that are not finite",
    ),
    "double": (one(torch.Tensor.double), "is not of dense float32 values"),
    "half": (one(torch.Tensor.half), "is not of dense float32 values"),
    "whole numbers": (one(torch.Tensor.int), "is not of dense float32 values"),
    "truth values": (one(torch.Tensor.bool), "is not of dense float32 values"),
    "complex": (one(lambda tensor: tensor + 0j), "is not of dense float32 values"),
    "sparse": (one(torch.Tensor.to_sparse), "is not of dense float32 values"),
    "compressed rows": (one(torch.Tensor.to_sparse_csr), "is not of dense float32 values"),
    "quantised": (
        one(lambda tensor: torch.quantize_per_tensor(tensor, 0.1, 0, torch.qint8)),
        "is not of dense float32 values",
    ),
    "without values": (one(lambda tensor: tensor.to("meta")), "is not stored value by value"),
    "negative view": (
        one(lambda tensor: torch.complex(tensor, tensor).conj().imag),
        "is not stored value by value",
    ),
    "transposed": (one(lambda tensor: tensor.t().contiguous().t()), "not stored value by value"),
    "strides of 0": (strided, "has more values than can be stored"),
    "one store, many names": (shared, "has more values than can be stored"),
    "a bomb": (a_bomb, DAMAGED),
    "one missing": (
        lambda stored: stored.save_weights(
            lambda weights: {name: weights[name] for name in list(weights)[1:]}
        ),
        "not the weights of this run's network: names of the weights",
    ),
    "one more": (
        lambda stored: stored.save_weights(lambda weights: weights | {"more": torch.ones(1)}),
        "not the weights of this run's network: names of the weights",
    ),
    "a name with line breaks and colours": (
        lambda stored: stored.save_weights(
            lambda weights: weights | {"\n\x1b[31m": torch.ones(1, dtype=torch.int8)}
        ),
        r"weight '\n\x1b[31m' is not of dense",
    ),
    "another shape": (
        one(lambda tensor: tensor[:, :3].contiguous()),
        "not the weights of this run's network: weight head.weight should have shape",
    ),
    "a shape that would broadcast": (
        one(lambda tensor: torch.ones(1)),
        "weight head.weight should have shape",
    ),
    "values that overflow": (
        lambda stored: stored.save_weights(
            lambda weights: {
                name: torch.full_like(tensor, -3e38 if "head." in name else 3e38)
                for name, tensor in weights.items()
            }
        ),
        "the values that the networks give to actions overflow",
    ),
    "pickled code": (lambda stored: stored.save({"format": Code()}), DAMAGED),
    "pickled code alone": (
        replaced(lambda path: path.write_bytes(pickle.dumps(Code()))),
        DAMAGED,
    ),
    "a plain pickle": (replaced(lambda path: path.write_bytes(pickle.dumps({"a": 1}))), DAMAGED),
    "the oldest archive": (
        lambda stored: stored.save(stored.weights, _use_new_zipfile_serialization=False),
        DAMAGED,
    ),
    "compiled": (compiled, DAMAGED),
    "a tar": (replaced(a_tar), DAMAGED),
    "another zip": (replaced(a_zip), DAMAGED),
    "deep": (deep, NO_FORMAT),
}


@pytest.mark.filterwarnings("ignore:Sparse CSR", "ignore:torch.quantize_per_tensor")
@pytest.mark.parametrize(("craft", "words"), FILES.values(), ids=FILES)
def test_everything_else_is_one_line_with_a_cure(
    watch: Callable[[], tuple[int, str, str]],
    stored: Stored,
    tmp_path: Path,
    craft: Callable[[Stored], object],
    words: str,
    recwarn: pytest.WarningsRecorder,
) -> None:
    craft(stored)
    recwarn.clear()
    code, out, err = watch()
    assert not [warning for warning in recwarn if issubclass(warning.category, UserWarning)]
    assert (code, out, err.count("\n")) == (2, "", 1), err
    assert words in err
    assert str(stored.path) in err
    cure = "update cadp-suite" if "newer" in err else "give the `run` command again"
    assert cure in err
    assert "\x1b" not in err
    assert not (stored.path.parent.parent / "replays").exists()
    assert not (tmp_path / "code-was-run").exists()


def relinked(stored: Stored) -> None:
    elsewhere = stored.path.with_name("elsewhere")
    stored.path.rename(elsewhere)
    stored.path.symlink_to(elsewhere)


RIGHT: dict[str, Callable[[Stored], object]] = {
    "as written": lambda stored: None,
    "a link": relinked,
    "other order": lambda stored: stored.save_with(
        weights=dict(reversed(list(stored.weights.items())))
    ),
    "saved by somebody else": lambda stored: stored.save_with(),
    "zipped anew": lambda stored: stored.rezip(lambda _, data: data),
}


@pytest.mark.parametrize("craft", RIGHT.values(), ids=RIGHT)
def test_the_right_content_plays_the_same_battle(
    watch: Callable[[], tuple[int, str, str]], stored: Stored, craft: Callable[[Stored], object]
) -> None:
    pages = []
    for change in (lambda stored: None, craft):
        change(stored)
        code, out, err = watch()
        assert (code, err) == (0, "")
        pages.append(Path(out.rstrip("\n")).read_text())
    assert pages[0] == pages[1]
