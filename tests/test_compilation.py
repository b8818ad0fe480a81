"""Kernels kept on disk: right results whatever happens to the folder, and a line that says so."""

from __future__ import annotations

import errno
import logging
import os
import pickle
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numba
import pytest
from rich.console import Console

from suite import compilation, doctor
from suite.compilation import KernelFolder, compiler, find_folder


def new_kernel() -> Any:
    """As a new process would have it: nothing compiled yet."""

    def add(a, b):  # type: ignore[no-untyped-def]
        return a + b

    return compiler([Path(__file__)])(add)


def hits(kernel: Any) -> int:
    """How many signatures were found on disk."""
    return sum(kernel.stats.cache_hits.values())


@pytest.fixture(autouse=True)
def _as_in_a_new_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(compilation, "_said", set())
    compilation._chosen_folder.cache_clear()
    yield
    compilation._chosen_folder.cache_clear()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where kernels are kept, empty."""
    monkeypatch.setattr(compilation, "_usual_folders", lambda: [tmp_path / "kernels"])
    return tmp_path / "kernels"


@pytest.fixture
def unwritable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No usual folder can be written to, by root neither: a file is in the way. Its path."""
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "kernels"
    monkeypatch.setattr(compilation, "_usual_folders", lambda: [path])
    temporary = tmp_path / "a temporary folder"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    return path


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    assert {record.levelno for record in caplog.records} <= {logging.WARNING}
    return [record.getMessage() for record in caplog.records]


