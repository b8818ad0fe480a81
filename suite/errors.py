"""The error tree.

Every error a user can cause or meet says, on one line, what is wrong, where, with which value,
and how to cure it. The command lines print that line on standard error and leave with
`exit_code`; no user ever sees a traceback for one of these.
"""

from __future__ import annotations

from suite.text import shortened, visible

_LONGEST_VALUE = 120


class CadpSuiteError(Exception):
    """Root of every error this project raises on purpose."""

    exit_code = 1


class InputError(CadpSuiteError):
    """Something the user gave (a file, an option, a stored database) cannot be used.

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
        shown = "" if value is None else f" (got {_shown(value)})"
        line = f"{where}: {' '.join(what.split())}{shown}; {' '.join(cure.split())}"
        super().__init__(visible(line))


class StoredDataError(InputError):
    """A checkpoint, database or record on disk is damaged, unreadable or of another version."""


class MissingDependencyError(InputError):
    """A package, game or device that the request needs is not here."""


def _shown(value: object) -> str:
    try:
        return shortened(repr(value), _LONGEST_VALUE)
    except ValueError:  # Python writes no whole number of more than some thousand digits
        return "a number of thousands of digits"
