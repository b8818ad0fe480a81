"""Networks of a run as files hold them: the right ones play, everything else is one line."""

from __future__ import annotations

import json
import os
import pickle
import sqlite3
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
Header = dict[str, Any]
TYPES = {torch.float32: "F32", torch.float64: "F64", torch.float16: "F16", torch.int32: "I32"}


@dataclass
class Stored:
    """A run's weights file and what stands in it; files are put together here byte by byte."""

    path: Path
    run_id: str
    weights: Weights

    def save(
        self,
        weights: Weights | None = None,
        change: Callable[[Header], Header] = lambda header: header,
        **metadata: str | None,
    ) -> None:
        """As written, but for these weights, metadata (None leaves out) and entries."""
        weights = self.weights if weights is None else weights
        try:
            sha256 = checksum(weights)
        except TypeError:
            sha256 = "0" * 64
        own = {"format": "3", "run_id": self.run_id, "sha256": sha256, **metadata}
        header: Header = {"__metadata__": {k: v for k, v in own.items() if v is not None}}
        values = b""
        for name, tensor in weights.items():
            start, values = len(values), values + tensor.numpy().tobytes()
            header[name] = {
                "dtype": TYPES[tensor.dtype],
                "shape": list(tensor.shape),
                "data_offsets": [start, len(values)],
            }
        self.write(json.dumps(change(header)).encode(), values)

    def write(self, text: bytes, values: bytes = b"") -> None:
        self.path.write_bytes(len(text).to_bytes(8, "little") + text + values)


@pytest.fixture
def stored(finished_dir: Path, make_spec: Callable[..., RunSpec], learner: QLearner) -> Stored:
    run_id = make_spec().run_id
    path = finished_dir / "weights" / f"{run_id}.safetensors"
    return Stored(path, run_id, learner.member_weights(0))


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


def one(change: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[Stored], None]:
    """One tensor replaced by another one."""
    return lambda stored: stored.save(
        stored.weights | {"head.weight": change(stored.weights["head.weight"])}
    )


def entry(**values: object) -> Callable[[Stored], None]:
    """What the header says of one tensor, replaced."""

    def changed(header: Header) -> Header:
        return header | {"head.weight": header["head.weight"] | values}

    return lambda stored: stored.save(change=changed)


def flip_in_a_tensor(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 4]) + data[middle + 1 :]


def swap(weights: Weights) -> Weights:
    first, second = "gru.weight_ih", "gru.weight_hh"
    return weights | {first: weights[second], second: weights[first]}


def one_store(stored: Stored) -> None:
    """Two names for the same values."""
    stored.save(change=lambda header: header | {"more": header["head.weight"]})


