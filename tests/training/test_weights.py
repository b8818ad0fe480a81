"""Weights files: what is written comes back, and nothing else does."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from suite import __version__
from suite.algorithms import arm_settings
from suite.disk import write_atomically
from suite.environments import describe
from suite.errors import InputError, StoredDataError
from suite.runs.directory import RunsDirectory
from suite.runs.protocol import TrainingProtocol
from suite.runs.spec import RunSpec
from suite.training.weights import checksum, read_weights, write_weights

RUN = RunSpec(
    scenario="skirmish/3m",
    arm="cadp",
    algorithm=arm_settings(framework="cadp", backbone="qmix"),
    training=TrainingProtocol(),
    hyperparameters={"alpha": 0.5, "pruning_start_env_steps": 400},
    seed=1,
    environment_version=describe("skirmish/3m").backend_version,
)
RUN_ID = RUN.run_id
RANDOM = torch.Generator().manual_seed(3)
WEIGHTS = {
    "encoder.weight": torch.randn(8, 5, generator=RANDOM),
    "encoder.bias": torch.randn(8, generator=RANDOM),
    "key.weight": torch.randn(4, 3, 2, generator=RANDOM),
    "scale": torch.tensor(-0.0),
    "none": torch.zeros(0, 3),
}


@pytest.fixture
def directory(tmp_path: Path) -> RunsDirectory:
    return RunsDirectory(tmp_path)


@pytest.fixture
def path(directory: RunsDirectory) -> Path:
    return directory.weights_path(RUN_ID)


def save_as_torch_did(directory: RunsDirectory) -> Path:
    """A file of format 2, as earlier versions wrote it."""
    path = directory.weights_folder / f"{RUN_ID}.pt"
    path.parent.mkdir(exist_ok=True)
    content = {"format": 2, "run_id": RUN_ID, "sha256": checksum(WEIGHTS), "weights": WEIGHTS}
    torch.save(content, path)
    return path


def assert_equal(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        assert found[name].dtype == tensor.dtype
        assert found[name].shape == tensor.shape
        assert found[name].numpy().tobytes() == tensor.numpy().tobytes()


def test_what_is_written_comes_back(directory: RunsDirectory, path: Path) -> None:
    sha256 = write_weights(directory, RUN, WEIGHTS)
    assert_equal(read_weights(path, RUN_ID), WEIGHTS)
    assert_equal(read_weights(path, RUN_ID, sha256), WEIGHTS)
    assert sha256 == checksum(WEIGHTS)
    assert {file.name for file in path.parent.iterdir()} == {f"{RUN_ID}.json", path.name}


def test_others_read_it_without_us(directory: RunsDirectory, path: Path) -> None:
    sha256 = write_weights(directory, RUN, WEIGHTS)
    assert_equal(safetensors.torch.load_file(path), WEIGHTS)
    with safetensors.safe_open(path, "np") as file:
        assert file.metadata() == {"format": "3", "run_id": RUN_ID, "sha256": sha256}


def test_what_lies_beside_it_says_what_it_is(directory: RunsDirectory, path: Path) -> None:
    sha256 = write_weights(directory, RUN, WEIGHTS)
    described = json.loads(directory.description_path(RUN_ID).read_text())
    assert RunSpec.model_validate(described["run"]) == RUN
    assert (described["run_id"], described["sha256"]) == (RUN_ID, sha256)
    assert (described["format"], described["file"]) == (3, path.name)
    assert described["method"] == "CADP on QMIX"
    assert set(described["execution_modes"]) == {"centralised", "decentralised"}
    assert described["n_parameters"] == sum(tensor.numel() for tensor in WEIGHTS.values())
    environment = described["environment"]
    assert environment["name"] == "skirmish/3m"
    assert environment["observation_size"] == describe("skirmish/3m").observation_size
    assert "No number measured here is from StarCraft II." in environment["disclaimer"]
    assert described["made_with"]["cadp-suite"] == __version__
    assert described["made_with"]["torch"] == importlib.metadata.version("torch")


def test_where_weights_are_they_are_described(
    directory: RunsDirectory, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between the two files: the run has no weights, so it has not finished."""

    class Killed(BaseException):
        pass

    def kill(place: Path, *rest: object) -> None:
        if place == path:
            raise Killed
        write_atomically(place, *rest)

    monkeypatch.setattr("suite.training.weights.files.write_atomically", kill)
    with pytest.raises(Killed):
        write_weights(directory, RUN, WEIGHTS)
    assert directory.description_path(RUN_ID).exists()
    assert not directory.has_weights(RUN_ID)
    assert directory.ids_with_weights() == set()


