"""Which signals stop a coordinator."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def terminable() -> Iterator[None]:
    """SIGTERM stops like Ctrl-C does (batch systems and containers send it).

    SIGHUP does not: a terminal that closes is a reader that goes away, and training goes on. What
    whoever started us has blocked or ignored must not keep us from stopping, or from seeing how a
    worker ended; Ctrl-C alone stays ignored where it was (nohup, `&` in a script).
    """

    def interrupt(signum: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    try:
        previous = {
            signal.SIGTERM: signal.signal(signal.SIGTERM, interrupt),
            signal.SIGHUP: signal.signal(signal.SIGHUP, signal.SIG_IGN),
            signal.SIGCHLD: signal.signal(signal.SIGCHLD, signal.SIG_DFL),
        }
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGINT})
    except ValueError:  # not the main thread: whoever runs us there handles signals
        yield
        return
    try:
        yield
    finally:
        for signum, handler in previous.items():
            signal.signal(signum, handler)
