"""The process that holds engines: does what its batch says, one command after the other.

    python -P -m suite.environments.engines.child CONNECTION LIFELINE

Both are descriptors of open sockets. Commands and answers are pickled on the first; nothing is ever
written to the second. When that one closes, because the other side ended in whatever way, this
process ends with all that it has started (it leads a process group of its own).
"""

from __future__ import annotations

import fcntl
import importlib
import os
import select
import signal
import sys
import threading
import traceback
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from suite.environments.engines.interface import Blueprint, Engine, Outcome


def main(arguments: list[str]) -> None:
    """Serve until told to close, or until nobody is there."""
    connection, lifeline = Connection(int(arguments[0])), int(arguments[1])
    if sys.platform == "linux":
        _be_killed_with(lifeline)
    threading.Thread(target=_die_with, args=(lifeline,), daemon=True).start()
    with suppress(EOFError, OSError):
        engines = _Engines(*connection.recv())
        while True:
            command, asked = connection.recv()
            try:
                answer = getattr(engines, command)(asked)
            except Exception as error:  # of the game, or of what drives it
                traceback.print_exc()
                connection.send(("failed", f"failed with {type(error).__name__}: {error}"))
                continue
            connection.send(("done", answer))
            if command == "close":
                break
    # Games may have left processes, and threads and exit handlers that wait for them.
    sys.stderr.flush()
    os.killpg(0, signal.SIGKILL)


class _Engines:
    """One engine per slot; each command is given those that it concerns."""

    def __init__(self, blueprint: Blueprint, shown: np.dtype[Any], slots: list[int]) -> None:
        self._blueprint = blueprint
        self._shown = shown
        self._last = {slot: np.zeros((), shown) for slot in slots}
        self._engines: dict[int, Engine] = {}

    def start(self, slots: list[int]) -> None:
        """Make the engines."""
        module, _, name = self._blueprint.maker.partition(":")
        make = getattr(importlib.import_module(module), name)
        for slot in slots:
            self._engines[slot] = make(**self._blueprint.arguments)

    def reset(self, seeds: dict[int, int]) -> bytes:
        """Start episodes; what they show, in the order of `seeds`."""
        for slot, seed in seeds.items():
            self._engines[slot].reset(seed)
        return b"".join(self._record(slot, Outcome(0.0)) for slot in seeds)

    def step(self, actions: dict[int, list[int]]) -> bytes:
        """Play one step; what came of it, in the order of `actions`."""
        return b"".join(
            self._record(slot, self._engines[slot].step(chosen)) for slot, chosen in actions.items()
        )

    def close(self, slots: list[int]) -> None:
        """End the games."""
        for slot in slots:
            self._engines[slot].close()

    def _record(self, slot: int, outcome: Outcome) -> bytes:
        record = self._last[slot]
        record["reward"] = outcome.reward
        record["terminated"], record["truncated"] = outcome.terminated, outcome.truncated
        record["won"] = outcome.won
        names = ("observations", "state", "available_actions")
        self._engines[slot].show(*(record[name] for name in names))
        return record.tobytes()


def _be_killed_with(lifeline: int) -> None:
    """Have the kernel kill this group when the lifeline closes, also if it is stopped, or busy in
    a game that lets no other thread work."""
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, -os.getpgrp())
    fcntl.fcntl(lifeline, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(lifeline, fcntl.F_SETFL, os.O_ASYNC)


def _die_with(lifeline: int) -> None:
    end = select.poll()  # the kernel sends no signal where somebody reads
    end.register(lifeline, select.POLLIN)
    end.poll()
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1:])
