"""A worker process: trains the cohorts it is told to, and reports events.

    python -m suite.scheduling.worker --parent-pid N --trainer module:function --device cpu

Standard input carries one JSON document per line, a cohort: {"runs": [RunSpec…], "runs_dir": …,
"numerics": code and versions as the coordinator records them, "accepts_changed_code": …,
"sittings": run id → provenance of this sitting, "recorded": ids of runs that have ended}.
The original standard output carries one JSON document per line, an event
(`suite.training.events`). Whatever libraries print goes to standard error, the worker's log file.
The process ends when its input ends, when nobody reads its events, or when its parent dies.
"""

from __future__ import annotations

import argparse
import ctypes
import faulthandler
import importlib
import json
import os
import signal
import sys
import traceback
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Protocol, TextIO

from suite.algorithms.allocator import keep_freed_memory
from suite.disk import is_disk_full
from suite.errors import CadpSuiteError, InputError
from suite.memory import is_out_of_memory, out_of_memory_error
from suite.plugins import plugin_sources
from suite.records.provenance import differences, numerics, training_code
from suite.runs.spec import RunSpec
from suite.training.events import CohortFailed, DiskFull, Emit, Event, Idle, to_json

# <linux/prctl.h>
_PR_SET_PDEATHSIG = 1


class Trainer(Protocol):
    """Trains runs to their end; `suite.training.train.train_cohort` says what it must emit."""

    def __call__(
        self,
        runs: Sequence[RunSpec],
        runs_dir: Path,
        emit: Emit,
        device: str,
        *,
        accepts_changed_code: bool,
        sittings: Mapping[str, Mapping[str, str]],
        recorded: Collection[str],
    ) -> None: ...


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve cohorts until standard input ends."""
    options = _options(arguments)
    _die_with_parent(options.parent_pid)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the coordinator decides when to stop
    faulthandler.enable()
    keep_freed_memory()
    channel = _take_standard_output()
    numerics()  # before the import, so that what is imported is what it names, or later
    with suppress(Exception):  # a failure here is reported with the first cohort
        load_trainer(options.trainer)
    with suppress(BrokenPipeError):
        for line in sys.stdin:
            _serve(json.loads(line), options.trainer, options.device, channel)
    # Nothing is left to flush or join; interpreter shutdown with torch loaded takes a second.
    os._exit(0)


def load_trainer(name: str) -> Trainer:
    """The function `module:function`; torch, if that imported it, is kept to one thread."""
    module_name, _, function_name = name.partition(":")
    trainer: Trainer = getattr(importlib.import_module(module_name), function_name)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)
    return trainer


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="suite.scheduling.worker")
    parser.add_argument("--parent-pid", type=int, required=True)
    parser.add_argument("--trainer", required=True)
    parser.add_argument("--device", required=True)
    return parser.parse_args(arguments)


def _serve(cohort: dict[str, Any], trainer: str, device: str, channel: TextIO) -> None:
    """Train one cohort; whatever it raises becomes an event, and the worker lives on."""

    def emit(event: Event) -> None:
        channel.write(to_json(event) + "\n")
        channel.flush()

    def emit_if_unchanged(event: Event) -> None:
        # By its first event a trainer has imported all that it needs.
        _refuse_changed_sources()
        emit(event)

    runs = [RunSpec.model_validate(run) for run in cohort["runs"]]
    runs_dir = Path(cohort["runs_dir"])
    try:
        if cohort["numerics"] != numerics():
            raise _changed_code(cohort["numerics"], numerics())
        load_trainer(trainer)(
            runs,
            runs_dir,
            emit_if_unchanged,
            device,
            accepts_changed_code=cohort["accepts_changed_code"],
            sittings=cohort["sittings"],
            recorded=cohort["recorded"],
        )
    except BrokenPipeError:
        raise
    except Exception as error:
        if is_disk_full(error, runs_dir):
            emit(DiskFull())
        else:
            text, exit_code = traceback.format_exc(), 1
            if is_out_of_memory(error):
                error = out_of_memory_error()
            if isinstance(error, CadpSuiteError):  # what a user can mend says so on one line
                text, exit_code = str(error), error.exit_code
            # Bytes of a path that are no letters would not pass as JSON.
            text = text.encode("utf-8", "backslashreplace").decode()
            emit(CohortFailed(text, exit_code))
    emit(Idle())


_modules_of_known_code: set[str] = set()


def _refuse_changed_sources() -> None:
    """What was imported since the last look must be what this process's fingerprint names.

    Sources may change later on: what is in memory stays as it is.
    """
    modules = {name for name in sys.modules if name.partition(".")[0] in _packages_of_known_code()}
    if modules <= _modules_of_known_code:
        return
    now = {**numerics(), "training_code": training_code()}
    if now != numerics():
        raise _changed_code(numerics(), now)
    _modules_of_known_code.update(modules)


@cache
def _packages_of_known_code() -> frozenset[str]:
    """Ours, and the modules and packages of plug-ins."""
    return frozenset(
        {"suite", *(Path(name).parts[0].removesuffix(".py") for name in plugin_sources())}
    )


def _changed_code(recorded: dict[str, str], now: dict[str, str]) -> InputError:
    """A worker that started during or after an update would train what its record does not name."""
    return InputError(
        "the code or its libraries have changed while this command was running "
        f"({differences(recorded, now)})",
        where="suite",
        cure="stop it and give the same command again",
    )


def _take_standard_output() -> TextIO:
    """Keep descriptor 1 for events; prints, also those of C libraries, go to standard error."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    # The log is no terminal: without this, prints would wait in a buffer that a kill loses.
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", buffering=1, closefd=False)
    return channel


def _die_with_parent(parent_pid: int) -> None:
    """Have the kernel end this process when the coordinator ends (Linux); leave if it has.

    Elsewhere the worker notices at its next event, when nobody reads it.
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        sys.exit(0)


if __name__ == "__main__":
    main()
