"""The error tree.

Every error a user can cause or meet says, on one line, what is wrong, where, with which value,
and how to cure it. The command lines print that line on standard error and leave with
`exit_code`; no user ever sees a traceback for one of these.
"""

from __future__ import annotations

import datetime
import reprlib

from suite.text import redacted, visible


class CadpSuiteError(Exception):
    """Root of every error this project raises on purpose."""

    exit_code = 1


class InputError(CadpSuiteError):
    """Something the user gave (a file, an option, a stored database) cannot be used.

    The line is short and printable whatever the value: long ones are cut in the middle, characters
    that a terminal would obey or could not show are written as escapes. Passwords in addresses are
    left out.

    Parameters
    ----------
    what: what is wrong, as a short clause ("unknown scenario").
    where: the file and key, option or table it was found in.
    value: the offending value; None leaves it out.
    cure: what to do about it.
    """

    exit_code = 2

    def __init__(self, what: str, *, where: str, value: object = None, cure: str) -> None:
        self.what = what
        self.where = where
        self.value = value
        self.cure = cure
        shown = "" if value is None else f" (got {_VALUES.repr(value)})"
        line = f"{where}: {' '.join(what.split())}{shown}; {' '.join(cure.split())}"
        super().__init__(redacted(visible(line)))


class StoredDataError(InputError):
    """A checkpoint, database or record on disk is damaged, unreadable or of another version."""


class MissingDependencyError(InputError):
    """A package, game or device that the request needs is not here."""


class _Values(reprlib.Repr):
    """Values as a file would write them, at most about 200 characters each."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 3
        self.maxstring = self.maxother = 200

    def repr_str(self, x: str, level: int) -> str:
        # Before the middle is cut, which may be where a password ends.
        return super().repr_str(redacted(x), level)

    def repr_int(self, x: int, level: int) -> str:
        # Python refuses to write thousands of digits.
        return super().repr_int(x, level) if x.bit_length() < 10_000 else "a very large number"

    def repr_date(self, x: datetime.date | datetime.time, level: int) -> str:
        return x.isoformat()

    repr_datetime = repr_time = repr_date

    def repr_tuple(self, x: tuple[object, ...], level: int) -> str:
        return self.repr_list(list(x), level)


_VALUES = _Values()
