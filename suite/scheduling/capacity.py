"""What this machine can be asked for: how many workers, the memory they take, a device."""

from __future__ import annotations

import os
import re

from suite.command_line import interrupts_deferred
from suite.environments import backend_of
from suite.environments.engines.backend import PROCESSES, n_processes
from suite.errors import InputError, MissingDependencyError
from suite.options import whole_number
from suite.records.provenance import memory_bytes, n_usable_cores
from suite.study.cost import run_bytes, workers_that_fit
from suite.study.plan import Plan
from suite.text import memory_text

# Each is a process with its own networks; more than any machine has cores for.
_MOST_WORKERS = 1024


def n_workers(given: str | None, plan: Plan) -> int:
    """The number that `--workers` gives, or None: as many as there are cores, and memory for.

    Parsed here because typer's message would not name the value.
    """
    if given is None:
        memory = memory_bytes()
        fit = n_usable_cores() if memory is None else workers_that_fit(plan, memory)
        return min(n_usable_cores(), fit) if fit < plan.n_runs else n_usable_cores()
    try:
        return whole_number(given, 1, _MOST_WORKERS)
    except ValueError as error:
        cure = "give the number of workers"
        raise InputError(str(error), where="--workers", value=given, cure=cure) from None


def engine_processes(plan: Plan, n_workers: int) -> int:
    """How many processes of a game each worker may have: its share of cores, and of memory.

    A run is reckoned with the copies of a game that it has in any case. What the user has said in
    the environment goes before; InputError if that is no number.
    """
    if PROCESSES in os.environ:
        return n_processes()
    n_side_by_side = max(1, min(n_workers, plan.n_runs))
    share = n_usable_cores() // n_side_by_side
    memory = memory_bytes()
    each = max((backend_of(run.scenario).copy_bytes for run, _ in plan.foreseen), default=0.0)
    if memory is not None and each:
        largest = max(run_bytes(run, plan.environments[run.scenario]) for run, _ in plan.foreseen)
        share = min(share, 1 + int((memory / n_side_by_side - largest) / each))
    return max(1, share)


def require_memory(given: str | None, n_workers: int, plan: Plan) -> None:
    """Refuse, before any worker starts, what this machine's memory does not hold side by side.

    given: what the user said, for the message.
    """
    memory = memory_bytes()
    if memory is None or (fit := workers_that_fit(plan, memory)) >= min(n_workers, plan.n_runs):
        return
    largest = max(run_bytes(run, plan.environments[run.scenario]) for run, _ in plan.foreseen)
    cure = f"give at most {fit}, or a smaller buffer_size_episodes"
    if fit == 1:
        cure = "give 1, use a machine with more, or a smaller buffer_size_episodes"
    what = f"a run takes up to {memory_text(largest)}, this machine has {memory_text(memory)}"
    raise InputError(what, where="--workers", value=given, cure=cure)


def require_device(device: str) -> None:
    """Refuse, before any worker starts, a device that is not there."""
    if device == "cpu":
        return
    named = re.fullmatch("(cuda|mps)(?::(0|[1-9][0-9]{0,8}))?", device)
    if named is None:
        cure = "use cpu, cuda, cuda:N or mps"
        raise InputError("unknown device", where="--device", value=device, cure=cure)
    with interrupts_deferred():
        import torch

    kind, number = named.groups()
    n_devices = torch.cuda.device_count() if kind == "cuda" else torch.backends.mps.is_available()
    if int(number or 0) >= int(n_devices):
        cure = "use --device cpu, or see what `cadp-suite doctor` finds"
        raise MissingDependencyError("not available", where="--device", value=device, cure=cure)
