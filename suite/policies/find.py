"""The policy that a name on the command line means."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from suite.errors import InputError
from suite.policies.chance import RandomActions
from suite.policies.policy import Policy
from suite.training.weights import load_torch

RANDOM, HEURISTIC, NEAREST = "random", "heuristic", "nearest"
_AGENT_FILE = ".th"  # as PyMARL names it
_RUN_ID = re.compile("[0-9a-f]{16}")  # RunSpec.run_id; other names are no part of a path


def find_policy(
    name: str, scenario: str, runs_dir: Path, *, seed: int, mode: str | None = None
) -> Policy:
    """The policy called `name`, for a scenario by its full name.

    name: "random", "heuristic" and "nearest" (skirmish), the id of a finished run in `runs_dir`,
    or the path of PyMARL's `agent.th`. seed: of what is random in it. mode: the execution mode of a
    run; decentralised if None.
    Raises InputError if there is no such policy, or it cannot play this scenario in this mode.
    """
    if _RUN_ID.fullmatch(name):
        load_torch()
        from suite.policies.finished import finished_policy

        return finished_policy(name, scenario, runs_dir, mode)
    if mode is not None:
        cure = "leave it out, or give the id of a finished run as --policy"
        raise InputError("only runs have execution modes", where="--mode", value=mode, cure=cure)
    if name == RANDOM:
        random = np.random.default_rng(seed)
        return Policy(name, "any available action", lambda batch: RandomActions(batch, random))
    if name in (HEURISTIC, NEAREST):
        from suite.policies.heuristic import heuristic_policy

        return heuristic_policy(name, scenario, at_any_distance=name == HEURISTIC)
    if Path(name).suffix == _AGENT_FILE:
        load_torch()
        from suite.policies.pymarl import pymarl_policy

        return pymarl_policy(Path(name), scenario)
    raise no_such_policy(name, runs_dir)


def no_such_policy(name: str, runs_dir: Path) -> InputError:
    """The name means nothing, or a run that is not there."""
    cure = (
        f"use {RANDOM}, {HEURISTIC}, {NEAREST}, the id of a finished run in {runs_dir}, or the "
        f"path of PyMARL's agent{_AGENT_FILE}"
    )
    return InputError("no such policy or run", where="--policy", value=name, cure=cure)
