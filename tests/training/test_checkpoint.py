import pytest
import torch

from suite.errors import StoredDataError
from suite.training.checkpoint import read_checkpoint, write_checkpoint

CONTENT = {"numbers": torch.arange(5), "text": "α", "nested": {"list": [1, 2.5, None]}}


def test_round_trip(tmp_path):
    path = tmp_path / "deep" / "run.ckpt"
    write_checkpoint(path, CONTENT)
    content = read_checkpoint(path)
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
    write_checkpoint(path, CONTENT)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(StoredDataError) as caught:
        read_checkpoint(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    assert "delete this file" in message
    assert caught.value.exit_code == 2
