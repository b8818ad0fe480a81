"""Standard output and standard error, made so that showing never decides over work.

Standard output carries results. When its reader has gone (`| head`), the rest is not wanted and
nothing is wrong; when it cannot be written (a full disk), that is an error.

Standard error tells people how it goes. Whatever happens to it, work goes on: it may be closed, on
a full disk or a terminal that has gone, and its reader may have stopped reading.
"""

from __future__ import annotations

import codecs
import errno
import io
import os
import queue
import select
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO, cast

from suite.errors import InputError
from suite.text import ENCODING_ERRORS

# Texts that wait for a reader who has paused (Ctrl-S, `| less`); later ones are dropped.
_MOST_WAITING = 10_000


@contextmanager
def standard_streams() -> Iterator[None]:
    """Have `sys.stdout` and `sys.stderr` behave as said above; at the end all is written."""
    _fill_closed_descriptors()
    before = sys.stdout, sys.stderr
    error = StandardError(sys.stderr)
    try:
        sys.stdout = cast(TextIO, StandardOutput(sys.stdout))
        sys.stderr = cast(TextIO, error)
        yield
    finally:
        sys.stdout, sys.stderr = before
        error.finish()


class _Stream(io.TextIOBase):
    """Writes at once and past Python's buffers, so that nothing can fail when Python ends."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream  # None: it was closed before the program began
        self._is_terminal, self._descriptor = False, -1
        with suppress(OSError, ValueError, AttributeError):
            self._is_terminal = cast(TextIO, stream).isatty()
            self._descriptor = cast(TextIO, stream).fileno()
        encoder = codecs.getincrementalencoder(self.encoding)
        self._encode = encoder(ENCODING_ERRORS).encode

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return getattr(self._stream, "encoding", None) or "utf-8"

    def fileno(self) -> int:
        return self._descriptor if self._descriptor >= 0 else super().fileno()

    def isatty(self) -> bool:
        return self._is_terminal

    def writable(self) -> bool:
        return True

    def _send(self, text: str) -> None:
        """Raises OSError or ValueError."""
        if self._stream is None:
            return
        if self._descriptor < 0:  # not a file: a test's, or a notebook's
            self._stream.write(text)
            return
        data = memoryview(self._encode(text))
        while data:
            try:
                data = data[os.write(self._descriptor, data) :]
            except BlockingIOError:  # whoever shares the terminal or pipe has made it so
                select.select([], [self._descriptor], [])

    def _reader_has_gone(self, error: Exception) -> bool:
        """A closed pipe or socket, or a terminal that was closed."""
        if self._is_terminal and isinstance(error, OSError):
            return error.errno in (errno.EIO, errno.ENXIO)
        return isinstance(error, ConnectionError)

    def _give_up(self) -> None:
        """From here on nobody reads: neither us, nor libraries in C, nor Python at its end."""
        with suppress(OSError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._descriptor)
            os.close(nowhere)


class StandardOutput(_Stream):
    """Silent once its reader has gone; raises InputError if it cannot be written."""

    def write(self, text: str) -> int:
        try:
            self._send(text)
        except OSError as error:
            self._give_up()
            if not self._reader_has_gone(error):
                what = f"cannot be written: {error.strerror or error}"
                cure = "send it elsewhere, or free some space"
                raise InputError(what, where="standard output", cure=cure) from error
        return len(text)


class StandardError(_Stream):
    """Never fails, and never waits for its reader: a thread writes."""

    def __init__(self, stream: TextIO | None) -> None:
        super().__init__(stream)
        self._waiting: queue.Queue[str | None] = queue.Queue(_MOST_WAITING)
        self._thread: threading.Thread | None = None

    def write(self, text: str) -> int:
        if self._thread is None:
            self._start()
        if self._thread is None:
            self._try_to_send(text)
        else:
            with suppress(queue.Full):
                self._waiting.put_nowait(text)
        return len(text)

    def finish(self) -> None:
        """Wait until everything is written; Ctrl-C ends the waiting."""
        if self._thread is not None:
            self._waiting.put(None)
            self._thread.join()
            self._thread = None

    def _start(self) -> None:
        thread = threading.Thread(target=self._send_waiting, daemon=True)
        with suppress(RuntimeError, MemoryError):  # no memory for a thread: then without one
            thread.start()
            self._thread = thread

    def _send_waiting(self) -> None:
        while (text := self._waiting.get()) is not None:
            self._try_to_send(text)

    def _try_to_send(self, text: str) -> None:
        try:
            self._send(text)
        except (OSError, ValueError) as error:
            if self._reader_has_gone(error):
                self._give_up()


def _fill_closed_descriptors() -> None:
    """Have 0, 1 and 2 lead nowhere if they are closed, before a database is opened as one of them.

    What a library in C then prints would be written into that file.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number: this one
            os.set_inheritable(descriptor, True)
