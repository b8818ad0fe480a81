"""What the command lines share: how they end when something is wrong."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import typer
from typer.exceptions import TyperException

from suite.errors import CadpSuiteError

EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130


def run_command(app: typer.Typer, name: str, *, interrupted: str) -> int:
    """Run a command line to its exit code; what goes wrong is one line on standard error.

    interrupted: what Ctrl-C has left behind, for the user to read.
    """
    try:
        code: int = app(prog_name=name, standalone_mode=False) or 0
    except CadpSuiteError as error:
        return _complain(name, str(error), error.exit_code)
    except TyperException as error:
        return _complain(name, _usage_line(error, name), EXIT_BAD_INPUT)
    except (KeyboardInterrupt, typer.Abort):
        code = EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has gone (`| head`); the interpreter must not flush into it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        return _complain(name, _file_error(error), EXIT_BAD_INPUT)
    if code == EXIT_INTERRUPTED:  # also how typer itself answers Ctrl-C, without a word
        return _complain(name, f"interrupted; {interrupted}", code)
    return code


def _complain(name: str, line: str, exit_code: int) -> int:
    print(f"{name}: {line}", file=sys.stderr)
    return exit_code


def _usage_line(error: TyperException, name: str) -> str:
    """A wrong call on one line, with the help to read."""
    message = " ".join(getattr(error, "format_message", error.__str__)().split()).rstrip(".")
    context = getattr(error, "ctx", None)
    command = context.command_path if context else name
    return f"{message}; see {command} --help"


def _file_error(error: OSError) -> str:
    from suite.disk import disk_full_error, is_disk_full

    where = Path(error.filename) if error.filename else Path.cwd()
    if is_disk_full(error, Path.cwd()):
        return str(disk_full_error(where))
    return f"{where}: {error.strerror or error}; make it readable and writable, or name another"