def test_files_of_the_second_format_are_read(directory: RunsDirectory) -> None:
    old = save_as_torch_did(directory)
    assert directory.stored_weights_path(RUN_ID) == old
    assert directory.has_weights(RUN_ID)
    assert_equal(read_weights(old, RUN_ID, checksum(WEIGHTS)), WEIGHTS)
    with pytest.raises(StoredDataError, match="not the weights that were recorded"):
        read_weights(old, RUN_ID, "0" * 64)


def test_new_weights_count_before_old_ones(directory: RunsDirectory, path: Path) -> None:
    save_as_torch_did(directory)
    write_weights(directory, RUN, WEIGHTS | {"scale": torch.tensor(1.0)})
    assert directory.stored_weights_path(RUN_ID) == path
    assert directory.ids_with_weights() == {RUN_ID}


def test_equal_weights_give_equal_bytes(directory: RunsDirectory, path: Path) -> None:
    """Whatever their order, and whatever they are a part of; again and again."""
    population = torch.zeros(3, 1000)
    population[1, 64:104] = WEIGHTS["encoder.weight"].flatten()
    view = population[1, 64:104].unflatten(0, (8, 5)).requires_grad_()
    columns = WEIGHTS["key.weight"].permute(2, 1, 0).contiguous().permute(2, 1, 0)
    again = dict(reversed(WEIGHTS.items())) | {"encoder.weight": view, "key.weight": columns}
    first = write_weights(directory, RUN, WEIGHTS), path.read_bytes()
    for _ in range(20):
        assert (write_weights(directory, RUN, again), path.read_bytes()) == first
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
def test_nothing_is_written_that_could_not_be_read(
    directory: RunsDirectory, path: Path, bad: dict
) -> None:
    with pytest.raises(ValueError, match=f"weights of run {RUN_ID}"):
        write_weights(directory, RUN, bad)
    assert not path.exists()


def test_the_users_umask_holds(directory: RunsDirectory, path: Path) -> None:
    before = os.umask(0o077)
    try:
        write_weights(directory, RUN, WEIGHTS)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "weights").write_text("a file")
    with pytest.raises(InputError, match="cannot write the file"):
        write_weights(RunsDirectory(tmp_path), RUN, WEIGHTS)


def test_the_recorded_checksum_decides(directory: RunsDirectory, path: Path) -> None:
    """A file that is right in itself, but not what the run left."""
    recorded = write_weights(directory, RUN, WEIGHTS)
    write_weights(directory, RUN, WEIGHTS | {"scale": torch.tensor(1.0)})
    read_weights(path, RUN_ID)
    with pytest.raises(StoredDataError, match="not the weights that were recorded for the run"):
        read_weights(path, RUN_ID, recorded)


def test_any_flipped_bit_is_noticed_or_harmless(directory: RunsDirectory, path: Path) -> None:
    """Harmless: in what a file has around its contents."""
    write_weights(directory, RUN, WEIGHTS)
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


def test_any_shortened_file_is_noticed(directory: RunsDirectory, path: Path) -> None:
    write_weights(directory, RUN, WEIGHTS)
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
def test_whatever_libraries_raise_is_one_line(
    directory: RunsDirectory,
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    raised: Exception,
    words: str,
) -> None:
    def load(*arguments: object, **options: object) -> object:
        raise raised

    write_weights(directory, RUN, WEIGHTS)
    monkeypatch.setattr(safetensors.torch, "load", load)
    with pytest.raises(StoredDataError, match=words) as caught:
        read_weights(path, RUN_ID)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_an_interruption_stays_one(
    directory: RunsDirectory, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(*arguments: object, **options: object) -> object:
        raise KeyboardInterrupt

    write_weights(directory, RUN, WEIGHTS)
    monkeypatch.setattr(safetensors.torch, "load", load)
    with pytest.raises(KeyboardInterrupt):
        read_weights(path, RUN_ID)


@pytest.mark.parametrize("name", ["runs?1", "x%41y", "{x}", "a b#c\nd", "\udcff", "é"])
def test_the_folder_may_have_any_name(tmp_path: Path, name: str) -> None:
    directory = RunsDirectory(tmp_path / name)
    path = directory.weights_path(RUN_ID)
    write_weights(directory, RUN, WEIGHTS)
    assert_equal(read_weights(path, RUN_ID), WEIGHTS)
    assert list(tmp_path.iterdir()) == [tmp_path / name]
    path.write_bytes(b"")
    with pytest.raises(StoredDataError, match="damaged"):
        read_weights(path, RUN_ID)


def test_names_are_there_without_torch() -> None:
    code = "import sys, suite.training.weights; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
