"""Standard output and standard error, when their readers go, pause, or never were."""

from __future__ import annotations

import errno
import io
import os
import pty
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pytest

from suite.errors import InputError
from suite.streams import StandardError, StandardOutput, standard_streams

needs_dev_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")


@pytest.fixture
def pipe() -> Iterator[tuple[int, TextIO]]:
    """The descriptor to read from, and the stream to write to."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "w", encoding="utf-8") as stream:
        yield reading, stream


def test_output_whose_reader_has_gone_is_silent(pipe: tuple[int, TextIO]) -> None:
    reading, stream = pipe
    output = StandardOutput(stream)
    os.close(reading)
    output.write("nobody reads this\n")
    output.write("nor this\n")
    # Neither does the interpreter stumble over it when it flushes at its end.
    stream.write("nor this\n")
    stream.flush()


@needs_dev_full
def test_output_that_cannot_be_written_is_an_error() -> None:
    with Path("/dev/full").open("w") as stream:
        output = StandardOutput(stream)
        with pytest.raises(InputError, match="standard output: cannot be written: No space left"):
            output.write("a result\n")
        output.write("what libraries say while the command ends\n")


def test_errors_whose_reader_has_gone_are_silent(pipe: tuple[int, TextIO]) -> None:
    reading, stream = pipe
    error = StandardError(stream)
    os.close(reading)
    error.write("nobody reads this\n")
    error.finish()
    stream.write("nor this\n")
    stream.flush()


def test_errors_on_a_terminal_that_was_closed_are_silent() -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w", encoding="utf-8") as stream:
        error = StandardError(stream)
        assert error.isatty()
        os.close(ours)
        with pytest.raises(OSError, match=os.strerror(errno.EIO)):
            os.write(theirs, b"the case of this test\n")
        error.write("nobody reads this\n")
        error.finish()
        stream.write("nor this\n")
        stream.flush()


@needs_dev_full
def test_errors_on_a_full_disk_are_dropped_and_later_ones_shown(
    pipe: tuple[int, TextIO], tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with Path("/dev/full").open("w") as stream:
        error = StandardError(stream)
        error.write("there is no room for this\n")
        error.finish()
        with log.open("w") as freed:
            os.dup2(freed.fileno(), stream.fileno())
        error.write("there is for this\n")
        error.finish()
    assert log.read_text() == "there is for this\n"


def test_errors_never_wait_for_a_reader_who_pauses(pipe: tuple[int, TextIO]) -> None:
    reading, stream = pipe
    error = StandardError(stream)
    lines = "".join(f"line {i} {'x' * 1000}\n" for i in range(1000))  # more than a pipe holds
    for line in lines.splitlines(keepends=True):
        error.write(line)  # would never return if it waited

    read: list[bytes] = []

    def read_all() -> None:
        with os.fdopen(reading, "rb") as file:
            read.append(file.read())

    reader = threading.Thread(target=read_all)
    reader.start()
    error.finish()
    stream.close()
    reader.join()
    assert read == [lines.encode()]


def test_a_pipe_that_does_not_block_loses_nothing(pipe: tuple[int, TextIO]) -> None:
    reading, stream = pipe
    os.set_blocking(stream.fileno(), False)  # as a parent that is event-driven leaves it
    text = "x" * 1_000_000
    output = StandardOutput(stream)
    writer = threading.Thread(target=lambda: (output.write(text), stream.close()))
    writer.start()
    with os.fdopen(reading, "rb") as file:
        assert file.read() == text.encode()
    writer.join()


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8", "utf-16"])
def test_every_encoding_can_be_written(
    encoding: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [tmp_path / "out", tmp_path / "err"]
    with files[0].open("w", encoding=encoding) as out, files[1].open("w", encoding=encoding) as err:
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stderr", err)
        with standard_streams():
            for stream in (sys.stdout, sys.stderr):
                print("α × é 中 \udcff", file=stream)
                print("and more", file=stream)
    expected = {"ascii": r"alpha x \xe9 \u4e2d \xff", "latin-1": r"alpha × é \u4e2d \xff"}
    shown = expected.get(encoding, r"α × é 中 \xff")
    assert [file.read_text(encoding) for file in files] == [f"{shown}\nand more\n"] * 2


def test_streams_that_are_no_files_and_streams_that_are_not_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = io.StringIO()
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", text)
    with standard_streams():
        print("nowhere")
        print("shown", file=sys.stderr)
    assert sys.stdout is None
    assert sys.stderr is text
    assert text.getvalue() == "shown\n"


def test_closed_descriptors_are_not_taken_by_files(tmp_path: Path) -> None:
    """A database opened as descriptor 2 would get what C libraries print."""
    code = (
        "from suite.streams import standard_streams\n"
        "with standard_streams():\n"
        f"    file = open({str(tmp_path / 'database')!r}, 'w')\n"
        "    assert file.fileno() > 2, file.fileno()\n"
        "    print('nobody sees this')"
    )
    command = f'exec {sys.executable} -c "$0" <&- >&- 2>&-'
    done = subprocess.run(["sh", "-c", command, code], cwd=Path(__file__).parents[1])
    assert done.returncode == 0
