"""What the command lines share: how they begin, and how they end when something is wrong.

Only what is light is imported at the top: Ctrl-C is caught from here on, imports included.
"""

from __future__ import annotations

import atexit
import errno
import importlib
import os
import re
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from suite.errors import CadpSuiteError, InputError
from suite.memory import is_out_of_memory, out_of_memory_error, require_address_space
from suite.streams import standard_streams
from suite.text import redacted, shortened, visible

EXIT_BAD_INPUT = 2
EXIT_FAULT = 70  # EX_SOFTWARE of <sysexits.h>
EXIT_INTERRUPTED = 130

# With less, numpy's libraries abort in C while they are imported (measured, Linux on x86-64).
_LEAST_ADDRESS_SPACE = 300_000_000
_LONGEST_WORD = 300


def run_command(module: str, name: str, *, interrupted: str) -> int:
    """Run a command line to its exit code; what goes wrong is one line on standard error.

    module: where its typer application `app` is. interrupted: what Ctrl-C has left behind, for the
    user to read.
    """
    try:
        with standard_streams():
            code, line = _run(module, name)
            if code == EXIT_INTERRUPTED:
                line = f"interrupted; {interrupted}"
            if line:
                print(f"{name}: {_fitting(line)}", file=sys.stderr)
    except KeyboardInterrupt:  # once more, or while the last line was on its way
        code = EXIT_INTERRUPTED
    # Python remembers an interrupt that passed through `exec` (dataclasses use it) until the next
    # `exec`, and would end by the signal whatever the exit code.
    exec("")
    # All is done: Python's own ending would answer Ctrl-C with a traceback.
    atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)
    return code


@contextmanager
def interrupts_deferred() -> Iterator[None]:
    """Keep Ctrl-C until the end of the body: torch aborts in C when its import is interrupted."""
    came: list[int] = []
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield  # it comes elsewhere, or not at all
        return
    signal.signal(signal.SIGINT, lambda number, frame: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if came:
        raise KeyboardInterrupt


def _run(module: str, name: str) -> tuple[int, str]:
    """Exit code, and what is to be said about it."""
    try:
        require_address_space(_LEAST_ADDRESS_SPACE, name)
        app = importlib.import_module(module).app
        return app(prog_name=name, standalone_mode=False) or 0, ""
    except SystemExit:
        raise
    except BaseException as error:
        return _ending(error, name)


def _ending(error: BaseException, name: str) -> tuple[int, str]:
    if isinstance(error, KeyboardInterrupt):
        return EXIT_INTERRUPTED, ""
    if isinstance(error, CadpSuiteError):
        return error.exit_code, str(error)
    if is_out_of_memory(error):
        return EXIT_BAD_INPUT, str(out_of_memory_error())

    typer = sys.modules.get("typer.exceptions")
    if typer is not None and isinstance(error, typer.Abort):
        return EXIT_INTERRUPTED, ""
    if typer is not None and isinstance(error, typer.TyperException):
        return EXIT_BAD_INPUT, _usage_line(error, name)
    if isinstance(error, ImportError) and not _is_ours(error.name):
        return EXIT_BAD_INPUT, str(_import_error(error))
    if isinstance(error, OSError):
        return EXIT_BAD_INPUT, str(_file_error(error))
    return EXIT_FAULT, _fault_line(error, name)


def _usage_line(error: Exception, name: str) -> str:
    """A wrong call, with the help to read."""
    message = " ".join(getattr(error, "format_message", error.__str__)().split()).rstrip(".")
    message = message.replace("Value error, ", "")  # pydantic's prefix of typer's own words
    context = getattr(error, "ctx", None)
    command = context.command_path if context else name
    return f"{message}; see {command} --help"


def _is_ours(module: str | None) -> bool:
    return (module or "").partition(".")[0] in ("suite", "reports")


def _import_error(error: ImportError) -> InputError:
    cure = "install it again; `cadp-suite doctor` says what is needed"
    return InputError(f"cannot be imported: {error}", where=error.name or "a package", cure=cure)


def _file_error(error: OSError) -> InputError:
    from suite.disk import disk_full_error, is_disk_full

    where = "the current folder"
    if isinstance(error.filename, str | bytes):
        where = os.fsdecode(error.filename)
    if is_disk_full(error, Path()):
        return disk_full_error(Path(where))
    what = error.strerror or str(error)
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return InputError(what, where="this process", cure="raise the limit: ulimit -n 1024")
    return InputError(what, where=where, cure="make it readable and writable, or name another")


def _fault_line(error: BaseException, name: str) -> str:
    """An error nobody foresaw: where its traceback is, which is for us and not for the user."""
    import tempfile
    import traceback

    text = redacted("".join(traceback.format_exception(error)))
    summary = redacted(" ".join(traceback.format_exception_only(error)[-1].split()))
    line = f"a fault of {name} itself, not of your input: {shortened(summary, _LONGEST_WORD)}"
    try:
        with tempfile.NamedTemporaryFile(
            "w",
            prefix=f"{name}-fault-",
            suffix=".txt",
            encoding="utf-8",
            errors="backslashreplace",
            delete=False,
        ) as file:
            file.write(text)
    except OSError:
        for each in text.splitlines():
            print(visible(each, sys.stderr.encoding), file=sys.stderr)
        return f"{line}; please report it with the traceback above"
    return f"{line}; please report it with the traceback in {file.name}"


def _fitting(line: str) -> str:
    """A word of thousands of letters hides what is said about it."""
    line = re.sub(rf"\S{{{_LONGEST_WORD},}}", lambda m: shortened(m[0], _LONGEST_WORD), line)
    return visible(line, sys.stderr.encoding)
