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
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from suite.algorithms import Learner, Sizes
from suite.environments import describe, make
from suite.environments.interface import EnvironmentInfo
from suite.errors import StoredDataError
from suite.records.layout import LONGEST_TAG
from suite.records.provenance import differences, numerics
from suite.runs.cohorts import cohort_shape
from suite.runs.seeding import Stream, episode_seeds, generator
from suite.runs.spec import RunSpec
from suite.training.checkpoint import (
    CheckpointHeader,
    read_checkpoint,
    unusable_content,
    write_checkpoint,
)
from suite.training.evaluation import run_tests, summarise
from suite.training.exploration import epsilon
from suite.training.progress import MemberProgress, Point, read_progress
from suite.training.replay import Replay
from suite.training.rollout import Policy, play

Emit = Callable[[dict[str, Any]], None]

# A checkpoint follows every test, and this long after the last one; writing takes some ten
# milliseconds.
CHECKPOINT_INTERVAL_SECONDS = 20.0
PROGRESS_INTERVAL_SECONDS = 0.5
# A run that was interrupted more often than this is not continued.
MOST_SITTINGS = 1_000
_PER_EPISODE = ("episode_seed", "length", "actions", "reward")
REBUILD_SLOTS = 64  # episodes replayed side by side when a replay is rebuilt


