"""The final networks of a finished run, of whatever method."""

from __future__ import annotations

from pathlib import Path

from suite.algorithms.registry import method_of, modes_of, run_point, settings_of
from suite.environments import backend_of, describe
from suite.environments.interface import BatchedEnvironment
from suite.errors import InputError, StoredDataError
from suite.policies.find import no_such_policy
from suite.policies.networks import Allowed
from suite.policies.policy import Policy
from suite.records import RecordStore, RunRecord
from suite.runs.directory import RunsDirectory
from suite.runs.modes import DECENTRALISED
from suite.runs.spec import RunSpec
from suite.text import shortened
from suite.training.cohort import members_of
from suite.training.weights import TRAIN_AGAIN, read_weights

# Pages of replays hold descriptions of 300 characters.
_LONGEST_POINT = 100


def finished_policy(run_id: str, scenario: str, runs_dir: Path, mode: str | None) -> Policy:
    """Greedy, in an execution mode that the run is tested in.

    Raises InputError if there is no such run, or it cannot play this scenario in this mode.
    """
    record = _finished_run(run_id, scenario, runs_dir)
    run, mode = record.spec, DECENTRALISED.name if mode is None else mode
    modes = [one.name for one in modes_of(run.algorithm)]
    if mode not in modes:
        what = f"{record.arm} has no such execution mode"
        raise InputError(what, where="--mode", value=mode, cure=f"use {' or '.join(modes)}")
    method, settings = method_of(run.algorithm), settings_of(run.algorithm)
    sizes = describe(scenario).sizes
    algorithm = method.build(settings, sizes, run.training, members_of([run]))
    directory = RunsDirectory(runs_dir)
    path = directory.stored_weights_path(run_id)
    if record.origin is not None and not directory.has_weights(run_id):
        raise InputError(
            f"the run's weights are not here: it came in {record.origin.told}",
            where=f"--policy {run_id}",
            cure="import a pack that was exported with --weights, or take another run",
        )
    weights = read_weights(path, run_id, record.weights_sha256 or None)
    try:
        algorithm.load_member_weights(0, weights)
    except InputError as error:
        what = f"not the weights of this run's network: {error.what}"
        raise StoredDataError(what, where=str(path), cure=TRAIN_AGAIN) from None

    def actor(environment: BatchedEnvironment) -> Allowed:
        networks = algorithm.actor(environment, mode)
        return Allowed(networks, environment, where=str(path), cure=TRAIN_AGAIN)

    return Policy(
        run_id if mode == DECENTRALISED.name else f"{run_id}-{mode}",
        f"{_told(record.arm, run)}, greedy, {mode}",
        actor,
        tuple(method.extra_observations(settings, describe(run.scenario).sizes)),
    )


def _told(arm: str, run: RunSpec) -> str:
    """`cadp α=0.5 T=70,000 trained for 200,000 steps with seed 1`."""
    trained = f"trained for {run.training.total_env_steps:,} steps with seed {run.seed}"
    point = shortened(run_point(run), _LONGEST_POINT)
    return " ".join(part for part in (arm, point, trained) if part)


def _finished_run(run_id: str, scenario: str, runs_dir: Path) -> RunRecord:
    """The record of a finished run on `scenario` under the present rules."""
    found = []
    if RunsDirectory(runs_dir).records_path.is_file():
        found = RecordStore.open(runs_dir).load({run_id}, with_histories=False)
    if not found:
        raise no_such_policy(run_id, runs_dir)
    record, where = found[0], f"--policy {run_id}"
    if record.status != "finished":
        cure = "finish its study first, or take another run"
        raise InputError("the run is not finished", where=where, value=record.status, cure=cure)
    if record.scenario != scenario:
        cure = f"give {record.scenario} as the scenario, or another run"
        raise InputError(
            f"the run was not trained on {scenario}", where=where, value=record.scenario, cure=cure
        )
    version, now = record.spec.environment_version, describe(scenario).backend_version
    if version != now:
        raise InputError(
            f"the run was trained under other rules than version {now} of "
            f"{backend_of(scenario).name}",
            where=where,
            value=version,
            cure="train it again with this version",
        )
    return record
