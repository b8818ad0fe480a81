"""One thread that does all work on the databases, in the order in which it is given.

So a database that another program holds delays the books and nothing else: workers train on, their
events wait here, and the coordinator keeps watching and showing.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from suite.records.database import patiently

T = TypeVar("T")

_LOOK_SECONDS = 0.1
# An entry takes milliseconds, making the databases some seconds; libraries wait for a database
# that is in use in silence, up to half a minute.
_SLOW_SECONDS = 15.0


class Bookkeeper:
    """Does actions one after another; waits patiently where a database is in use.

    An action that fails for good ends the work: `check` raises its error, later actions are
    dropped. Actions may be tried several times, see `suite.records.database.patiently`.
    """

    def __init__(self) -> None:
        self.notices: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._actions: queue.SimpleQueue[Callable[[], Any] | None] = queue.SimpleQueue()
        self._failure: BaseException | None = None
        self._since: float | None = None
        self._has_said_slow = False
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def later(self, action: Callable[[], Any]) -> None:
        """Have an action done after all that were given before."""
        self._actions.put(action)

    def now(self, action: Callable[[], T], while_waiting: Callable[[], None]) -> T:
        """Wait for an action's result, calling `while_waiting` ten times a second.

        Raises what the action raised, or an earlier one.
        """
        result: list[T] = []
        is_done = threading.Event()

        def note() -> None:
            result.append(action())
            is_done.set()

        self._actions.put(note)
        while not is_done.wait(_LOOK_SECONDS):
            self.check()
            while_waiting()
        return result[0]

    def check(self) -> None:
        """Raise the error that ended the work, if one did."""
        if self._failure is not None:
            raise self._failure

    def look_at_the_clock(self) -> None:
        """Put a line into `notices` when an entry takes long, once until one is done again."""
        since = self._since
        if since is None:
            self._has_said_slow = False
        elif time.monotonic() - since > _SLOW_SECONDS and not self._has_said_slow:
            self._has_said_slow = True
            self.notices.put(
                "waiting for a database (is another program using it?); training goes on"
            )

    def close(self, while_waiting: Callable[[], None], seconds: float | None = None) -> None:
        """Have everything done that was given; after `seconds`, leave it.

        What is left is not lost: checkpoints hold every metric, and go only after the books.
        """
        self._actions.put(None)
        waited = 0.0
        while self._thread.is_alive() and (seconds is None or waited < seconds):
            self._thread.join(_LOOK_SECONDS)
            waited += _LOOK_SECONDS
            while_waiting()

    def _work(self) -> None:
        while (action := self._actions.get()) is not None:
            try:
                self._since = time.monotonic()
                patiently(action, self.notices.put)
                self._since = None
            except BaseException as error:
                self._failure = error
                return
