"""Weights files: what is written comes back, and nothing else does."""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from suite.errors import InputError, StoredDataError
from suite.training.weights import checksum, read_weights, write_weights

RUN_ID = "0123456789abcdef"
RANDOM = torch.Generator().manual_seed(3)
WEIGHTS = {
    "encoder.weight": torch.randn(8, 5, generator=RANDOM),
    "encoder.bias": torch.randn(8, generator=RANDOM),
    "key.weight": torch.randn(4, 3, 2, generator=RANDOM),
    "scale": torch.tensor(-0.0),
    "none": torch.zeros(0, 3),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "weights" / f"{RUN_ID}.pt"


def assert_equal(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert found[name].dtype == tensor.dtype
        assert found[name].shape == tensor.shape
        assert found[name].numpy().tobytes() == tensor.numpy().tobytes()


def test_what_is_written_comes_back(path: Path) -> None:
    sha256 = write_weights(path, RUN_ID, WEIGHTS)
    assert_equal(read_weights(path, RUN_ID), WEIGHTS)
    assert_equal(read_weights(path, RUN_ID, sha256), WEIGHTS)
    assert sha256 == checksum(WEIGHTS)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_others_read_it_with_torch_alone(path: Path) -> None:
    write_weights(path, RUN_ID, WEIGHTS)
    assert_equal(torch.load(path, weights_only=True)["weights"], WEIGHTS)


def test_equal_weights_give_equal_bytes(path: Path) -> None:
    """Whatever their order, and whatever they are a part of."""
    population = torch.zeros(3, 1000)
    population[1, 64:104] = WEIGHTS["encoder.weight"].flatten()
    view = population[1, 64:104].unflatten(0, (8, 5)).requires_grad_()
    columns = WEIGHTS["key.weight"].permute(2, 1, 0).contiguous().permute(2, 1, 0)
    again = dict(reversed(WEIGHTS.items())) | {"encoder.weight": view, "key.weight": columns}
    first = write_weights(path, RUN_ID, WEIGHTS), path.read_bytes()
    assert (write_weights(path, RUN_ID, again), path.read_bytes()) == first
    assert len(first[1]) < 4000  # nothing of the population


def test_the_checksum_is_that_of_the_layout_described() -> None:
    """By hand, so that others can check a file, and old files stay right."""
    content = b'["a", "torch.float32", [2]]\n' + np.array([1, -2], "<f4").tobytes()
    content += b'["\\u03b1", "torch.float32", []]\n' + np.array(0.5, "<f4").tobytes()
    weights = {"α": torch.tensor(0.5), "a": torch.tensor([1.0, -2.0])}
    assert checksum(weights) == hashlib.sha256(content).hexdigest()


def test_the_checksum_sees_names_shapes_and_every_bit() -> None:
    weights = {"a": torch.tensor([[0.0, 1.0]]), "b": torch.tensor([2.0])}
    variants = [
        weights,
        {"a": weights["a"], "c": weights["b"]},
        {"a": weights["b"], "b": weights["a"]},
        {"a": weights["a"].T, "b": weights["b"]},
        {"a": weights["a"][0], "b": weights["b"]},
        {"a": weights["a"]},
        {"a": torch.tensor([[-0.0, 1.0]]), "b": weights["b"]},
        {"a": torch.nextafter(weights["a"], torch.tensor(9.0)), "b": weights["b"]},
    ]
    assert len({checksum(variant) for variant in variants}) == len(variants)


@pytest.mark.parametrize(
    "bad",
    [
        {},
        {"a": torch.tensor([1.0, torch.nan])},
        {"a": torch.tensor([-torch.inf])},
        {"a": torch.ones(2, dtype=torch.float64)},
        {3: torch.ones(2)},
    ],
)
def test_nothing_is_written_that_could_not_be_read(path: Path, bad: dict) -> None:
    with pytest.raises(ValueError, match=f"weights of run {RUN_ID}"):
        write_weights(path, RUN_ID, bad)
    assert not path.exists()


def test_the_users_umask_holds(path: Path) -> None:
    before = os.umask(0o077)
    try:
        write_weights(path, RUN_ID, WEIGHTS)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "weights").write_text("a file")
    with pytest.raises(InputError, match="cannot write the file"):
        write_weights(tmp_path / "weights" / "x.pt", RUN_ID, WEIGHTS)


def test_the_recorded_checksum_decides(path: Path) -> None:
    """A file that is right in itself, but not what the run left."""
    recorded = write_weights(path, RUN_ID, WEIGHTS)
    write_weights(path, RUN_ID, WEIGHTS | {"scale": torch.tensor(1.0)})
    read_weights(path, RUN_ID)
    with pytest.raises(StoredDataError, match="not the weights that were recorded for the run"):
        read_weights(path, RUN_ID, recorded)


def test_any_flipped_bit_is_noticed_or_harmless(path: Path) -> None:
    """Harmless: in what an archive has around its contents."""
    write_weights(path, RUN_ID, WEIGHTS)
    whole, random = path.read_bytes(), np.random.default_rng(4)
    values = WEIGHTS["encoder.weight"].numpy().tobytes()
    start = whole.index(values)
    in_a_tensor = range(start, start + len(values))
    noticed = set()
    for place in (*random.integers(len(whole), size=300).tolist(), *in_a_tensor):
        flipped = bytearray(whole)
        flipped[place] ^= 1 << int(random.integers(8))
        path.write_bytes(flipped)
        try:
            assert_equal(read_weights(path, RUN_ID), WEIGHTS)
        except StoredDataError:
            noticed.add(place)
    assert noticed.issuperset(in_a_tensor)


def test_any_shortened_file_is_noticed(path: Path) -> None:
    write_weights(path, RUN_ID, WEIGHTS)
    whole = path.read_bytes()
    for length in range(0, len(whole), 37):
        path.write_bytes(whole[:length])
        with pytest.raises(StoredDataError, match="damaged"):
            read_weights(path, RUN_ID)


class Unheard(Exception):
    """A kind of error that nobody foresaw."""


@pytest.mark.parametrize(
    ("raised", "words"),
    [
        (Unheard("several\nlines"), r"damaged, or no weights file \(Unheard\); delete this file"),
        (RecursionError(), "damaged, or no weights file"),
        (SystemError(), "damaged, or no weights file"),
        (MemoryError(), "too little memory to read the weights; free some and try again"),
        (OSError(5, "Input/output error"), "cannot be read: Input/output error"),
    ],
)
def test_whatever_torch_raises_is_one_line(
    path: Path, monkeypatch: pytest.MonkeyPatch, raised: Exception, words: str
) -> None:
    def load(*arguments: object, **options: object) -> object:
        raise raised

    write_weights(path, RUN_ID, WEIGHTS)
    monkeypatch.setattr(torch, "load", load)
    with pytest.raises(StoredDataError, match=words) as caught:
        read_weights(path, RUN_ID)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_an_interruption_stays_one(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(*arguments: object, **options: object) -> object:
        raise KeyboardInterrupt

    write_weights(path, RUN_ID, WEIGHTS)
    monkeypatch.setattr(torch, "load", load)
    with pytest.raises(KeyboardInterrupt):
        read_weights(path, RUN_ID)


@pytest.mark.parametrize("name", ["runs?1", "x%41y", "{x}", "a b#c\nd", "\udcff", "é"])
def test_the_folder_may_have_any_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / name / f"{RUN_ID}.pt"
    write_weights(path, RUN_ID, WEIGHTS)
    assert_equal(read_weights(path, RUN_ID), WEIGHTS)
    assert list(tmp_path.iterdir()) == [tmp_path / name]
    path.write_bytes(b"")
    with pytest.raises(StoredDataError, match="damaged"):
        read_weights(path, RUN_ID)


def test_names_are_there_without_torch() -> None:
    code = "import sys, suite.training.weights; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