class Code:
    """Unpickled, it would leave a file."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("code-was-run",)


DAMAGED = "the weights are damaged"
NO_FORMAT = "not a weights file of format 3"
FILES: dict[str, tuple[Callable[[Stored], object], str]] = {
    "missing": (replaced(lambda path: None), "the run's weights are missing; give the `run`"),
    "a broken link": (replaced(lambda path: path.symlink_to("nowhere")), "weights are missing"),
    "a link to itself": (replaced(lambda path: path.symlink_to(path)), "Too many levels"),
    "a folder": (replaced(Path.mkdir), "cannot be read: is a directory"),
    "a pipe": (replaced(os.mkfifo), "cannot be read: is not a plain file"),
    "a device": (replaced(lambda path: path.symlink_to("/dev/zero")), "is not a plain file"),
    "a gigantic hole": (lambda stored: os.truncate(stored.path, 1 << 40), "is larger than"),
    "empty": (edited(lambda data: b""), DAMAGED),
    "garbage": (edited(lambda data: b"garbage" * 999), DAMAGED),
    "cut": (edited(lambda data: data[:1000]), DAMAGED),
    "last byte cut": (edited(lambda data: data[:-1]), DAMAGED),
    "a byte more": (edited(lambda data: data + b"\0"), DAMAGED),
    "a bit flipped": (edited(flip_in_a_tensor), "not match the file's checksum"),
    "a header of 2⁶⁴ bytes": (edited(lambda data: b"\xff" * 8 + data[8:]), DAMAGED),
    "a header of 4 GiB": (edited(lambda data: b"\0\0\0\0\1\0\0\0" + data[8:]), DAMAGED),
    "no header": (lambda stored: stored.write(b""), DAMAGED),
    "a header that is no JSON": (lambda stored: stored.write(b"{'a': 1}"), DAMAGED),
    "a header that is no UTF-8": (lambda stored: stored.write(b'{"\xff": 1}'), DAMAGED),
    "a header that is a list": (lambda stored: stored.write(b"[1]"), DAMAGED),
    "a deep header": (lambda stored: stored.write(b"[" * 100_000 + b"]" * 100_000), DAMAGED),
    "nothing": (lambda stored: stored.write(b"{}"), NO_FORMAT),
    "an index for a list": (entry(data_offsets=7), DAMAGED),
    "values beyond the end": (entry(data_offsets=[1 << 40, 1 << 41]), DAMAGED),
    "values before the start": (entry(data_offsets=[-4, 0]), DAMAGED),
    "values back to front": (entry(data_offsets=[8, 4]), DAMAGED),
    "a shape that is more than its values": (entry(shape=[1 << 20, 1 << 20]), DAMAGED),
    "a shape beyond all numbers": (entry(shape=[1 << 40, 1 << 40]), DAMAGED),
    "a negative shape": (entry(shape=[-1, 64]), DAMAGED),
    "a shape of 20,000 digits": (
        lambda stored: stored.write(b'{"a": {"shape": [' + b"9" * 20_000 + b"]}}"),
        DAMAGED,
    ),
    "an unknown type": (entry(dtype="F33"), DAMAGED),
    "one store, two names": (one_store, DAMAGED),
    "another program's": (
        lambda stored: stored.save(format="pt", run_id=None, sha256=None),
        NO_FORMAT,
    ),
    "no metadata": (
        lambda stored: stored.save(format=None, run_id=None, sha256=None),
        NO_FORMAT,
    ),
    "metadata a number": (lambda stored: stored.write(b'{"__metadata__": 3}'), DAMAGED),
    "format a number": (lambda stored: stored.write(b'{"__metadata__": {"format": 3}}'), DAMAGED),
    "a later format": (lambda stored: stored.save(format="4"), "newer version (got 'format 4')"),
    "an earlier format": (lambda stored: stored.save(format="2"), NO_FORMAT),
    "format of 20,000 digits": (lambda stored: stored.save(format="9" * 20_000), NO_FORMAT),
    "no checksum": (lambda stored: stored.save(sha256=None), "this one has not"),
    "more than belongs there": (lambda stored: stored.save(extra="1"), "this one has not"),
    "another run's": (
        lambda stored: stored.save(run_id="0" * 16),
        "the weights of another run (got '0000000000000000')",
    ),
    "another checksum": (lambda stored: stored.save(sha256="0" * 64), DAMAGED),
    "two tensors swapped": (
        lambda stored: stored.save(swap(stored.weights), sha256=checksum(stored.weights)),
        "not match the file's checksum",
    ),
    "no weights": (lambda stored: stored.save({}), "not a dictionary of tensors"),
    "NaN": (one(lambda tensor: tensor * torch.nan), "'head.weight' has values that are not finite"),
    "one infinity": (
        one(lambda tensor: tensor.index_fill(0, torch.tensor([1]), torch.inf)),
        "'head.weight' has values that are not finite",
    ),
    "double": (one(torch.Tensor.double), "is not of dense float32 values"),
    "half": (one(torch.Tensor.half), "is not of dense float32 values"),
    "whole numbers": (one(torch.Tensor.int), "is not of dense float32 values"),
    "one missing": (
        lambda stored: stored.save({k: stored.weights[k] for k in list(stored.weights)[1:]}),
        "not the weights of this run's network: names of the weights",
    ),
    "one more": (
        lambda stored: stored.save(stored.weights | {"more": torch.ones(1)}),
        "not the weights of this run's network: names of the weights",
    ),
    "a name with line breaks and colours": (
        lambda stored: stored.save(stored.weights | {"\n\x1b[31m": torch.ones(1).half()}),
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
        lambda stored: stored.save(
            {
                name: torch.full_like(tensor, -3e38 if "head." in name else 3e38)
                for name, tensor in stored.weights.items()
            }
        ),
        "the values that the networks give to actions overflow",
    ),
    "pickled code": (replaced(lambda path: torch.save({"format": Code()}, path)), DAMAGED),
    "pickled code alone": (replaced(lambda path: path.write_bytes(pickle.dumps(Code()))), DAMAGED),
}


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


def saved_by_torch(stored: Stored) -> None:
    """As earlier versions did, under the name of those days."""
    sha256, weights = checksum(stored.weights), stored.weights
    content = {"format": 2, "run_id": stored.run_id, "sha256": sha256, "weights": weights}
    torch.save(content, stored.path.with_suffix(".pt"))
    stored.path.unlink()


RIGHT: dict[str, Callable[[Stored], object]] = {
    "as written": lambda stored: None,
    "a link": relinked,
    "other order": lambda stored: stored.save(dict(reversed(stored.weights.items()))),
    "put together by somebody else": lambda stored: stored.save(),
    "without its description": lambda stored: stored.path.with_suffix(".json").unlink(),
    "of the second format": saved_by_torch,
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


def test_whole_weights_that_are_not_the_recorded_ones_do_not_play(
    watch: Callable[[], tuple[int, str, str]], stored: Stored
) -> None:
    database = sqlite3.connect(stored.path.parents[1] / "mlflow.db")
    with database:
        key, own = "cadp.weights_sha256", checksum(stored.weights)
        database.execute("UPDATE tags SET value = ? WHERE key = ?", (own, key))
    assert watch()[0] == 0
    stored.save({name: value * 2 for name, value in stored.weights.items()})
    code, out, err = watch()
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "not the weights that were recorded" in err
