"""The training loop: a cohort of runs of one scenario and network shape, trained side by side.

After PyMARL's `run_sequential`: every member plays one whole episode, one update follows per
episode, greedy tests interrupt at fixed intervals. Everything that is random or counted belongs to
a member, so that a member's result does not depend on its cohort, and everything is in the
checkpoint, so that a run resumed at any point continues to bit-identical metrics. A member whose
loss, weights or metrics stop being finite has failed: nothing it would do later means anything.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suite.algorithms.declaration import Members
from suite.algorithms.interface import Actor, Counters, EpisodeWriter
from suite.algorithms.registry import method_of, settings_of
from suite.algorithms.validation import check_update
from suite.environments import backend_of, copies, describe, make
from suite.environments.interface import BatchedEnvironment
from suite.errors import StoredDataError
from suite.records.layout import LONGEST_TAG
from suite.records.provenance import BREAKDOWNS, differences, numerics
from suite.runs.cohorts import cohort_shape
from suite.runs.metrics import TRAIN, WIN_RATE
from suite.runs.seeding import Stream, episode_seeds
from suite.runs.spec import RunSpec
from suite.training.checkpoint import (
    CheckpointHeader,
    read_checkpoint,
    unusable_content,
    write_checkpoint,
)
from suite.training.evaluation import run_tests, summarise
from suite.training.progress import MemberProgress, Point, read_progress
from suite.training.rollout import play

# A run that was interrupted more often than this is not continued.
MOST_SITTINGS = 1_000


class Cohort:
    """An algorithm, its environments and the counters of the runs trained together.

    Raises ValueError if the runs differ in more than seed, hyperparameters and learning rate.
    """

    def __init__(self, runs: Sequence[RunSpec], device: str = "cpu") -> None:
        if len({cohort_shape(run) for run in runs}) != 1:
            raise ValueError(
                "the runs of a cohort must share scenario, algorithm and training settings"
            )
        if len(runs) > 1 and backend_of(runs[0].scenario).most_copies is not None:
            raise ValueError("where copies of a game are few, a run has them for itself")
        self.runs = runs
        self.protocol = runs[0].training
        self.info = describe(runs[0].scenario)
        self._backend = backend_of(runs[0].scenario)
        self._seeds = [run.seed for run in runs]
        method, settings = method_of(runs[0].algorithm), settings_of(runs[0].algorithm)
        self._method_name = f"{method.framework} on {method.backbone}"
        self._extra = method.extra_observations(settings, self.info.sizes)
        self.algorithm = method.build(
            settings, self.info.sizes, self.protocol, members_of(runs), device
        )
        self._environment, self._test_environment = self._environments()
        self.progress = [MemberProgress() for _ in runs]
        self.sittings: dict[str, list[dict[str, str]]] = {run.run_id: [] for run in runs}
        self.new_points: list[list[Point]] = [[] for _ in runs]
        self._started, self._elapsed_before = time.monotonic(), 0.0

    def _environments(self) -> tuple[BatchedEnvironment, BatchedEnvironment]:
        """For training and for tests; the same where only so many can be had.

        Slots are laid out member by member.
        """
        n = len(self.runs)
        wanted = (self.protocol.episodes_per_collection, self.protocol.n_test_episodes)
        if self._backend.most_copies is None:
            first, second = (self._make(n * each) for each in wanted)
            return first, second
        both = self._make(copies(self.info.name, max(wanted)))
        return both, both

    def _make(self, n_environments: int) -> BatchedEnvironment:
        return make(self.info.name, n_environments, seed=0, extra=self._extra)

    def close(self) -> None:
        """Give the environments back."""
        self._environment.close()
        if self._test_environment is not self._environment:
            self._test_environment.close()

    @property
    def training(self) -> NDArray[np.bool_]:
        """(members,) whether each still trains: neither finished nor failed."""
        return np.array([not (m.finished or m.failure) for m in self.progress])

    @property
    def elapsed_seconds(self) -> float:
        """Wall time spent on the cohort, earlier sittings included."""
        return self._elapsed_before + time.monotonic() - self._started

    @property
    def counters(self) -> Counters:
        """How far each member is."""
        return Counters(
            env_steps=np.array([member.env_steps for member in self.progress]),
            n_episodes=np.array([member.n_episodes for member in self.progress]),
        )

    def collect(self) -> None:
        """Have every training member play its episodes of one collection, and remember them."""
        n_each, members = self.protocol.episodes_per_collection, np.flatnonzero(self.training)
        seeds = np.array(
            [
                episode_seeds(
                    self._seeds[m], Stream.TRAINING_EPISODES, self.progress[m].n_episodes, n_each
                )
                for m in members.tolist()
            ]
        )
        width, counters = self._environment.n_environments // len(self.runs), self.counters
        for first in range(0, n_each, width):
            self._collect_wave(members, width, seeds[:, first : first + width], counters)

    def _collect_wave(
        self, members: NDArray[np.int64], width: int, seeds: NDArray[np.int64], counters: Counters
    ) -> None:
        """One episode per seed, (members, up to width), in slots laid out by `width`.

        counters: how far members were when the collection began, which decides how they explore.
        """
        algorithm, environment = self.algorithm, self._environment
        slots = (members[:, None] * width + np.arange(seeds.shape[1])).ravel()
        new_actor = partial(
            algorithm.actor, environment, algorithm.modes[0].name, exploring=counters
        )
        member_of_slot = np.repeat(np.arange(len(self.runs)), width)
        writer = algorithm.memory.writer(member_of_slot, slots, seeds.ravel())
        outcomes = play(environment, slots, seeds.ravel(), new_actor, writer, self._ends_at_limit)
        for slot in slots.tolist():
            member = self.progress[slot // width]
            member.observe(summarise(outcomes, slice(slot, slot + 1), TRAIN))
            member.env_steps += int(outcomes.length[slot])
            member.n_episodes += 1

    @property
    def _ends_at_limit(self) -> bool:
        return self.protocol.time_limit == "terminal"

    def update(self) -> None:
        """The updates of one collection, of every training member that remembers enough."""
        for _ in range(self.protocol.updates_per_collection):
            updated, metrics = self.algorithm.update(self.counters, self.training)
            check_update(self._method_name, updated, metrics, len(self.runs))
            values = {f"{TRAIN}/{key}": tensor.tolist() for key, tensor in metrics.items()}
            for m in np.flatnonzero(updated).tolist():
                self.progress[m].n_updates += 1
                own = {key: value[m] for key, value in values.items()}
                self.progress[m].observe(own)
                self._fail_unless_finite(m, own)

    def _fail_unless_finite(self, m: int, metrics: Mapping[str, float]) -> None:
        """A member with a value that is no number has failed; the first such value is named."""
        for key, value in metrics.items():
            if not math.isfinite(value) and self.progress[m].failure is None:
                step = self.progress[m].env_steps
                self.progress[m].failure = f"training diverged: {key} is {value} at step {step:,}"

    def test_if_due(self) -> list[int]:
        """Test the members whose interval is over (or whose training is); returns which.

        PyMARL tests after the first episode and then every interval; the end of training is
        tested too, so that the last point of a curve is the trained model.
        """
        settings = self.protocol
        due = [
            m
            for m, member in enumerate(self.progress)
            if self.training[m]
            and (
                member.last_test is None
                or member.env_steps - member.last_test >= settings.test_interval_env_steps
                or member.env_steps > settings.total_env_steps
            )
        ]
        if due:
            results = run_tests(
                self.algorithm,
                self._test_environment,
                due,
                self._seeds,
                [member.n_tests for member in self.progress],
                settings.n_test_episodes,
            )
            is_finite, facts = self.algorithm.is_finite(), self.algorithm.facts(self.counters)
            for m, metrics in zip(due, results, strict=True):
                member = self.progress[m]
                metrics[f"{TRAIN}/n_updates"] = float(member.n_updates)
                metrics[f"{TRAIN}/n_episodes"] = float(member.n_episodes)
                metrics |= {f"{TRAIN}/{name}": values[m] for name, values in facts.items()}
                self.new_points[m] = member.record(metrics)
                member.last_test = member.env_steps
                member.n_tests += 1
                weights = {"a weight": 0.0 if is_finite[m] else math.nan}
                self._fail_unless_finite(m, weights | metrics)
        return due

    def finish_members(self) -> None:
        """Retire the members whose budget is spent (t_env > t_max, as in PyMARL)."""
        for m in np.flatnonzero(self.training).tolist():
            if self.progress[m].env_steps > self.protocol.total_env_steps:
                self.progress[m].finished = True

    def note_breakdowns(self) -> bool:
        """Have this sitting tell how often something of the environments broke down.

        False where nothing can, so that there is nothing to tell.
        """
        environments = {id(e): e for e in (self._environment, self._test_environment)}
        counts = [self._backend.n_breakdowns(one) for one in environments.values()]
        told = [count for count in counts if count is not None]
        for sittings in self.sittings.values() if told else ():
            if sittings:
                sittings[-1][BREAKDOWNS] = str(sum(told))
        return bool(told)

    def write(self, path: Path) -> None:
        """Write the checkpoint."""
        self.note_breakdowns()
        run_ids = tuple(run.run_id for run in self.runs)
        header = CheckpointHeader(run_ids, numerics(), self.sittings)
        write_checkpoint(path, header, self.state_dict())

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to continue bit-identically; plain containers and tensors."""
        backend = self._backend
        # Episodes are played again many at a time.
        has_room = backend.most_copies is None
        by_seeds = backend.replays_exactly and backend.replays_cheaply and has_room
        return {
            "elapsed_seconds": self.elapsed_seconds,
            "progress": json.dumps([member.to_dict() for member in self.progress]),
            "algorithm": self.algorithm.state_dict(),
            "memory": self.algorithm.memory.state_dict(replays_exactly=by_seeds),
        }

    def restore(
        self, path: Path, beat: Callable[[], None], accepts_changed_code: bool = False
    ) -> None:
        """Continue from a checkpoint; `beat` is called now and then while that takes time.

        Raises StoredDataError if it is not this cohort's, is damaged, or was written by other code
        or versions, unless those are accepted.
        """
        header, content = read_checkpoint(path)
        if header.run_ids != tuple(run.run_id for run in self.runs):
            raise StoredDataError(
                "checkpoint belongs to other runs",
                where=str(path),
                value=header.run_ids,
                cure="delete this file to train the run from its beginning",
            )
        if header.numerics != numerics() and not accepts_changed_code:
            raise StoredDataError(
                f"checkpoint was written by other code or versions (commit {header.commit}; "
                f"{differences(header.numerics, numerics())})",
                where=str(path),
                cure="install those to continue bit-identically, or choose with --if-changed",
            )
        with unusable_content(path):
            if not header.sittings.keys() <= self.sittings.keys():
                raise ValueError("sittings of other runs")
            for run_id, earlier in header.sittings.items():
                self.sittings[run_id] = [dict(sitting) for sitting in earlier]
                longest = max((len(json.dumps(sitting)) for sitting in earlier), default=0)
                if longest > LONGEST_TAG or len(earlier) > MOST_SITTINGS:
                    raise ValueError("sittings that cannot be recorded")
            self._restore(content, path, beat)

    def _restore(self, content: dict[str, Any], path: Path, beat: Callable[[], None]) -> None:
        self.progress = read_progress(content["progress"])
        if len(self.progress) != len(self.runs):
            raise ValueError(f"{len(self.progress)} members, not {len(self.runs)}")
        for member in self.progress:
            self._check_progress(member)
        self.algorithm.load_state_dict(content["algorithm"])
        elapsed = content["elapsed_seconds"]
        if type(elapsed) is not float or not 0 <= elapsed < math.inf:
            raise ValueError(f"elapsed_seconds is {elapsed!r:.40}")
        self._elapsed_before, self._started = elapsed, time.monotonic()
        self._restore_memory(content["memory"], beat)

    def _check_progress(self, member: MemberProgress) -> None:
        """Raise ValueError for counters that no training of these settings reaches."""
        if member.failure is not None and len(self.runs) > 1:
            return
        if member.failure is not None:
            raise ValueError("a run that had failed is not continued")
        total, limit = self.protocol.total_env_steps, self.info.episode_limit
        if member.finished != (
            total < member.env_steps <= total + limit * self.protocol.episodes_per_collection
        ):
            raise ValueError(f"finished: {member.finished} at step {member.env_steps:,}")
        if not member.env_steps / limit <= member.n_episodes <= member.env_steps:
            raise ValueError(f"{member.n_episodes:,} episodes in {member.env_steps:,} steps")
        steps = [step for _, step, _, _ in member.history]
        if steps != sorted(steps) or not all(0 < step <= member.env_steps for step in steps):
            raise ValueError("the history has other steps than were trained")
        for key, _, value, _ in member.history:
            if not math.isfinite(value) or (WIN_RATE in key and not 0 <= value <= 1):
                raise ValueError(f"{key} is {value}")

    def _restore_memory(self, state: dict[str, Any], beat: Callable[[], None]) -> None:
        def play_again(
            member: int,
            seeds: NDArray[np.int64],
            actions: NDArray[np.int64],
            writer: EpisodeWriter,
        ) -> None:
            beat()
            environment, slots = self._make(len(seeds)), np.arange(len(seeds))

            def same_actions() -> Actor:
                return lambda t, slots: actions[:, t]

            play(environment, slots, seeds, same_actions, writer, self._ends_at_limit)
            environment.close()

        memory = self.algorithm.memory
        memory.load_state_dict(state, play_again)
        if memory.n_added.tolist() != [member.n_episodes for member in self.progress]:
            raise ValueError("other episodes are remembered than were played")


def members_of(runs: Sequence[RunSpec]) -> Members:
    """What differs between the members of a population."""
    settings = [run.algorithm.model_dump() for run in runs]
    return Members(
        seeds=[run.seed for run in runs],
        learning_rate=[one["learning_rate"] for one in settings if "learning_rate" in one] or None,
        hyperparameters={
            name: [run.hyperparameters[name] for run in runs] for name in runs[0].hyperparameters
        },
    )
