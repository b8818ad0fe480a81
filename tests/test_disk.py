"""Files are whole or not there, durable, and as private as the user's umask says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from suite.disk import private_files, remove_leftovers, write_atomically
from suite.errors import InputError


@pytest.mark.parametrize(("umask", "mode"), [(0o077, 0o600), (0o022, 0o644), (0o002, 0o664)])
def test_the_umask_decides_who_may_read(tmp_path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        write_atomically(tmp_path / "report.html", "text")
        write_atomically(tmp_path / "report.html", "once more")
    finally:
        os.umask(before)
    assert (tmp_path / "report.html").stat().st_mode & 0o777 == mode


def test_content_and_name_reach_the_disk_before_it_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """fsync of the file under its first name, the move, fsync of the folder: in this order."""
    order: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def note_fsync(handle: int) -> None:
        order.append(Path(f"/proc/self/fd/{handle}").readlink().name)
        fsync(handle)

    def note_replace(self: Path, target: Path) -> Path:
        order.append("moved")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(Path, "replace", note_replace)
    write_atomically(tmp_path / "folder" / "a.bin", b"\0\1")
    assert order == [f".a.bin.{os.getpid()}.tmp", "moved", "folder"]
    assert (tmp_path / "folder" / "a.bin").read_bytes() == b"\0\1"


def test_private_files_are_the_users_alone_and_others_keep_their_rights(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir(mode=0o755)

    def write_and_fail() -> None:
        with private_files():
            write_atomically(shared / "made" / "a.ckpt", b"")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_and_fail()
    write_atomically(shared / "report.html", "")
    paths = ("", "made", "made/a.ckpt", "report.html")
    modes = [(shared / path).stat().st_mode & 0o777 for path in paths]
    assert modes == [0o755, 0o700, 0o600, 0o644]


def test_what_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "weights").touch()
    with pytest.raises(InputError, match=r"a\.pt: cannot write the file: where its folder should"):
        write_atomically(tmp_path / "weights" / "a.pt", b"")
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(InputError, match=r"is no plain file"):
        write_atomically(tmp_path / "folder.html", "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.html", "weights"]


def test_a_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.txt"
    write_atomically(path, "old")

    def fails(handle: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(InputError, match="Input/output error; give another --output"):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_leftovers_of_kills_are_removed_and_nothing_else(tmp_path: Path) -> None:
    for name in (".a.ckpt.17.tmp", "b.ckpt.tmp", "c.ckpt"):
        (tmp_path / name).touch()
    remove_leftovers(tmp_path)
    remove_leftovers(tmp_path / "nowhere")
    assert [path.name for path in tmp_path.iterdir()] == ["c.ckpt"]
