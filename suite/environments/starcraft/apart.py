"""What keeps games on one machine apart: a port and a temporary folder for each.

Both are held by the process that drives the game, and free again however that ends.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import tempfile
from contextlib import suppress
from pathlib import Path

_PREFIX = "cadp-suite-starcraft-"


def hold_port() -> tuple[int, socket.socket]:
    """A port that nothing listens on, and what holds it.

    Between the choice of a free TCP port and the moment when a game listens there, seconds pass in
    which another process may choose the same. Who also holds the UDP port of that number has it:
    that is not needed by the game, and portpicker, which pysc2 asks, gives out no port of which
    either is taken.
    """
    while True:
        with socket.socket() as probe:
            probe.bind(("", 0))
            port = probe.getsockname()[1]
        held = socket.socket(type=socket.SOCK_DGRAM)
        try:
            held.bind(("", port))
        except OSError:  # somebody was quicker
            held.close()
            continue
        return port, held


def own_folder() -> Path:
    """A new temporary folder of this process; those of processes that have ended are removed.

    A process has its folder locked for as long as it lives.
    """
    parent = Path(tempfile.gettempdir())
    for left in parent.glob(f"{_PREFIX}*"):
        with suppress(OSError):  # of somebody else, or gone
            _lock(left)
            shutil.rmtree(left)
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
        with suppress(OSError):  # taken for one left behind, and removed
            _lock(folder)
            if folder.is_dir():
                return folder


def _lock(folder: Path) -> None:
    """Hold a folder until this process ends; OSError if another does, or it is not there."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
