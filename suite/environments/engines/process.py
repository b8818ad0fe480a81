"""A process that holds engines, as the batch sees it: asked, waited for, ended."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from suite.environments.engines.interface import Blueprint
from suite.text import duration_text

# How long games may take to end of themselves.
_CLOSE_SECONDS = 10.0


class BreakdownError(Exception):
    """A process of engines died, hung or failed; it is of no use any more."""


class EngineProcess:
    """One process with the engines of some slots; it makes them at once.

    n_episodes: begun in it, as its batch counts.
    """

    def __init__(self, blueprint: Blueprint, shown: np.dtype[Any], slots: Sequence[int]) -> None:
        self.slots, self.n_episodes = list(slots), 0
        ours, theirs = socket.socketpair()
        self._lifeline, their_lifeline = socket.socketpair()
        with ExitStack() as if_none, theirs, their_lifeline:
            if_none.callback(ours.close)
            if_none.callback(self._lifeline.close)
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-P", "-m", "suite.environments.engines.child"),
                    *(str(theirs.fileno()), str(their_lifeline.fileno())),
                ],
                stdin=subprocess.DEVNULL,
                stdout=2,  # games print; standard output is for those who asked for something
                env={**os.environ, "PYTHONPATH": _path()},
                pass_fds=(theirs.fileno(), their_lifeline.fileno()),
                start_new_session=True,  # Ctrl-C is for us; its group ends with it
            )
            if_none.pop_all()
        self._connection = Connection(ours.detach())
        with suppress(OSError):  # the first answer will say that it is dead
            self._connection.send((blueprint, shown, self.slots))
        self._is_started = False
        self.ask("start", self.slots)

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, command: str, what: Any) -> None:
        """Give a command; the next `answer` is to it."""
        with suppress(OSError):
            self._connection.send((command, what))

    def answer(self, seconds: float) -> Any:
        """What came of the command; BreakdownError if the process has none within that time."""
        try:
            if not self._connection.poll(seconds):
                raise BreakdownError(f"gave no answer within {duration_text(seconds)}")
            kind, answer = self._connection.recv()
        except (EOFError, OSError):
            raise BreakdownError(self._cause_of_death()) from None
        if kind == "failed":
            raise BreakdownError(str(answer))
        return answer

    def wait_for_start(self, seconds: float) -> None:
        """Return when the engines are made; BreakdownError if they are not within that time."""
        if not self._is_started:
            self.answer(seconds)
            self._is_started = True

    def close(self) -> None:
        """Let the games end, then end the process."""
        self.ask("close", self.slots)
        with suppress(BreakdownError):
            self.answer(_CLOSE_SECONDS)
        self.kill()

    def kill(self) -> None:
        """End the process and all that it has started."""
        with suppress(OSError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._connection.close()
        self._lifeline.close()

    def _cause_of_death(self) -> str:
        try:
            code = self._process.wait(_CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            return "closed its connection"
        if code >= 0:
            return f"ended with exit code {code}"
        name = signal.strsignal(-code) or "unknown"
        return f"died with signal {-code} ({name})"


def _path() -> str:
    """What can be imported here can be imported there."""
    return os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