def test_compiling_says_nothing_where_the_root_logger_shows_everything(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        assert new_kernel()(1, 2) == 3
    assert lines(caplog) == []


def test_kept_kernels_are_used_again(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    first, second = new_kernel(), new_kernel()
    assert (first(1, 2), first(0.5, 1.0), hits(first)) == (3, 1.5, 0)
    assert (second(0.5, 1.0), second(1, 2), hits(second)) == (1.5, 3, 2)
    assert len(list(folder.glob("*.kernel"))) == 2
    assert lines(caplog) == []


def test_other_sources_are_compiled_anew(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "source.py").write_text("1")
    assert new_kernel()(1, 2) == 3

    def add(a, b):  # type: ignore[no-untyped-def]
        return a + b

    other = compiler([Path(__file__), tmp_path / "source.py"])(add)
    assert (other(1, 2), hits(other)) == (3, 0)


class RaisesWhenLoaded:
    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return divmod, (1, 0)


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "shorter than a checksum": lambda whole: whole[:9],
    "truncated": lambda whole: whole[: len(whole) // 2],
    "garbage": lambda whole: b"garbage" * 1000,
    "zeros": lambda whole: bytes(len(whole)),
    "one bit of the code": lambda whole: whole[:3000] + bytes([whole[3000] ^ 1]) + whole[3001:],
    "longer": lambda whole: whole + b"\0",
    "without checksum": lambda whole: whole[32:],
}
# Behind a checksum that is right.
CRAFTED: dict[str, bytes] = {
    "pickle of another thing": pickle.dumps({"a": 1}),
    "pickle of too few things": pickle.dumps((1, 2)),
    "no pickle": b"garbage",
    "pickle that raises": pickle.dumps(RaisesWhenLoaded()),
}


@pytest.mark.parametrize("damage", [*DAMAGES, *CRAFTED])
def test_a_damaged_file_is_replaced(
    folder: Path, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    new_kernel()(1, 2)
    (path,) = folder.glob("*.kernel")
    if damage in CRAFTED:
        path.write_bytes(compilation._checksum(path, CRAFTED[damage]) + CRAFTED[damage])
    else:
        path.write_bytes(DAMAGES[damage](path.read_bytes()))
    damaged, repaired = new_kernel(), new_kernel()
    assert (damaged(1, 2), hits(damaged)) == (3, 0)
    assert len(lines(caplog)) == 1
    assert "a kept kernel cannot be used and is compiled again" in lines(caplog)[0]
    assert (repaired(1, 2), hits(repaired)) == (3, 1)


def test_a_file_with_the_content_of_another_is_replaced(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whole, and of another signature: the checksum covers the name."""
    kernel = new_kernel()
    kernel(1, 2), kernel(1.5, 2.5)
    first, second = folder.glob("*.kernel")
    content = first.read_bytes(), second.read_bytes()
    first.write_bytes(content[1])
    second.write_bytes(content[0])
    swapped = new_kernel()
    assert (swapped(1, 2), swapped(1.5, 2.5), hits(swapped)) == (3, 4.0, 0)
    assert "or another kernel's" in lines(caplog)[0]


def test_many_damaged_files_are_one_line(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    kernel = new_kernel()
    kernel(1, 2), kernel(0.5, 1.0)
    for path in folder.glob("*.kernel"):
        path.write_bytes(b"")
    again = new_kernel()
    assert (again(1, 2), again(0.5, 1.0)) == (3, 1.5)
    assert len(lines(caplog)) == 1


def test_a_file_that_cannot_be_read_is_replaced(
    folder: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_kernel()(1, 2)

    def refuse(path: Path) -> bytes:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    kernel = new_kernel()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", refuse)
        assert (kernel(1, 2), hits(kernel)) == (3, 0)
    assert "Permission denied" in lines(caplog)[0]
    again = new_kernel()
    assert (again(1, 2), hits(again)) == (3, 1)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES])
def test_a_kernel_that_cannot_be_kept_works(
    folder: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    kernel = new_kernel()

    @contextmanager
    def fail(*_: object) -> Iterator[None]:
        raise OSError(number, os.strerror(number))
        yield

    monkeypatch.setattr(compilation._Files, "_open_for_write", fail)
    assert (kernel(1, 2), kernel(0.5, 1.0)) == (3, 1.5)
    assert len(lines(caplog)) == 1
    assert "a compiled kernel cannot be kept" in lines(caplog)[0]
    assert os.strerror(number) in lines(caplog)[0]


def test_a_folder_that_vanishes_is_no_failure(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kernel = new_kernel()
    folder.rmdir()
    assert (kernel(1, 2), kernel(0.5, 1.0)) == (3, 1.5)
    assert "No such file" in lines(caplog)[0]
    assert not folder.exists()


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_without_a_usual_folder_a_private_temporary_one_is_shared(
    unwritable: Path, caplog: pytest.LogCaptureFixture, umask: int
) -> None:
    before = os.umask(umask)
    try:
        first, second = new_kernel(), new_kernel()
        assert (first(1, 2), second(1, 2)) == (3, 3)
    finally:
        os.umask(before)
    assert (hits(first), hits(second)) == (0, 1)
    kept = compilation._chosen_folder().path
    assert kept is not None
    assert kept.parent == Path(tempfile.gettempdir())
    assert stat.S_IMODE(kept.stat().st_mode) == 0o700
    assert len(lines(caplog)) == 1
    assert f"in the temporary folder {kept}; {unwritable} cannot be written to" in lines(caplog)[0]
    assert "set NUMBA_CACHE_DIR" in lines(caplog)[0]
    compilation._chosen_folder.cache_clear()
    assert compilation._chosen_folder().path == kept  # the next process


def link(path: Path) -> None:
    path.with_name("elsewhere").mkdir(mode=0o700)
    path.symlink_to(path.with_name("elsewhere"))


@pytest.mark.parametrize(
    "take",
    [link, Path.touch, lambda path: path.mkdir() or path.chmod(0o777)],
    ids=["a link", "a file", "a folder open to all"],
)
def test_a_temporary_folder_that_others_may_reach_is_not_trusted(
    unwritable: Path, caplog: pytest.LogCaptureFixture, take: Callable[[Path], object]
) -> None:
    name = Path(tempfile.gettempdir()) / f"cadp-suite-kernels-{os.geteuid()}"
    take(name)
    kernel = new_kernel()
    assert (kernel(1, 2), kernel(0.5, 1.0)) == (3, 1.5)
    assert len(lines(caplog)) == 1
    assert "kept nowhere, every process compiles for itself" in lines(caplog)[0]
    assert list(Path(tempfile.gettempdir()).rglob("*.kernel")) == []


def test_folders_that_pass_their_group_on_are_as_private(unwritable: Path) -> None:
    Path(tempfile.gettempdir()).chmod(0o2777)
    found = find_folder()
    assert found.path is not None
    assert stat.S_IMODE(found.path.stat().st_mode) & 0o077 == 0


def test_a_folder_of_somebody_else_is_not_trusted(
    unwritable: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    somebody = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: somebody)
    assert find_folder() == KernelFolder(None, is_temporary=False, refused=(unwritable,))


def test_numbas_usual_folders_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "chosen by the user"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    first, beside, at_home = compilation._usual_folders()
    assert first.parent == tmp_path / "chosen by the user"
    assert beside == Path(compilation.__file__).parent / "__pycache__"
    assert at_home.parent == tmp_path / "home" / "numba"
    assert find_folder().path == first
    monkeypatch.setattr(compilation, "_can_write", lambda path: path == at_home)
    found = find_folder()
    assert (found.path, found.is_temporary) == (at_home, False)
    assert found.refused == (first, beside)


def test_a_checkout_whose_path_is_no_text_keeps_kernels_beside_the_sources(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(compilation, "__file__", "/byt\udcfces/compilation.py")
    assert compilation._usual_folders() == [Path("/byt\udcfces/__pycache__")]


def test_numbas_choice_of_locators_is_not_asked(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(numba.config, "CACHE_LOCATOR_CLASSES", "Nonsense")
    assert new_kernel()(1, 2) == 3
    assert len(list(folder.glob("*.kernel"))) == 1


def test_a_user_without_a_home_gets_no_folder_named_tilde(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # HOME unset, user unknown
    assert [path for path in compilation._usual_folders() if "~" in str(path)] == []


PROGRAM = """
import sys, time
from pathlib import Path
import numpy as np
from suite.compilation import compiler
Path(sys.argv[1]).touch()
while not Path(sys.argv[2]).exists():
    time.sleep(0.001)
def total(values):
    result = 0.0
    for value in values:
        result += value
    return result
kernel = compiler([Path("program.py")])(total)
assert (kernel(np.arange(3.0)), kernel(np.arange(4))) == (3.0, 6.0)
print(sum(kernel.stats.cache_hits.values()))
"""


def test_processes_that_compile_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    environment = {
        **os.environ,
        "NUMBA_CACHE_DIR": str(tmp_path / "kernels"),
        "PYTHONPATH": str(Path(__file__).parents[1]),
    }

    def start(name: str, partner: str) -> subprocess.Popen[str]:
        command = [sys.executable, "program.py", name, partner]
        return subprocess.Popen(
            command,
            cwd=tmp_path,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    together = [start("one", "other"), start("other", "one")]
    assert [process.communicate(timeout=100)[1] for process in together] == ["", ""]
    assert start("one", "other").communicate(timeout=100) == ("2\n", "")
    assert len(list((tmp_path / "kernels").rglob("*.kernel"))) == 2
    assert list((tmp_path / "kernels").rglob("*.tmp*")) == []


def test_doctor_tries_the_folder(folder: Path) -> None:
    assert doctor.examine()["kernels"] == {
        "folder": str(folder),
        "is_lasting": True,
        "detail": f"kept in {folder}",
        "cure": None,
    }


def test_doctor_warns_of_a_temporary_folder_and_is_ready(
    unwritable: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = doctor.examine()
    assert report["is_usable"]
    assert not report["kernels"]["is_lasting"]
    assert str(unwritable) in report["kernels"]["detail"]
    assert report["kernels"]["cure"] == "set NUMBA_CACHE_DIR to a folder that you can write to"
    doctor.print_report(Console(width=1000), report)
    printed = capsys.readouterr().out
    assert "Compiled kernels: kept in the temporary folder" in printed
    assert "set NUMBA_CACHE_DIR" in printed
    assert "ready: try" in printed


def test_doctor_says_when_nothing_can_be_kept(
    unwritable: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compilation, "_can_write", lambda path: False)
    report = doctor.examine()
    assert report["is_usable"]
    assert report["kernels"]["folder"] is None
    assert "kept nowhere, every process compiles for itself" in report["kernels"]["detail"]


def test_doctor_survives_without_numba(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "suite.compilation", None)
    kernels = doctor.examine()["kernels"]
    assert "unknown, numba cannot be imported: ModuleNotFoundError" in kernels["detail"]