class Cohort:
    """Networks, replay, environments, random streams and counters of the runs trained together.

    Raises ValueError if the runs differ in scenario, algorithm (but for the learning rate) or
    training settings.
    """

    def __init__(self, runs: Sequence[RunSpec], device: str = "cpu") -> None:
        _check_same_shape(runs)
        self.runs = runs
        self.settings = runs[0].training
        self.info = describe(runs[0].scenario)
        self._device = device
        self._seeds = [run.seed for run in runs]
        n = len(runs)
        self.learner = Learner(
            runs[0].algorithm,
            _sizes(self.info),
            seeds=self._seeds,
            alpha=[run.alpha or 0.0 for run in runs],
            pruning_start_env_steps=[run.pruning_start_env_steps for run in runs],
            learning_rate=[run.algorithm.learning_rate for run in runs],
            device=device,
        )
        self.replay = Replay(self.info, n, self.settings.buffer_size_episodes)
        self._environment = make(runs[0].scenario, n, seed=0)
        self._test_environment = make(runs[0].scenario, n * self.settings.n_test_episodes, seed=0)
        self._exploration = [generator(seed, Stream.EXPLORATION) for seed in self._seeds]
        self._sampling = [generator(seed, Stream.REPLAY_SAMPLING) for seed in self._seeds]
        self.progress = [MemberProgress() for _ in runs]
        self.sittings: dict[str, list[dict[str, str]]] = {run.run_id: [] for run in runs}
        self.new_points: list[list[Point]] = [[] for _ in runs]
        self._started, self._elapsed_before = time.monotonic(), 0.0

    @property
    def training(self) -> NDArray[np.bool_]:
        """(members,) whether each still trains: neither finished nor failed."""
        return np.array([not (m.finished or m.failure) for m in self.progress])

    @property
    def elapsed_seconds(self) -> float:
        """Wall time spent on the cohort, earlier sittings included."""
        return self._elapsed_before + time.monotonic() - self._started

    def play_episodes(self) -> None:
        """One ε-greedy training episode per training member, stored in the replay."""
        members = np.flatnonzero(self.training)
        epsilons = np.array([epsilon(m.env_steps, self.settings) for m in self.progress])
        seeds = np.concatenate(
            [
                episode_seeds(
                    self._seeds[m], Stream.TRAINING_EPISODES, self.progress[m].n_episodes, 1
                )
                for m in members
            ]
        )
        policy = Policy(
            self.learner,
            self._environment,
            self.learner.execution_modes[0],
            epsilon=epsilons,
            random=self._exploration,
        )
        writer = self.replay.writer(np.arange(len(self.runs)), members, seeds)
        outcomes = play(self._environment, members, seeds, policy, writer)
        for m in members:
            member = self.progress[m]
            member.observe(summarise(outcomes, slice(m, m + 1), "train"))
            member.env_steps += int(outcomes.length[m])
            member.n_episodes += 1

    def update(self) -> None:
        """One gradient step per training member that has a full batch, then target copies."""
        size = self.settings.batch_size_episodes
        training = self.training
        active = training & (np.minimum(self.replay.n_added, self.replay.capacity) >= size)
        if active.any():
            batch = self.replay.sample(size, self._sampling, active, self._device)
            steps = np.array([member.env_steps for member in self.progress])
            metrics = self.learner.update(batch, steps, active)
            values = {f"train/{key}": tensor.tolist() for key, tensor in metrics.items()}
            for m in np.flatnonzero(active).tolist():
                self.progress[m].n_updates += 1
                own = {key: value[m] for key, value in values.items()}
                self.progress[m].observe(own)
                self._fail_unless_finite(m, own)
        self._copy_targets(active)

    def _fail_unless_finite(self, m: int, metrics: Mapping[str, float]) -> None:
        """A member with a value that is no number has failed; the first such value is named."""
        for key, value in metrics.items():
            if not math.isfinite(value) and self.progress[m].failure is None:
                step = self.progress[m].env_steps
                self.progress[m].failure = f"training diverged: {key} is {value} at step {step:,}"

    def _copy_targets(self, active: NDArray[np.bool_]) -> None:
        """Hard copy every so many episodes, counted from the one just played (PyMARL)."""
        interval = self.settings.target_update_interval_episodes
        due = np.zeros(len(self.runs), np.bool_)
        for m in np.flatnonzero(active).tolist():
            member = self.progress[m]
            if member.n_episodes - 1 - member.last_target_copy >= interval:
                member.last_target_copy = member.n_episodes - 1
                due[m] = True
        if due.any():
            self.learner.copy_target(torch.from_numpy(due))

    def test_if_due(self) -> list[int]:
        """Test the members whose interval is over (or whose training is); returns which.

        PyMARL tests after the first episode and then every interval; the end of training is
        tested too, so that the last point of a curve is the trained model.
        """
        settings = self.settings
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
                self.learner,
                self._test_environment,
                due,
                self._seeds,
                [member.n_tests for member in self.progress],
                settings.n_test_episodes,
            )
            is_finite = self.learner.is_finite()
            for m, metrics in zip(due, results, strict=True):
                member = self.progress[m]
                metrics["train/n_updates"] = float(member.n_updates)
                metrics["train/epsilon"] = epsilon(member.env_steps, settings)
                metrics["train/n_episodes"] = float(member.n_episodes)
                self.new_points[m] = member.record(metrics)
                member.last_test = member.env_steps
                member.n_tests += 1
                weights = {"a weight": 0.0 if is_finite[m] else math.nan}
                self._fail_unless_finite(m, weights | metrics)
        return due

    def finish_members(self) -> None:
        """Retire the members whose budget is spent (t_env > t_max, as in PyMARL)."""
        for m in np.flatnonzero(self.training).tolist():
            if self.progress[m].env_steps > self.settings.total_env_steps:
                self.progress[m].finished = True

    def write(self, path: Path) -> None:
        """Write the checkpoint."""
        run_ids = tuple(run.run_id for run in self.runs)
        header = CheckpointHeader(run_ids, numerics(), self.sittings)
        write_checkpoint(path, header, self.state_dict())

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to continue bit-identically; plain containers and tensors."""
        n = int(min(self.replay.n_added.max(initial=0), self.replay.capacity))
        return {
            "elapsed_seconds": self.elapsed_seconds,
            "progress": json.dumps([member.to_dict() for member in self.progress]),
            "random": json.dumps(
                [g.bit_generator.state for g in (*self._exploration, *self._sampling)]
            ),
            "learner": self.learner.state_dict(),
            "replay": {
                "n_added": torch.from_numpy(self.replay.n_added.copy()),
                "episode_seed": torch.from_numpy(self.replay.episode_seed[:, :n].copy()),
                "length": torch.from_numpy(self.replay.length[:, :n].copy()),
                "actions": torch.from_numpy(self.replay.actions[:, :n].astype(np.int16)),
                "reward": torch.from_numpy(self.replay.reward[:, :n].sum(axis=2)),
            },
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
        states = json.loads(content["random"])
        for g, state in zip((*self._exploration, *self._sampling), states, strict=True):
            g.bit_generator.state = state
        self.learner.load_state_dict(content["learner"])
        elapsed = content["elapsed_seconds"]
        if type(elapsed) is not float or not 0 <= elapsed < math.inf:
            raise ValueError(f"elapsed_seconds is {elapsed!r:.40}")
        self._elapsed_before, self._started = elapsed, time.monotonic()
        self._rebuild_replay(content["replay"], path, beat)

    def _check_progress(self, member: MemberProgress) -> None:
        """Raise ValueError for counters that no training of these settings reaches."""
        if member.failure is not None and len(self.runs) > 1:
            return
        if member.failure is not None:
            raise ValueError("a run that had failed is not continued")
        total, limit = self.settings.total_env_steps, self.info.episode_limit
        if member.finished != (total < member.env_steps <= total + limit):
            raise ValueError(f"finished: {member.finished} at step {member.env_steps:,}")
        if not member.env_steps / limit <= member.n_episodes <= member.env_steps:
            raise ValueError(f"{member.n_episodes:,} episodes in {member.env_steps:,} steps")
        steps = [step for _, step, _ in member.history]
        if steps != sorted(steps) or not all(0 < step <= member.env_steps for step in steps):
            raise ValueError("the history has other steps than were trained")
        for key, _, value in member.history:
            if not math.isfinite(value) or ("win_rate" in key and not 0 <= value <= 1):
                raise ValueError(f"{key} is {value}")

    def _rebuild_replay(
        self, stored: dict[str, torch.Tensor], path: Path, beat: Callable[[], None]
    ) -> None:
        """Play the stored episodes again from their seeds and actions: the same data, exactly."""
        replay = self.replay
        replay.n_added[:] = 0
        totals = stored["reward"].numpy()
        n_stored = min(int(stored["n_added"].max()), replay.capacity)
        if any(stored[key].shape[:2] != (len(self.runs), n_stored) for key in _PER_EPISODE):
            raise ValueError("another number of episodes in the replay than were played")
        if stored["n_added"].tolist() != [member.n_episodes for member in self.progress]:
            raise ValueError("other episodes in the replay than were played")
        for m in range(len(self.runs)):
            n = min(int(stored["n_added"][m]), replay.capacity)
            seeds = stored["episode_seed"][m, :n].numpy()
            actions = stored["actions"][m, :n].numpy().astype(np.int64)
            for first in range(0, n, REBUILD_SLOTS):
                beat()
                self._replay_chunk(
                    m, seeds[first : first + REBUILD_SLOTS], actions[first : first + REBUILD_SLOTS]
                )
        same_length = np.array_equal(replay.length[:, : totals.shape[1]], stored["length"])
        same_reward = np.array_equal(replay.reward[:, : totals.shape[1]].sum(axis=2), totals)
        if not (same_length and same_reward):
            raise StoredDataError(
                "stored episodes do not play out as they did",
                where=str(path),
                cure="the environment has changed; delete this file to train the run again",
            )
        replay.n_added[:] = stored["n_added"].numpy()

    def _replay_chunk(
        self, member: int, seeds: NDArray[np.int64], actions: NDArray[np.int64]
    ) -> None:
        """Store one member's episodes; actions: (episodes, time, agents)."""
        n = len(seeds)
        environment = make(self.info.name, n, seed=0)
        slots = np.arange(n)
        writer = self.replay.writer(np.full(n, member), slots, seeds)
        play(environment, slots, seeds, lambda t, _: actions[:, t], writer)


def _check_same_shape(runs: Sequence[RunSpec]) -> None:
    if len({cohort_shape(run) for run in runs}) != 1:
        raise ValueError(
            "the runs of a cohort must share scenario, algorithm and training settings"
        )


def _sizes(info: EnvironmentInfo) -> Sizes:
    return Sizes(
        n_agents=info.n_agents,
        n_actions=info.n_actions,
        observation_size=info.observation_size,
        state_size=info.state_size,
        ally_state_size=info.ally_state_size,
    )
