"""The coordinator's end of a worker process: start, give work, collect events, stop."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import suite
from suite.environments.engines.backend import PROCESSES
from suite.records.provenance import numerics
from suite.runs.directory import RunsDirectory
from suite.runs.spec import RunSpec
from suite.text import duration_text
from suite.training.events import Event, from_json

# By name: only workers import it, and torch with it.
DEFAULT_TRAINER = "suite.training.train:train_cohort"

# One thread per process: a second thread waits for busy cores most of the time.
WORKER_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
}

_STOP_SECONDS = 5.0
_LOG_TAIL_CHARACTERS = 3_000


@dataclass(frozen=True)
class WorkerOptions:
    """How workers are started; `trainer` is `module:function`, replaced in tests.

    engine_processes: how many processes of a game each may use, unless the user's environment says.
    """

    directory: RunsDirectory
    device: str = "cpu"
    trainer: str = DEFAULT_TRAINER
    accepts_changed_code: bool = False
    engine_processes: int = 1


@dataclass(frozen=True)
class Exited:
    """A worker process has ended, for whatever reason; nothing follows."""


Events: TypeAlias = "queue.SimpleQueue[tuple[WorkerProcess, Event | Exited]]"


class WorkerProcess:
    """One worker; its events arrive in `events` as `(worker, event)`, the last is `Exited`.

    silent_seconds, working_seconds: how long it has given no event, and has had its cohort, as the
    coordinator counts; has_begun: whether the cohort has given any; is_given_up: whether it was
    ended for its silence.
    """

    def __init__(self, number: int, options: WorkerOptions, events: Events) -> None:
        self.number = number
        self.runs: tuple[RunSpec, ...] = ()
        self.silent_seconds, self.working_seconds = 0.0, 0.0
        self.has_begun, self.is_given_up = False, False
        self._options = options
        self._events = events
        self._fault: str | None = None
        self._is_ended = False
        self._log_path = options.directory.log_path(number)
        self._log_path.parent.mkdir(parents=True, exist_ok=True)
        with self._log_path.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-P", "-m", "suite.scheduling.worker"),
                    *("--parent-pid", str(os.getpid())),
                    *("--trainer", options.trainer, "--device", options.device),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=_environment(options.engine_processes),
                text=True,
                encoding="utf-8",
                errors="replace",  # what it may not send is refused below
                start_new_session=True,  # Ctrl-C reaches the coordinator alone
            )
        threading.Thread(target=self._collect, daemon=True).start()

    def train(
        self,
        runs: Sequence[RunSpec],
        sittings: Mapping[str, Mapping[str, str]],
        recorded: Collection[str],
    ) -> None:
        """Give a cohort; a worker that died meanwhile shows as its `Exited`.

        sittings: run id → provenance of this sitting. recorded: ids of members that have ended.
        """
        self.runs = tuple(runs)
        self.silent_seconds, self.working_seconds, self.has_begun = 0.0, 0.0, False
        cohort = {
            "runs": [run.model_dump(mode="json") for run in runs],
            "runs_dir": str(self._options.directory.root),
            "numerics": numerics(),
            "accepts_changed_code": self._options.accepts_changed_code,
            "sittings": sittings,
            "recorded": list(recorded),
        }
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.write(json.dumps(cohort) + "\n")
            self._process.stdin.flush()

    @property
    def is_ended(self) -> bool:
        """Whether it was ended from here, so that its `Exited` is on the way."""
        return self._is_ended

    def end(self) -> None:
        """End it now, also where it was stopped. Its `Exited` follows."""
        self._is_ended = True
        self._process.kill()

    def give_up(self) -> None:
        """End a worker that gives no sign."""
        self.is_given_up = True
        self.end()

    def time_out(self, limit_seconds: float) -> None:
        """End a worker whose cohort does not end."""
        limit = duration_text(limit_seconds)
        self._fault = f"the run had not ended after {limit}, many times what it should take"
        self.end()

    def refuse(self, fault: str) -> None:
        """End a worker that has told what cannot be."""
        self._fault = f"the worker told what cannot be: {fault}"
        self.end()

    def cause_of_death(self) -> str:
        """Why an exited worker ended, with the end of its log; one line where we ended it."""
        if self._fault is not None:
            return self._fault
        if self.is_given_up:
            silence = duration_text(self.silent_seconds)
            return f"the worker gave no sign of life for {silence} and was ended"
        code = self._process.wait()
        if code < 0:
            name = signal.strsignal(-code) or "unknown"
            with suppress(ValueError):
                name = signal.Signals(-code).name
            text = f"worker process died with signal {-code} ({name})"
            if -code == signal.SIGKILL:
                text += "; if nobody killed it, memory ran out: try fewer workers"
        else:
            text = f"worker process ended unexpectedly with exit code {code}"
        tail = ""
        with suppress(OSError):
            tail = self._log_path.read_text(errors="replace")[-_LOG_TAIL_CHARACTERS:].strip()
        return f"{text}\n\nend of its log:\n{tail}" if tail else text

    def ask_to_stop(self, *, at_once: bool) -> None:
        """Close its input (it ends when idle), or end it now; checkpoints stay whole either way."""
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()
        if at_once:
            self._process.terminate()

    def join(self) -> None:
        """Wait until it has ended; kill it if it takes too long. It gets no more work."""
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _collect(self) -> None:
        """Reader thread: one event per line; a line cut by the worker's death is dropped."""
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                if not line.endswith("\n"):
                    break
                try:
                    self._events.put((self, from_json(line)))
                except ValueError as error:
                    self.refuse(str(error))
                    break
        self._events.put((self, Exited()))


def _environment(engine_processes: int) -> dict[str, str]:
    """The worker's environment: ours, this package importable, one thread."""
    home = str(Path(suite.__file__).resolve().parents[1])
    inherited = os.environ.get("PYTHONPATH")
    path = home if not inherited else os.pathsep.join((home, inherited))
    engines = {PROCESSES: str(engine_processes)}
    return {**engines, **os.environ, **WORKER_ENVIRONMENT, "PYTHONPATH": path}
